"""What Weir answers, held against OpenAI's own description of its API where that is at hand."""

import json
import os
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest
from gateway import ROOT, Gateway
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DESCRIPTION = ROOT / os.environ.get("WEIR_OPENAPI", "../shared/openai/openapi.json")

pytestmark = pytest.mark.skipif(
    not DESCRIPTION.is_file(), reason="OpenAI's openapi.json is not at hand; WEIR_OPENAPI says where it is"
)

URI = "urn:openai"
HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def modern(schema: object) -> object:
    """The same schema without `nullable`, which the description still uses and JSON Schema never knew."""
    if isinstance(schema, list):
        return [modern(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: modern(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


@pytest.fixture(scope="session")
def conforms() -> Callable[[str, object], None]:
    description = modern(json.loads(DESCRIPTION.read_text()))
    registry = Registry().with_resource(URI, DRAFT202012.create_resource(description))

    def check(schema: str, value: object):
        reference = {"$ref": f"{URI}#/components/schemas/{schema}"}
        errors = list(Draft202012Validator(reference, registry=registry).iter_errors(value))
        assert not errors, "\n".join(f"{error.json_path}: {error.message}" for error in errors)

    return check


@pytest.fixture(scope="session")
def http(gateway: Gateway) -> Iterator[httpx2.Client]:
    headers = {"authorization": f"Bearer {gateway.key}"}
    with httpx2.Client(base_url=gateway.url, headers=headers) as client:
        yield client


CHATS = {
    "plain": {},
    "choices": {"n": 2},
    "cut": {"max_completion_tokens": 3},
    "tools": {"tools": [TOOL], "tool_choice": "required"},
    "json": {"response_format": {"type": "json_object"}},
}


@pytest.mark.parametrize("more", CHATS.values(), ids=CHATS)
def test_a_chat_completion(http: httpx2.Client, conforms, more: dict):
    answer = http.post("/chat/completions", json={"model": "simulator/fast", "messages": HELLO, **more})
    conforms("CreateChatCompletionResponse", answer.raise_for_status().json())


def events(answer: httpx2.Response) -> Iterator[dict]:
    *data, last = (line.removeprefix("data: ") for line in answer.raise_for_status().text.split("\n\n") if line)
    assert last == "[DONE]"
    return map(json.loads, data)


@pytest.mark.parametrize("usage", [False, True])
@pytest.mark.parametrize("more", CHATS.values(), ids=CHATS)
def test_every_event_of_a_chat(http: httpx2.Client, conforms, more: dict, usage: bool):
    options = {"stream": True, "stream_options": {"include_usage": usage}}
    answer = http.post("/chat/completions", json={"model": "simulator/fast", "messages": HELLO, **options, **more})
    for event in events(answer):
        conforms("CreateChatCompletionStreamResponse", event)


def test_a_text_completion_and_its_events(http: httpx2.Client, conforms):
    ask = {"model": "simulator/fast", "prompt": "Once", "n": 2}
    conforms("CreateCompletionResponse", http.post("/completions", json=ask).raise_for_status().json())
    for event in events(http.post("/completions", json={**ask, "stream": True})):
        for choice in event["choices"]:
            # The description forgets that a choice which goes on has no reason yet; OpenAI sends null.
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        conforms("CreateCompletionResponse", event)


def test_embeddings(http: httpx2.Client, conforms):
    answer = http.post("/embeddings", json={"model": "simulator", "input": ["a", "b"]})
    conforms("CreateEmbeddingResponse", answer.raise_for_status().json())


def test_models(http: httpx2.Client, conforms):
    conforms("ListModelsResponse", http.get("/models").raise_for_status().json())
    conforms("Model", http.get("/models/simulator%2Ffast").raise_for_status().json())


ERRORS = {
    "unauthenticated": ("POST", "/chat/completions", b"{}", {"authorization": "Bearer x"}, 401),
    "not json": ("POST", "/chat/completions", b"{", {}, 400),
    "no messages": ("POST", "/chat/completions", b'{"model":"simulator"}', {}, 400),
    "no such model": ("POST", "/chat/completions", b'{"model":"x","messages":[]}', {}, 404),
    "no such path": ("GET", "/nope", b"", {}, 404),
    "method": ("PUT", "/models", b"", {}, 405),
    "type": ("POST", "/chat/completions", b"{}", {"content-type": "text/plain"}, 415),
    "limit": ("POST", "/embeddings", b'{"model":"simulator/429","input":"x"}', {}, 429),
    "failure": ("POST", "/embeddings", b'{"model":"simulator/500","input":"x"}', {}, 500),
    "credential": ("POST", "/embeddings", b'{"model":"simulator/401","input":"x"}', {}, 502),
}


@pytest.mark.parametrize("method, path, body, headers, status", ERRORS.values(), ids=ERRORS)
def test_an_error(http: httpx2.Client, conforms, method: str, path: str, body: bytes, headers: dict, status: int):
    answer = http.request(method, path, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    conforms("ErrorResponse", answer.json())


def test_the_event_of_a_broken_stream(http: httpx2.Client, conforms):
    ask = {"model": "simulator/die-midstream", "messages": HELLO, "stream": True}
    *_, last = http.post("/chat/completions", json=ask).raise_for_status().text.strip().split("\n\n")
    conforms("ErrorResponse", json.loads(last.removeprefix("data: ")))


USAGE = {
    "completions": "completions?group_by=model&group_by=api_key_id&group_by=batch&group_by=service_tier&",
    "completions by the hour": "completions?bucket_width=1h&",
    "embeddings": "embeddings?group_by=project_id&group_by=user_id&",
    "moderations": "moderations?",
    "images": "images?group_by=size&group_by=source&",
    "speeches": "audio_speeches?",
    "transcriptions": "audio_transcriptions?",
}


@pytest.fixture(scope="session")
def admin(gateway: Gateway) -> Iterator[httpx2.Client]:
    headers = {"authorization": f"Bearer {gateway.admin_key}"}
    with httpx2.Client(base_url=f"{gateway.control_url}/v1/organization", headers=headers) as client:
        yield client


def results(page: dict) -> list[dict]:
    return [result for bucket in page["data"] for result in bucket["results"]]


def make_use(http: httpx2.Client):
    """Calls of several kinds, so that there are results to be held against the description."""
    asks = {
        "/chat/completions": {"model": "simulator/fast", "messages": HELLO},
        "/embeddings": {"model": "simulator", "input": "x"},
    }
    for path, ask in asks.items():
        http.post(path, json=ask).raise_for_status()


def until_there(admin: httpx2.Client, path: str) -> dict:
    """A page with results: what was called a moment ago is written down a moment later."""
    deadline = time.monotonic() + 10
    while not results(page := admin.get(path).raise_for_status().json()):
        assert time.monotonic() < deadline
    return page


@pytest.mark.parametrize("query", USAGE.values(), ids=USAGE)
def test_a_page_of_usage(http: httpx2.Client, admin: httpx2.Client, conforms, query: str):
    path = f"/usage/{query}start_time={int(time.time()) - 3600}"
    if query.startswith(("completions", "embeddings")):
        make_use(http)
        page = until_there(admin, path)
    else:
        page = admin.get(path).raise_for_status().json()
    # Of the shapes of results, their `object` tells which it has to be; `oneOf` alone would take some for several.
    shape = {"completions": "UsageCompletionsResult", "embeddings": "UsageEmbeddingsResult"}
    for result in results(page):
        conforms(shape[query.split("?")[0]], result)
        assert result["object"] == f"organization.usage.{query.split('?')[0]}.result"
    conforms("UsageResponse", page)


def test_a_page_of_costs(http: httpx2.Client, admin: httpx2.Client, conforms):
    make_use(http)
    page = until_there(admin, f"/costs?start_time={int(time.time()) - 86_400}&group_by=line_item")
    for result in results(page):
        conforms("CostsResult", result)
    conforms("UsageResponse", page)


@pytest.mark.parametrize("path", ["/usage/completions", "/usage/completions?start_time=1&limit=99", "/costs?start_time=x", "/usage/nope"])
def test_an_error_about_usage(admin: httpx2.Client, conforms, path: str):
    answer = admin.get(path)
    assert answer.status_code in (400, 404)
    conforms("ErrorResponse", answer.json())
