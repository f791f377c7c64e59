"""One run of the real server, shared by the tests: 20,000 visitors over HTTP in two worlds."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count, islice
from typing import Any

import msgspec
import numpy as np
import pytest
from playwright.sync_api import Page

from dashboard.demo.client import Client
from dashboard.demo.scenarios import METRIC, Scenario, scenarios
from experiments.access import Scope, UserRole
from experiments.clock import system_clock
from experiments.keeper.place import store_url
from experiments.model import Experiment, State
from experiments.secret import Secret
from experiments.store import Store
from experiments.store.schema import migrate
from tests.serving import Server, until

VISITORS = 10_000
"""To each of the two experiments."""
RATE = 1_100.0
"""Visitors a second in all: slow enough that both policies publish a dozen versions meanwhile."""
THREADS = 4
WINDOW_SECONDS = 2
SITE_KEY, ADMIN_KEY = "site-key-of-the-test", "admin-key-of-the-test"

Pages = dict[str, tuple[dict[str, dict[str, str]], str]]
"""By experiment: its numbers by variant, and the whole text of its page."""
EMAIL, TOKEN = "reader@example.com", "one-time-token-of-the-reader"
READ = """rows => rows.map(row => {
    const cells = [...row.querySelectorAll('[data-number]')];
    const text = cell => cell.firstChild.textContent.trim();
    return [row.dataset.variant, Object.fromEntries(cells.map(cell => [cell.dataset.number, text(cell)]))];
})"""


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

    server: Server
    worlds: tuple[Scenario, ...]
    visits: dict[str, list[Visit]] = field(default_factory=dict)
    twice: int = 0
    """Rewards that were sent a second time."""

    @property
    def store_url(self) -> str:
        """The store of the server's data directory."""
        return store_url(self.server.data)

    def get(self, path: str) -> tuple[int, bytes]:
        """Read a page with the admin key."""
        return self.server.get(path, key=ADMIN_KEY)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Two running experiments, their visitors come and gone, and all their rows matured."""
    run = Run(Server(tmp_path_factory.mktemp("endtoend")), _quick(scenarios()[1:]))
    _prepare(run)
    try:
        run.server.start("--workers", "1")
        _visit(run)
        until(lambda: _all_matured(run), "every row has matured")
        yield run
        run.server.stop()
    finally:
        run.server.close()


@pytest.fixture(scope="session")
def secret(run: Run) -> Secret:
    """The server's own secret, to read tokens and recognise units."""
    return Secret.load(run.server.data, None)


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


@pytest.fixture(scope="session")
def pages(run: Run, store: Store, open_page: Callable[[str], Page]) -> Pages:
    """Both results pages as a browser shows them."""
    store.add_user(EMAIL, role=UserRole.VIEWER)
    store.create_login_link(EMAIL, sha256(TOKEN.encode()).digest(), system_clock() + 3_600_000_000)
    page = open_page(run.server.url)
    try:
        return _read_pages(page, [scenario.key for scenario in run.worlds])
    finally:
        page.context.close()


def _read_pages(page: Page, keys: list[str]) -> Pages:
    """Sign in with the one-time link and read each results page."""
    page.goto(f"/signin/{TOKEN}")
    for name in ("password", "repeated"):
        page.fill(f"[name={name}]", "a long enough password")
    page.get_by_role("button", name="Set password").click()
    page.get_by_role("link", name="Hero section").wait_for()
    read: Pages = {}
    for key in keys:
        page.goto(f"/experiments/{key}")
        read[key] = dict(page.locator("tr[data-variant]").evaluate_all(READ)), page.inner_text("body")
    return read


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
    client = Client(run.server.url, SITE_KEY)
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
        return all(_analysed(store, store.experiment(scenario.key)) >= VISITORS for scenario in run.worlds)
    finally:
        store.close()


def _analysed(store: Store, experiment: Experiment) -> int:
    """Count the rows that have matured, and that what the page shows is about."""
    state = store.analysis_state(experiment.id)
    return 0 if state is None else state.seq
