"""A real ``landit serve`` in a process group of its own, for every test that needs one."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

PATIENCE = 180.0
"""Seconds after which what should have happened is taken for broken: a guard against hanging, not a measure."""


class Server:
    """``landit serve`` on a data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The supervisor."""
        assert self._process is not None, "start it first"
        return self._process

    def start(self, *flags: str) -> float:
        """Start, wait for ``/readyz``; returns the seconds that took."""
        began = time.monotonic()
        path = self.data.parent / f"{self.data.name}.stderr"
        with path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dashboard.cli", "serve", *flags],
                env=clean_environment() | {"LANDIT_DATA": str(self.data), "LANDIT_PORT": str(self.port)},
                start_new_session=True,
                stdout=log,
                stderr=log,
            )
        until(lambda: self.process.poll() is not None or self.ready(), "the server is ready")
        assert self.process.poll() is None, path.read_text()
        return time.monotonic() - began

    def stop(self) -> tuple[int, float]:
        """Ask it to end; returns its exit code and the seconds that took."""
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(PATIENCE), time.monotonic() - began

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)

    def get(self, path: str, *, key: str | None = None, timeout: float = PATIENCE) -> tuple[int, bytes]:
        """Read a page, with a key where one is given."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers={} if key is None else {"Authorization": f"Bearer {key}"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def ready(self) -> bool:
        """Whether ``/readyz`` answers 200."""
        try:
            return self.get("/readyz", timeout=2)[0] == 200
        except (OSError, HTTPException):
            return False

    def answers(self) -> bool:
        """Whether anybody listens on the port."""
        return listens(self.port)


def listens(port: int) -> bool:
    """Whether anybody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition; whoever runs out of patience says what for."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come true within {PATIENCE:g} s that {what}")
        time.sleep(0.02)


def clean_environment() -> dict[str, str]:
    """The environment without settings of Landit."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LANDIT_")}


def free_port() -> int:
    """A port that nobody listens on, another one for each test process.

    It lies below the ports that the system gives to outgoing connections: while a server is down, no client that knocks
    there in vain can be given the very port.
    """
    lane = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
    while True:
        port = random.SystemRandom().randrange(20_000 + lane, 30_000, 10)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
