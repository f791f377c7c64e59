"""How fast policies are, beside what others offer, in the same call: ``landit bench policy``."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from bandit import policies
from bandit.features import Schema
from bandit.types import Arms, Batch, Floats

ARMS = 10
SECONDS = 0.5
"""For how long each is measured; the fastest of three runs counts, since other work can only slow one down."""


def bench_policy(*, widths: tuple[int, ...] = (20, 100)) -> dict[str, list[dict[str, Any]]]:
    """Return ``rows``, one a policy: events (choose, then learn from that one decision) a second, and the peer's.

    The peer of contextual policies is Vowpal Wabbit's own loop, without our checks and bytes; None where it is not
    installed. All choose one at a time, on one core.
    """
    rows = [_row("thompson", 0, None)]
    for width in widths:
        vowpal = _bare_vowpal(width)
        peer = None if vowpal is None else _rate(vowpal)
        rows += [_row(name, width, peer) for name in ("linucb", "linear_thompson", "vw_squarecb")]
    rows += [_answers(name, width) for name in ("linucb", "linear_thompson") for width in widths]
    return {"rows": rows}


def _row(name: str, width: int, peer: float | None) -> dict[str, Any]:
    return _entry(f"{name}: choose and learn", width, _rate(_ours(name, width)), peer)


def _answers(name: str, width: int) -> dict[str, Any]:
    policy, contexts = _warm(name, width), _contexts(width)
    many = _rate(lambda: policy.distribution(contexts)) * len(contexts)
    return _entry(f"{name}: distributions in a batch", width, many, None)


def _entry(what: str, width: int, ours: float, theirs: float | None) -> dict[str, Any]:
    return {
        "what": what,
        "d": width,
        "k": ARMS,
        "events_per_second": round(ours, 1),
        "peer": None if theirs is None else "vowpalwabbit --squarecb",
        "peer_events_per_second": None if theirs is None else round(theirs, 1),
        "ratio": None if theirs is None else round(ours / theirs, 3),
    }


def _ours(name: str, width: int) -> Callable[[], None]:
    policy, contexts = _warm(name, width), _contexts(width)
    rng = np.random.default_rng(1)

    def event() -> None:
        row = int(rng.integers(len(contexts)))
        context = contexts[row : row + 1]
        p = policy.distribution(context)
        arm = int(np.searchsorted(np.cumsum(p[0]), rng.random() * 0.999999))
        policy.learn(_batch(context, np.array([arm]), p, rewards=(rng.random(1) < 0.3).astype(np.float64)))

    return event


def _bare_vowpal(width: int) -> Callable[[], None] | None:
    """The library's own loop: lines of text, predict, draw, learn."""
    try:
        library = import_module("vowpalwabbit")
    except ImportError:
        return None
    workspace = library.Workspace("--cb_explore_adf --squarecb -q sa --quiet")
    contexts, rng = _contexts(width), np.random.default_rng(1)
    arms = [f"|a {k}" for k in range(ARMS)]

    def event() -> None:
        context = contexts[int(rng.integers(len(contexts)))].tolist()
        shared = "shared |s " + " ".join([f"{i}:{x:.6g}" for i, x in enumerate(context)])
        p = workspace.predict([shared, *arms])
        arm = min(int(np.searchsorted(np.cumsum(p), rng.random())), ARMS - 1)
        cost = -1 if rng.random() < 0.3 else 0
        labelled = [f"0:{cost}:{p[k]:.6g} {line}" if k == arm else line for k, line in enumerate(arms)]
        workspace.learn([shared, *labelled])

    return event


def _warm(name: str, width: int) -> Any:
    """A policy that has learned 500 uniform decisions, as a running one has."""
    policy = policies.create(name, arms=Arms(tuple(map(str, range(ARMS)))), schema=Schema.numeric(width))
    rng = np.random.default_rng(0)
    n = 500
    uniform = np.full((n, ARMS), 1 / ARMS)
    rewards = (rng.random(n) < 0.3).astype(np.float64)
    policy.learn(_batch(rng.normal(size=(n, width)), rng.integers(0, ARMS, n), uniform, rewards=rewards))
    return policy


def _contexts(width: int) -> Floats:
    return np.random.default_rng(2).normal(size=(256, width))


def _batch(contexts: Floats, arms: Any, distributions: Floats, *, rewards: Floats) -> Batch:
    n = len(arms)
    return Batch(contexts, arms, rewards, distributions, np.zeros(n, dtype=np.int64), np.ones(n))


def _rate(event: Callable[[], Any]) -> float:
    """Return calls a second: the best of three runs, after one call that compiles."""
    event()
    return max(_run(event) for _ in range(3))


def _run(event: Callable[[], Any]) -> float:
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < SECONDS / 3:
        event()
        calls += 1
    return calls / elapsed
