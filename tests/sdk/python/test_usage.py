"""What was used, as OpenAI's own admin client reads it."""

import time
from collections.abc import Iterator

import openai
import pytest
from gateway import Gateway
from openai import OpenAI

DAY = 86_400


@pytest.fixture
def admin(gateway: Gateway) -> Iterator[OpenAI]:
    url = f"{gateway.control_url}/v1"
    with OpenAI(base_url=url, api_key="-", admin_api_key=gateway.admin_key, max_retries=0, timeout=30) as client:
        yield client


def lately() -> int:
    """The midnight before yesterday's: whatever time it is, what happens now is in the time from then on."""
    return int(time.time()) // DAY * DAY - DAY


def used_by(gateway: Gateway, admin: OpenAI, name: str) -> str:
    """The id of a new key that has asked for two chats."""
    made = admin.admin.organization.projects.service_accounts.create("proj_default", name=name).api_key
    with OpenAI(base_url=gateway.url, api_key=made.value, max_retries=0) as client:
        for _ in range(2):
            messages = [{"role": "user", "content": "Hello"}]
            client.chat.completions.create(model="simulator/fast", messages=messages, max_tokens=3)
    return made.id


def results_of(ask, expected: int) -> list:
    """All results, once as many requests as expected are written down."""
    deadline = time.monotonic() + 10
    while True:
        page = ask()
        results = [result for bucket in page.data for result in bucket.results]
        if sum(result.num_model_requests for result in results) >= expected:
            return results
        assert time.monotonic() < deadline, results


def test_completions_by_key_and_model(gateway: Gateway, admin: OpenAI):
    key = used_by(gateway, admin, "by key and model")
    usage = admin.admin.organization.usage
    [result] = results_of(
        lambda: usage.completions(start_time=lately(), api_key_ids=[key], group_by=["api_key_id", "model"]), 2
    )
    assert result.object == "organization.usage.completions.result"
    assert (result.api_key_id, result.model) == (key, "simulator/fast")
    assert result.num_model_requests == 2
    assert result.output_tokens == 6
    assert result.input_tokens > 0
    assert result.project_id is None


@pytest.mark.parametrize("width", ["1m", "1h", "1d"])
def test_every_width_has_the_same_sum(gateway: Gateway, admin: OpenAI, width: str):
    key = used_by(gateway, admin, f"by {width}")
    since = int(time.time()) - 600
    usage = admin.admin.organization.usage
    results = results_of(lambda: usage.completions(start_time=since, api_key_ids=[key], bucket_width=width), 2)
    assert sum(result.num_model_requests for result in results) == 2


def test_costs_and_the_pages_of_them(admin: OpenAI):
    usage = admin.admin.organization.usage
    start = lately() - 40 * DAY
    pages, page = [], usage.costs(start_time=start, limit=10, group_by=["line_item", "project_id"])
    while True:
        pages.append(page)
        if not page.has_more:
            break
        page = usage.costs(start_time=start, limit=10, group_by=["line_item", "project_id"], page=page.next_page)
    starts = [bucket.start_time for page in pages for bucket in page.data]
    assert starts == list(range(start, starts[-1] + 1, DAY))
    assert len(starts) in (42, 43)
    for result in (result for page in pages for bucket in page.data for result in bucket.results):
        assert result.amount.currency == "usd"
        assert result.amount.value >= 0


@pytest.mark.parametrize("kind", ["embeddings", "moderations", "images", "audio_speeches", "audio_transcriptions"])
def test_the_other_kinds(admin: OpenAI, kind: str):
    page = getattr(admin.admin.organization.usage, kind)(start_time=lately(), group_by=["model"])
    assert page.object == "page"
    assert len(page.data) in (2, 3)


def test_an_error_names_its_parameter(gateway: Gateway, admin: OpenAI):
    with pytest.raises(openai.BadRequestError) as raised:
        admin.admin.organization.usage.completions(start_time=1, limit=32)
    assert raised.value.param == "limit"
    with OpenAI(base_url=f"{gateway.control_url}/v1", api_key="-", admin_api_key=gateway.key, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            client.admin.organization.usage.costs(start_time=1)
