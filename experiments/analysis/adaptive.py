"""What the rows of moving traffic say: by the doubly robust sums, which hold whatever moved it.

The lanes of a metric (all rows, then segment values) are worked out together, and read one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TypedDict

import numpy as np

from bandit.types import Floats
from experiments.analysis.question import Question
from experiments.analysis.values import NOTHING, SERVED, UNIFORM, ContrastFinding, VariantFinding
from experiments.statistics.adaptive import inference
from experiments.statistics.adaptive.forms import Forms, pairs
from experiments.statistics.adaptive.inference import Limits
from experiments.statistics.adaptive.kernel import MIN_REWARDS
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.moments import MIN_ROWS
from experiments.statistics.sequential import ALPHA


class _Level(TypedDict):
    alpha: float
    n_star: float
    forms: Forms


class AdaptiveLanes:
    """Limits of several lanes at once.

    Parameters
    ----------
    sums
        With lanes.
    variants
        (K,) keys of its places.
    question
        What is asked of every lane.
    """

    def __init__(self, sums: AdaptiveSums, variants: Sequence[str], question: Question) -> None:
        self.sums = sums
        self.question = question
        self.places = {key: place for place, key in enumerate((*variants, UNIFORM, SERVED))}

    @cached_property
    def means(self) -> Limits:
        """(R, T) at 5%."""
        return inference.means(self.sums, alpha=ALPHA, n_star=self.question.n_star)

    @cached_property
    def pairs(self) -> Forms:
        """What every comparison of two targets is worked out from."""
        with np.errstate(all="ignore"):
            return pairs(self.sums)

    @cached_property
    def contrasts(self) -> Limits:
        """(R, T, T) at the question's level."""
        return inference.contrasts(self.sums, **self._level)

    @cached_property
    def lifts(self) -> Limits:
        """(R, T, T) at the question's level."""
        return inference.lifts(self.sums, **self._level)

    @cached_property
    def log_e(self) -> Floats:
        """(R, T, T) against no difference."""
        return inference.log_e(self.sums, **self._level)

    @cached_property
    def worst(self) -> Limits:
        """(R, T, T) one-sided limits of the difference."""
        return inference.one_sided(self.sums, **self._level)

    @cached_property
    def lost(self) -> Limits:
        """(R, T, T) one-sided limits of what is left of a difference once the margin is taken off."""
        margin = self.question.margin
        if margin == 0:
            return self.worst
        factor = 1 - margin if self.question.better_up else 1 + margin
        return inference.one_sided(self.sums, **self._level, factor=factor)

    @property
    def _level(self) -> _Level:
        return {"alpha": self.question.alpha, "n_star": self.question.n_star, "forms": self.pairs}

    def lane(self, place: int) -> AdaptiveEngine:
        """Return what answers for one lane."""
        return AdaptiveEngine(self, place)


class AdaptiveEngine:
    """Answers for one lane."""

    def __init__(self, lanes: AdaptiveLanes, lane: int) -> None:
        self._lanes, self._lane = lanes, lane

    def mean(self, variant: str) -> VariantFinding:
        """The mean of a variant, with limits at 5%; also of ``SERVED`` and ``UNIFORM``."""
        place = self._lanes.places.get(variant)
        if place is None:
            return VariantFinding(variant, 0, reason=NOTHING)
        found, at = self._lanes.means, (self._lane, place)
        rows = int(found.rows[at])
        if not found.shown[at]:
            return VariantFinding(variant, rows, reason=self._lacking(rows) or "it is not told from zero yet")
        numbers = float(found.estimate[at]), float(found.low[at]), float(found.high[at])
        return VariantFinding(variant, rows, *self._lanes.question.clipped(*numbers))

    def contrast(self, variant: str, other: str) -> ContrastFinding:
        """A variant less another one, with limits at the question's level; also of ``SERVED`` and ``UNIFORM``."""
        lanes, alpha = self._lanes, self._lanes.question.alpha
        places = lanes.places
        if variant not in places or other not in places:
            return ContrastFinding(variant, other, reason=NOTHING, lift_reason=NOTHING, alpha=alpha)
        at = (self._lane, places[variant], places[other])
        found = lanes.contrasts
        rows = int(found.rows[at])
        if not found.shown[at]:
            reason = self._lacking(rows) or "the values do not differ yet"
            return ContrastFinding(variant, other, rows, reason=reason, lift_reason=reason, alpha=alpha)
        log_e = float(lanes.log_e[at])
        lift, lift_low, lift_high = self._lift(at)
        worst, not_worse, harmed = self._one_sided(at)
        return ContrastFinding(
            variant=variant,
            other=other,
            rows=rows,
            difference=float(found.estimate[at]),
            low=float(found.low[at]),
            high=float(found.high[at]),
            lift=lift,
            lift_low=lift_low,
            lift_high=lift_high,
            lift_reason=f"the mean of {other} is not told from zero yet" if lift is None else "",
            p_value=math.exp(min(-log_e, 0.0)),
            log_e=log_e,
            alpha=alpha,
            worst=worst,
            not_worse=not_worse,
            harmed=harmed,
        )

    def ahead(self, variant: str, other: str) -> bool:
        """Whether both limits of that contrast are on the good side of zero."""
        places, found = self._lanes.places, self._lanes.contrasts
        if variant not in places or other not in places:
            return False
        at = (self._lane, places[variant], places[other])
        return bool(found.shown[at]) and self._lanes.question.good(float(found.low[at]), float(found.high[at]))

    def _lift(self, at: tuple[int, int, int]) -> tuple[float, float, float] | tuple[None, None, None]:
        found = self._lanes.lifts
        if not found.shown[at]:
            return None, None, None
        return float(found.estimate[at]), float(found.low[at]), float(found.high[at])

    def _one_sided(self, at: tuple[int, int, int]) -> tuple[float | None, bool, bool]:
        """Return the limit in the bad direction, and what it proves about the margin: not worse, harmed."""
        up, worst, lost = self._lanes.question.better_up, self._lanes.worst, self._lanes.lost
        if not worst.shown[at]:
            return None, False, False
        limit = float(worst.low[at] if up else worst.high[at])
        if not (lost.shown[at] and self._above_zero(at)):
            return limit, False, False
        above, below = bool(lost.low[at] > 0), bool(lost.high[at] < 0)
        return limit, above if up else below, below if up else above

    def _above_zero(self, at: tuple[int, int, int]) -> bool:
        """Whether the other's mean is positive, so that the margin is a share of it."""
        lane, _, other = at
        return self._lanes.question.margin == 0 or bool(self._lanes.means.estimate[lane, other] > 0)

    def _lacking(self, rows: int) -> str:
        """Say what keeps all limits of the lane from being shown; empty where nothing does."""
        if rows < MIN_ROWS:
            return f"needs {MIN_ROWS} rows, there are {rows}"
        sums = self._lanes.sums
        if sums.size[self._lane, 0] > 0:
            return ""
        rewarded = int(sums.rewarded[self._lane].min())
        if rewarded < MIN_REWARDS:
            return f"needs {MIN_REWARDS} rows with an outcome other than the usual one, there are {rewarded}"
        return "all values are equal"
