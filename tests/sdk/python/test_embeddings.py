"""Embeddings, in both spellings of a vector."""

import pytest
from openai import OpenAI


def test_both_encodings_hold_the_same_numbers(client: OpenAI):
    # The client asks for base64 by itself and turns it into floats.
    default = client.embeddings.create(model="simulator", input="a river")
    floats = client.embeddings.create(model="simulator", input="a river", encoding_format="float")
    assert len(default.data[0].embedding) == 1536
    assert default.data[0].embedding == pytest.approx(floats.data[0].embedding, abs=1e-7)
    assert default.usage.prompt_tokens == floats.usage.prompt_tokens > 0


def test_base64_is_left_as_it_is_where_it_is_asked_for(client: OpenAI):
    answer = client.embeddings.create(model="simulator", input="a river", encoding_format="base64")
    assert isinstance(answer.data[0].embedding, str)


def test_every_input_has_its_vector(client: OpenAI):
    answer = client.embeddings.create(model="simulator", input=["a", "b", "a"], dimensions=8)
    first, second, third = (item.embedding for item in answer.data)
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert first == third != second
    assert len(first) == 8
