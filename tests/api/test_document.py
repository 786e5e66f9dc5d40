"""schemathesis looks for answers that the document does not promise."""

import os
import re
import subprocess
import sys

import httpx2
import pytest
from gateway import Gateway
from openapi_spec_validator import validate

EXAMPLES = os.environ.get("WEIR_API_EXAMPLES", "20")
SECONDS = 240

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
]
# Not `positive_data_acceptance`: whether a cursor, an id or the end of a span is good depends on the rest.

# It has no end, which schemathesis would wait for; tests/it looks at it.
ENDLESS = "/admin/events"


def test_it_is_an_openapi_document(document: dict):
    validate(document)


def planes(methods: dict) -> set[str]:
    """The planes that have a path."""
    first = next(iter(methods.values()))
    return {"control" if server["url"] == "/" else "data" for server in first["servers"]}


def hunt(gateway: Gateway, plane: str, paths: set[str], *options: str, config: str = "") -> None:
    """Lets schemathesis loose on some paths of a plane."""
    base = gateway.control_url if plane == "control" else gateway.url.removesuffix("/v1")
    key = gateway.admin_key if plane == "control" else gateway.key
    (gateway.directory / "schemathesis.toml").write_text(config)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{gateway.control_url}/openapi.json"]
    command += ["--url", base, "--header", f"Authorization: Bearer {key}", "--no-color", "--seed", "1"]
    command += ["--checks", ",".join(CHECKS), "--max-examples", EXAMPLES, "--request-timeout", "10", *options]
    for path in sorted(paths - {ENDLESS}):
        command += ["--include-path", path]
    run = subprocess.run(command, cwd=gateway.directory, capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 0, run.stdout + run.stderr
    cases = re.search(r"(\d+) generated", run.stdout)
    assert cases and int(cases[1]) > 5 * len(paths), run.stdout
    print(f"{plane}: {cases[0]} cases for {len(paths)} paths")


@pytest.mark.parametrize("plane", ["control", "data"])
def test_nothing_is_answered_that_is_not_promised(gateway: Gateway, document: dict, plane: str):
    here = {path for path, methods in document["paths"].items() if plane in planes(methods)}
    assert here
    hunt(gateway, plane, here)


def test_nothing_is_answered_that_is_not_promised_where_there_is_something(gateway: Gateway, document: dict):
    """The same about things that exist, which ids out of thin air never name."""
    within = {path for path in document["paths"] if path.startswith("/v1/organization/projects/{project_id}/")}
    headers = {"authorization": f"Bearer {gateway.admin_key}"}
    url = f"{gateway.control_url}/v1/organization/projects"
    with httpx2.Client(trust_env=False, headers=headers) as client:
        project = client.post(url, json={"name": "hunted"}).raise_for_status().json()["id"]
        accounts = f"{url}/{project}/service_accounts"
        account = client.post(accounts, json={"name": "hunted"}).raise_for_status().json()
        alert = {"threshold_amount": 100, "currency": "USD", "interval": "month"}
        alert["notification_channel"] = {"type": "email", "recipients": ["a@example.com"]}
        alert = client.post(f"{url}/{project}/spend_alerts", json=alert).raise_for_status().json()
    names = {
        "project_id": project,
        "service_account_id": account["id"],
        "api_key_id": account["api_key"]["id"],
        "alert_id": alert["id"],
        "rate_limit_id": "rl-simulator",
    }
    config = "[parameters]\n" + "".join(f'"path.{name}" = "{value}"\n' for name, value in names.items())
    # What ends them would leave nothing to ask about.
    gone = ["--exclude-method", "DELETE", "--phases", "coverage,fuzzing"]
    hunt(gateway, "control", {path for path in within if not path.endswith("/archive")}, *gone, config=config)
