"""One run of the real server, shared by the tests: 20,000 visitors over HTTP in two worlds."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection
from itertools import count, islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from dashboard.demo.client import Client
from dashboard.demo.scenarios import METRIC, Scenario, scenarios
from experiments.access import Scope
from experiments.clock import system_clock
from experiments.model import Experiment, State
from experiments.secret import Secret
from experiments.store import Store
from experiments.store.schema import migrate

VISITORS = 10_000
"""To each of the two experiments."""
RATE = 1_100.0
"""Visitors a second in all: slow enough that both policies publish a dozen versions meanwhile."""
THREADS = 4
WINDOW_SECONDS = 2
PATIENCE_SECONDS = 180.0
"""A guard against hanging, not a measure: on a busy machine the keeper catches up late."""
SITE_KEY, ADMIN_KEY = "site-key-of-the-test", "admin-key-of-the-test"


@dataclass(frozen=True)
class Visit:
    """What one visitor was, was answered, and did."""

    unit: str
    context: dict[str, str]
    answer: dict[str, Any]
    converted: bool


@dataclass
class Run:
    """A server that answered, and everything that it acknowledged, by experiment."""

    url: str
    data: Path
    worlds: tuple[Scenario, ...]
    visits: dict[str, list[Visit]] = field(default_factory=dict)
    twice: int = 0
    """Rewards that were sent a second time."""

    @property
    def store_url(self) -> str:
        """The store of the server's data directory."""
        return f"sqlite:///{self.data / 'landit.db'}"

    def get(self, path: str) -> tuple[int, bytes]:
        """Read a page with the admin key."""
        host, port = self.url.removeprefix("http://").split(":")
        connection = HTTPConnection(host, int(port), timeout=30)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Two running experiments, their visitors come and gone, and all their rows matured."""
    data = tmp_path_factory.mktemp("endtoend")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = Run(url=f"http://127.0.0.1:{port}", data=data, worlds=_quick(scenarios()[1:]))
    _prepare(run)
    log = (data / "serve.log").open("wb")
    command = [sys.executable, "-c", "from dashboard.cli import main; main()", "serve"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LANDIT_")}
    server = subprocess.Popen(
        [*command, "--data", str(data), "--port", str(port), "--workers", "1"],
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    try:
        _until(lambda: server.poll() is not None or _ready(run), what="the server is ready")
        assert server.poll() is None, (data / "serve.log").read_text()
        _visit(run)
        _until(lambda: _all_matured(run), what="every row has matured")
        yield run
    finally:
        server.terminate()
        server.wait(timeout=20)
        log.close()


@pytest.fixture(scope="session")
def secret(run: Run) -> Secret:
    """The server's own secret, to read tokens and recognise units."""
    return Secret.load(run.data, None)


@pytest.fixture(scope="session")
def store(run: Run) -> Iterator[Store]:
    """The server's store, opened a second time."""
    store = Store.open(run.store_url, clock=system_clock)
    yield store
    store.close()


@pytest.fixture(scope="session", params=["hero", "personal"])
def experiment(request: pytest.FixtureRequest, store: Store) -> Experiment:
    """Each of the two experiments in turn."""
    return store.experiment(request.param)


def _quick(chosen: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """The scenarios with a reward window short enough to wait for."""
    return tuple(
        Scenario(
            msgspec.structs.replace(
                scenario.definition,
                metrics=tuple(
                    msgspec.structs.replace(metric, window_seconds=WINDOW_SECONDS)
                    for metric in scenario.definition.metrics
                ),
            ),
            scenario.world,
        )
        for scenario in chosen
    )


def _prepare(run: Run) -> None:
    migrate(run.store_url)
    store = Store.open(run.store_url, clock=system_clock)
    try:
        store.add_key("site", scope=Scope.SITE, sha256=sha256(SITE_KEY.encode()).digest())
        store.add_key("admin", scope=Scope.ADMIN, sha256=sha256(ADMIN_KEY.encode()).digest())
        for scenario in run.worlds:
            store.create_experiment(scenario.definition, by="test")
            store.set_state(scenario.key, State.RUNNING, by="test")
    finally:
        store.close()


def _ready(run: Run) -> bool:
    try:
        return run.get("/readyz")[0] == 200
    except OSError:
        return False


def _visit(run: Run) -> None:
    """Let the visitors come: a steady stream over a few kept-alive connections, to each experiment in turn."""
    rng = np.random.default_rng(2026)
    plan: queue.SimpleQueue[tuple[int, Scenario, dict[str, str], float]] = queue.SimpleQueue()
    contexts = {scenario.key: list(islice(scenario.world.visitors(rng), VISITORS)) for scenario in run.worlds}
    luck = rng.random((VISITORS, len(run.worlds)))
    numbers = count()
    for visitor in range(VISITORS):
        for index, scenario in enumerate(run.worlds):
            plan.put((next(numbers), scenario, contexts[scenario.key][visitor], luck[visitor, index]))
    run.visits = {scenario.key: [] for scenario in run.worlds}
    failures: list[BaseException] = []
    begin = time.monotonic()
    threads = [threading.Thread(target=_walk, args=(run, plan, begin, failures)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _walk(run: Run, plan: queue.SimpleQueue[Any], begin: float, failures: list[BaseException]) -> None:
    client = Client(run.url, SITE_KEY)
    try:
        while not failures:
            number, scenario, context, luck = plan.get_nowait()
            time.sleep(max(begin + number / RATE - time.monotonic(), 0.0))
            unit = f"visitor-{number}"
            answer = client.choose(scenario.key, unit=unit, context=context)
            converted = luck < scenario.world.rate(answer["variant"], context)
            for _ in range((1 + (number % 50 == 0)) if converted else 0):
                client.reward(answer["decision"], metric=METRIC)
            run.visits[scenario.key].append(Visit(unit, context, answer, converted))
            run.twice += converted and number % 50 == 0
    except queue.Empty:
        pass
    except Exception as error:  # carried to the test's own thread, which raises it
        failures.append(error)
    finally:
        client.close()


def _all_matured(run: Run) -> bool:
    store = Store.open(run.store_url, clock=system_clock)
    try:
        return all(
            sum(found.rows for found in store.sums(store.experiment(scenario.key).id)) >= VISITORS
            for scenario in run.worlds
        )
    finally:
        store.close()


def _until(condition: Any, *, what: str) -> None:
    """Wait for the condition; whoever runs out of patience says what for."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE_SECONDS:g} s in vain until {what}")
        time.sleep(0.2)
