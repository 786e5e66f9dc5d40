//! Paths that Weir does not read: passed on whole, both bodies as streams, and only where they may go.

use crate::support::{Conn, FakeUpstream, Gateway, Reply, chat, event};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_path_passes_with_its_method_query_and_body() {
    let upstream = FakeUpstream::with([Reply::json(200, "{\"object\":\"response\"}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let body = "{\"model\" : \"whatever\", \"input\":0.90}";
    let response = gateway.post("/v1/responses?include[]=a%20b&x", body).await;
    assert_eq!(response.text(), "{\"object\":\"response\"}");
    let mut received = upstream.request().await;
    assert_eq!(received.line(), ("POST", "/v1/responses?include[]=a%20b&x"));
    assert!(!received.head.contains(&gateway.key));
    assert_eq!(received.text().await, body);
    for (method, path) in [
        ("GET", "/v1/files?limit=2"),
        ("DELETE", "/v1/files/file-1"),
        ("GET", "/v1/batches/b_1"),
        ("DELETE", "/v1/models/ft:x"),
        ("GET", "/v1/chat/completions?limit=2"),
        ("GET", "/v1/chat/completions/c_1/messages"),
        ("DELETE", "/v1/chat/completions/c_1"),
    ] {
        assert_eq!(gateway.send(method, path, &[]).await.status(), 200);
        assert_eq!(upstream.request().await.line(), (method, path));
    }
}

#[tokio::test]
async fn an_upload_is_not_held_until_it_is_whole() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let key = &gateway.key;
    let mut conn = Conn::open(gateway.data).await;
    let (first, second) = (
        "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\n",
        "batch\r\n--x--\r\n",
    );
    conn.send(format!(
        "POST /v1/files HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ncontent-type: multipart/form-data; boundary=x\r\n\
         content-length: {}\r\n\r\n{first}",
        first.len() + second.len()
    ))
    .await;
    let mut received = upstream.request().await;
    assert_eq!(received.piece().await.unwrap(), first.as_bytes());
    assert_eq!(
        received.get("content-type"),
        Some("multipart/form-data; boundary=x")
    );
    conn.send(second).await;
    assert_eq!(received.body().await, second.as_bytes());
    assert_eq!(conn.response().await.status(), 200);
}

#[tokio::test]
async fn a_chunked_upload_stays_chunked() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let key = &gateway.key;
    let mut conn = Conn::open(gateway.data).await;
    conn.send(format!("POST /v1/audio/transcriptions HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")).await;
    let mut received = upstream.request().await;
    assert_eq!(received.piece().await.unwrap(), b"abc");
    assert_eq!(received.get("content-length"), None);
    conn.send("2\r\nde\r\n0\r\n\r\n").await;
    assert_eq!(received.body().await, b"de");
    assert_eq!(conn.response().await.status(), 200);
}

#[tokio::test]
async fn a_large_upload_and_a_large_download_take_no_memory_to_speak_of() {
    let content = [("content-type", "application/octet-stream")];
    let large: Vec<u8> = (0..24u32 << 20).map(|i| (i * 31) as u8).collect();
    let upstream =
        FakeUpstream::with([Reply::json(200, "{}"), Reply::with(200, &content, &large)]).await;
    let gateway = Gateway::before(&upstream).await;
    let before = gateway.resident_kib();
    assert_eq!(
        gateway
            .post_with(&gateway.key, "/v1/files", &large)
            .await
            .status(),
        200
    );
    assert!(upstream.request().await.body().await == large);
    let response = gateway.get("/v1/files/file-1/content").await;
    assert!(response.is_whole && response.body == large);
    assert_eq!(
        response.header("content-length"),
        Some(large.len().to_string().as_str())
    );
    let growth = gateway.resident_kib().saturating_sub(before);
    assert!(growth < 12 << 10, "the gateway grew by {growth} KiB");
}

#[tokio::test]
async fn a_slow_upstream_slows_an_upload_down() {
    let upstream = FakeUpstream::with([Reply::silence().at_once()]).await;
    let gateway = Gateway::before(&upstream).await;
    let key = gateway.key.clone();
    let before = gateway.resident_kib();
    let mut conn = Conn::open(gateway.data).await;
    conn.send(format!("POST /v1/files HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ncontent-length: 400000000\r\n\r\n")).await;
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = sent.clone();
    let pump = tokio::spawn(async move {
        let piece = vec![0; 64 << 10];
        while tokio::io::AsyncWriteExt::write_all(&mut conn.stream, &piece)
            .await
            .is_ok()
        {
            counter.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    // The fake reads a little while it hangs and throws it away: the point is that Weir does not run ahead of it.
    let received = upstream.request().await;
    crate::support::until("some of the upload", async || {
        (sent.load(Ordering::SeqCst) > 16 << 20).then_some(())
    })
    .await;
    let growth = gateway.resident_kib().saturating_sub(before);
    assert!(growth < 12 << 10, "the gateway grew by {growth} KiB");
    pump.abort();
    drop(received);
}

#[tokio::test]
async fn events_of_other_endpoints_pass_as_they_come() {
    let (reply, feed) = Reply::fed();
    let upstream = FakeUpstream::with([reply]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = Conn::open(gateway.data).await;
    conn.post("/v1/responses", &gateway.key, "{\"stream\":true}")
        .await;
    let head = conn.head().await;
    assert_eq!(
        head.get("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    for piece in [
        "event: response.created\ndata: {\"type\":\"response.created\"}\n\n",
        &event("x"),
    ] {
        feed.send(piece.into()).unwrap();
        assert_eq!(conn.chunk().await, Ok(Some(piece.into())));
    }
    drop(feed);
    assert_eq!(
        conn.chunk().await,
        Ok(None),
        "its end is not Weir's to judge"
    );
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_never_a_whole_one_upstream() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let key = &gateway.key;
    let mut conn = Conn::open(gateway.data).await;
    conn.send(format!("POST /v1/files HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")).await;
    let mut received = upstream.request().await;
    assert_eq!(received.piece().await.unwrap(), b"abc");
    drop(conn);
    received.closed().await;
}

#[tokio::test]
async fn an_upload_that_is_too_large_or_too_slow_hears_why() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::setup()
        .server("upload_max = \"100KiB\"\nbody_timeout = \"150ms\"")
        .upstream("up", &upstream, "")
        .start()
        .await;
    let key = &gateway.key;
    let head = format!("POST /v1/files HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\n");
    let mut told = Conn::open(gateway.data).await;
    told.send(format!("{head}content-length: 200000\r\n\r\n"))
        .await;
    told.response().await.refused(413, "request_too_large");
    let mut untold = Conn::open(gateway.data).await;
    untold
        .send(format!(
            "{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{}\r\n",
            110 << 10,
            "x".repeat(110 << 10)
        ))
        .await;
    untold.response().await.refused(413, "request_too_large");
    let mut slow = Conn::open(gateway.data).await;
    slow.send(format!("{head}content-length: 10\r\n\r\nabc"))
        .await;
    slow.response().await.refused(408, "request_timeout");
}

#[tokio::test]
async fn the_config_says_where_a_path_goes_and_which_is_closed() {
    let upstream = FakeUpstream::with([Reply::json(200, "{\"default\":1}")]).await;
    let files = FakeUpstream::with([Reply::json(200, "{\"files\":1}")]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .upstream("files", &files, "")
        .config("[[forward]]\npath = \"/v1/files\"\nto = \"files\"\n[[forward]]\npath = \"/v1/files/closed\"\nto = \"\"")
        .config("[[forward]]\npath = \"/v1/mine\"\nto = \"files\"\n[[forward]]\npath = \"/v1/images\"\nto = \"\"")
        .start()
        .await;
    for (path, wanted) in [
        ("/v1/files", "{\"files\":1}"),
        ("/v1/files/f", "{\"files\":1}"),
        ("/v1/mine/own", "{\"files\":1}"),
        ("/v1/responses/r", "{\"default\":1}"),
    ] {
        assert_eq!(gateway.get(path).await.text(), wanted, "{path}");
    }
    for path in [
        "/v1/files/closed",
        "/v1/files/closed/x",
        "/v1/images/generations",
    ] {
        gateway.get(path).await.refused(404, "not_served");
    }
    gateway
        .get("/v1/filesystem")
        .await
        .refused(404, "unknown_url");
}

#[tokio::test]
async fn the_operators_own_paths_are_never_forwarded() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::setup()
        .upstream("up", &upstream, "")
        .config("[[forward]]\npath = \"/v1/\"\nto = \"up\"")
        .start()
        .await;
    for path in [
        "/v1/organization/admin_api_keys",
        "/v1/organization",
        "/v1/projects",
        "/v1/ORGANIZATION/x",
        "/v1/%6frganization/users",
    ] {
        gateway.get(path).await.refused(404, "unknown_url");
    }
    assert!(upstream.is_untouched().await);
}

#[tokio::test]
async fn a_path_that_climbs_or_hides_is_refused() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    for path in [
        "/v1/files/../organization",
        "/v1/files/..%2forganization",
        "/v1/files/%2e%2e/organization",
        "/v1/files//x",
        "//v1/files",
        "/v1//files",
        "/v1/files/%2E%2e",
        "/v1/files/a%5cb",
        "/v1/files/a\\b",
        "/v1/files/a%00b",
        "/v1/files/.",
        "/v1/files/..;/organization/x",
        "/v1/files/%252e%252e/organization",
    ] {
        gateway.get(path).await.refused(404, "unknown_url");
    }
    assert!(upstream.is_untouched().await);
}

#[tokio::test]
async fn a_path_that_is_read_another_way_when_decoded_is_refused() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    for path in [
        "/v1/chat/%63ompletions",
        "/v1/ch%61t/completions",
        "/v1/response%73",
        "/v1/images%2Dx/generations",
        "/v1/chat/completions;a=b",
        "/v1/chat/completions%20",
        "/v1/chat/Completions",
        "/v1/responses;x",
    ] {
        let answer = gateway.post(path, chat("up")).await;
        answer.refused(404, "unknown_url");
    }
    assert!(upstream.is_untouched().await);
    assert_eq!(gateway.get("/v1/files/a%20b%3Ac").await.status(), 200);
}

#[tokio::test]
async fn a_key_for_certain_models_cannot_take_the_way_around() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let limited = gateway.make_key(&["--model", "up"]).await;
    let poll = async || gateway.post_with(&limited.key, "/v1/responses", "{}").await;
    crate::support::until("the new key", async || {
        (poll().await.status() != 401).then_some(())
    })
    .await;
    poll().await.refused(403, "path_not_allowed");
    assert!(upstream.is_untouched().await);
}

#[tokio::test]
async fn a_path_without_an_upstream_says_so() {
    let gateway = Gateway::setup().start().await;
    gateway.get("/v1/files").await.refused(404, "not_served");
}

#[tokio::test]
async fn connections_to_upstreams_are_used_again() {
    let upstream = FakeUpstream::with([Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    for _ in 0..5 {
        assert_eq!(gateway.chat(chat("up")).await.status(), 200);
        assert_eq!(gateway.get("/v1/files").await.status(), 200);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_upstream_that_closes_after_each_answer_is_no_trouble() {
    let whole = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n";
    for reply in [
        Reply::raw(format!("{whole}connection: close\r\n\r\n{{}}")).then_closes(),
        Reply::raw(format!("{whole}\r\n{{}}")).then_closes(),
        Reply::raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}").then_closes(),
        Reply::raw("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{}").then_closes(),
    ] {
        let upstream = FakeUpstream::with([reply]).await;
        let gateway = Gateway::before(&upstream).await;
        for _ in 0..20 {
            let response = gateway.chat(chat("up")).await;
            assert_eq!((response.status(), response.text().as_str()), (200, "{}"));
        }
    }
}

#[tokio::test]
async fn an_answer_to_a_request_that_was_given_up_is_given_to_nobody_else() {
    let (reply, feed) = Reply::fed_as(&[("content-type", "application/json")]);
    let upstream = FakeUpstream::with([reply, Reply::json(200, "{\"mine\":1}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let mut conn = Conn::open(gateway.data).await;
    conn.post("/v1/chat/completions", &gateway.key, chat("up").to_string())
        .await;
    let mut given_up = upstream.request().await;
    drop(conn);
    given_up.closed().await;
    drop(feed);
    assert_eq!(gateway.chat(chat("up")).await.text(), "{\"mine\":1}");
}

#[tokio::test]
async fn what_an_upstream_says_unasked_is_nobodys_answer() {
    let answer = |body: &str| {
        let len = body.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len}\r\n\r\n{body}"
        )
    };
    let twice = answer("{\"n\":1}") + &answer("{\"forged\":1}");
    let upstream = FakeUpstream::with([Reply::raw(twice), Reply::json(200, "{\"n\":2}")]).await;
    let gateway = Gateway::before(&upstream).await;
    assert_eq!(gateway.chat(chat("up")).await.text(), "{\"n\":1}");
    assert_eq!(gateway.chat(chat("up")).await.text(), "{\"n\":2}");
}

#[tokio::test]
async fn answers_of_every_form_pass_as_what_they_are() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let upstream = FakeUpstream::start().await;
    let gateway = Gateway::before(&upstream).await;
    for (reply, status, body) in [
        (Reply::raw("HTTP/1.1 204 No Content\r\n\r\n"), 204, ""),
        (
            Reply::raw("HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n"),
            304,
            "",
        ),
        (
            Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            200,
            "",
        ),
        (
            Reply::raw("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 1\r\n\r\nx"),
            302,
            "x",
        ),
        (Reply::raw(early), 200, "{}"),
    ] {
        upstream.now([reply]);
        let response = gateway.get("/v1/files/f").await;
        assert_eq!(
            (response.status(), response.text().as_str()),
            (status, body)
        );
    }
    upstream.now([Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")]);
    let head = gateway.send("HEAD", "/v1/files/f", &[]).await;
    assert_eq!(
        (head.status(), head.header("content-length")),
        (200, Some("99"))
    );
    upstream.now([Reply::json(200, "{}")]);
    assert_eq!(gateway.get("/v1/files/f").await.text(), "{}");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 999999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let upstream = FakeUpstream::with([Reply::raw(answer).then_closes()]).await;
        let gateway = Gateway::before(&upstream).await;
        let response = gateway.get("/v1/files/f").await;
        response.refused(502, "upstream_unreachable");
    }
}

#[tokio::test]
async fn an_upload_that_the_upstream_refuses_early_hears_it() {
    let refusal = Reply::with(413, &[("connection", "close")], "{\"error\":{}}");
    let upstream =
        FakeUpstream::with([refusal.at_once().then_hangs(), Reply::json(200, "{}")]).await;
    let gateway = Gateway::before(&upstream).await;
    let key = &gateway.key;
    let mut conn = Conn::open(gateway.data).await;
    conn.send(format!("POST /v1/files HTTP/1.1\r\nhost: w\r\nauthorization: Bearer {key}\r\ncontent-length: 100000\r\n\r\nabc")).await;
    let response = conn.response().await;
    assert_eq!(
        (response.status(), response.text().as_str()),
        (413, "{\"error\":{}}")
    );
    assert_eq!(response.header("x-weir-origin"), Some("upstream"));
    drop(conn);
    assert_eq!(gateway.get("/v1/files").await.status(), 200);
}
