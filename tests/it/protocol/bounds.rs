//! Heads that are too slow or too large.

use super::{ask, refuses};
use crate::support::{Conn, Gateway, error_of, within};
use std::time::Duration;

#[tokio::test]
async fn headers_that_do_not_come_in_time_are_a_408() {
    let gateway = Gateway::setup()
        .server("header_timeout = \"100ms\"")
        .start()
        .await;
    for beginning in [
        "G",
        "GET /healthz HTTP/1.1\r\n",
        "GET /healthz HTTP/1.1\r\nhost: w\r\nx: y",
    ] {
        refuses(&gateway, beginning, 408).await;
    }
}

#[tokio::test]
async fn headers_that_trickle_in_are_a_408_all_the_same() {
    let gateway = Gateway::setup()
        .server("header_timeout = \"200ms\"")
        .start()
        .await;
    let mut conn = Conn::open(gateway.data).await;
    conn.send("GET /healthz HTTP/1.1\r\n").await;
    let (mut reader, mut writer) = tokio::io::split(conn.stream);
    let trickle = async {
        loop {
            if tokio::io::AsyncWriteExt::write_all(&mut writer, b"x: y\r\n")
                .await
                .is_err()
            {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answer = vec![0; 12];
    let read = tokio::io::AsyncReadExt::read_exact(&mut reader, &mut answer);
    tokio::select! {
        () = trickle => unreachable!(),
        read = within("an answer", read) => { read.unwrap(); }
    }
    assert_eq!(answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn headers_that_are_too_large_are_a_431() {
    let gateway = Gateway::setup().start().await;
    let large = format!(
        "GET /healthz HTTP/1.1\r\nhost: w\r\nx: {}\r\n\r\n",
        "y".repeat(70 << 10)
    );
    refuses(&gateway, large, 431).await;
    let many = format!(
        "GET /healthz HTTP/1.1\r\nhost: w\r\n{}\r\n",
        "x: y\r\n".repeat(2000)
    );
    refuses(&gateway, many, 431).await;
    gateway
        .log_line(|line| line.contains("code=\"headers_too_large\"") && line.contains("req_"))
        .await;
    gateway
        .metric("weir_refusals_total{code=\"headers_too_large\"}", 2)
        .await;
    let fitting = format!(
        "GET /healthz HTTP/1.1\r\nhost: w\r\nx: {}\r\n\r\n",
        "y".repeat(60 << 10)
    );
    assert_eq!(ask(&gateway, fitting).await.status(), 200);
}

#[tokio::test]
async fn a_url_that_is_too_long_is_refused() {
    let gateway = Gateway::setup().start().await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: w\r\n\r\n", "y".repeat(66_000));
    let response = ask(&gateway, long).await;
    assert!(
        matches!(response.status(), 414 | 431),
        "{}",
        response.status()
    );
    error_of(&response.body);
}
