"""The tools of the benchmark: servers and clients pinned to cores, and the clocks that are read around them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from dashboard.bench.data import HEADERS, KEY
from experiments.errors import LanditError

CONNECTIONS = 32

_TICKS = os.sysconf("SC_CLK_TCK")
_SCRIPT = """
local requests, at = {}, 0
function init(args)
  wrk.headers["Authorization"] = "Bearer %(key)s"
  wrk.headers["Content-Type"] = "application/json"
  for body in io.lines("%(bodies)s") do requests[#requests + 1] = wrk.format("POST", "%(path)s", nil, body) end
end
function request() at = at %% #requests + 1; return requests[at] end
function done(summary, latency)
  local e = summary.errors
  local form = '\\n{"requests": %%d, "microseconds": %%d, "refused": %%d, "broken": %%d, "p50": %%f, "p99": %%f}\\n'
  io.write(string.format(form, summary.requests, summary.duration, e.status,
    e.connect + e.read + e.write + e.timeout, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


@dataclass(frozen=True)
class Load:
    """What one run of the client measured."""

    requests: int
    seconds: float
    server_seconds: float
    """CPU time of the server's process tree."""
    p50: float
    p99: float
    foreign: float
    """Cores that other processes, or the machine's host, took meanwhile."""

    @property
    def cpu_micros(self) -> float:
        """CPU time of the server per request, µs."""
        return self.server_seconds / self.requests * 1e6

    @property
    def per_second(self) -> float:
        """Requests answered per second."""
        return self.requests / self.seconds


class Client:
    """``wrk`` on core 1, and the clocks read before and after it ran."""

    def __init__(self, wrk: str, folder: Path, seconds: int) -> None:
        self._wrk = wrk
        self._folder = folder
        self._seconds = seconds
        self._scripts = 0

    def script(self, path: str, bodies: list[bytes]) -> Path:
        """Write the client's script: those bodies in turn."""
        self._scripts += 1
        lines = self._folder / f"bodies-{self._scripts}"
        lines.write_bytes(b"\n".join(bodies))
        script = self._folder / f"script-{self._scripts}.lua"
        script.write_text(_SCRIPT % {"key": KEY, "bodies": lines, "path": path})
        return script

    def run(self, server: Server, script: Path) -> Load:
        """Load ``server`` and return what it took."""
        busy, used = _busy_seconds(), server.cpu_seconds()
        command = [self._wrk, "-t1", f"-c{CONNECTIONS}", f"-d{self._seconds}s", "-s", str(script), server.url]
        before = os.times()
        with _pinned(1):
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
        after = os.times()
        used = server.cpu_seconds() - used
        client = after.children_user + after.children_system - before.children_user - before.children_system
        found = json.loads(done.stdout.splitlines()[-1])
        if found["refused"] or found["broken"]:
            raise LanditError(f"the run is worthless: {found['refused']} refused, {found['broken']} broken requests")
        seconds = found["microseconds"] / 1e6
        foreign = max(0.0, (_busy_seconds() - busy - used - client) / seconds)
        return Load(found["requests"], seconds, used, found["p50"], found["p99"], foreign)


@dataclass(frozen=True)
class Server:
    """A running server."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/"

    def cpu_seconds(self) -> float:
        """CPU time of its process tree so far."""
        return sum(_process_seconds(pid) for pid in _tree(self.pid))

    def post(self, path: str, body: bytes) -> dict[str, Any]:
        """The decoded answer to one request."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", path, body, HEADERS)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return answer


@contextmanager
def server(target: str, data: Path, *flags: str) -> Iterator[Server]:
    """Run ``target`` under granian as ``landit serve`` runs its workers, on core 0."""
    port = _free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "1", "--blocking-threads", "4"]
    command += ["--no-ws", "--log-level", "error", "--port", str(port), *flags, target]
    with _pinned(0):
        process = subprocess.Popen(command, env=os.environ | {"LANDIT_DATA": str(data)})  # noqa: S603 - our own command
    try:
        _wait(process, port)
        yield Server(process.pid, port)
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise LanditError(f"the server did not start within {seconds:g} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _pinned(core: int) -> Iterator[None]:
    """Let processes started inside run on ``core`` only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _tree(pid: int) -> list[int]:
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
    ]
    return [pid, *(below for child in children for below in _tree(child))]


def _process_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _busy_seconds() -> float:
    """CPU time that all processes of the machine used, and what its host took away from it."""
    user, nice, system, _, _, interrupts, soft, stolen = (
        int(ticks) for ticks in Path("/proc/stat").read_text().split()[1:9]
    )
    return (user + nice + system + interrupts + soft + stolen) / _TICKS
