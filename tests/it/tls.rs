//! TLS on the way to upstreams: whom Weir believes, and which version of HTTP it speaks there.

use crate::support::{
    Conn, END, FakeUpstream, Gateway, Reply, Setup, chat, chat_stream, error_of, event, weir,
};
use rustls::pki_types::PrivateKeyDer;
use std::{net::SocketAddr, path::Path, sync::Arc};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate for this machine, in `dir`; it vouches for itself.
pub fn certify(dir: &Path) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    made
}

/// How a server speaks that shows this certificate.
pub fn server_config(shown: &rcgen::CertifiedKey<rcgen::KeyPair>) -> rustls::ServerConfig {
    let key = PrivateKeyDer::try_from(shown.signing_key.serialize_der()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![shown.cert.der().clone()], key)
        .unwrap()
}

/// Speaks TLS and HTTP/1.1 in front of an upstream.
async fn before(
    upstream: &FakeUpstream,
    shown: &rcgen::CertifiedKey<rcgen::KeyPair>,
) -> SocketAddr {
    let mut config = server_config(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let inside = upstream.address;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outer = acceptor.accept(stream).await?;
                let mut inner = TcpStream::connect(inside).await?;
                tokio::io::copy_bidirectional(&mut outer, &mut inner).await
            });
        }
    });
    address
}

/// A gateway in front of `address`, with more lines for the table of the upstream.
fn in_front_of(address: SocketAddr, lines: &str) -> Setup {
    Gateway::setup().config(&format!(
        "[[upstream]]\nname = \"up\"\nprovider = \"openai\"\nbase_url = \"https://{address}/v1\"\nretries = 0\n{lines}\n\
         [[model]]\nname = \"up\"\nto = [\"up\"]\n"
    ))
}

#[tokio::test]
async fn an_upstream_is_believed_that_its_own_authority_vouches_for() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path());
    let upstream = FakeUpstream::with([Reply::streams([&*event("over tls"), END])]).await;
    let address = before(&upstream, &certificate).await;
    let gateway = in_front_of(address, "ca_file = \"cert.pem\"")
        .start_in(dir)
        .await;
    let answer = gateway
        .post("/v1/chat/completions", chat_stream("up"))
        .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text(), event("over tls") + END);
    assert!(upstream.request().await.head.contains(" HTTP/1.1"));
}

#[tokio::test]
async fn a_connection_with_tls_is_used_again_whatever_went_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = certify(dir.path());
    let large: Vec<u8> = (0..3u32 << 20).map(|i| (i * 31) as u8).collect();
    let upstream = FakeUpstream::with([
        Reply::json(200, "{}"),
        Reply::streams([&*event("over tls"), END]),
        Reply::with(200, &[], &large),
        Reply::json(200, "{}"),
    ])
    .await;
    let address = before(&upstream, &certificate).await;
    let gateway = in_front_of(address, "ca_file = \"cert.pem\"")
        .start_in(dir)
        .await;
    let sent = gateway.post_with(&gateway.key, "/v1/files", &large).await;
    assert_eq!(sent.status(), 200);
    assert!(upstream.request().await.body().await == large);
    let stream = gateway.chat(chat_stream("up")).await;
    assert_eq!(stream.text(), event("over tls") + END);
    assert!(gateway.get("/v1/files/f/content").await.body == large);
    assert_eq!(gateway.chat(chat("up")).await.text(), "{}");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_upstream_that_nobody_known_vouches_for_is_never_sent_a_request() {
    let dir = tempfile::tempdir().unwrap();
    let stranger = tempfile::tempdir().unwrap();
    certify(dir.path());
    let certificate = certify(stranger.path());
    let upstream = FakeUpstream::with([Reply::json(200, "{}"), Reply::json(200, "{}")]).await;
    let address = before(&upstream, &certificate).await;
    let one = in_front_of(address, "ca_file = \"cert.pem\"")
        .start_in(dir)
        .await;
    let other = in_front_of(address, "").start().await;
    for gateway in [&one, &other] {
        let answer = gateway.post("/v1/chat/completions", chat("up")).await;
        assert_eq!(answer.status(), 502, "{}", answer.text());
        error_of(&answer.body);
    }
    assert!(upstream.is_untouched().await);
}

#[tokio::test]
async fn an_upstream_that_offers_http_2_gets_its_requests_over_one_connection() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path());
    let pem = std::fs::read_to_string(dir.path().join("cert.pem")).unwrap();
    let behind = Gateway::setup()
        .server("tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"")
        .start_in(dir)
        .await;
    let own = tempfile::tempdir().unwrap();
    std::fs::write(own.path().join("ca.pem"), pem).unwrap();
    let gateway = in_front_of(behind.data, "ca_file = \"ca.pem\"\napi_key = \"$BEHIND\"")
        .config("[[model]]\nname = \"simulator/stall\"\nto = [\"up\"]")
        .env("BEHIND", &behind.key)
        .start_in(own)
        .await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut conn = Conn::open(gateway.data).await;
        let body = chat_stream("simulator/stall").to_string();
        conn.post("/v1/chat/completions", &gateway.key, body).await;
        assert_eq!(conn.head().await.status, 200);
        streams.push(conn);
    }
    behind.metric("weir_connections{plane=\"data\"}", 1).await;
    drop(streams);
    behind.metric("weir_requests_in_flight", 0).await;
}

#[tokio::test]
async fn a_file_of_authorities_that_is_of_no_use_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("empty.pem"), "nothing").unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    for (file, why) in [
        ("missing.pem", "cannot be read"),
        ("empty.pem", "has no certificate in it"),
    ] {
        let text = in_front_of(address, &format!("ca_file = \"{file}\"")).text();
        std::fs::write(dir.path().join("config.toml"), text).unwrap();
        let exit = weir(dir.path(), &["check"], &[]).await;
        assert_eq!(exit.code, Some(2), "{}", exit.stderr);
        let said = format!("upstream.up.ca_file: {file} {why}");
        assert!(exit.stderr.contains(&said), "{}", exit.stderr);
    }
}
