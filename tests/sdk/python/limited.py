"""Callers that have limits, and what passes between them and the gateway."""

import re
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2
from gateway import Gateway
from openai import AsyncOpenAI, OpenAI
from upstream import Answer, says

HELLO = [{"role": "user", "content": "Hello"}]
#: How many ask at once.
CALLERS = 4
#: How many tokens of an answer are paid ahead.
SLICE = 16

# A token of an answer costs a cent, and a prompt nothing.
CONFIG = f"""
[[upstream]]
name = "scripted"
provider = "openai"
base_url = "{{url}}"
api_key = "$UPSTREAM_KEY"
retries = 0

[[model]]
name = "scripted"
to = ["scripted"]

[[price]]
model = "scripted"
input = 0
output = 10000

[limits]
slice = {SLICE}
pause = "0"

[[tier]]
name = "brisk"
requests_per_minute = 120
requests_burst = {CALLERS}

[[tier]]
name = "slow"
output_tokens_per_minute = 60
tokens_burst = 3
"""


@dataclass
class Wire:
    """What a client sent, and what it was answered."""

    sent: list[float] = field(default_factory=list)
    answered: list[tuple[float, httpx2.Response]] = field(default_factory=list)

    def hooks(self) -> dict[str, list]:
        return {"request": [self.on_request], "response": [self.on_response]}

    def async_hooks(self) -> dict[str, list]:
        async def on_request(request):
            self.on_request(request)

        async def on_response(response):
            self.on_response(response)

        return {"request": [on_request], "response": [on_response]}

    def on_request(self, _: httpx2.Request):
        self.sent.append(time.monotonic())

    def on_response(self, response: httpx2.Response):
        self.answered.append((time.monotonic(), response))

    def statuses(self) -> list[int]:
        return [response.status_code for _, response in self.answered]

    def waits(self) -> list[tuple[float, float]]:
        """How many seconds it was told to wait before each retry, and how many it waited."""
        return [
            (int(response.headers["retry-after-ms"]) / 1000, again - answered)
            for (answered, response), again in zip(self.answered, self.sent[1:])
        ]


def client_of(gateway: Gateway, key: str, wire: Wire, max_retries: int = 0) -> OpenAI:
    http = httpx2.Client(event_hooks=wire.hooks(), trust_env=False)
    return OpenAI(base_url=gateway.url, api_key=key, max_retries=max_retries, timeout=30, http_client=http)


def async_client_of(gateway: Gateway, key: str, wire: Wire, max_retries: int = 0) -> AsyncOpenAI:
    http = httpx2.AsyncClient(event_hooks=wire.async_hooks(), trust_env=False)
    return AsyncOpenAI(base_url=gateway.url, api_key=key, max_retries=max_retries, timeout=30, http_client=http)


def admin_of(gateway: Gateway) -> OpenAI:
    url = f"{gateway.control_url}/v1"
    return OpenAI(base_url=url, api_key="-", admin_api_key=gateway.admin_key, max_retries=0, timeout=30)


def key_of(gateway: Gateway, project: str = "proj_default", **weir: Any) -> str:
    """A new key with these terms, which are in force at once."""
    with admin_of(gateway) as admin:
        accounts = admin.admin.organization.projects.service_accounts
        return accounts.create(project, name="limited", extra_body={"weir": weir}).api_key.value


def budget_of(cents: int) -> dict:
    return {"threshold_amount": cents, "currency": "USD", "interval": "life"}


def answer(tokens: int = 1) -> Answer:
    message = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": 1 + tokens}
    return says(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "scripted", "choices": [choice], "usage": usage}
    )


def ask(client: OpenAI) -> str:
    return client.chat.completions.create(model="scripted", messages=HELLO, max_tokens=1).choices[0].message.content


def ask_for_a_stream(client: OpenAI) -> str:
    chunks = client.chat.completions.create(model="scripted", messages=HELLO, stream=True)
    return text_of(list(chunks))


def text_of(chunks: list) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def refusals(gateway: Gateway) -> int:
    """How often this gateway has told somebody that a limit is in the way."""
    text = httpx2.get(f"{gateway.control_url}/metrics", trust_env=False).raise_for_status().text
    return sum(int(count) for count in re.findall(r"^weir_limited_total\{.*\} (\d+)$", text, re.M))
