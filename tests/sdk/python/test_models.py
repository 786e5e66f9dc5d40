"""The models that a key may use."""

from collections.abc import Callable
from time import monotonic

import openai
import pytest
from gateway import Gateway
from openai import OpenAI

#: Within which a change of keys takes effect.
SECOND = 1.0


def test_the_list_names_what_can_be_used(client: OpenAI):
    models = {model.id: model for model in client.models.list()}
    assert {"simulator", "simulator/fast", "scripted"} <= models.keys()
    for name, model in models.items():
        assert "*" not in name
        assert model.object == "model" and model.created > 0 and model.owned_by


@pytest.mark.parametrize("name", ["simulator", "simulator/fast"])
def test_one_model_is_found_by_its_name(client: OpenAI, name: str):
    assert client.models.retrieve(name).id == name


def test_an_unknown_model_is_not_found(client: OpenAI):
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gpt-nope")
    assert raised.value.code == "model_not_found"


def soon(works: Callable[[], object]):
    """Repeats a call until the key behind it is known."""
    deadline = monotonic() + SECOND
    while True:
        try:
            return works()
        except openai.AuthenticationError:
            if monotonic() > deadline:
                raise


def test_a_limited_key_sees_and_uses_its_models_only(gateway: Gateway):
    key = gateway.create_key("--model", "simulator/*")
    with OpenAI(base_url=gateway.url, api_key=key, max_retries=0) as client:
        names = {model.id for model in soon(client.models.list)}
        assert "simulator/fast" in names
        assert "simulator" not in names and "scripted" not in names

        messages = [{"role": "user", "content": "Hello"}]
        client.chat.completions.create(model="simulator/fast", messages=messages)
        with pytest.raises(openai.PermissionDeniedError) as raised:
            client.chat.completions.create(model="simulator", messages=messages)
        assert raised.value.code == "model_not_allowed"
        assert raised.value.param == "model"
        # Which models a path uses that Weir does not read, nobody knows.
        with pytest.raises(openai.PermissionDeniedError):
            client.files.list()
