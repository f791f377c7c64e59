"""What serving costs: ``/choose`` beside a no-op under the same server, in the same minute, on the same core.

One worker runs on core 0 and the client, ``wrk``, on core 1. Requests per second move with whatever else the machine
does; the CPU time of the server's process tree per request does so far less, and ratios are of that, taken within
each round.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from dashboard.bench.data import bodies, prepare, rewards
from dashboard.bench.load import CONNECTIONS, Client, Load, server
from experiments.clock import system_clock
from experiments.errors import LanditError
from experiments.keeper.shipper import Shipper
from experiments.store import Store

ROUNDS = 5
SHIPPING_SECONDS = 2.0


def floor(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:  # noqa: ARG001
    """Answer 84 bytes to everything: what the server alone costs."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b'{"decision":"0123456789abcdef0123456789abcdef","variant":"b","probability":0.123456}']


def bench_choose(*, seconds: int = 2) -> dict[str, Any]:
    """Measure the floor, ``/choose`` without and with context, and ``/reward``, in turns.

    Parameters
    ----------
    seconds
        Of each load; there are four in a round, and five rounds.

    Raises
    ------
    LanditError
        ``wrk`` is not on PATH, the cores 0 and 1 cannot be had, or a request was refused.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LanditError("wrk is not on PATH", hint="Install it: apt-get install wrk, or brew install wrk.")
    if not hasattr(os, "sched_getaffinity") or not {0, 1} <= os.sched_getaffinity(0):
        raise LanditError("the measurement needs Linux and the cores 0 and 1")
    with TemporaryDirectory() as folder, ExitStack() as stack:
        data = Path(folder)
        store = stack.enter_context(closing(prepare(data)))
        noop = stack.enter_context(server("dashboard.bench.choose:floor", data))
        worker = stack.enter_context(server("dashboard.server.worker:application", data, "--factory"))
        client = Client(wrk, data, seconds)
        choose = client.script("/choose", bodies("plain"))
        contextual = client.script("/choose", bodies("contextual"))
        reward = client.script("/reward", rewards(worker))
        rounds = [
            _Round(
                noop=client.run(noop, choose),
                choose=client.run(worker, choose),
                contextual=client.run(worker, contextual),
                reward=client.run(worker, reward),
            )
            for _ in range(ROUNDS)
        ]
        return _figures(rounds) | {"keeper_cpu_micros": _shipping_micros(store, data / "journal")}


@dataclass(frozen=True, kw_only=True)
class _Round:
    noop: Load
    choose: Load
    contextual: Load
    reward: Load

    @property
    def loads(self) -> dict[str, Load]:
        return {name: getattr(self, name) for name in ("noop", "choose", "contextual", "reward")}


def _figures(rounds: Sequence[_Round]) -> dict[str, Any]:
    def middle(figure: Callable[[_Round], float], digits: int = 2) -> float:
        return round(median(figure(one) for one in rounds), digits)

    rates = {f"{name}_rps": middle(lambda one, n=name: one.loads[n].per_second, 0) for name in rounds[0].loads}  # type: ignore[misc]
    return rates | {
        "ratio": middle(lambda one: one.noop.cpu_micros / one.choose.cpu_micros, 3),
        "contextual_ratio": middle(lambda one: one.noop.cpu_micros / one.contextual.cpu_micros, 3),
        "p50_ms": middle(lambda one: one.choose.p50),
        "p99_ms": middle(lambda one: one.choose.p99),
        "cpu_micros": {name: [round(one.loads[name].cpu_micros, 1) for one in rounds] for name in rounds[0].loads},
        "foreign_cpu": middle(lambda one: max(load.foreign for load in one.loads.values())),
        "connections": CONNECTIONS,
        "versions": _versions(),
    }


def _shipping_micros(store: Store, journal: Path) -> float:
    """CPU time of the keeper per record that it moves into SQLite, µs."""
    with closing(Shipper(store, journal, clock=system_clock)) as shipper:
        before = time.process_time()
        shipper.ship(seconds=SHIPPING_SECONDS)
        used = time.process_time() - before
    health = [store.health(experiment.id) for experiment in store.experiments()]
    shipped = sum(one.decisions + one.rewards for one in health)
    return round(used / max(shipped, 1) * 1e6, 1)


def _versions() -> dict[str, str]:
    names = ("landit", "granian", "msgspec", "numpy", "numba")
    return {"python": sys.version.split()[0]} | {name: version(name) for name in names}
