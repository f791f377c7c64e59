"""``landit demo``: a real server, three experiments with simulated visitors, and a real log beside them."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256

from rich.console import Console

from dashboard.demo.client import Client, RequestError
from dashboard.demo.progress import Progress
from dashboard.demo.scenarios import METRIC, Scenario, scenarios
from dashboard.demo.visitors import Crowd
from dashboard.server.serve import serve
from dashboard.settings import Settings
from experiments.access import Scope
from experiments.clock import system_clock
from experiments.errors import LanditError, NotFound
from experiments.model import State
from experiments.secret import Secret
from experiments.store import Store

BY = "demo"
SEED = 20_260
RATE = 150.0
"""Visitors a second: each experiment learns enough in a minute to be watched, and a laptop hardly notices."""
KEY_SECONDS = 30.0
REFRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Bounds:
    """When the demo ends by itself; None where it does not."""

    visitors: int | None = None
    seconds: float | None = None


def run_demo(settings: Settings, *, bounds: Bounds, console: Console, rate: float = RATE) -> None:
    """Serve a demo until Ctrl-C or its bounds, and leave nothing running."""
    stage = Stage(settings, bounds=bounds, console=console, rate=rate)
    try:
        serve(settings, on_ready=stage.play)
    finally:
        stage.leave()
    if stage.failure is not None:
        raise stage.failure


class Stage:
    """Everything that happens beside the server: it starts when the server is ready and ends with it."""

    def __init__(self, settings: Settings, *, bounds: Bounds, console: Console, rate: float) -> None:
        self.failure: BaseException | None = None
        self._settings, self._bounds, self._console, self._rate = settings, bounds, console, rate
        self._over = threading.Event()
        self._left = threading.Event()
        self._left.set()

    def play(self) -> None:
        """Set the experiments up and let visitors come; ends the server when the bounds are reached."""
        self._left.clear()
        try:
            self._play()
        except Exception as error:  # shown by the main thread, which is the server's
            self.failure = error if not self._over.is_set() else None
        finally:
            self._left.set()
            if not self._over.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

    def leave(self) -> None:
        """Wait until the visitors have gone."""
        self._over.set()
        self._left.wait(10)

    def _play(self) -> None:
        store = Store.open(self._settings.store, clock=system_clock)
        try:
            played = [ensure_running(store, scenario) for scenario in scenarios()]
            with site_key(store) as (name, key):
                self._await_key(key)
                self._let_visitors_come(store, played, name, key)
        finally:
            store.close()

    def _let_visitors_come(self, store: Store, played: list[Scenario], name: str, key: str) -> None:
        crowd = Crowd(
            lambda: Client(self._settings.url, key),
            played,
            seed=SEED + system_clock() // 1_000_000,
            rate=self._rate,
            name=f"simulated-{name}",
            limit=self._bounds.visitors,
        )
        begin = time.monotonic()
        crowd.start()
        real = threading.Thread(target=self._add_real_log, name="real-log", daemon=True)
        real.start()
        try:
            with Progress(self._console, store, [scenario.key for scenario in played]) as progress:
                while not (self._over.is_set() or self._late(begin) or crowd.wait(REFRESH_SECONDS)):
                    progress.show(crowd.tally, time.monotonic() - begin)
                progress.show(crowd.tally, time.monotonic() - begin)
        finally:
            crowd.stop()
            real.join(0 if self._over.is_set() else None)

    def _late(self, begin: float) -> bool:
        return self._bounds.seconds is not None and time.monotonic() - begin >= self._bounds.seconds

    def _add_real_log(self) -> None:
        from dashboard.demo.real import ensure_real_log  # with it comes Arrow, for which the server need not wait

        store = Store.open(self._settings.store, clock=system_clock)
        try:
            secret = Secret.load(self._settings.data, self._settings.secret)
            self._console.print(
                f"Real log: {ensure_real_log(store, self._settings.data, secret=secret)}", soft_wrap=True
            )
        except (LanditError, OSError) as error:
            self._console.print(f"Real log: left out, the rest goes on. {error}", soft_wrap=True)
        finally:
            store.close()

    def _await_key(self, key: str) -> None:
        """Wait until the workers have read the key; they do so twice a second."""
        client = Client(self._settings.url, key)
        deadline = time.monotonic() + KEY_SECONDS
        while not self._over.wait(0.1) and time.monotonic() < deadline:
            try:
                client.reward("no token", metric=METRIC)
            except RequestError as error:
                if error.code != "http_401":
                    break
            except OSError:
                continue
        client.close()


def ensure_running(store: Store, scenario: Scenario) -> Scenario:
    """Create the experiment if there is none, and start it if it never was: who paused one finds it paused.

    Its visitors bring what the stored one measures: it may be of an earlier run.
    """
    try:
        experiment = store.experiment(scenario.key)
    except NotFound:
        experiment = store.create_experiment(scenario.definition, by=BY)
    if experiment.state is State.DRAFT:
        store.set_state(scenario.key, State.RUNNING, by=BY)
    return replace(scenario, definition=experiment.definition)


@contextmanager
def site_key(store: Store) -> Iterator[tuple[str, str]]:
    """A publishable key for this run only: its name, and the key."""
    name, key = secrets.token_hex(4), secrets.token_urlsafe(32)
    store.add_key(f"demo-{name}", scope=Scope.SITE, sha256=sha256(key.encode()).digest())
    try:
        yield name, key
    finally:
        store.revoke_key(f"demo-{name}")
