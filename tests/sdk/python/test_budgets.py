"""Budgets as OpenAI's clients take them: they stop where nothing is left, and raise in the middle of a stream that is
not paid for any more."""

import asyncio
from collections.abc import Callable

import openai
import pytest
from gateway import Gateway
from limited import (
    CONFIG,
    HELLO,
    SLICE,
    Wire,
    admin_of,
    answer,
    ask,
    ask_for_a_stream,
    async_client_of,
    budget_of,
    client_of,
    key_of,
    refusals,
    text_of,
)
from upstream import Upstream, chat_stream, streams


@pytest.fixture(scope="module")
def gateway(new_gateway: Callable[[str], Gateway]) -> Gateway:
    """In place of everybody's: this one has prices and limits."""
    return new_gateway(CONFIG)


def assert_spent(error: openai.RateLimitError, wire: Wire, code: str):
    """It was told once that nothing is left, and has believed it."""
    assert type(error) is openai.RateLimitError
    assert (error.code, error.type) == (code, "insufficient_quota")
    headers = error.response.headers
    assert headers["x-should-retry"] == "false"
    assert "retry-after" not in headers and "retry-after-ms" not in headers
    assert wire.statuses() == [429] and len(wire.sent) == 1


def test_whoever_has_spent_a_budget_asks_no_second_time(gateway: Gateway, upstream: Upstream):
    key = key_of(gateway, budget=budget_of(1))
    with client_of(gateway, key, Wire()) as client:
        upstream.answers.append(chat_stream("Hi", "Hi"))
        with pytest.raises(openai.APIError):
            ask_for_a_stream(client)
    asked, before = len(upstream.asked), refusals(gateway)
    for asking in (ask, ask_for_a_stream):
        wire = Wire()
        with client_of(gateway, key, wire, max_retries=5) as client, pytest.raises(openai.RateLimitError) as raised:
            asking(client)
        assert_spent(raised.value, wire, "insufficient_quota")
        assert key not in str(raised.value)

    async def call(wire: Wire):
        async with async_client_of(gateway, key, wire, max_retries=5) as client:
            await client.chat.completions.create(model="scripted", messages=HELLO)

    wire = Wire()
    with pytest.raises(openai.RateLimitError) as raised:
        asyncio.run(call(wire))
    assert_spent(raised.value, wire, "insufficient_quota")
    assert refusals(gateway) - before == 3
    assert len(upstream.asked) == asked


def cut(gateway: Gateway, upstream: Upstream, key: str, code: str):
    """A stream of ten tokens, of which three are paid for."""
    upstream.answers.append(chat_stream(*["Hi"] * 10, hangs=True))
    chunks, wire = [], Wire()
    with client_of(gateway, key, wire, max_retries=5) as client, pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model="scripted", messages=HELLO, stream=True):
            chunks.append(chunk)
    assert_cut(raised.value, chunks, code)
    assert len(wire.sent) == 1, "what has begun is not begun again"
    assert upstream.left.wait(10), "the upstream is told to stop"


def assert_cut(error: openai.APIError, chunks: list, code: str):
    assert text_of(chunks) == "Hi" * 3, "what was paid for, and no more"
    # An answer that has begun has a status already, so it is not one of the classes that stand for one.
    assert type(error) is openai.APIError
    assert (error.code, error.type) == (code, "insufficient_quota")
    assert error.message and "$0.03" in error.message


def test_a_stream_raises_where_its_key_s_budget_ends(gateway: Gateway, upstream: Upstream):
    cut(gateway, upstream, key_of(gateway, budget=budget_of(3)), "insufficient_quota")


def test_an_async_stream_raises_where_its_key_s_budget_ends(gateway: Gateway, upstream: Upstream):
    key = key_of(gateway, budget=budget_of(3))
    upstream.answers.append(chat_stream(*["Hi"] * 10, hangs=True))
    chunks = []

    async def read():
        async with async_client_of(gateway, key, Wire()) as client:
            async for chunk in await client.chat.completions.create(model="scripted", messages=HELLO, stream=True):
                chunks.append(chunk)

    with pytest.raises(openai.APIError) as raised:
        asyncio.run(read())
    assert_cut(raised.value, chunks, "insufficient_quota")
    assert upstream.left.wait(10)


def test_the_streaming_helper_raises_where_its_key_s_budget_ends(gateway: Gateway, upstream: Upstream):
    key = key_of(gateway, budget=budget_of(3))
    upstream.answers.append(chat_stream(*["Hi"] * 10, hangs=True))
    chunks = []
    with client_of(gateway, key, Wire()) as client, pytest.raises(openai.APIError) as raised:
        with client.chat.completions.stream(model="scripted", messages=HELLO) as stream:
            for event in stream:
                if event.type == "chunk":
                    chunks.append(event.chunk)
    assert_cut(raised.value, chunks, "insufficient_quota")


def test_a_streamed_response_raises_where_its_key_s_budget_ends(gateway: Gateway, upstream: Upstream):
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    deltas = [{"type": "response.output_text.delta", "delta": "Hi", **place} for _ in range(3 + 2 * SLICE)]
    upstream.answers.append(streams(*deltas))
    texts = []
    with client_of(gateway, key_of(gateway, budget=budget_of(3)), Wire()) as client:
        with pytest.raises(openai.APIError) as raised:
            for event in client.responses.create(model="scripted", input="Hello", stream=True):
                texts.append(event.delta)
        assert (raised.value.code, raised.value.type) == ("insufficient_quota", "insufficient_quota")
        assert texts == ["Hi"] * 3
        with pytest.raises(openai.RateLimitError) as raised:
            client.responses.create(model="scripted", input="Hello")
    assert raised.value.code == "insufficient_quota"


def test_a_response_in_the_background_is_nothing_for_who_has_a_budget(gateway: Gateway, upstream: Upstream):
    asked, wire = len(upstream.asked), Wire()
    with client_of(gateway, key_of(gateway, budget=budget_of(3)), wire, max_retries=5) as client:
        with pytest.raises(openai.BadRequestError) as raised:
            client.responses.create(model="scripted", input="Hello", background=True)
    assert (raised.value.code, raised.value.param) == ("background_not_allowed", "background")
    assert wire.statuses() == [400] and len(upstream.asked) == asked


def test_a_project_s_spend_limit_ends_streams_and_refuses_what_follows(gateway: Gateway, upstream: Upstream):
    code = "project_spend_limit_exceeded"
    with admin_of(gateway) as admin:
        projects = admin.admin.organization.projects
        project = projects.create(name="spender").id
        projects.spend_limit.update(project, threshold_amount=3, currency="USD", interval="month")
        key = key_of(gateway, project)
        cut(gateway, upstream, key, code)
        # Another key of the project has nothing left either, and another project is not concerned.
        wire, another = Wire(), key_of(gateway, project)
        with client_of(gateway, another, wire, max_retries=5) as client, pytest.raises(openai.RateLimitError) as raised:
            ask(client)
        assert_spent(raised.value, wire, code)
        upstream.answers.append(answer())
        with client_of(gateway, gateway.key, Wire()) as client:
            assert ask(client) == "Hi"
        projects.spend_limit.delete(project)
        upstream.answers.append(answer())
        with client_of(gateway, key, Wire()) as client:
            assert ask(client) == "Hi", "without the limit it goes on"


def test_the_organization_s_spend_limit_ends_streams_and_refuses_what_follows(
    new_gateway: Callable[[str], Gateway], upstream: Upstream
):
    # One of its own: what the others spent would count too.
    gateway, code = new_gateway(CONFIG), "organization_spend_limit_exceeded"
    with admin_of(gateway) as admin:
        admin.admin.organization.spend_limit.update(threshold_amount=3, currency="USD", interval="month")
        # Its project may spend more, so that this one is in the way.
        projects = admin.admin.organization.projects
        projects.spend_limit.update("proj_default", threshold_amount=100, currency="USD", interval="month")
    cut(gateway, upstream, gateway.key, code)
    wire = Wire()
    with client_of(gateway, gateway.key, wire, max_retries=5) as client, pytest.raises(openai.RateLimitError) as raised:
        ask(client)
    assert_spent(raised.value, wire, code)
