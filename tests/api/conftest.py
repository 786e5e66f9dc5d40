"""One gateway with something on its ledger, in front of the simulator."""

import os
from collections.abc import Iterator

import httpx2
import pytest
from gateway import Gateway

# A proxy would stand between the tests and the gateway.
for name in list(os.environ):
    if name.lower().endswith("_proxy"):
        del os.environ[name]


@pytest.fixture(scope="session")
def gateway(tmp_path_factory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("weir"), "", {})
    headers = {"authorization": f"Bearer {gateway.key}"}
    call = {"model": "simulator/fast", "messages": [{"role": "user", "content": "Hello"}]}
    with httpx2.Client(trust_env=False, headers=headers) as client:
        client.post(f"{gateway.url}/chat/completions", json=call).raise_for_status()
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(scope="session")
def document(gateway: Gateway) -> dict:
    with httpx2.Client(trust_env=False) as client:
        return client.get(f"{gateway.control_url}/openapi.json").raise_for_status().json()


def operations(document: dict) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
