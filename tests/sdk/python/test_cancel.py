"""A client that goes away: the upstream call ends with it, and what was delivered is known."""

import asyncio
from time import monotonic

import openai
import pytest
from gateway import Gateway
from openai import OpenAI
from upstream import Answer, Upstream

HELLO = [{"role": "user", "content": "Hello"}]
ENDS = {"request.completed", "request.failed"}
#: Within which Weir has to notice.
SECOND = 1.0


def test_a_stream_that_is_closed_is_cancelled(client: OpenAI, gateway: Gateway):
    with gateway.watch() as events:
        with client.chat.completions.create(model="simulator/slow", messages=HELLO, stream=True) as stream:
            request_id = stream.response.headers["x-request-id"]
            next(chunk for chunk in stream if chunk.choices[0].delta.content)
        left = monotonic()
        end = events.until(request_id, ENDS)
        assert monotonic() - left < SECOND
    assert end["type"] == "request.failed"
    assert end["outcome"] == "client_gone"
    assert 1 <= end["chunks"] < 10


def test_the_upstream_s_connection_ends_with_the_client_s(client: OpenAI, upstream: Upstream):
    event = b'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    upstream.answers.append(Answer(headers={"content-type": "text/event-stream"}, stream=[event], hangs=True))
    with client.chat.completions.create(model="scripted", messages=HELLO, stream=True) as stream:
        assert next(stream).choices[0].delta.content == "a"
    assert upstream.left.wait(SECOND)


def test_a_task_that_is_cancelled_cancels_its_stream(new_async_client, gateway: Gateway):
    begun: list[str] = []

    async def read(arrived: asyncio.Event):
        async with new_async_client() as client:
            stream = await client.chat.completions.create(model="simulator/stall", messages=HELLO, stream=True)
            begun.append(stream.response.headers["x-request-id"])
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    arrived.set()

    async def cancel():
        arrived = asyncio.Event()
        task = asyncio.create_task(read(arrived))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with gateway.watch() as events:
        asyncio.run(asyncio.wait_for(cancel(), 10))
        left = monotonic()
        end = events.until(begun[0], ENDS)
        assert monotonic() - left < SECOND
    assert end["outcome"] == "client_gone"


def test_a_client_that_times_out_before_the_answer_is_gone_too(client: OpenAI, gateway: Gateway):
    ours = {"x-request-id": "timed-out-before-the-answer"}
    with gateway.watch() as events:
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.3).chat.completions.create(
                model="simulator/slow-start", messages=HELLO, extra_headers=ours
            )
        left = monotonic()
        end = events.until(ours["x-request-id"], ENDS)
        assert monotonic() - left < SECOND
    assert end["outcome"] == "client_gone"
    assert end["chunks"] == 0


def test_a_stream_that_was_read_to_its_end_is_complete(client: OpenAI, gateway: Gateway):
    with gateway.watch("stream.*,request.*") as events:
        stream = client.chat.completions.create(
            model="simulator/fast", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        *_, last = stream
        end = events.until(stream.response.headers["x-request-id"], ENDS)
    assert end["outcome"] == "completed"
    assert end["output_tokens"] == last.usage.completion_tokens == end["chunks"]
