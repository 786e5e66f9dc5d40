//! TLS on the way from clients.

use crate::support::{Conn, END, FakeUpstream, Gateway, Reply, chat_stream, event, until, within};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use std::{path::Path, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A self-signed certificate in `dir`.
pub fn certify(dir: &Path, name: &str) -> CertifiedKey<rcgen::KeyPair> {
    let made = generate_simple_self_signed([name.to_owned()]).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    made
}

pub const TLS: &str = "tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"";

/// Opens a TLS connection to a gateway whose certificate is `trusted`.
pub async fn tls(
    gateway: &Gateway,
    trusted: &CertifiedKey<rcgen::KeyPair>,
    name: &'static str,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let mut config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(gateway.data).await?;
    let connector = TlsConnector::from(Arc::new(config));
    connector
        .connect(ServerName::try_from(name).unwrap(), stream)
        .await
}

#[tokio::test]
async fn tls_speaks_http_1_to_those_who_ask_for_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path(), "weir.test");
    let upstream = FakeUpstream::with([Reply::streams([END])]).await;
    let gateway = Gateway::setup()
        .server(TLS)
        .upstream("up", &upstream, "")
        .start_in(dir)
        .await;
    let stream = tls(&gateway, &certificate, "weir.test", &[]).await.unwrap();
    let mut conn = Conn::over(stream);
    conn.post(
        "/v1/chat/completions",
        &gateway.key,
        chat_stream("up").to_string(),
    )
    .await;
    let response = conn.response().await;
    assert_eq!((response.status(), response.text().as_str()), (200, END));
    assert!(gateway.printed().contains("https://"));
}

#[tokio::test]
async fn tls_speaks_http_2_to_those_who_offer_it() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path(), "weir.test");
    let (first, second) = (Reply::fed(), Reply::fed());
    let upstream = FakeUpstream::with([first.0, second.0]).await;
    let gateway = Gateway::setup()
        .server(TLS)
        .upstream("up", &upstream, "")
        .start_in(dir)
        .await;
    let stream = tls(&gateway, &certificate, "weir.test", &[b"h2", b"http/1.1"])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut streams = Vec::new();
    for feed in [&first.1, &second.1] {
        feed.send(event("h2").into()).unwrap();
        let request = http::Request::post("https://weir.test/v1/chat/completions")
            .header("authorization", format!("Bearer {}", gateway.key))
            .body(http_body_util::Full::new(bytes::Bytes::from(
                chat_stream("up").to_string(),
            )))
            .unwrap();
        let response = within("an answer", sender.send_request(request))
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().get("connection").is_none());
        streams.push(response.into_body());
    }
    let mut many = http::Request::get("https://weir.test/healthz");
    for i in 0..101 {
        many = many.header(format!("x-{i}"), "y");
    }
    let many = many.body(http_body_util::Full::default()).unwrap();
    let refused = within("a refusal", sender.send_request(many))
        .await
        .unwrap();
    assert_eq!(refused.status(), 431);
    assert!(refused.headers().contains_key("x-request-id"));
    for (body, feed) in streams.iter_mut().zip([first.1, second.1]) {
        use http_body_util::BodyExt as _;
        let frame = within("an event", body.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), event("h2"));
        feed.send(END.into()).unwrap();
        drop(feed);
        let rest = within("the end", body.collect()).await.unwrap().to_bytes();
        assert_eq!(rest, END);
    }
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path(), "old.test");
    let gateway = Gateway::setup().server(TLS).start_in(dir).await;
    let new = certify(gateway.dir.path(), "new.test");
    until("the new certificate", async || {
        tls(&gateway, &new, "new.test", &[]).await.ok().map(drop)
    })
    .await;
    gateway
        .log_line(|line| line.contains("took up the new certificate"))
        .await;
}

#[tokio::test]
async fn a_client_that_speaks_plainly_to_tls_is_not_answered_in_kind() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path(), "weir.test");
    let gateway = Gateway::setup().server(TLS).start_in(dir).await;
    let mut conn = Conn::open(gateway.data).await;
    conn.send("GET /healthz HTTP/1.1\r\nhost: w\r\n\r\n").await;
    assert!(!String::from_utf8_lossy(&conn.closed().await).contains("HTTP/1.1"));
    tls(&gateway, &certificate, "weir.test", &[]).await.unwrap();
}
