//! What a call holds while it is in the air, told by what others find left.

use super::begin;
use crate::support::{Conn, FakeUpstream, Gateway, Reply, chat, chat_stream};
use serde_json::{Value, json};

const PATH: &str = "/v1/chat/completions";

/// Whether a budget of five cents has room for two calls like this at once.
async fn has_room_for_two(prices: &str, call: &Value) -> bool {
    let (reply, _feed) = Reply::fed_raw();
    let answer = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}});
    let upstream = FakeUpstream::with([reply, Reply::json(200, answer.to_string())]).await;
    let setup = Gateway::setup().upstream("up", &upstream, "");
    let gateway = setup.config(prices).start().await;
    let key = gateway.make_known_key(&["--budget", "5"]).await;
    let mut conn = Conn::open(gateway.data).await;
    conn.post(PATH, &key.key, call.to_string()).await;
    let _in_the_air = upstream.request().await;
    let second = gateway.post_with(&key.key, PATH, call.to_string()).await;
    if second.status() != 200 {
        second.refused(429, "rate_limit_exceeded");
    }
    second.status() == 200
}

#[tokio::test]
async fn a_call_about_sound_is_held_at_the_price_of_sound() {
    let prices = "[[price]]\nmodel = \"up\"\ninput = 0\noutput = 10\naudio_output = 10000\n";
    let mut call = chat("up");
    call["max_tokens"] = 5.into();
    assert!(has_room_for_two(prices, &call).await, "five tokens of text");
    call["modalities"] = json!(["text", "audio"]);
    assert!(
        !has_room_for_two(prices, &call).await,
        "five tokens of sound cost all there is"
    );
}

#[tokio::test]
async fn the_larger_of_two_bounds_is_held() {
    let mut call = chat("up");
    call["max_completion_tokens"] = 1.into();
    assert!(has_room_for_two(super::CENT_A_TOKEN, &call).await);
    call["max_tokens"] = 5.into();
    assert!(!has_room_for_two(super::CENT_A_TOKEN, &call).await);
}

#[tokio::test]
async fn a_slice_is_as_many_tokens_whatever_the_model() {
    let (one, _feed) = Reply::fed();
    let (other, _feed) = Reply::fed();
    let upstream = FakeUpstream::with([one, other]).await;
    let setup = Gateway::setup().upstream("o3", &upstream, "");
    let gateway = setup.upstream("gpt-4o", &upstream, "").start().await;
    let mut left = Vec::new();
    for model in ["o3", "gpt-4o"] {
        let key = gateway
            .make_known_key(&["--tokens-per-minute", "1000000"])
            .await;
        let body = json!({"model": model, "stream": true, "messages": chat_stream("")["messages"]});
        let (_conn, head) = begin(&gateway, &key.key, &body).await;
        assert_eq!(head.status, 200);
        left.push(head.all("x-ratelimit-remaining-tokens").concat());
    }
    assert!(!left[0].is_empty());
    // The names differ in length by four letters.
    let [reasons, other] = [&left[0], &left[1]].map(|left| left.parse::<i64>().unwrap());
    assert!((reasons - other).abs() < 8, "{left:?}");
}
