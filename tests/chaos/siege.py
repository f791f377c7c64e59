"""A siege: load on a real server while parts of it are killed, one after another."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from experiments.access import Scope
from experiments.clock import system_clock
from experiments.definition import parse
from experiments.keeper.place import store_url
from experiments.keeper.recount import recount
from experiments.keeper.relearn import relearn
from experiments.model import State
from experiments.store import Store
from tests.chaos.load import DEFINITION, EXPERIMENT, Client, Verdict, judge, settle
from tests.chaos.server import Server, Victim
from tests.serving import until


@dataclass
class Report:
    """What came of it."""

    verdict: Verdict
    relearned: bool
    recounted: bool
    exit_code: int
    stop_seconds: float
    restarts: dict[Victim, list[float]] = field(default_factory=dict)


def siege(data: Path, kills: Iterable[Victim], *, clients: int = 4, between: float = 1.0) -> Report:
    """Kill under load, stop, and compare the store with what the clients were promised."""
    server = Server(data)
    restarts: dict[Victim, list[float]] = {}
    try:
        server.start()
        key = begin(server)
        crowd = [Client(server.port, key, seed=seed) for seed in range(clients)]
        for client in crowd:
            client.start()
        for victim in kills:
            time.sleep(between)
            restarts.setdefault(victim, []).append(server.kill(victim))
        time.sleep(between)
        promises = [promise for client in crowd for promise in client.finish()]
        exit_code, stop_seconds = server.stop()
        until(lambda: not server.answers(), "no orphan answers")
    finally:
        server.close()
    settle(data)
    store = Store.open(store_url(data), clock=system_clock)
    relearned = relearn(store, EXPERIMENT)
    recounted = recount(store, EXPERIMENT, now=system_clock())
    store.close()
    return Report(
        verdict=judge(data, promises),
        relearned=relearned.matches,
        recounted=recounted.matches and recounted.rows == relearned.rows,
        exit_code=exit_code,
        stop_seconds=stop_seconds,
        restarts=restarts,
    )


def begin(server: Server) -> str:
    """Start the experiment, and return a key once workers know both."""
    key = secrets.token_urlsafe(32)
    store = Store.open(store_url(server.data), clock=system_clock)
    store.create_experiment(parse(DEFINITION), by="chaos")
    store.set_state(EXPERIMENT, State.RUNNING, by="chaos")
    store.add_key("chaos", scope=Scope.SERVER, sha256=hashlib.sha256(key.encode()).digest())
    store.close()
    probe = Client(server.port, key, seed=-1)
    until(lambda: _known(probe), "workers know the experiment")
    probe.finish()
    return key


def _known(probe: Client) -> bool:
    try:
        answer = probe.ask()
    except AssertionError:
        return False
    return answer is not None and answer["policy"] is not None
