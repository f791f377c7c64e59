"""One plan: how many rows and days an experiment needs, read once, watched, or as a bandit.

Of rows, lift and power, what is not given is worked out: rows from a lift, the smallest lift from rows, and from both
the power. In a split all variants but the control are taken to be lifted alike, and the power is that of each contrast
with the control; in a bandit one alone is lifted, and the power is that of proving it better than all others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np

from bandit.validation import InvalidInput, require
from experiments.goals import Goal
from experiments.goals import exploration as exploration_of
from experiments.statistics.planning.fixed import ALPHA, POWER, whole_rows
from experiments.statistics.planning.moving import Rule, simulate
from experiments.statistics.planning.question import Question
from experiments.statistics.planning.solving import (
    power_once,
    power_watched,
    rows_once,
    rows_watched,
    smallest_lift,
    waiting,
)

WEEK = 7
FEWEST, MOST = 100, 1_000_000_000
"""What an experiment takes as its planned rows."""
LONGEST = 1e12
"""Rows that nobody will ever have; a plan that needs more is refused."""


class Method(StrEnum):
    """How the experiment is read."""

    FIXED = "fixed"
    """Once, when all rows are there."""
    SEQUENTIAL = "sequential"
    """At any time, by a sequence that holds at every look."""
    BANDIT = "bandit"
    """At any time, while the traffic moves to what is better."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to read the experiment.

    Parameters
    ----------
    rows, per_variant
        All rows, and those of each variant; None where no number of rows was enough. A bandit's traffic is not planned.
    days
        Whole weeks; None without daily traffic.
    lift, power
        The relative lift that is found, and how often.
    stops_after
        Rows after which an experiment that ends with its proof ends on average; for a bandit, in half of the runs.
    regret
        Of a bandit: what is lost until the proof, relative to an equal split of the same rows.
    """

    rows: int | None
    per_variant: tuple[int, ...] | None
    days: int | None
    lift: float
    power: float
    stops_after: int | None = None
    regret: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked, and each way to answer it.

    Parameters
    ----------
    question
        What was asked.
    method
        The way that was asked for.
    fixed, sequential, bandit
        Each way; the bandit only where it was asked for, as it is simulated.
    planned_rows
        What the experiment should say it plans for: its sequences are tightest there.
    exploration, drop
        How the bandit explores, and whether beaten variants lose their share.
    """

    question: Question
    daily: float | None
    method: Method
    fixed: Way
    sequential: Way
    planned_rows: int
    bandit: Way | None = None
    exploration: float | None = None
    drop: bool | None = None

    @property
    def way(self) -> Way:
        """The way that was asked for."""
        if self.bandit is not None:
            return self.bandit
        return self.sequential if self.method is Method.SEQUENTIAL else self.fixed

    def to_json(self) -> dict[str, Any]:
        """As one JSON object: what was asked, the numbers of the way asked for, then those of each way."""
        body = asdict(self)
        asked: dict[str, Any] = body.pop("question") | {"variants": self.question.variants}
        return asked | asdict(self.way) | body


def plan(
    baseline: float,
    lift: float | None = None,
    *,
    rows: float | None = None,
    sd: float | None = None,
    variants: int = 2,
    weights: Sequence[float] | None = None,
    daily: float | None = None,
    power: float = POWER,
    alpha: float = ALPHA,
    rho: float = 0.0,
    method: Method = Method.FIXED,
    exploration: float | None = None,
    seed: int = 1,
) -> Plan:
    """Plan an experiment.

    Parameters
    ----------
    baseline, sd, power, alpha, rho
        As of :class:`Question`.
    lift
        The relative lift that would matter (.1: a tenth more than the control); worked out from ``rows`` if left out.
    rows
        Rows of all variants; worked out if left out.
    variants, weights
        K, and how the traffic is split, the control first (equally when left out).
    daily
        Rows a day, for the days.
    method
        How it will be read; a bandit takes seconds.
    exploration
        A bandit's constant ε; when left out, it explores to prove (:mod:`experiments.goals`).
    seed
        Of the simulation.

    Raises
    ------
    InvalidInput
        If a number is out of its range, or nothing of that size can be found.

    >>> found = plan(0.1, 0.1, daily=2_000)
    >>> found.fixed.rows, found.fixed.days, found.sequential.rows, found.sequential.days
    (29497, 21, 48515, 28)
    """
    if weights is None:
        require(2 <= variants <= 1000, f"variants must be 2 to 1000, found {variants}")
    question = Question(baseline, sd, tuple(weights or [1.0] * variants), power, alpha, rho)
    require(daily is None or (math.isfinite(daily) and daily > 0), f"daily must be above 0, found {daily}")
    if rows is not None:
        require(question.variants <= rows <= LONGEST, f"rows must be {question.variants} to 1e12, found {rows:g}")
    if lift is not None:
        question.check_lift(lift)
    n_star = rows if rows is not None or lift is None else rows_once(question, lift)
    planned = min(max(math.ceil(n_star if n_star is not None else FEWEST), FEWEST), MOST)
    once, watching = _once(question, lift, rows, daily), _watched(question, lift, rows, daily, n_star=planned)
    found = Plan(question=question, daily=daily, method=method, fixed=once, sequential=watching, planned_rows=planned)
    if method is not Method.BANDIT:
        return found
    require(lift is not None and lift > 0, "a bandit's plan needs a lift above 0")
    rule = _rule(question, exploration)
    way = _bandit(found, rule, rows, seed=seed)
    return replace(found, bandit=way, exploration=rule.exploration, drop=rule.drop)


def whole_days(rows: float, daily: float) -> int:
    """Days in whole weeks, one at least: weekdays differ.

    >>> whole_days(20_000, 2_000)
    14
    """
    return WEEK * max(math.ceil(math.ceil(rows / daily) / WEEK), 1)


def _once(question: Question, lift: float | None, rows: float | None, daily: float | None) -> Way:
    """Answer for a test that is read once."""
    if rows is None:
        wanted = _wanted(lift)
        return _way(question, rows_once(question, wanted), daily, lift=wanted)
    if lift is None:
        return _way(
            question, rows, daily, lift=smallest_lift(question, partial(power_once, question, rows=rows), rows=rows)
        )
    return _way(question, rows, daily, lift=lift, power=power_once(question, lift, rows))


def _watched(question: Question, lift: float | None, rows: float | None, daily: float | None, *, n_star: int) -> Way:
    """Answer for an experiment that is watched."""
    if rows is None:
        wanted = _wanted(lift)
        way = _way(question, rows_watched(question, wanted, n_star), daily, lift=wanted)
    elif lift is None:
        power_of = partial(power_watched, question, rows=rows, n_star=n_star)
        way = _way(question, rows, daily, lift=smallest_lift(question, power_of, rows=rows))
    else:
        way = _way(question, rows, daily, lift=lift, power=power_watched(question, lift, rows, n_star))
    capped = float(way.rows or 0)
    return replace(way, stops_after=math.ceil(waiting(question, way.lift, capped, n_star).mean(capped)))


def _bandit(found: Plan, rule: Rule, rows: float | None, *, seed: int) -> Way:
    """Answer for a bandit: simulate it, for as many rows as there are, or as exploration may stretch a split."""
    question, lift = found.question, found.fixed.lift
    stretched = (found.sequential.rows or 0) * (2 + 1 / rule.exploration)
    done = simulate(
        [question.baseline] * (question.variants - 1) + [question.baseline * (1 + lift)],
        rule=rule,
        horizon=stretched if rows is None else rows,
        variance=None if question.sd is None and question.rho == 0 else question.variances(lift)[0],
        alpha=question.alpha,
        n_star=found.planned_rows,
        seed=seed,
    )
    needed = done.within(question.power) if rows is None else rows
    return Way(
        rows=_whole(needed),
        per_variant=None,
        days=None if found.daily is None or needed == math.inf else whole_days(needed, found.daily),
        lift=lift,
        power=question.power if rows is None else float(np.isfinite(done.rows).mean()),
        stops_after=_whole(done.within(0.5)),
        regret=done.regret,
    )


def _rule(question: Question, exploration: float | None) -> Rule:
    """The goal 'prove', or a constant exploration."""
    if exploration is not None:
        return Rule(exploration)
    arms = question.variants
    return Rule(exploration_of(Goal.PROVE, variants=arms, contenders=arms, custom=None), drop=True)


def _way(question: Question, rows: float, daily: float | None, *, lift: float, power: float | None = None) -> Way:
    require(rows <= LONGEST, f"a lift of {lift:g} would need {rows:.3g} rows; plan for a larger one")
    return Way(
        rows=math.ceil(rows),
        per_variant=whole_rows(rows, weights=question.weights),
        days=None if daily is None else whole_days(rows, daily),
        lift=lift,
        power=question.power if power is None else power,
    )


def _whole(rows: float) -> int | None:
    return None if rows == math.inf else math.ceil(rows)


def _wanted(lift: float | None) -> float:
    if lift is None:
        raise InvalidInput("lift or rows must be given, found neither")
    return lift
