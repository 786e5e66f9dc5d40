"""A running Weir: started on free ports with its own data directory, stopped at the end."""

import json
import os
import queue
import re
import subprocess
import threading
from pathlib import Path

import httpx2

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 30
STOP_SECONDS = 20


def binary() -> Path:
    path = Path(os.environ.get("WEIR_BIN", ROOT / "target" / "debug" / "weir"))
    if not path.is_file():
        raise FileNotFoundError(f"no weir at {path}: run `cargo build`, or set WEIR_BIN")
    return path.resolve()


class Gateway:
    """`weir serve`, and what it printed about itself."""

    def __init__(self, directory: Path, config: str, environment: dict[str, str]):
        self.directory = directory
        (directory / "config.toml").write_text(config)
        # Only what is given: a key or a WEIR__ variable of whoever runs the tests must not change them.
        self.environment = {"PATH": os.environ.get("PATH", ""), **environment}
        command = self.command("serve", "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0")
        with (directory / "stderr").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=directory, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.url = self._announced(r"data plane +(\S+)")
            self.control_url = self._announced(r"control plane +(\S+)")
            self.key = self._announced(r"API key +(\S+)")
            self.admin_key = self._announced(r"admin key +(\S+)")
        except BaseException:
            self.stop()
            raise

    def command(self, *arguments: str) -> list[str]:
        config, data = self.directory / "config.toml", self.directory / "data"
        return [str(binary()), *arguments, "--config", str(config), "--data-dir", str(data)]

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _announced(self, pattern: str) -> str:
        while True:
            line = self.lines.get(timeout=START_SECONDS)
            if line is None:
                log = (self.directory / "stderr").read_text()
                raise RuntimeError(f"weir ended before it served:\n{log}")
            if found := re.search(pattern, line):
                return found[1]

    def create_key(self, *arguments: str) -> str:
        """A new key, made by the command line beside the running gateway."""
        command = self.command("key", "create", "--json", *arguments)
        made = subprocess.run(
            command, cwd=self.directory, env=self.environment, capture_output=True, check=True, timeout=START_SECONDS
        )
        return json.loads(made.stdout)["key"]

    def watch(self, kinds: str = "request.*") -> "Watcher":
        """Follows what happens to calls, from now on."""
        return Watcher(self, kinds)

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Watcher:
    """`GET /admin/events`. Entered, it misses nothing any more."""

    def __init__(self, gateway: Gateway, kinds: str):
        headers = {"authorization": f"Bearer {gateway.admin_key}"}
        self.client = httpx2.Client(base_url=gateway.control_url, headers=headers, trust_env=False)
        self.request = self.client.build_request("GET", "/admin/events", params={"kinds": kinds})

    def __enter__(self):
        self.response = self.client.send(self.request, stream=True)
        self.response.raise_for_status()
        self.lines = self.response.iter_lines()
        assert next(self.lines) == ": watching"
        return self

    def __exit__(self, *_):
        self.response.close()
        self.client.close()

    def until(self, request_id: str, kinds: set[str]) -> dict:
        """The next event of these kinds about this request."""
        for line in self.lines:
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                if event["request_id"] == request_id and event["type"] in kinds:
                    return event
        raise AssertionError(f"the gateway ended its events without {kinds} of {request_id}")
