"""One gateway for all tests, in front of the simulator and of a scripted upstream."""

import os
from collections.abc import Callable, Iterator

import pytest
from gateway import Gateway
from openai import AsyncOpenAI, OpenAI
from upstream import Upstream

# The clients take defaults from these, and a proxy would stand between them and the gateway.
for name in list(os.environ):
    if name.startswith("OPENAI_") or name.lower().endswith("_proxy"):
        del os.environ[name]

UPSTREAM_KEY = "sk-of-the-upstream"

CONFIG = """
[simulator]
words_per_second = 400

[[upstream]]
name = "scripted"
provider = "openai"
base_url = "{url}"
api_key = "$UPSTREAM_KEY"
retries = 0

[[upstream]]
name = "simulator"
provider = "simulator"

[[model]]
name = "simulator"
to = ["simulator"]

[[model]]
name = "simulator/*"
to = ["simulator"]

[[model]]
name = "scripted"
to = ["scripted"]

[[model]]
name = "impatient"
to = [{{ upstream = "simulator", model = "simulator/stall", timeouts = {{ idle = "200ms" }} }}]

[[model]]
name = "hurried"
to = [{{ upstream = "simulator", model = "simulator/slow-start", timeouts = {{ first_byte = "200ms" }} }}]
"""


@pytest.fixture(scope="session")
def the_upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.stop()


@pytest.fixture
def upstream(the_upstream: Upstream) -> Upstream:
    the_upstream.forget()
    return the_upstream


@pytest.fixture(scope="session")
def new_gateway(tmp_path_factory, the_upstream: Upstream) -> Iterator[Callable[[str], Gateway]]:
    """Starts gateways in front of the upstream, whose address stands for `{url}` in their configuration."""
    gateways = []

    def new(config: str) -> Gateway:
        config = config.format(url=the_upstream.url)
        gateways.append(Gateway(tmp_path_factory.mktemp("weir"), config, {"UPSTREAM_KEY": UPSTREAM_KEY}))
        return gateways[-1]

    yield new
    assert [gateway.stop() for gateway in gateways] == [0] * len(gateways)


@pytest.fixture(scope="session")
def gateway(new_gateway: Callable[[str], Gateway]) -> Gateway:
    return new_gateway(CONFIG)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.url, api_key=gateway.key, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def new_async_client(gateway: Gateway):
    """Makes clients for an event loop: each belongs to the loop that it is used in."""
    return lambda: AsyncOpenAI(base_url=gateway.url, api_key=gateway.key, max_retries=0, timeout=30)
