"""How fast policies are, beside what others offer, in the same call: ``landit bench policy``.

Other work on the machine slows everything down: every figure is the best of many short runs, each row says how many
cores others took meanwhile, and :func:`plain_loop`, what one would write in an afternoon, is measured in the same call,
for figures from different machines to be compared by.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bandit import peers, policies
from bandit.features import Schema
from bandit.kernels.jit import kernel
from bandit.kernels.ridge import add_run
from bandit.types import Arms, Batch, Floats

ARMS = 10
SECONDS = 0.5
"""For how long each is measured, in runs of a twentieth; the fastest counts: other work can only slow one down."""
ROUNDS = 20_000
"""Rounds of a run that plays them all in one call, of contexts of 20 columns; fewer where there are more."""
LOGGED = 200_000
"""Rows that are learned in one call."""
ASKED = 10_000
"""Contexts that are answered in one call."""


class Setting(NamedTuple):
    """A policy as it is measured."""

    name: str
    note: str
    params: dict[str, float]


LINUCB = Setting("linucb", "", {})
NARROW = Setting("linear_thompson", ", narrow posteriors", {"noise": 0.1})
WIDE = Setting("linear_thompson", ", wide posteriors", {"noise": 1.0})
SINGLE = (LINUCB, NARROW, WIDE, Setting("linear_squarecb", "", {}))


def bench_policy(*, widths: tuple[int, ...] = (20, 100)) -> dict[str, list[dict[str, Any]]]:
    """Return ``rows``: events a second of each policy at each job, and the fastest installed peer's at the same.

    *play* chooses, learns and goes on one by one, in a compiled loop; *choose and learn* does it through the two verbs,
    called from Python, with all checks. *learn* takes a whole log, *distributions* answers many contexts at once, on
    all cores, and *distribution of one* one. Peers are told at :mod:`bandit.peers`.
    """
    rows = [_row("thompson: choose and learn", 0, _verbs(Setting("thompson", "", {}), 0), {})]
    for width in widths:
        rounds = _fewer(ROUNDS, width)
        rows.append(_row("plain compiled loop: LinUCB", width, _plainly(width), {}, rounds))
        rows += [_row(f"{each.name}: play{each.note}", width, _playing(each, width), {}, rounds) for each in SINGLE]
        rows += _against_loops(width)
        rows += _at_once(width)
    return {"rows": rows}


def _against_loops(width: int) -> list[dict[str, Any]]:
    """Choosing and learning one by one, from Python, as peers do it."""
    everyone = peers.loops(width, ARMS)
    vowpal = {name: event for name, event in everyone.items() if name.startswith("vowpalwabbit")}
    asked = peers.vowpal_predict(width, ARMS)
    return [
        _row("linucb: choose and learn", width, _verbs(LINUCB, width), everyone),
        _row("linear_thompson: choose and learn", width, _verbs(NARROW, width), everyone),
        _row("vw_squarecb: choose and learn", width, _verbs(Setting("vw_squarecb", "", {}), width), vowpal),
        _row("linucb: distribution of one", width, _asking(LINUCB, width), {}),
        _row("linear_thompson: distribution of one", width, _asking(NARROW, width), {}),
        _row("vw_squarecb: distribution of one", width, _asking(Setting("vw_squarecb", "", {}), width), asked),
    ]


def _at_once(width: int) -> list[dict[str, Any]]:
    """Learning a log, and answering many."""
    logged = _fewer(LOGGED, width)
    drawn = peers.predictions(width, ARMS, ASKED)
    return [
        _row("linucb: learn a log", width, _learning(LINUCB, width, logged), peers.fits(width, ARMS, logged), logged),
        _row("linucb: distributions of many", width, _answering(LINUCB, width), {}, ASKED),
        _row(
            "linear_thompson: distributions of many, narrow posteriors", width, _answering(NARROW, width), drawn, ASKED
        ),
        _row("linear_thompson: distributions of many, wide posteriors", width, _answering(WIDE, width), {}, ASKED),
    ]


def _row(
    what: str, width: int, ours: Callable[[], Any], theirs: dict[str, Callable[[], Any]], events: int = 1
) -> dict[str, Any]:
    """Measure ours, then each peer's; the fastest peer's is told."""
    busy, own, start = _busy_seconds(), time.process_time(), time.perf_counter()
    rate = _rate(ours) * events
    rates = {name: _rate(event) * events for name, event in theirs.items()}
    seconds = time.perf_counter() - start
    foreign = max(0.0, (_busy_seconds() - busy - (time.process_time() - own)) / seconds)
    peer = max(rates, key=lambda name: rates[name], default=None)
    return {
        "what": what,
        "d": width,
        "k": ARMS,
        "events_per_second": round(rate, 1),
        "peer": peer,
        "peer_events_per_second": None if peer is None else round(rates[peer], 1),
        "ratio": None if peer is None else round(rate / rates[peer], 3),
        "foreign_cores": round(foreign, 2),
    }


def _verbs(setting: Setting, width: int) -> Callable[[], None]:
    policy, (contexts, rewards) = _warm(setting, width), _world(width)
    rng = np.random.default_rng(1)

    def event() -> None:
        row = int(rng.integers(len(contexts)))
        context = contexts[row : row + 1]
        p = policy.distribution_one(context[0])
        arm = int(np.searchsorted(np.cumsum(p), rng.random() * 0.999999, side="right"))
        policy.learn(_batch(context, np.array([arm]), p[None, :], rewards=rewards[row, arm : arm + 1]))

    return event


def _playing(setting: Setting, width: int) -> Callable[[], None]:
    policy, (contexts, rewards) = _warm(setting, width), _world(width)
    uniforms = np.random.default_rng(3).random(len(contexts))

    def event() -> None:
        policy.play(contexts, rewards, uniforms)

    return event


def _plainly(width: int) -> Callable[[], None]:
    contexts, rewards = _world(width)

    def event() -> None:
        plain_loop(contexts, rewards)

    return event


def _answering(setting: Setting, width: int) -> Callable[[], None]:
    policy, contexts = _warm(setting, width), np.resize(_world(width)[0], (ASKED, width))

    def event() -> None:
        policy.distribution(contexts)

    return event


def _asking(setting: Setting, width: int) -> Callable[[], None]:
    policy, (contexts, _) = _warm(setting, width), _world(width)
    context = contexts[0].copy()

    def event() -> None:
        policy.distribution_one(context)

    return event


def _learning(setting: Setting, width: int, rows: int) -> Callable[[], None]:
    policy, batch = _warm(setting, width), _log(width, rows)

    def event() -> None:
        policy.learn(batch)

    return event


def _warm(setting: Setting, width: int) -> Any:
    """A policy that has learned uniform decisions, as a running one has."""
    arms, schema = Arms(tuple(map(str, range(ARMS)))), Schema.numeric(width)
    policy = policies.create(setting.name, arms=arms, schema=schema, **setting.params)
    policy.learn(_log(width, 500))
    return policy


def _log(width: int, rows: int) -> Batch:
    contexts, rewards = _world(width)
    rng = np.random.default_rng(0)
    at, arms = np.arange(rows) % len(contexts), rng.integers(0, ARMS, rows)
    return _batch(contexts[at], arms, np.full((rows, ARMS), 1 / ARMS), rewards=rewards[at, arms])


def _world(width: int) -> tuple[Floats, Floats]:
    """Contexts of variance 1/d a column, and what each arm would pay: 1 by a logistic chance of its own, else 0."""
    rng = np.random.default_rng(2)
    contexts = rng.normal(size=(_fewer(ROUNDS, width), width)) / np.sqrt(max(width, 1))
    chances = 1 / (1 + np.exp(-contexts @ rng.normal(size=(width, ARMS))))
    return contexts, (rng.random(chances.shape) < chances).astype(np.float64)


def _fewer(count: int, width: int) -> int:
    return max(count * 20 // max(width, 20), 1)


def _batch(contexts: Floats, arms: Any, distributions: Floats, *, rewards: Floats) -> Batch:
    n = len(arms)
    return Batch(contexts, arms, rewards, distributions, np.zeros(n, dtype=np.int64), np.ones(n))


def _rate(event: Callable[[], Any]) -> float:
    """Return calls a second: the best of twenty runs, after one call that compiles."""
    event()
    return max(_run(event) for _ in range(20))


def _run(event: Callable[[], Any]) -> float:
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < SECONDS / 20 or calls == 0:
        event()
        calls += 1
    return calls / elapsed


def _busy_seconds() -> float:
    """CPU time that all processes of the machine used, and what its host took; 0 where the system does not tell."""
    clocks = Path("/proc/stat")
    if not clocks.exists():
        return 0.0
    user, nice, system, _, _, interrupts, soft, stolen = (int(ticks) for ticks in clocks.read_text().split()[1:9])
    return (user + nice + system + interrupts + soft + stolen) / float(os.sysconf("SC_CLK_TCK"))


@kernel
def plain_loop(contexts: Floats, rewards: Floats) -> int:
    """LinUCB, α = .25, λ = 1, choosing and learning one by one with the textbook's loops; returns the last arm."""
    rounds, width = contexts.shape
    arms, size = rewards.shape[1], width + 1
    inverse, theta, along = np.zeros((arms, size, size)), np.zeros((arms, size)), np.empty((arms, size))
    for k in range(arms):
        for i in range(size):
            inverse[k, i, i] = 1.0
    z, chosen = np.ones(size), 0
    for t in range(rounds):
        z[1:] = contexts[t]
        top, mean, variance = -np.inf, 0.0, 0.0
        for k in range(arms):
            own_mean, own_variance = 0.0, 0.0
            along[k] = 0.0
            for i in range(size):
                add_run(z[i], inverse[k, i], along[k])
            for i in range(size):
                own_variance += along[k, i] * z[i]
                own_mean += theta[k, i] * z[i]
            bound = own_mean + 0.25 * np.sqrt(own_variance)
            if bound > top:
                top, chosen, mean, variance = bound, k, own_mean, own_variance
        for i in range(size):
            theta[chosen, i] += along[chosen, i] * (rewards[t, chosen] - mean) / (1 + variance)
            add_run(-along[chosen, i] / (1 + variance), along[chosen], inverse[chosen, i])
    return chosen
