"""Chat and text completions, whole and as streams."""

import asyncio

import pytest
from openai import OpenAI

HELLO = [{"role": "user", "content": "Hello"}]


def text_of(chunks) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_a_completion_has_text_a_reason_and_usage(client: OpenAI):
    completion = client.chat.completions.create(model="simulator", messages=HELLO)
    assert completion.object == "chat.completion"
    assert completion.model == "simulator"
    assert completion.choices[0].message.role == "assistant"
    assert completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    usage = completion.usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_a_stream_says_what_the_whole_answer_says(client: OpenAI):
    whole = client.chat.completions.create(model="simulator", messages=HELLO)
    chunks = list(client.chat.completions.create(model="simulator", messages=HELLO, stream=True))
    assert len(chunks) > 10
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert text_of(chunks) == whole.choices[0].message.content


def test_an_async_stream_reads_the_same(client: OpenAI, new_async_client):
    async def stream() -> str:
        async with new_async_client() as client:
            chunks = await client.chat.completions.create(model="simulator", messages=HELLO, stream=True)
            return text_of([chunk async for chunk in chunks])

    assert asyncio.run(stream()) == text_of(
        client.chat.completions.create(model="simulator", messages=HELLO, stream=True)
    )


def test_fifty_streams_at_once_do_not_mix(new_async_client):
    async def stream(client, n: int) -> tuple[str, str]:
        messages = [{"role": "user", "content": f"caller {n}"}]
        chunks = await client.chat.completions.create(model="simulator/fast", messages=messages, stream=True)
        whole = await client.chat.completions.create(model="simulator/fast", messages=messages)
        return text_of([chunk async for chunk in chunks]), whole.choices[0].message.content

    async def all_of_them():
        async with new_async_client() as client:
            return await asyncio.gather(*(stream(client, n) for n in range(50)))

    answers = asyncio.run(all_of_them())
    assert all(streamed == whole for streamed, whole in answers)
    assert len({streamed for streamed, _ in answers}) > 25


def test_usage_is_in_the_stream_of_who_asks_for_it(client: OpenAI):
    whole = client.chat.completions.create(model="simulator", messages=HELLO)
    *chunks, last = client.chat.completions.create(
        model="simulator", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    assert last.choices == []
    assert last.usage == whole.usage
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in chunks)


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}])
def test_usage_is_kept_from_who_does_not_ask(client: OpenAI, options):
    chunks = list(client.chat.completions.create(model="simulator", messages=HELLO, stream=True, **options))
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)


def test_the_stream_helper_builds_the_whole_answer(client: OpenAI):
    whole = client.chat.completions.create(model="simulator", messages=HELLO)
    with client.chat.completions.stream(model="simulator", messages=HELLO) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert final.choices[0].message.content == whole.choices[0].message.content
    assert final.choices[0].finish_reason == "stop"
    assert kinds.count("content.done") == 1
    assert kinds.count("content.delta") > 10


@pytest.mark.parametrize("stream", [False, True])
def test_n_choices_come_with_their_numbers(client: OpenAI, stream: bool):
    answer = client.chat.completions.create(model="simulator", messages=HELLO, n=3, stream=stream)
    if not stream:
        texts = {choice.index: choice.message.content for choice in answer.choices}
    else:
        texts: dict[int, str] = {}
        for chunk in answer:
            for choice in chunk.choices:
                texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    assert sorted(texts) == [0, 1, 2]
    assert len(set(texts.values())) == 3


def test_an_answer_ends_at_its_bound(client: OpenAI):
    completion = client.chat.completions.create(model="simulator", messages=HELLO, max_completion_tokens=5)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 5


def test_text_completions_whole_and_streamed(client: OpenAI):
    whole = client.completions.create(model="simulator", prompt="Once upon a time")
    assert whole.object == "text_completion"
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.completion_tokens > 0
    chunks = list(client.completions.create(model="simulator", prompt="Once upon a time", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert all(chunk.usage is None for chunk in chunks)
