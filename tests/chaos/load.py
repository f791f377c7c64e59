"""Clients under load that write down what they were promised, and the checker that holds the store to it."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from experiments.clock import system_clock
from experiments.keeper.keeper import Keeper
from experiments.keeper.place import store_url
from experiments.secret import Secret
from experiments.service.tokens import verify
from experiments.store import Fate, LoggedDecision, Store
from tests.serving import until

EXPERIMENT = "chaos"
METRIC = "spent"
DEFINITION = {
    "key": EXPERIMENT,
    "variants": [{"key": key} for key in "abc"],
    "metrics": [{"key": METRIC, "kind": "revenue", "window_seconds": 2, "max": 100}],
    "policy": {"name": "thompson_normal"},
}


@dataclass
class Promise:
    """A decision that was acknowledged, and the reward that was."""

    token: str
    variant: str
    probability: float
    reward: float | None = None


@dataclass
class Verdict:
    """What the store made of the promises."""

    decisions: int = 0
    rewards: int = 0
    late: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not (self.lost or self.doubled or self.changed)


class Client(threading.Thread):
    """A site that chooses for ever new visitors, and sends most of their rewards, again until acknowledged."""

    def __init__(self, port: int, key: str, *, seed: int, pause: float = 0.002) -> None:
        super().__init__(daemon=True)
        self.promises: list[Promise] = []
        self._port, self._headers = port, {"Authorization": f"Bearer {key}"}
        self._seed, self._pause = seed, pause
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._connection: HTTPConnection | None = None

    def run(self) -> None:
        """Send until told to stop."""
        visitor = 0
        while not self._over.wait(self._pause):
            visitor += 1
            answer = self.ask(f"{self._seed}-{visitor}")
            if answer is None or answer["decision"] is None:
                self._over.wait(0.05)
                continue
            promise = Promise(answer["decision"], answer["variant"], answer["probability"])
            self.promises.append(promise)
            if self._random.random() < 0.7:
                self._reward(promise)

    def finish(self) -> list[Promise]:
        """Stop, and return what was promised."""
        self._over.set()
        if self.is_alive():
            self.join()
        self._hang_up()
        return self.promises

    def ask(self, unit: str = "probe") -> dict[str, Any] | None:
        """Choose once; None where nothing was promised."""
        return self._post("/choose", {"experiment": EXPERIMENT, "unit": unit}, 200)

    def _reward(self, promise: Promise) -> None:
        value = float(self._random.randint(1, 9))
        body = {"decision": promise.token, "metric": METRIC, "value": value, "id": "order"}
        while not self._over.is_set():
            if self._post("/reward", body, 202) is not None:
                promise.reward = value
                return
            self._over.wait(0.02)

    def _post(self, path: str, body: dict[str, Any], expected: int) -> dict[str, Any] | None:
        """The answer, or None where nothing was promised."""
        try:
            if self._connection is None:
                self._connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
            self._connection.request("POST", path, json.dumps(body), self._headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, HTTPException):
            self._hang_up()
            return None
        if response.status == 503:
            return None
        assert response.status == expected, text
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def settle(data: Path) -> None:
    """Ship and mature whatever the server left in its data directory."""
    keeper = Keeper(store_url(data), data)
    store = Store.open(store_url(data), clock=system_clock)
    experiment = store.experiment(EXPERIMENT).id

    def settled() -> bool:
        keeper.tick()
        matured = sum(sums.rows for sums in store.sums(experiment) if sums.metric == METRIC)
        return not list((data / "journal").glob("*.log")) and matured == store.health(experiment).decisions

    until(settled, "every decision has matured")
    keeper.close()
    store.close()


def judge(data: Path, promises: Sequence[Promise]) -> Verdict:
    """Hold the store to what the clients were promised."""
    secret = Secret.load(data, None)
    store = Store.open(store_url(data), clock=system_clock)
    experiment = store.experiment(EXPERIMENT).id
    logged = [decision for batch in store.log(experiment) for decision in batch]
    by_id = {decision.decision: decision for decision in logged}
    verdict = Verdict(decisions=len(promises), rewards=sum(p.reward is not None for p in promises))
    verdict.doubled += [key for key, count in Counter(d.unit for d in logged).items() if count > 1 and key is not None]
    for promise in promises:
        decision = by_id.get(verify(promise.token, secret).decision)
        if decision is None:
            verdict.lost.append(promise.token)
            continue
        if (decision.variant, decision.probability) != (promise.variant, promise.probability):
            verdict.changed.append(decision.decision)
        _judge_reward(store, promise, decision, verdict)
    if sum(sums.rows for sums in store.sums(experiment)) != len(logged):
        verdict.doubled.append("the sums hold another number of rows than the log")
    store.close()
    return verdict


def _judge_reward(store: Store, promise: Promise, decision: LoggedDecision, verdict: Verdict) -> None:
    if promise.reward is None or decision.rewards[METRIC] == promise.reward:
        return
    fates = [reward.fate for reward in store.decision(decision.decision).rewards]
    if fates == [Fate.LATE]:
        verdict.late += 1  # acknowledged after a restart, when the window had closed: kept, not learned
    elif not fates:
        verdict.lost.append(f"the reward of {decision.decision}")
    else:
        verdict.doubled.append(f"the reward of {decision.decision}: {fates}")
