"""Each failure is the exception that a program already catches."""

import asyncio

import openai
import pytest
from gateway import Gateway
from openai import OpenAI
from upstream import Upstream, says

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("key", ["sk-weir-0123456789abcdef_unknown", "sk-weir-", "nonsense"])
def test_a_wrong_key_is_an_authentication_error(gateway: Gateway, key: str):
    with OpenAI(base_url=gateway.url, api_key=key, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as raised:
            client.chat.completions.create(model="simulator", messages=HELLO)
    assert raised.value.code == "invalid_api_key"
    assert key not in str(raised.value)


def test_an_unknown_model_is_not_found(client: OpenAI):
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="gpt-nope", messages=HELLO)
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")
    assert raised.value.type == "invalid_request_error"


def test_an_unknown_path_is_not_found(client: OpenAI):
    with pytest.raises(openai.NotFoundError) as raised:
        client.get("/no/such/thing", cast_to=object)
    assert raised.value.code == "unknown_url"


@pytest.mark.parametrize(
    "path, body, param",
    [
        ("/chat/completions", {"model": "simulator"}, "messages"),
        ("/chat/completions", {"messages": HELLO}, "model"),
        ("/chat/completions", {"model": "simulator", "messages": "Hello"}, "messages"),
        ("/chat/completions", {"model": "simulator", "messages": HELLO, "stream": "yes"}, "stream"),
        ("/chat/completions", {"model": "simulator", "messages": HELLO, "n": 0}, "n"),
        ("/embeddings", {"model": "simulator"}, "input"),
    ],
)
def test_a_bad_request_names_the_member(client: OpenAI, path: str, body: dict, param: str):
    with pytest.raises(openai.BadRequestError) as raised:
        client.post(path, body=body, cast_to=object)
    assert raised.value.param == param
    assert raised.value.type == "invalid_request_error"


def test_an_upstream_s_limit_is_a_rate_limit_error(client: OpenAI):
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="simulator/429", messages=HELLO)
    assert raised.value.code == "rate_limit_exceeded"
    assert raised.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "model, status, code",
    [
        ("simulator/500", 500, None),
        ("simulator/503", 503, None),
        # Weir's credential, not the caller's: an AuthenticationError would send them looking in the wrong place.
        ("simulator/401", 502, "upstream_auth"),
        ("hurried", 504, "upstream_timeout"),
    ],
)
def test_an_upstream_s_failure_is_a_server_error(client: OpenAI, model: str, status: int, code: str | None):
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model=model, messages=HELLO)
    assert (raised.value.status_code, raised.value.code) == (status, code)


def test_a_client_that_waits_no_longer_times_out(client: OpenAI):
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.2).chat.completions.create(model="simulator/slow-start", messages=HELLO)


def test_the_client_s_own_retries_work_through_weir(client: OpenAI, upstream: Upstream):
    limited = {"error": {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    answered = {"id": "c", "object": "chat.completion", "created": 1, "model": "scripted", "choices": []}
    upstream.answers.extend([says(limited, 429, retry_after_ms="1"), says(answered)])
    completion = client.with_options(max_retries=1).chat.completions.create(model="scripted", messages=HELLO)
    assert completion.id == "c"
    assert [asked.headers["x-stainless-retry-count"] for asked in upstream.asked] == ["0", "1"]


def test_what_an_upstream_says_not_to_retry_is_not_retried(client: OpenAI, upstream: Upstream):
    over = {"error": {"message": "over quota", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}}
    upstream.answers.append(says(over, 429, x_should_retry="false"))
    with pytest.raises(openai.RateLimitError) as raised:
        client.with_options(max_retries=2).chat.completions.create(model="scripted", messages=HELLO)
    assert raised.value.code == "insufficient_quota"
    assert len(upstream.asked) == 1


@pytest.mark.parametrize(
    "model, code",
    [
        ("simulator/die-midstream", "upstream_interrupted"),
        ("simulator/no-done", "upstream_interrupted"),
        ("impatient", "upstream_interrupted"),
        # The upstream's own words.
        ("simulator/error-event", None),
    ],
)
def test_a_stream_that_breaks_off_raises(client: OpenAI, new_async_client, model: str, code: str | None):
    chunks = []
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model=model, messages=HELLO, stream=True):
            chunks.append(chunk)
    assert len(chunks) > 1, "what came before the break was delivered"
    assert (raised.value.code, raised.value.type) == (code, "server_error")

    async def stream():
        async with new_async_client() as client:
            async for _ in await client.chat.completions.create(model=model, messages=HELLO, stream=True):
                pass

    with pytest.raises(openai.APIError) as raised:
        asyncio.run(stream())
    assert raised.value.code == code


def test_an_answer_in_one_piece_that_breaks_off_is_a_connection_error(client: OpenAI):
    with pytest.raises((openai.APIConnectionError, openai.InternalServerError)):
        client.chat.completions.create(model="simulator/die-midstream", messages=HELLO)
