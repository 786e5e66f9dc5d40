"""Limits as OpenAI's clients take them: they wait as long as they are told, and pass."""

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from gateway import Gateway
from limited import (
    CALLERS,
    CONFIG,
    HELLO,
    Wire,
    answer,
    ask,
    ask_for_a_stream,
    async_client_of,
    client_of,
    key_of,
    refusals,
    text_of,
)
from upstream import Upstream, chat_stream, says

#: As the gateway says that nobody has limited something.
UNLIMITED = 2**53 - 1
RATES = [f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")]


@pytest.fixture(scope="module")
def gateway(new_gateway: Callable[[str], Gateway]) -> Gateway:
    """In place of everybody's: this one has prices and limits."""
    return new_gateway(CONFIG)


def seconds_of(span: str) -> float:
    """A span of time as OpenAI writes it: `12ms`, `1.5s`, `6m0s`."""
    if millis := re.fullmatch(r"(\d+)ms", span):
        return int(millis[1]) / 1000
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(\d+(?:\.\d+)?)s", span)
    assert parts, span
    hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds


def assert_obeyed(wires: list[Wire]) -> int:
    """Each passed at once, or on its only retry after it had waited as told. Returns how many had to."""
    for wire in wires:
        assert wire.statuses() in ([200], [429, 200]), wire.statuses()
        for told, waited in wire.waits():
            assert 0 < told <= waited
    refused = [wire for wire in wires if len(wire.sent) > 1]
    # Each was told a time of its own, or they would have come back together.
    told = {wire.waits()[0][0] for wire in refused}
    assert len(told) == len(refused), told
    return len(refused)


def drain(gateway: Gateway, upstream: Upstream, key: str):
    """Uses up what may come at once, so that whoever comes next has to wait."""
    upstream.answers.extend(answer() for _ in range(CALLERS))
    with client_of(gateway, key, Wire()) as client:
        for _ in range(CALLERS):
            ask(client)
    upstream.forget()


@pytest.mark.parametrize("asking", [ask, ask_for_a_stream])
def test_callers_that_wait_as_told_pass_on_their_only_retry(gateway: Gateway, upstream: Upstream, asking):
    key = key_of(gateway, tier="brisk")
    drain(gateway, upstream, key)
    before = refusals(gateway)
    upstream.answers.extend(answer() if asking is ask else chat_stream("Hi") for _ in range(CALLERS))
    wires = [Wire() for _ in range(CALLERS)]
    together = threading.Barrier(CALLERS)

    def call(wire: Wire) -> str:
        with client_of(gateway, key, wire, max_retries=1) as client:
            together.wait(30)
            return asking(client)

    with ThreadPoolExecutor(CALLERS) as threads:
        assert list(threads.map(call, wires)) == ["Hi"] * CALLERS
    waited = assert_obeyed(wires)
    assert waited > 1
    assert refusals(gateway) - before == waited
    assert len(upstream.asked) == CALLERS, "what was refused did not get there"


def test_async_callers_that_wait_as_told_pass_on_their_only_retry(gateway: Gateway, upstream: Upstream):
    key = key_of(gateway, tier="brisk")
    drain(gateway, upstream, key)
    before = refusals(gateway)
    upstream.answers.extend(chat_stream("Hi") for _ in range(CALLERS))
    wires = [Wire() for _ in range(CALLERS)]

    async def call(wire: Wire) -> str:
        async with async_client_of(gateway, key, wire, max_retries=1) as client:
            stream = await client.chat.completions.create(model="scripted", messages=HELLO, stream=True)
            return text_of([chunk async for chunk in stream])

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*map(call, wires))

    assert asyncio.run(all_of_them()) == ["Hi"] * CALLERS
    waited = assert_obeyed(wires)
    assert waited > 1
    assert refusals(gateway) - before == waited
    assert len(upstream.asked) == CALLERS


@pytest.mark.parametrize(
    "limits, kind, of",
    [
        ({"requests_per_minute": 2}, "requests", "requests"),
        ({"requests_per_day": 2}, "requests", "requests"),
        ({"tokens_per_minute": 2}, "tokens", "tokens"),
    ],
)
def test_a_limit_without_retries_is_a_rate_limit_error(
    gateway: Gateway, upstream: Upstream, limits: dict, kind: str, of: str
):
    wire, key = Wire(), key_of(gateway, limits=limits)
    upstream.answers.extend(answer() for _ in range(2))
    with client_of(gateway, key, wire) as client, pytest.raises(openai.RateLimitError) as raised:
        for _ in range(3):
            ask(client)
    error, headers = raised.value, raised.value.response.headers
    assert (error.status_code, error.code, error.type) == (429, "rate_limit_exceeded", kind)
    assert error.request_id.startswith("req_")
    told = int(headers["retry-after-ms"])
    # No SDK believes a longer wait than a minute, and would come back in a second.
    assert headers.get("x-should-retry") == ("false" if told > 63_000 else None)
    assert int(headers["retry-after"]) == -(-told // 1000), "the same in whole seconds, and no less"
    assert headers[f"x-ratelimit-limit-{of}"] == "2"
    assert headers[f"x-ratelimit-remaining-{of}"] == "0"
    assert told > 0 and seconds_of(headers[f"x-ratelimit-reset-{of}"]) > 0
    assert wire.statuses() == [200] * (len(wire.sent) - 1) + [429]


def test_a_stream_that_is_faster_than_its_rate_raises(gateway: Gateway, upstream: Upstream):
    upstream.answers.append(chat_stream(*["Hi"] * 10, hangs=True))
    chunks = []
    with client_of(gateway, key_of(gateway, tier="slow"), Wire()) as client, pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model="scripted", messages=HELLO, stream=True):
            chunks.append(chunk)
    assert type(raised.value) is openai.APIError
    assert (raised.value.code, raised.value.type) == ("rate_limit_exceeded", "tokens")
    assert text_of(chunks).startswith("Hi" * 3), "what may come at once"


def test_requests_at_the_same_time_are_told_to_come_back(gateway: Gateway, upstream: Upstream):
    key = key_of(gateway, limits={"concurrent_requests": 1})
    upstream.answers.append(chat_stream("Hi", hangs=True))
    with client_of(gateway, key, Wire()) as client:
        with client.chat.completions.create(model="scripted", messages=HELLO, stream=True) as stream:
            assert text_of([next(stream)]) == "Hi"
            with pytest.raises(openai.RateLimitError) as raised:
                ask(client)
    assert raised.value.code == "rate_limit_exceeded"
    assert int(raised.value.response.headers["retry-after-ms"]) > 0


def test_every_answer_tells_how_the_limits_stand(gateway: Gateway, upstream: Upstream):
    key = key_of(gateway, limits={"requests_per_minute": 1000, "tokens_per_day": 1_000_000})
    failure = says({"error": {"message": "no", "type": "server_error", "param": None, "code": None}}, 500)
    upstream.answers.extend([answer(), chat_stream("Hi"), failure])
    told = []
    with client_of(gateway, key, Wire()) as client:
        chat = client.chat.completions.with_raw_response
        told.append(chat.create(model="scripted", messages=HELLO).headers)
        raw = chat.create(model="scripted", messages=HELLO, stream=True)
        told.append(raw.headers)
        assert text_of(list(raw.parse())) == "Hi"
        with pytest.raises(openai.InternalServerError) as raised:
            ask(client)
        told.append(raised.value.response.headers)
    with client_of(gateway, key_of(gateway), Wire()) as client:
        upstream.answers.append(answer())
        free = client.chat.completions.with_raw_response.create(model="scripted", messages=HELLO).headers
    for headers in [*told, free]:
        for name in RATES:
            value = headers[name]
            assert seconds_of(value) >= 0 if "-reset-" in name else int(value) >= 0
    for headers in told:
        assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-limit-tokens"]) == ("1000", "1000000")
        assert int(headers["x-ratelimit-remaining-requests"]) < 1000
        assert int(headers["x-ratelimit-remaining-tokens"]) < 1_000_000
        assert seconds_of(headers["x-ratelimit-reset-requests"]) > 0
    for of in ("requests", "tokens"):
        assert int(free[f"x-ratelimit-limit-{of}"]) == int(free[f"x-ratelimit-remaining-{of}"]) == UNLIMITED
        assert free[f"x-ratelimit-reset-{of}"] == "0s"


@pytest.mark.parametrize(
    "limits, span",
    # One of so many comes back in this time.
    [
        ({"requests_per_minute": 5000}, "12ms"),
        ({"requests_per_minute": 40}, "1.5s"),
        ({"requests_per_day": 240}, "6m0s"),
        ({"requests_per_day": 12}, "2h0m0s"),
    ],
)
def test_spans_are_written_as_openai_writes_them(gateway: Gateway, upstream: Upstream, limits: dict, span: str):
    upstream.answers.append(answer())
    with client_of(gateway, key_of(gateway, limits=limits), Wire()) as client:
        headers = client.chat.completions.with_raw_response.create(model="scripted", messages=HELLO).headers
    assert headers["x-ratelimit-reset-requests"] == span
