//! From where a client comes.

use crate::support::Gateway;

/// The address that the log gives for a request with this header.
async fn address(gateway: &Gateway, header: (&str, &str)) -> String {
    let response = gateway.send("GET", "/v1/models", &[header]).await;
    let id = response.header("x-request-id").unwrap().to_owned();
    let line = gateway.log_line(|line| line.contains(&id)).await;
    let field = line.split("client.address=").nth(1).unwrap();
    field.split(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_clients_address_is_believed_only_from_a_trusted_proxy() {
    let gateway = Gateway::setup().start().await;
    assert_eq!(
        address(&gateway, ("x-forwarded-for", "1.2.3.4")).await,
        "127.0.0.1"
    );
    let proxied = Gateway::setup()
        .server("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]")
        .start()
        .await;
    for (header, wanted) in [
        (("x-forwarded-for", "1.2.3.4"), "1.2.3.4"),
        (("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.9"), "1.2.3.4"),
        (
            ("forwarded", "for=\"[2001:db8::1]:99\";proto=https"),
            "2001:db8::1",
        ),
        (("x-forwarded-for", "nonsense"), "127.0.0.1"),
        (
            ("forwarded", "for=1.2.3.4;host=\"x,for=6.6.6.6\""),
            "1.2.3.4",
        ),
        (
            ("forwarded", "for=6.6.6.6;host=\"x, for=1.2.3.4"),
            "127.0.0.1",
        ),
    ] {
        assert_eq!(address(&proxied, header).await, wanted, "{header:?}");
    }
}
