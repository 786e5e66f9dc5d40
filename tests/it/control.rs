//! The control plane: is it alive, is it ready, what does it count, what happens.

use crate::{
    errors::{next_event, watch, watch_over},
    support::{
        Conn, END, FakeUpstream, Gateway, Reply, chat, chat_stream, event, free_port, until,
    },
};

#[tokio::test]
async fn both_planes_say_that_they_are_alive() {
    let gateway = Gateway::setup().start().await;
    for response in [
        gateway.control("/healthz").await,
        gateway.bare("GET", "/healthz", &[]).await,
    ] {
        assert_eq!(
            (response.status(), response.text().as_str()),
            (200, "{\"status\":\"ok\"}")
        );
    }
}

#[tokio::test]
async fn it_is_ready_when_an_upstream_can_be_reached() {
    let upstream = FakeUpstream::start().await;
    let dead = format!(
        "[[upstream]]\nname = \"dead\"\nprovider = \"openai\"\nbase_url = \"http://{}/v1\"",
        free_port().await
    );
    let ready = Gateway::setup()
        .upstream("up", &upstream, "")
        .config(&dead)
        .start()
        .await;
    let response = ready.control("/readyz").await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.json()["upstreams"],
        serde_json::json!({"up": true, "dead": false})
    );
    let unready = Gateway::setup().config(&dead).start().await;
    let response = unready.control("/readyz").await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.json()["checks"]["upstream"], false);
    assert_eq!(unready.control("/healthz").await.status(), 200);
    let alone = Gateway::setup().start().await;
    assert_eq!(
        alone.control("/readyz").await.status(),
        200,
        "the simulator is always there"
    );
}

#[tokio::test]
async fn it_says_what_it_is() {
    let info = Gateway::setup().start().await.control("/info").await.json();
    assert_eq!(
        (info["name"].as_str(), info["version"].as_str()),
        (Some("weir"), Some(env!("CARGO_PKG_VERSION")))
    );
    assert!(
        info["features"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
    assert!(
        info["endpoints"]
            .to_string()
            .contains("/v1/chat/completions")
    );
}

#[tokio::test]
async fn the_control_plane_refuses_in_openais_shape() {
    let gateway = Gateway::setup().start().await;
    for path in ["/", "/v1/chat/completions", "/nope"] {
        gateway.control(path).await.refused(404, "unknown_url");
    }
    let mut conn = Conn::open(gateway.control).await;
    conn.send("POST /metrics HTTP/1.1\r\nhost: w\r\ncontent-length: 0\r\n\r\n")
        .await;
    conn.response().await.refused(405, "method_not_allowed");
    conn.send("OPTIONS /v1/organization/costs HTTP/1.1\r\nhost: w\r\n\r\n")
        .await;
    let options = conn.response().await;
    assert_eq!(
        (options.status(), options.header("allow")),
        (204, Some("GET, HEAD, OPTIONS"))
    );
    conn.send("HEAD /healthz HTTP/1.1\r\nhost: w\r\n\r\n").await;
    assert_eq!(conn.head().await.status, 200);
}

#[tokio::test]
async fn a_call_is_counted_with_labels_that_the_config_bounds() {
    let stream = [
        event("a"),
        event("b"),
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n".into(),
        END.into(),
    ];
    let upstream = FakeUpstream::with([Reply::streams(stream)]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .config("[[model]]\nname = \"any-*\"\nto = [\"up\"]")
        .start()
        .await;
    let response = gateway.chat(chat_stream("any-thing-secret")).await;
    let id = response.header("x-request-id").unwrap().to_owned();
    gateway.chat(chat("made-up-model")).await;
    let call = "endpoint=\"chat\",model=\"any-*\",upstream=\"up\"";
    gateway
        .metric(
            &format!("weir_requests_total{{{call},status=\"200\",outcome=\"completed\"}}"),
            1,
        )
        .await;
    gateway
        .metric("weir_refusals_total{code=\"model_not_found\"}", 1)
        .await;
    gateway
        .metric(&format!("weir_chunks_total{{{call}}}"), 2)
        .await;
    gateway.metric("weir_requests_in_flight", 0).await;
    let metrics = gateway.metrics().await;
    let labels =
        "gen_ai_operation_name=\"chat\",gen_ai_request_model=\"any-*\",gen_ai_provider_name=\"up\"";
    for line in [
        format!("gen_ai_server_request_duration_seconds_count{{{labels}}} 1"),
        format!("gen_ai_server_time_to_first_token_seconds_count{{{labels}}} 1"),
        format!("gen_ai_server_time_per_output_token_seconds_count{{{labels}}} 1"),
        format!("gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type=\"input\"}} 3"),
        format!("gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type=\"output\"}} 2"),
    ] {
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    for unbounded in [
        "any-thing-secret",
        "made-up-model",
        &id,
        &gateway.key[8..24],
    ] {
        assert!(!metrics.contains(unbounded), "{unbounded}");
    }
}

#[tokio::test]
async fn every_metric_has_the_prefix_and_is_explained() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    gateway.chat(chat("up")).await;
    let metrics = gateway.metrics().await;
    for line in metrics
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        assert!(
            line.starts_with("weir_") || line.starts_with("gen_ai_"),
            "{line}"
        );
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|_| name.starts_with("gen_ai"))
            .unwrap_or(name);
        assert!(metrics.contains(&format!("# HELP {base} ")), "{base}");
    }
}

#[tokio::test]
async fn what_happens_to_a_stream_is_told_in_order() {
    let upstream = FakeUpstream::with([Reply::streams([&event("a"), END])]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut watcher = watch(&gateway).await;
    let response = gateway.chat(chat_stream("up")).await;
    let id = response.header("x-request-id").unwrap();
    for kind in [
        "request.started",
        "stream.started",
        "stream.chunk",
        "stream.completed",
        "request.completed",
    ] {
        let told = String::from_utf8(watcher.chunk().await.unwrap().unwrap()).unwrap();
        assert!(
            told.starts_with(&format!("event: {kind}\ndata: {{")) && told.ends_with("}\n\n"),
            "{told}"
        );
        assert!(
            told.contains(id) && told.contains("\"model\":\"up\""),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_call_that_fails_is_told_as_failed() {
    let upstream = FakeUpstream::with([
        Reply::streams([event("a")]).then_dies(),
        Reply::json(400, "{}"),
    ])
    .await;
    let gateway = Gateway::before(&upstream).await;
    let mut watcher = watch(&gateway).await;
    gateway.chat(chat_stream("up")).await;
    let told = next_event(&mut watcher, "request.failed").await;
    assert!(told.contains("\"outcome\":\"upstream_failed\""), "{told}");
    gateway.chat(chat("up")).await;
    let told = next_event(&mut watcher, "request.failed").await;
    assert!(told.contains("\"status\":400"), "{told}");
}

#[tokio::test]
async fn events_are_for_admins_and_of_kinds_that_exist() {
    let gateway = Gateway::setup().start().await;
    gateway
        .control("/admin/events")
        .await
        .refused(401, "invalid_api_key");
    let admin = format!("Bearer {}", gateway.admin);
    gateway
        .control_with("/admin/events?kinds=nope", &admin)
        .await
        .refused(400, "bad_request");
}

#[tokio::test]
async fn a_subscriber_who_does_not_read_slows_no_stream_down() {
    let (replies, feeds): (Vec<_>, Vec<_>) = (0..10).map(|_| Reply::fed()).unzip();
    let upstream = FakeUpstream::with(replies).await;
    let gateway = Gateway::before(&upstream).await;
    // With little room on its side, or else megabytes wait in the system's buffers before any event is dropped.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let socket = socket.connect(gateway.control).await.unwrap();
    let idle_watcher = watch_over(Conn::over(socket), &gateway).await;
    let mut streams = Vec::new();
    for feed in feeds {
        streams.push((gateway.stream(chat_stream("up")).await, feed));
    }
    // One after the other: pieces that come together go on, and are told of, as one.
    let mut pass = async |times| {
        for _ in 0..times {
            for (_, feed) in &streams {
                feed.send(event("x").into()).unwrap();
            }
            for (conn, _) in &mut streams {
                conn.chunk().await.unwrap().unwrap();
            }
        }
    };
    until("events that were dropped", async || {
        pass(20).await;
        let metrics = gateway.metrics().await;
        let dropped = metrics
            .lines()
            .find_map(|line| line.strip_prefix("weir_events_dropped_total "));
        dropped.filter(|dropped| *dropped != "0").map(drop)
    })
    .await;
    pass(20).await;
    drop(idle_watcher);
}

#[tokio::test]
async fn models_are_listed_from_the_config_and_from_upstreams() {
    let list = "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-x\",\"object\":\"model\",\"created\":7,\"owned_by\":\"them\"},{\"id\":\"other\"}]}";
    let upstream = FakeUpstream::with([Reply::json(200, list)]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .config("[[model]]\nname = \"gpt-*\"\nto = [\"up\"]\n[simulator]\nenabled = false")
        .start()
        .await;
    let models = gateway.get("/v1/models").await.json();
    let ids: Vec<&str> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        (models["object"].as_str(), ids),
        (Some("list"), vec!["gpt-x", "up"])
    );
    let one = gateway.get("/v1/models/gpt-x").await.json();
    assert_eq!(
        (
            one["object"].as_str(),
            one["created"].as_u64(),
            one["owned_by"].as_str()
        ),
        (Some("model"), Some(7), Some("them"))
    );
    gateway
        .get("/v1/models/other")
        .await
        .refused(404, "model_not_found");
}

#[tokio::test]
async fn a_model_that_cannot_be_read_hides_no_other() {
    let list = "{\"data\":[{\"id\":5},{\"id\":\"gpt-x\"},null]}";
    let upstream = FakeUpstream::with([Reply::json(200, list)]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .config("[[model]]\nname = \"gpt-*\"\nto = [\"up\"]")
        .start()
        .await;
    assert_eq!(gateway.get("/v1/models/gpt-x").await.status(), 200);
    let unknown = gateway.get("/v1/models/gpt-y").await;
    unknown.refused(404, "model_not_found");
}

#[tokio::test]
async fn where_an_upstream_lists_nothing_a_name_under_a_pattern_is_a_model() {
    let upstream = FakeUpstream::with([Reply::json(500, "{}")]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .config("[[model]]\nname = \"gpt-*\"\nto = [\"up\"]")
        .start()
        .await;
    let model = gateway.get("/v1/models/gpt-x").await.json();
    assert_eq!(
        (&model["id"], &model["owned_by"]),
        (&"gpt-x".into(), &"up".into())
    );
    let unknown = gateway.get("/v1/models/other").await;
    unknown.refused(404, "model_not_found");
}
