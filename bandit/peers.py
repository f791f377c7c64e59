"""What others offer for the jobs that :mod:`bandit.bench` measures; each is there only where its library is installed.

``pip install 'landit[benchmark]'`` brings mabwiser and river. Each does its job in the way its documentation shows, and
none gives the probabilities of Thompson sampling's choices.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from bandit.types import Floats, Ints

Events = dict[str, Callable[[], Any]]


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def _contexts(width: int, rows: int = 256) -> Floats:
    return np.asarray(np.random.default_rng(2).normal(size=(rows, width)) / np.sqrt(max(width, 1)))


def loops(width: int, arms: int) -> Events:
    """Choosing, then learning from that one decision."""
    makers = {
        "vowpalwabbit --squarecb": vowpal_loop,
        "mabwiser LinUCB": mabwiser_loop,
        "river LinUCBDisjoint": river_loop,
    }
    made = {name: maker(width, arms) for name, maker in makers.items()}
    return {name: event for name, event in made.items() if event is not None}


def vowpal_loop(width: int, arms: int) -> Callable[[], None] | None:
    """Vowpal Wabbit's own loop: lines of text, predict, draw, learn."""
    library = _library("vowpalwabbit")
    if library is None:
        return None
    workspace = library.Workspace("--cb_explore_adf --squarecb -q sa --quiet")
    contexts, rng = _contexts(width), np.random.default_rng(1)
    names = [f"|a {k}" for k in range(arms)]

    def event() -> None:
        shared = _line(contexts[int(rng.integers(len(contexts)))])
        p = workspace.predict([shared, *names])
        arm = min(int(np.searchsorted(np.cumsum(p), rng.random())), arms - 1)
        cost = -1 if rng.random() < 0.3 else 0
        labelled = [f"0:{cost}:{p[k]:.6g} {line}" if k == arm else line for k, line in enumerate(names)]
        workspace.learn([shared, *labelled])

    return event


def vowpal_predict(width: int, arms: int) -> Events:
    """Vowpal Wabbit's ``predict`` of lines that are there already."""
    library = _library("vowpalwabbit")
    if library is None:
        return {}
    workspace = library.Workspace("--cb_explore_adf --squarecb -q sa --quiet")
    lines = [_line(_contexts(width)[0]), *(f"|a {k}" for k in range(arms))]
    return {"vowpalwabbit predict of text": lambda: workspace.predict(lines)}


def _line(context: Floats) -> str:
    return "shared |s " + " ".join([f"{i}:{x:.6g}" for i, x in enumerate(context.tolist())])


def river_loop(width: int, arms: int) -> Callable[[], None] | None:
    """River's disjoint LinUCB: pull, then update."""
    library = _library("river.bandit")
    if library is None:
        return None
    policy = library.LinUCBDisjoint(alpha=0.25, seed=1)
    contexts = [dict(enumerate(row)) for row in _contexts(width).tolist()]
    rng, choices = np.random.default_rng(1), list(range(arms))

    def event() -> None:
        context = contexts[int(rng.integers(len(contexts)))]
        arm = policy.pull(choices, context=context)
        policy.update(arm, context, float(rng.random() < 0.3))

    return event


def mabwiser_loop(width: int, arms: int) -> Callable[[], None] | None:
    """Mabwiser's LinUCB: predict, then fit one row more."""
    made = _mabwiser(width, arms, "LinUCB", 500)
    if made is None:
        return None
    policy, contexts, rng = made[0], _contexts(width), np.random.default_rng(1)

    def event() -> None:
        context = contexts[int(rng.integers(len(contexts)))][None, :]
        arm = policy.predict(context)
        policy.partial_fit([arm], [float(rng.random() < 0.3)], context)

    return event


def fits(width: int, arms: int, rows: int) -> Events:
    """Learning a log at once."""
    made = _mabwiser(width, arms, "LinUCB", rows)
    if made is None:
        return {}
    policy, decisions, rewards, contexts = made
    return {"mabwiser LinUCB.fit": lambda: policy.fit(decisions, rewards, contexts)}


def predictions(width: int, arms: int, rows: int) -> Events:
    """Drawing arms for many contexts at once, by linear Thompson sampling."""
    made = _mabwiser(width, arms, "LinTS", 500)
    if made is None:
        return {}
    policy, asked = made[0], _contexts(width, rows)
    return {"mabwiser LinTS.predict, draws only": lambda: policy.predict(asked)}


def _mabwiser(width: int, arms: int, kind: str, rows: int) -> tuple[Any, Ints, Floats, Floats] | None:
    """Return a policy that has learned, and what it learned from."""
    library = _library("mabwiser.mab")
    if library is None:
        return None
    policy = library.MAB(arms=list(range(arms)), learning_policy=getattr(library.LearningPolicy, kind)(alpha=0.25))
    rng = np.random.default_rng(0)
    decisions, rewards = rng.integers(0, arms, rows), (rng.random(rows) < 0.3).astype(np.float64)
    contexts = _contexts(width, rows)
    policy.fit(decisions, rewards, contexts)
    return policy, decisions, rewards, contexts
