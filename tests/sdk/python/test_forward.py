"""Requests that reach an upstream: what the client wrote, under another credential."""

import json
import os

import httpx2
from conftest import UPSTREAM_KEY
from gateway import Gateway
from openai import OpenAI
from upstream import Answer, Upstream, says, streams

HELLO = [{"role": "user", "content": "Grüezi 🌊"}]
COMPLETION = {"id": "c", "object": "chat.completion", "created": 1, "model": "scripted", "choices": []}


def test_the_upstream_reads_the_bytes_that_the_client_wrote(gateway: Gateway, upstream: Upstream):
    sent: list[httpx2.Request] = []
    http = httpx2.Client(event_hooks={"request": [sent.append]})
    upstream.answers.append(says(COMPLETION))
    with OpenAI(base_url=gateway.url, api_key=gateway.key, http_client=http, max_retries=0) as client:
        client.chat.completions.create(
            model="scripted", messages=HELLO, temperature=0.9, extra_body={"not_of_openai": {"b": 1e-7, "a": [2**70]}}
        )
    assert upstream.asked[0].body == sent[0].content


def test_credentials_stay_on_their_side(gateway: Gateway, upstream: Upstream):
    secrets = {"openai_organization": "org-upstream", "set_cookie": "a=b"}
    upstream.answers.append(says(COMPLETION, **secrets, x_ratelimit_limit_requests="7"))
    with OpenAI(
        base_url=gateway.url, api_key=gateway.key, organization="org-mine", project="proj-mine", max_retries=0
    ) as client:
        raw = client.chat.completions.with_raw_response.create(model="scripted", messages=HELLO)
    asked = upstream.asked[0].headers
    assert asked["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert gateway.key not in str(asked)
    assert "openai-organization" not in asked and "openai-project" not in asked
    assert not {name.replace("_", "-") for name in secrets} & set(raw.headers)
    assert raw.headers["x-ratelimit-limit-requests"] != "7", "what is told are Weir's own limits"


def test_an_upload_arrives_as_it_was_sent(client: OpenAI, upstream: Upstream):
    content = os.urandom(3 << 20)
    file = {"id": "file-1", "object": "file", "bytes": len(content), "created_at": 1, "filename": "blob.bin"}
    upstream.answers.append(says({**file, "purpose": "user_data", "status": "processed"}))
    made = client.files.create(file=("blob.bin", content), purpose="user_data")
    assert made.id == "file-1"
    asked = upstream.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v1/files")
    boundary = asked.headers["content-type"].partition("boundary=")[2].encode()
    parts = asked.body.split(b"--" + boundary)
    assert any(part.endswith(b"\r\n\r\n" + content + b"\r\n") for part in parts)
    assert any(b'name="purpose"' in part and part.endswith(b"\r\n\r\nuser_data\r\n") for part in parts)


def test_a_download_arrives_as_it_was_sent(client: OpenAI, upstream: Upstream):
    content = os.urandom(1 << 20)
    upstream.answers.append(Answer(body=content, headers={"content-type": "application/octet-stream"}))
    assert client.files.content("file-1").content == content
    assert upstream.asked[0].path == "/v1/files/file-1/content"


def test_lists_are_followed_from_page_to_page(client: OpenAI, upstream: Upstream):
    def page(name: str, more: bool):
        file = {"id": name, "object": "file", "bytes": 1, "created_at": 1, "filename": "f", "purpose": "batch"}
        return says({"object": "list", "data": [{**file, "status": "processed"}], "has_more": more})

    upstream.answers.extend([page("file-1", True), page("file-2", False)])
    assert [file.id for file in client.files.list(limit=1)] == ["file-1", "file-2"]
    assert [asked.path for asked in upstream.asked] == ["/v1/files?limit=1", "/v1/files?limit=1&after=file-1"]


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "scripted",
    "status": "completed",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "water", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


def test_responses_pass(client: OpenAI, upstream: Upstream):
    upstream.answers.append(says(RESPONSE))
    assert client.responses.create(model="scripted", input="What runs?").output_text == "water"
    assert upstream.asked[0].path == "/v1/responses"
    assert json.loads(upstream.asked[0].body) == {"model": "scripted", "input": "What runs?"}


def test_streamed_responses_pass(client: OpenAI, upstream: Upstream):
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    deltas = [
        {"type": "response.output_text.delta", "delta": text, "sequence_number": n, "logprobs": [], **place}
        for n, text in enumerate(["wa", "ter"], 1)
    ]
    upstream.answers.append(
        streams(
            {"type": "response.created", "sequence_number": 0, "response": {**RESPONSE, "output": []}},
            *deltas,
            {"type": "response.completed", "sequence_number": 3, "response": RESPONSE},
        )
    )
    events = list(client.responses.create(model="scripted", input="What runs?", stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "water"
    assert events[-1].response.output_text == "water"
