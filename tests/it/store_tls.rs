//! TLS on the way to Postgres: whom Weir believes, and that it says nothing before it does. The server is a stub that
//! speaks as far as the first message, which names the user.

use crate::{
    support::{Exit, weir, within},
    tls::{certify, server_config},
};
use std::{path::Path, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// With which a client asks for TLS before it says anything else.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// The refusal of a server that has heard enough.
const WORDS: &str = "heard over TLS";

/// A server for one client; what it was told.
struct Stub {
    port: u16,
    told: JoinHandle<Option<String>>,
}

impl Stub {
    /// Shows the certificate in `dir`, or has no TLS if there is none.
    async fn start(shown: Option<rcgen::CertifiedKey<rcgen::KeyPair>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, shown).await
        });
        Self { port, told }
    }

    /// What its client said once it believed it.
    async fn told(self) -> Option<String> {
        within("the end of the server", self.told).await.unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    shown: Option<rcgen::CertifiedKey<rcgen::KeyPair>>,
) -> Option<String> {
    let mut asked = [0; 8];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(asked, SSL_REQUEST);
    let Some(shown) = shown else {
        stream.write_all(b"N").await.unwrap();
        let mut more = Vec::new();
        // The client may close the connection as rudely as it likes.
        let _ = stream.read_to_end(&mut more).await;
        return (!more.is_empty()).then(|| String::from_utf8_lossy(&more).into_owned());
    };
    stream.write_all(b"S").await.unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server_config(&shown)));
    let mut stream = acceptor.accept(stream).await.ok()?;
    let mut told = vec![0; stream.read_u32().await.ok()? as usize - 4];
    stream.read_exact(&mut told).await.ok()?;
    let fields = format!("SFATAL\0C28000\0M{WORDS}\0\0");
    let mut refusal = vec![b'E'];
    refusal.extend((fields.len() as u32 + 4).to_be_bytes());
    refusal.extend(fields.as_bytes());
    stream.write_all(&refusal).await.ok()?;
    stream.shutdown().await.ok()?;
    Some(String::from_utf8_lossy(&told).into_owned())
}

/// Asks for the keys in a store on the server, with more parameters in its URL.
async fn list_keys(dir: &Path, host: &str, port: u16, parameters: &str) -> Exit {
    let url = format!("postgres://someone@{host}:{port}/d?sslmode=verify-full&{parameters}");
    weir(dir, &["key", "list"], &[("WEIR__STORE__URL", &url)]).await
}

#[tokio::test]
async fn a_server_is_believed_that_its_own_authority_vouches_for() {
    for host in ["127.0.0.1", "localhost"] {
        let dir = tempfile::tempdir().unwrap();
        let stub = Stub::start(Some(certify(dir.path()))).await;
        let exit = list_keys(dir.path(), host, stub.port, "sslrootcert=cert.pem").await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert!(exit.stderr.contains(WORDS), "{exit:?}");
        let told = stub.told().await.unwrap();
        assert!(told.contains("user\0someone\0"), "{told:?}");
    }
}

#[tokio::test]
async fn a_server_that_nobody_known_vouches_for_is_told_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let stranger = tempfile::tempdir().unwrap();
    certify(dir.path());
    for parameters in ["sslrootcert=cert.pem", ""] {
        let stub = Stub::start(Some(certify(stranger.path()))).await;
        let exit = list_keys(dir.path(), "127.0.0.1", stub.port, parameters).await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
        assert!(exit.stderr.contains("certificate"), "{exit:?}");
        assert_eq!(stub.told().await, None, "{parameters}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let stub = Stub::start(None).await;
    let exit = list_keys(dir.path(), "127.0.0.1", stub.port, "").await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(exit.stderr.contains("TLS"), "{exit:?}");
    assert_eq!(stub.told().await, None);
}

#[tokio::test]
async fn a_file_of_authorities_that_is_of_no_use_is_refused_before_anybody_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("empty.pem"), "").unwrap();
    for (file, why) in [
        ("missing.pem", "cannot be read"),
        ("empty.pem", "has no certificate in it"),
    ] {
        let exit = list_keys(dir.path(), "127.0.0.1", 1, &format!("sslrootcert={file}")).await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
        let said = format!("store.url: {file} {why}");
        assert!(exit.stderr.contains(&said), "{exit:?}");
    }
}
