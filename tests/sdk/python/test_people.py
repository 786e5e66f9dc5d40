"""Users, invites and the users of projects, as OpenAI's own admin client manages them."""

import json
from collections.abc import Iterator

import httpx2
import openai
import pytest
from gateway import Gateway
from openai import OpenAI
from test_conformance import DESCRIPTION, conforms  # noqa: F401

pytestmark = pytest.mark.skipif(not DESCRIPTION.is_file(), reason="OpenAI's openapi.json is not at hand")

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def admin(gateway: Gateway) -> Iterator[OpenAI]:
    url = f"{gateway.control_url}/v1"
    with OpenAI(base_url=url, api_key="-", admin_api_key=gateway.admin_key, max_retries=0, timeout=30) as client:
        yield client


def test_somebody_is_invited_works_in_a_project_and_leaves(gateway: Gateway, admin: OpenAI, conforms):  # noqa: F811
    organization = admin.admin.organization
    project = organization.projects.create(name="people").id
    part = {"id": project, "role": "member"}
    invite = organization.invites.create(email="ana@example.com", role="reader", projects=[part])
    conforms("Invite", json.loads(invite.model_dump_json(exclude_unset=True)))
    assert [one.id for one in organization.invites.list()] == [invite.id]
    accept = {"token": invite.model_extra["weir"]["token"], "password": PASSWORD}
    tokens = httpx2.post(f"{gateway.control_url}/auth/accept", json=accept).raise_for_status().json()

    with OpenAI(base_url=gateway.url, api_key=tokens["access_token"], max_retries=0) as ana:
        ask = {"model": "simulator/fast", "messages": [{"role": "user", "content": "Hello"}]}
        assert ana.chat.completions.create(**ask).choices
        with pytest.raises(openai.NotFoundError):
            ana.with_options(project="proj_other").chat.completions.create(**ask)

    user = next(user for user in organization.users.list() if user.email == "ana@example.com")
    conforms("User", json.loads(organization.users.retrieve(user.id).model_dump_json(exclude_unset=True)))
    assert organization.users.update(user.id, role="owner").role == "owner"
    users = organization.projects.users
    member = users.retrieve(user.id, project_id=project)
    conforms("ProjectUser", json.loads(member.model_dump_json(exclude_unset=True)))
    assert users.update(user.id, project_id=project, role="owner").role == "owner"
    assert [one.id for one in users.list(project)] == [user.id]
    assert users.delete(user.id, project_id=project).deleted
    assert users.create(project, user_id=user.id, role="member").role == "member"
    assert organization.users.delete(user.id).deleted
    with pytest.raises(openai.NotFoundError):
        organization.users.retrieve(user.id)


def test_what_is_on_the_wire_is_what_the_description_says(gateway: Gateway, conforms):  # noqa: F811
    base = f"{gateway.control_url}/v1/organization"
    headers = {"authorization": f"Bearer {gateway.admin_key}"}
    with httpx2.Client(base_url=base, headers=headers) as client:
        invite = client.post("/invites", json={"email": "bo@example.com", "role": "owner"}).json()
        accept = {"token": invite["weir"]["token"], "password": PASSWORD}
        httpx2.post(f"{gateway.control_url}/auth/accept", json=accept).raise_for_status()
        user = client.get("/users", params={"emails[]": "bo@example.com"}).json()["data"][0]
        project = f"/projects/{client.post('/projects', json={'name': 'wire'}).json()['id']}/users"
        answers = [
            ("Invite", invite),
            ("InviteListResponse", client.get("/invites").json()),
            ("Invite", client.get(f"/invites/{invite['id']}").json()),
            ("UserListResponse", client.get("/users").json()),
            ("User", client.post(f"/users/{user['id']}", json={"role": "reader"}).json()),
            ("ProjectUser", client.post(project, json={"user_id": user["id"], "role": "owner"}).json()),
            ("ProjectUserListResponse", client.get(project).json()),
            ("ProjectUserDeleteResponse", client.delete(f"{project}/{user['id']}").json()),
            ("UserDeleteResponse", client.delete(f"/users/{user['id']}").json()),
            ("ErrorResponse", client.get(f"/users/{user['id']}").json()),
            ("ErrorResponse", client.post(project, json={}).json()),
        ]
        other = client.post("/invites", json={"email": "cy@example.com", "role": "reader"}).json()
        answers.append(("InviteDeleteResponse", client.delete(f"/invites/{other['id']}").json()))
    for schema, answer in answers:
        conforms(schema, answer)
