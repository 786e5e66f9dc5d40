"""schemathesis looks for answers that the document does not promise."""

import os
import re
import subprocess
import sys

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
    servers = first.get("servers", [{"url": "/"}])
    return {"control" if server["url"] == "/" else "data" for server in servers}


@pytest.mark.parametrize("plane", ["control", "data"])
def test_nothing_is_answered_that_is_not_promised(gateway: Gateway, document: dict, plane: str):
    here = {path for path, methods in document["paths"].items() if plane in planes(methods)}
    assert here
    base = gateway.control_url if plane == "control" else gateway.url.removesuffix("/v1")
    key = gateway.admin_key if plane == "control" else gateway.key
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{gateway.control_url}/openapi.json"]
    command += ["--url", base, "--header", f"Authorization: Bearer {key}", "--no-color", "--seed", "1"]
    command += ["--checks", ",".join(CHECKS), "--max-examples", EXAMPLES, "--request-timeout", "10"]
    for path in sorted(here - {ENDLESS}):
        command += ["--include-path", path]
    run = subprocess.run(command, cwd=gateway.directory, capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 0, run.stdout + run.stderr
    cases = re.search(r"(\d+) generated", run.stdout)
    assert cases and int(cases[1]) > 5 * len(here), run.stdout
    print(f"{plane}: {cases[0]} cases for {len(here)} paths")
