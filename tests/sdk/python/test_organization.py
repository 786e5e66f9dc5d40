"""The whole life of a project, as OpenAI's own admin client drives it."""

import time
from collections.abc import Iterator

import openai
import pytest
from gateway import Gateway
from openai import OpenAI

HELLO = [{"role": "user", "content": "Hello"}]
UNLIMITED = 2**53 - 1


@pytest.fixture
def admin(gateway: Gateway) -> Iterator[OpenAI]:
    url = f"{gateway.control_url}/v1"
    with OpenAI(base_url=url, api_key="-", admin_api_key=gateway.admin_key, max_retries=0, timeout=30) as client:
        yield client


def ask(gateway: Gateway, key: str, model: str = "simulator/fast"):
    with OpenAI(base_url=gateway.url, api_key=key, max_retries=0, timeout=30) as client:
        return client.chat.completions.create(model=model, messages=HELLO, max_tokens=3)


def test_a_project_from_its_making_to_its_archive(gateway: Gateway, admin: OpenAI):
    organization = admin.admin.organization
    projects = organization.projects

    project = projects.create(name="search")
    assert (project.object, project.name, project.status) == ("organization.project", "search", "active")
    assert projects.retrieve(project.id) == project
    assert projects.update(project.id, name="find").name == "find"
    assert project.id in [listed.id for listed in projects.list(limit=1)]

    account = projects.service_accounts.create(project.id, name="ci")
    key = account.api_key.value
    assert [listed.id for listed in projects.service_accounts.list(project.id)] == [account.id]
    [listed] = projects.api_keys.list(project.id)
    assert listed.id == account.api_key.id
    assert listed.owner.service_account.id == account.id
    assert listed.redacted_value != key
    assert projects.api_keys.retrieve(listed.id, project_id=project.id).name == listed.name

    assert ask(gateway, key).usage.completion_tokens == 3

    limits = {limit.model: limit for limit in projects.rate_limits.list_rate_limits(project.id)}
    limit = limits["simulator"]
    assert limit.max_requests_per_1_minute == UNLIMITED
    changed = projects.rate_limits.update_rate_limit(limit.id, project_id=project.id, max_requests_per_1_minute=60)
    assert changed.max_requests_per_1_minute == 60

    money = {"threshold_amount": 5000, "currency": "USD", "interval": "month"}
    assert projects.spend_limit.update(project.id, **money).threshold_amount == 5000
    assert projects.spend_limit.retrieve(project.id).enforcement.status == "enforcing"
    channel = {"type": "email", "recipients": ["ana@example.com"]}
    alert = projects.spend_alerts.create(project.id, notification_channel=channel, **money)
    assert [listed.id for listed in projects.spend_alerts.list(project.id)] == [alert.id]
    assert projects.spend_alerts.delete(alert.id, project_id=project.id).deleted
    assert projects.spend_limit.delete(project.id).deleted

    projects.model_permissions.update(project.id, mode="deny_list", model_ids=["simulator/slow*"])
    with pytest.raises(openai.PermissionDeniedError):
        ask(gateway, key, "simulator/slow-start")
    ask(gateway, key)
    assert projects.model_permissions.delete(project.id).deleted
    assert projects.data_retention.retrieve(project.id).type == "organization_default"

    used = {"start_time": int(time.time()) - 3600, "project_ids": [project.id], "group_by": ["project_id", "api_key_id"]}
    deadline = time.monotonic() + 10
    while True:
        page = organization.usage.completions(**used)
        results = [result for bucket in page.data for result in bucket.results]
        if sum(result.num_model_requests for result in results) == 2:
            break
        assert time.monotonic() < deadline, results
    assert {(result.project_id, result.api_key_id) for result in results} == {(project.id, listed.id)}
    costs = [result for bucket in organization.usage.costs(**used).data for result in bucket.results]
    assert {result.project_id for result in costs} == {project.id}

    archived = projects.archive(project.id)
    assert archived.status == "archived"
    since = time.monotonic()
    with pytest.raises(openai.AuthenticationError):
        ask(gateway, key)
    assert time.monotonic() - since < 1
    assert project.id not in [listed.id for listed in projects.list()]
    assert project.id in [listed.id for listed in projects.list(include_archived=True)]
    with pytest.raises(openai.BadRequestError) as raised:
        projects.update(project.id, name="again")
    assert raised.value.code == "project_archived"

    log = list(organization.audit_logs.list(project_ids=[project.id], limit=100))
    assert (log[0].type, log[-1].type) == ("project.archived", "project.created")
    assert all(entry.project.id == project.id for entry in log)
    assert log[-1].actor.type == "api_key"


def test_a_key_is_deleted_and_its_account_too(gateway: Gateway, admin: OpenAI):
    projects = admin.admin.organization.projects
    project = projects.create(name="short-lived")
    account = projects.service_accounts.create(project.id, name="ci")
    assert projects.api_keys.delete(account.api_key.id, project_id=project.id).deleted
    with pytest.raises(openai.AuthenticationError):
        ask(gateway, account.api_key.value)
    further = projects.service_accounts.api_keys.create(account.id, project_id=project.id, name="further")
    ask(gateway, further.value)
    assert projects.service_accounts.delete(account.id, project_id=project.id).deleted
    with pytest.raises(openai.AuthenticationError):
        ask(gateway, further.value)
    with pytest.raises(openai.NotFoundError):
        projects.service_accounts.retrieve(account.id, project_id=project.id)


def test_what_openai_has_no_words_for_goes_with_it(gateway: Gateway, admin: OpenAI):
    projects = admin.admin.organization.projects
    weir = {"tier": "gold", "allowed_ips": ["192.0.2.0/24"]}
    account = projects.service_accounts.create("proj_default", name="elsewhere", extra_body={"weir": weir})
    assert account.api_key.weir["tier"] == "gold"
    with pytest.raises(openai.AuthenticationError) as raised:
        ask(gateway, account.api_key.value)
    assert raised.value.code == "ip_not_authorized"


def test_an_admin_key(gateway: Gateway, admin: OpenAI):
    keys = admin.admin.organization.admin_api_keys
    made = keys.create(name="ops")
    url = f"{gateway.control_url}/v1"
    with OpenAI(base_url=url, api_key="-", admin_api_key=made.value, max_retries=0) as client:
        assert made.id in [listed.id for listed in client.admin.organization.admin_api_keys.list(order="desc")]
        assert keys.delete(made.id).deleted
        with pytest.raises(openai.AuthenticationError):
            client.admin.organization.projects.list()


def test_the_organizations_own_limits(admin: OpenAI):
    organization = admin.admin.organization
    with pytest.raises(openai.NotFoundError):
        organization.spend_limit.retrieve()
    money = {"threshold_amount": 100_000, "currency": "USD", "interval": "month"}
    assert organization.spend_limit.update(**money).threshold_amount == 100_000
    assert organization.spend_limit.delete().deleted
    assert organization.data_retention.retrieve().type == "zero_data_retention"
    channel = {"type": "email", "recipients": []}
    alert = organization.spend_alerts.create(notification_channel=channel, **money)
    assert organization.spend_alerts.retrieve(alert.id).threshold_amount == 100_000
    assert organization.spend_alerts.delete(alert.id).deleted
