"""Rows from a lift, power from both, the smallest lift from rows: for a test that is read once, and for one watched."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq

from bandit.validation import InvalidInput
from experiments.statistics.planning import fixed, watched
from experiments.statistics.planning.question import Question
from experiments.statistics.planning.watched import Waiting


def rows_once(question: Question, lift: float) -> float:
    """Rows of all variants of a test that is read once."""
    return fixed.sample_size(
        question.delta(lift),
        question.variances(lift),
        weights=question.weights,
        alpha=question.alpha,
        power=question.power,
    )


def power_once(question: Question, lift: float, rows: float) -> float:
    """How often a test that is read once finds the lift."""
    return fixed.power(
        question.delta(lift), question.variances(lift), rows=rows, weights=question.weights, alpha=question.alpha
    )


def rows_watched(question: Question, lift: float, n_star: float) -> float:
    """Rows of all variants within which a sequence proves the lift."""
    return watched.sample_size_watched(
        question.delta(lift),
        question.variances(lift),
        weights=question.weights,
        alpha=question.alpha,
        power=question.power,
        n_star=n_star,
    )


def waiting(question: Question, lift: float, rows: float, n_star: float) -> Waiting:
    """When a sequence proves the lift, within ``rows``."""
    return watched.waiting(
        question.delta(lift),
        question.variances(lift),
        horizon=rows,
        weights=question.weights,
        alpha=question.alpha,
        n_star=n_star,
    )


def power_watched(question: Question, lift: float, rows: float, n_star: float) -> float:
    """How often a sequence proves the lift within ``rows``."""
    return float(waiting(question, lift, rows, n_star).proved[-1])


def smallest_lift(question: Question, power_of: Callable[[float], float], *, rows: float) -> float:
    """The lift that is found with the question's power, ``power_of`` saying how often each is.

    Raises
    ------
    InvalidInput
        If not even the largest possible one is.

    >>> question = Question(baseline=0.1)
    >>> round(smallest_lift(question, lambda lift: power_once(question, lift, 29_492), rows=29_492), 3)
    0.1
    """
    high = min(0.01, question.largest_lift)
    while power_of(high) < question.power:
        if high == question.largest_lift or high > 1e12:
            raise InvalidInput(f"no lift of the baseline {question.baseline:g} can be found with {rows:g} rows")
        high = min(2 * high, question.largest_lift)
    low = high / 2
    while power_of(low) >= question.power:
        low /= 2
    found = brentq(lambda log: power_of(math.exp(log)) - question.power, math.log(low), math.log(high), xtol=1e-8)
    return math.exp(float(found))
