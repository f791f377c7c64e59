"""What serving costs: ``/choose`` beside a no-op under the same server, in the same minute, on the same core.

One worker runs on core 0 and the client, ``wrk``, on core 1. Requests per second move with whatever else the machine
does; the CPU time of the server's process tree per request hardly does, so ratios are of that.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import numpy as np

from bandit import policies
from bandit.features import Schema
from bandit.policy import Policy
from bandit.types import Arms, Batch
from experiments.access import APIKey, Scope
from experiments.definition import parse
from experiments.errors import LanditError
from experiments.model import Experiment, State
from experiments.published import Catalog, PublishedExperiment, publish

CONNECTIONS = 32
VARIANTS = 10
COLUMNS = 20
ROUNDS = 3

_KEY = "bench-key-that-opens-nothing"
_HEADERS = {"Authorization": f"Bearer {_KEY}", "Content-Type": "application/json"}
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


def floor(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:  # noqa: ARG001
    """Answer 84 bytes to everything: what the server alone costs."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b'{"decision":"0123456789abcdef0123456789abcdef","variant":"b","probability":0.1234567}']


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
    """Cores that other processes kept busy meanwhile."""

    @property
    def cpu_micros(self) -> float:
        """CPU time of the server per request, µs."""
        return self.server_seconds / self.requests * 1e6

    @property
    def per_second(self) -> float:
        """Requests answered per second."""
        return self.requests / self.seconds


def bench_choose(*, seconds: int = 2) -> dict[str, Any]:
    """Measure the floor, ``/choose`` without and with context, and ``/reward``, in turns.

    Raises
    ------
    LanditError
        ``wrk`` is not on PATH, the machine has a single core, or a request was refused.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LanditError("wrk is not on PATH", hint="Install it: apt-get install wrk, or brew install wrk.")
    if not hasattr(os, "sched_getaffinity") or not {0, 1} <= os.sched_getaffinity(0):
        raise LanditError("the measurement needs Linux and the cores 0 and 1")
    with TemporaryDirectory() as folder, ExitStack() as stack:
        data = Path(folder)
        _publish(data / "published")
        floor_server = stack.enter_context(_server("dashboard.bench:floor", data))
        worker = stack.enter_context(_server("dashboard.worker:application", data, "--factory"))
        bench = _Bench(wrk, data, seconds)
        choose, contextual = bench.script("/choose", _bodies("plain")), bench.script("/choose", _bodies("contextual"))
        rewards = bench.script("/reward", _rewards(worker))
        rounds = [
            (
                bench.run(floor_server, choose),
                bench.run(worker, choose),
                bench.run(worker, contextual),
                bench.run(worker, rewards),
            )
            for _ in range(ROUNDS)
        ]
    return _figures(rounds)


def _figures(rounds: list[tuple[Load, Load, Load, Load]]) -> dict[str, Any]:
    noop, choose, contextual, reward = (list(loads) for loads in zip(*rounds, strict=True))

    def middle(loads: list[Load], name: str) -> float:
        return round(float(median(getattr(load, name) for load in loads)), 2)

    cpu = {
        "noop": middle(noop, "cpu_micros"),
        "choose": middle(choose, "cpu_micros"),
        "contextual": middle(contextual, "cpu_micros"),
        "reward": middle(reward, "cpu_micros"),
    }
    return {
        "noop_rps": middle(noop, "per_second"),
        "choose_rps": middle(choose, "per_second"),
        "contextual_rps": middle(contextual, "per_second"),
        "reward_rps": middle(reward, "per_second"),
        "cpu_micros": cpu,
        "ratio": round(cpu["noop"] / cpu["choose"], 3),
        "contextual_ratio": round(cpu["noop"] / cpu["contextual"], 3),
        "p50_ms": middle(choose, "p50"),
        "p99_ms": middle(choose, "p99"),
        "foreign_cpu": round(max(load.foreign for loads in rounds for load in loads), 2),
        "connections": CONNECTIONS,
        "versions": {"python": sys.version.split()[0]}
        | {name: version(name) for name in ("landit", "granian", "msgspec", "numpy", "numba")},
    }


class _Bench:
    """Runs the client and reads the clocks."""

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
        script.write_text(_SCRIPT % {"key": _KEY, "bodies": lines, "path": path})
        return script

    def run(self, server: _Server, script: Path) -> Load:
        """Load ``server`` and return what it took."""
        busy, used = _busy_seconds(), server.cpu_seconds()
        command = [self._wrk, "-t1", f"-c{CONNECTIONS}", f"-d{self._seconds}s", "-s", str(script), server.url]
        before = os.times()
        with _pinned(1):
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own command
        after = os.times()
        used = server.cpu_seconds() - used
        client = after.children_user + after.children_system - before.children_user - before.children_system
        found = json.loads(output.splitlines()[-1])
        if found["refused"] or found["broken"]:
            raise LanditError(f"the run is worthless: {found['refused']} refused, {found['broken']} broken requests")
        seconds = found["microseconds"] / 1e6
        foreign = max(0.0, (_busy_seconds() - busy - used - client) / seconds)
        return Load(found["requests"], seconds, used, found["p50"], found["p99"], foreign)


@dataclass(frozen=True)
class _Server:
    pid: int
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def cpu_seconds(self) -> float:
        return sum(_process_seconds(pid) for pid in _tree(self.pid))

    def post(self, path: str, body: bytes) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", path, body, _HEADERS)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return answer


@contextmanager
def _server(target: str, data: Path, *flags: str) -> Iterator[_Server]:
    """Run ``target`` under granian as ``landit serve`` runs its workers, on core 0."""
    port = _free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "1", "--blocking-threads", "4"]
    command += ["--no-ws", "--log-level", "error", "--port", str(port), *flags, target]
    with _pinned(0):
        process = subprocess.Popen(command, env=os.environ | {"LANDIT_DATA": str(data)})  # noqa: S603 - our own command
    try:
        _wait(process, port)
        yield _Server(process.pid, port)
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
    """CPU time that all processes of the machine have used."""
    user, nice, system, _, _, interrupts, soft = (int(x) for x in Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + interrupts + soft) / _TICKS


# -- what is asked ----------------------------------------------------------------------------------------------------


def _publish(folder: Path) -> None:
    """Publish two experiments of ten variants, each with a policy that has learned."""
    rng = np.random.default_rng(7)
    key = APIKey("bench", Scope.SITE, sha256(_KEY.encode()).hexdigest(), (), 0)
    experiments = (_published(1, "plain", "thompson", rng), _published(2, "contextual", "linear_thompson", rng))
    publish(folder, Catalog(experiments, (key,), 1))


def _published(number: int, key: str, policy: str, rng: np.random.Generator) -> PublishedExperiment:
    context = [{"name": f"x{i}", "type": "number"} for i in range(COLUMNS)] if policy == "linear_thompson" else []
    definition = parse(
        {
            "key": key,
            "variants": [{"key": f"v{i}", "content": {"headline": f"Headline {i}"}} for i in range(VARIANTS)],
            "context": context,
            "metrics": [{"key": "purchase"}],
            "policy": {"name": policy},
        }
    )
    experiment = Experiment(number, definition, tuple(range(VARIANTS)), version=1, phase=1, state=State.RUNNING)
    blob = _learned(policy, experiment.arms, experiment.schema, rng).to_bytes()
    return PublishedExperiment(experiment, blob, 17)


def _learned(name: str, arms: Arms, schema: Schema, rng: np.random.Generator, *, rows: int = 2_000) -> Policy:
    policy = policies.create(name, arms=arms, schema=schema, exploration=0.2)
    chosen = rng.integers(0, len(arms), rows)
    policy.learn(
        Batch(
            contexts=rng.normal(size=(rows, schema.width)),
            arms=chosen,
            rewards=(rng.random(rows) < 0.05 + 0.005 * chosen).astype(np.float64),
            distributions=np.full((rows, len(arms)), 1 / len(arms)),
            times=np.arange(rows),
            weights=np.ones(rows),
        )
    )
    return policy


def _bodies(experiment: str, *, count: int = 512) -> list[bytes]:
    rng = np.random.default_rng(11)
    contextual = experiment == "contextual"
    return [
        json.dumps(
            {
                "experiment": experiment,
                "unit": f"visitor-{i}",
                "context": {f"x{j}": round(float(x), 3) for j, x in enumerate(rng.normal(size=COLUMNS))}
                if contextual
                else {"device": "mobile", "hour": i % 24, "returning": i % 2 == 0, "country": "FR", "tags": ["sale"]},
            }
        ).encode()
        for i in range(count)
    ]


def _rewards(worker: _Server) -> list[bytes]:
    tokens = [worker.post("/choose", body)["decision"] for body in _bodies("plain", count=64)]
    return [json.dumps({"decision": token, "metric": "purchase"}).encode() for token in tokens]
