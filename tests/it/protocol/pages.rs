//! Pages in a browser, and what they may read.

use crate::support::Gateway;

#[tokio::test]
async fn a_page_may_call_if_the_config_says_so() {
    let gateway = Gateway::setup()
        .config("[cors]\norigins = [\"https://good.test\"]")
        .start()
        .await;
    let preflight = [
        ("origin", "https://good.test"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization, x-stainless-lang",
        ),
    ];
    let response = gateway
        .bare("OPTIONS", "/v1/chat/completions", &preflight)
        .await;
    assert_eq!(response.status(), 204);
    assert_eq!(
        response.header("access-control-allow-origin"),
        Some("https://good.test")
    );
    assert_eq!(
        response.header("access-control-allow-headers"),
        Some(preflight[2].1)
    );
    assert!(
        response
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    assert_eq!(response.header("access-control-max-age"), Some("600"));
    // A page can read a refusal too, or it would see nothing but "network error".
    let refused = gateway.bare("GET", "/v1/models", &preflight[..1]).await;
    assert_eq!(
        (
            refused.status(),
            refused.header("access-control-allow-origin")
        ),
        (401, Some("https://good.test"))
    );
    assert!(
        refused
            .header("access-control-expose-headers")
            .unwrap()
            .contains("x-request-id")
    );
    for origin in ["https://bad.test", "https://good.test.bad.test", "null"] {
        let response = gateway
            .bare("GET", "/v1/models", &[("origin", origin)])
            .await;
        assert_eq!(response.header("access-control-allow-origin"), None);
        assert_eq!(response.header("vary"), Some("origin"));
    }
}

#[tokio::test]
async fn no_page_may_call_unless_the_config_says_so() {
    let gateway = Gateway::setup().start().await;
    let headers = [
        ("origin", "https://good.test"),
        ("access-control-request-method", "POST"),
    ];
    let response = gateway
        .bare("OPTIONS", "/v1/chat/completions", &headers)
        .await;
    assert!(
        !response
            .head
            .raw
            .to_lowercase()
            .contains("access-control-allow"),
        "{}",
        response.head.raw
    );
}
