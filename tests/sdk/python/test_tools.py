"""Tool calls and structured output."""

import json
from enum import Enum

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel, Field

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}
ASK = [{"role": "user", "content": "Use get_weather for Basel."}]


def test_a_tool_is_called_and_its_result_answered(client: OpenAI):
    completion = client.chat.completions.create(model="simulator", messages=ASK, tools=[TOOL])
    choice = completion.choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city", "days"}

    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    answer = client.chat.completions.create(model="simulator", messages=[*ASK, choice.message, result], tools=[TOOL])
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content


def test_streamed_arguments_add_up(client: OpenAI):
    whole = client.chat.completions.create(model="simulator", messages=ASK, tools=[TOOL])
    first, *rest = client.chat.completions.create(model="simulator", messages=ASK, tools=[TOOL], stream=True)
    opening = first.choices[0].delta.tool_calls[0]
    assert opening.index == 0 and opening.id and opening.type == "function"
    assert opening.function.name == "get_weather"
    parts = [call for chunk in rest for call in chunk.choices[0].delta.tool_calls or []]
    assert len(parts) > 1
    arguments = "".join(part.function.arguments for part in parts)
    assert arguments == whole.choices[0].message.tool_calls[0].function.arguments
    assert rest[-1].choices[0].finish_reason == "tool_calls"


class Weather(BaseModel):
    """What the tool wants to know."""

    city: str
    days: int


def test_the_stream_helper_parses_arguments(client: OpenAI):
    tool = openai.pydantic_function_tool(Weather, name="get_weather")
    with client.chat.completions.stream(model="simulator", messages=ASK, tools=[tool]) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    assert [event.name for event in done] == ["get_weather"]
    assert isinstance(final.choices[0].message.tool_calls[0].function.parsed_arguments, Weather)


@pytest.mark.parametrize("choice, calls", [("none", False), ("required", True)])
def test_the_choice_of_tools_is_heeded(client: OpenAI, choice: str, calls: bool):
    completion = client.chat.completions.create(model="simulator", messages=ASK, tools=[TOOL], tool_choice=choice)
    assert bool(completion.choices[0].message.tool_calls) == calls


class Kind(Enum):
    RIVER = "river"
    BROOK = "brook"


class Reach(BaseModel):
    name: str
    metres: float = Field(ge=0)


class Stream(BaseModel):
    """Nested, optional and enumerated members: what programs really ask for."""

    kind: Kind
    reaches: list[Reach]
    source: str | None


def test_structured_output_is_parsed(client: OpenAI):
    completion = client.chat.completions.parse(
        model="simulator", messages=[{"role": "user", "content": "Describe the Birs."}], response_format=Stream
    )
    assert isinstance(completion.choices[0].message.parsed, Stream)


def test_structured_output_is_parsed_from_a_stream(client: OpenAI):
    messages = [{"role": "user", "content": "Describe the Birs."}]
    with client.chat.completions.stream(model="simulator", messages=messages, response_format=Stream) as stream:
        for _ in stream:
            pass
        parsed = stream.get_final_completion().choices[0].message.parsed
    whole = client.chat.completions.parse(model="simulator", messages=messages, response_format=Stream)
    assert parsed == whole.choices[0].message.parsed


def test_json_mode_answers_json(client: OpenAI):
    completion = client.chat.completions.create(
        model="simulator",
        messages=[{"role": "user", "content": "Answer in JSON."}],
        response_format={"type": "json_object"},
    )
    assert isinstance(json.loads(completion.choices[0].message.content), dict)
