"""A real ``landit serve`` in a process group of its own, and ways to hurt it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

PATIENCE = 30.0
"""Seconds after which something that should have happened is taken for broken."""


class Victim(StrEnum):
    """What is killed by ``kill -9``."""

    WORKER = "worker"
    KEEPER = "keeper"
    SUPERVISOR = "supervisor"
    GROUP = "group"


class Server:
    """``landit serve`` on a data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str) -> float:
        """Start, wait for ``/readyz``; returns the seconds that took."""
        began = time.monotonic()
        with (self.data.parent / f"{self.data.name}.stderr").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dashboard.cli", "serve", *flags],
                env=self._environment,
                start_new_session=True,
                stdout=log,
                stderr=log,
            )
        until(self.ready, "the server is ready")
        return time.monotonic() - began

    @property
    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LANDIT_")}
        return clean | {"LANDIT_DATA": str(self.data), "LANDIT_PORT": str(self.port)}

    def stop(self) -> tuple[int, float]:
        """Ask it to end; returns its exit code and the seconds that took."""
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(PATIENCE), time.monotonic() - began

    def kill(self, victim: Victim) -> float:
        """Kill, see that no orphan answers, bring the server back; returns the seconds until it is ready again."""
        if victim in (Victim.WORKER, Victim.KEEPER):
            return self._kill_child(victim)
        if victim is Victim.SUPERVISOR:
            self.process.kill()
        else:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        until(lambda: not self.answers(), "no orphan answers")
        return self.start()

    def _kill_child(self, victim: Victim) -> float:
        process = self.answering() if victim is Victim.WORKER else self._child("keeper")
        process.kill()
        began = time.monotonic()
        until(lambda: not _alive(process) and self.ready() and _alive(self._child("keeper")), f"the {victim} is back")
        return time.monotonic() - began

    def answering(self) -> psutil.Process:
        """The process that answers: the child of granian's own parent."""
        return _first(lambda: self._child("worker").children(), "the worker answers")

    def _child(self, role: str) -> psutil.Process:
        family = psutil.Process(self.process.pid)
        return _first(lambda: [child for child in family.children() if _role(child) == role], f"there is a {role}")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The supervisor."""
        assert self._process is not None, "start it first"
        return self._process

    def ready(self) -> bool:
        """Whether ``/readyz`` answers 200."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def answers(self) -> bool:
        """Whether anybody listens on the port."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come true within {PATIENCE:g} s that {what}")
        time.sleep(0.02)


def _first(find: Callable[[], list[psutil.Process]], what: str) -> psutil.Process:
    """Wait for a living process."""
    found: list[psutil.Process] = []

    def look() -> bool:
        found[:] = [process for process in find() if _alive(process)]
        return bool(found)

    until(look, what)
    return found[0]


def _role(process: psutil.Process) -> str:
    try:
        name: str = process.name()
    except psutil.Error:
        return ""
    return name.removeprefix("landit-")


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
