use super::*;
use crate::config::Timeouts;
use bytes::BytesMut;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
};

fn host(authority: &str) -> Arc<Host> {
    let url = format!("http://{authority}/v1");
    let hour = Timeouts::each(Duration::from_secs(3_600));
    let upstream = Upstream::bare("up".into(), url, hour);
    Host::new(&Arc::new(upstream)).unwrap()
}

/// Both ends of a connection.
async fn ends() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpSocket::new_v4().unwrap();
    let near = near.connect(listener.local_addr().unwrap());
    let (near, far) = tokio::join!(near, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

#[tokio::test]
async fn kept_connections_are_closed_when_they_are_old_though_nobody_asks() {
    let host = host("127.0.0.1");
    let (first, mut far_first) = ends().await;
    let (second, mut far_second) = ends().await;
    tokio::time::pause();
    let start = Instant::now();
    host.keep(first.into());
    tokio::time::advance(IDLE_TIMEOUT / 2).await;
    host.keep(second.into());
    for (far, age) in [(&mut far_first, 2), (&mut far_second, 3)] {
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
        let late = start.elapsed() - IDLE_TIMEOUT * age / 2;
        assert!(late < Duration::from_secs(1), "{late:?} late");
    }
    assert!(host.take_kept().is_none() && !host.kept().is_swept);
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_passed_over() {
    let host = host("127.0.0.1");
    let (first, _far_first) = ends().await;
    let (second, far_second) = ends().await;
    host.keep(first.into());
    host.keep(second.into());
    drop(far_second);
    tokio::task::yield_now().await; // the runtime looks at its sockets
    assert!(host.take_kept().is_some());
    assert!(host.take_kept().is_none());
}

#[tokio::test]
async fn a_request_that_http2_hands_back_goes_out_over_http1_with_its_host() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let host = host(&authority);
    let (near, _far) = tokio::io::duplex(1 << 10);
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(near));
    let (sender, connection) = handshake.await.unwrap();
    host.kept().http2 = Some(sender);
    let request = Box::new(Request {
        method: http::Method::GET,
        path: Path::known("/"),
        headers: Vec::new(),
        body: Outgoing::held(Vec::new()),
    });
    let exchange = host.exchange(request, Duration::from_secs(20));
    let server = async {
        // The request lies there by now; nobody has taken it when the connection is gone.
        drop(connection);
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = BytesMut::new();
        while !read.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
        }
        String::from_utf8(read.into()).unwrap()
    };
    tokio::pin!(exchange);
    let head = tokio::select! {
        biased;
        _ = &mut exchange => panic!("an answer that nobody gave"),
        head = server => head,
    };
    let line = format!("host: {authority}\r\n");
    assert!(head.to_ascii_lowercase().contains(&line), "{head}");
}
