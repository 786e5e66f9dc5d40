"""What stands around an answer."""

import openai
import pytest
from openai import OpenAI

HELLO = [{"role": "user", "content": "Hello"}]


def test_every_answer_has_its_id_and_its_time(client: OpenAI):
    raw = client.chat.completions.with_raw_response.create(model="simulator/fast", messages=HELLO)
    assert raw.headers["x-request-id"].startswith("req_")
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert float(raw.headers["x-process-time"]) >= 0
    assert raw.headers["openai-version"] == "2020-10-01"
    assert raw.parse()._request_id == raw.headers["x-request-id"]


def test_a_sane_id_of_the_client_is_kept(client: OpenAI):
    completion = client.chat.completions.create(
        model="simulator/fast", messages=HELLO, extra_headers={"x-request-id": "job-17.step-2"}
    )
    assert completion._request_id == "job-17.step-2"


def test_a_stream_is_announced_as_one(client: OpenAI):
    raw = client.chat.completions.with_raw_response.create(model="simulator/fast", messages=HELLO, stream=True)
    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert raw.headers["cache-control"] == "no-cache"
    assert raw.headers["x-accel-buffering"] == "no"
    assert sum(1 for _ in raw.parse()) > 10


def test_an_error_has_an_id_and_says_whose_it_is(client: OpenAI):
    with pytest.raises(openai.NotFoundError) as gateways:
        client.chat.completions.create(model="nope", messages=HELLO)
    assert gateways.value.request_id.startswith("req_")
    assert gateways.value.response.headers["x-weir-origin"] == "gateway"
    with pytest.raises(openai.RateLimitError) as upstreams:
        client.chat.completions.create(model="simulator/429", messages=HELLO)
    assert upstreams.value.request_id.startswith("req_")
    assert upstreams.value.response.headers["x-weir-origin"] == "upstream"
