//! A stream through Weir is the stream without it: the same bytes, at the same pace, and an honest end.

mod beats;
mod broken;
mod bytes;
mod gone;
mod pace;
mod usage;

use crate::support::{Conn, FakeUpstream, Gateway, chat_stream};
use serde_json::json;

/// A stream with usage in it, as an upstream sends it that was asked, and what a client gets that did not ask.
fn metered() -> (Vec<u8>, Vec<u8>) {
    let with = "data: {\"id\":\"\u{df}\",\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n\
                data: {\"usage\": null, \"choices\":[{\"delta\":{\"content\":\"b\"}}]}\r\n\r\n\
                : a comment\n\
                data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}] , \"usage\" : null }\n\n\
                data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n\
                data: [DONE]\n\n";
    let without = "data: {\"id\":\"\u{df}\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
                   data: { \"choices\":[{\"delta\":{\"content\":\"b\"}}]}\r\n\r\n\
                   : a comment\n\
                   data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]  }\n\n\
                   data: [DONE]\n\n";
    (with.into(), without.into())
}

fn asking_for_usage() -> serde_json::Value {
    let mut request = chat_stream("up");
    request["stream_options"] = json!({"include_usage": true});
    request
}

async fn read(conn: &mut Conn, request: &str, key: &str) -> (Vec<u8>, bool) {
    conn.post("/v1/chat/completions", key, request).await;
    let head = conn.head().await;
    conn.body(&head).await
}

/// A gateway whose streams are never silent for long.
async fn beating(upstream: &FakeUpstream) -> Gateway {
    Gateway::setup()
        .server("heartbeat = \"50ms\"")
        .upstream("up", upstream, "")
        .start()
        .await
}
