"""What the rows of a fixed split say: one weight vector drew them all, so their own means are to be trusted.

With a covariate, differences are adjusted by it (CUPED); else, where segments are declared, they are post-stratified by
the first of them (:mod:`experiments.analysis.stratified`). A ratio is compared by the delta method per unit. Limits are
those of :mod:`experiments.statistics.sequential`, which hold at every look.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from experiments.analysis.ledger import Ledger
from experiments.analysis.question import Question
from experiments.analysis.stratified import Strata
from experiments.analysis.values import NOTHING, ContrastFinding, VariantFinding
from experiments.statistics import sequential
from experiments.statistics.covariates import cuped_effect, cuped_means, cuped_theta, metric_ratio
from experiments.statistics.effect import Effect, effect_of
from experiments.statistics.moments import Estimate, Missing
from experiments.statistics.sequential import ALPHA, Tuning

_LARGEST = 1e100
"""Of a variance: above it squares and products of it overflow."""
NO_ROWS = Missing(NOTHING)


_Number = TypeVar("_Number", Estimate, Effect)


def _sound(found: _Number | Missing) -> _Number | Missing:
    """Refuse an estimate whose variance is nothing, or beyond what a float can hold."""
    if isinstance(found, Missing):
        return found
    sound = math.isfinite(found.value) and 0 < found.variance < _LARGEST
    return found if sound else Missing("the values are too large, or too alike, to be judged")


def _floored(means: Mapping[str, Estimate | Missing]) -> dict[str, Estimate | Missing]:
    """Give no mean a smaller variance of its rows than all variants have together.

    Where most values are zero and few are large, a mean that is too low has a variance that is too low, too: with its
    own alone, revenue of 80% zeros missed in up to 6.6% of 2,000 runs of 10,000 looks, with this floor in 3.5%.
    """
    known = [found for found in means.values() if isinstance(found, Estimate)]
    rows = sum(found.rows for found in known)
    pooled = sum(found.variance * found.rows**2 for found in known) / max(rows, 1)
    return {
        key: replace(found, variance=max(found.variance, pooled / found.rows)) if isinstance(found, Estimate) else found
        for key, found in means.items()
    }


class FixedEngine:
    """Answers for one ledger of a fixed split.

    Parameters
    ----------
    ledger
        The sums.
    question
        What is asked.
    strata
        By what differences are post-stratified where no covariate adjusts them.
    """

    def __init__(self, ledger: Ledger, question: Question, *, strata: Strata | None = None) -> None:
        self._question, self._strata = question, strata
        self._tuning = Tuning(question.alpha, question.n_star)
        joint = self._joint = ledger.joint
        self._theta = cuped_theta(list(joint.values())) if question.adjusted else None
        moments = ledger.moments
        lacking = {key: sequential.missing_rows(found) for key, found in moments.items()}
        plain = {key: metric_ratio(both) if question.ratio else moments[key].estimate() for key, both in joint.items()}
        self._plain = {key: lacking[key] or _sound(estimate) for key, estimate in plain.items()}
        self._shown = dict(self._plain)
        if self._theta is not None:
            means = cuped_means(list(joint.values()), theta=self._theta)
            self._shown |= {key: lacking[key] or _sound(mean) for key, mean in zip(ledger.variants, means, strict=True)}
        if not all(found.is_binary for found in moments.values()):
            self._shown = _floored(self._shown)

    def mean(self, variant: str) -> VariantFinding:
        """The mean of a variant, with limits at 5%."""
        rows = self._joint[variant].rows if variant in self._joint else 0
        estimate = self._shown.get(variant, NO_ROWS)
        if isinstance(estimate, Missing):
            return VariantFinding(variant, rows, reason=estimate.reason)
        found = sequential.interval(estimate, Tuning(ALPHA, self._question.n_star))
        return VariantFinding(variant, rows, *self._question.clipped(found.estimate, found.low, found.high))

    def contrast(self, variant: str, other: str) -> ContrastFinding:
        """A variant less another one, with limits at the question's level."""
        alpha = self._question.alpha
        effect, method = self._effect(variant, other)
        if isinstance(effect, Effect):
            effect = _sound(effect)
        if isinstance(effect, Missing):
            return ContrastFinding(variant, other, reason=effect.reason, lift_reason=effect.reason, alpha=alpha)
        tuning, difference = self._tuning, effect.difference
        limits, log_e = sequential.interval(difference, tuning), sequential.log_e_value(difference, tuning)
        lift = sequential.lift(effect, tuning)
        known = None if isinstance(lift, Missing) else lift
        worst, not_worse, harmed = self._one_sided(effect)
        return ContrastFinding(
            variant=variant,
            other=other,
            rows=effect.rows,
            difference=limits.estimate,
            low=limits.low,
            high=limits.high,
            lift=None if known is None else known.estimate,
            lift_low=None if known is None else known.low,
            lift_high=None if known is None else known.high,
            lift_reason=lift.reason if isinstance(lift, Missing) else "",
            p_value=math.exp(min(-log_e, 0.0)),
            log_e=log_e,
            alpha=alpha,
            worst=worst,
            not_worse=not_worse,
            harmed=harmed,
            method=method,
        )

    def ahead(self, variant: str, other: str) -> bool:
        """Whether both limits of that contrast are on the good side of zero."""
        found = self.contrast(variant, other)
        return found.low is not None and found.high is not None and self._question.good(found.low, found.high)

    def _effect(self, variant: str, other: str) -> tuple[Effect | Missing, str]:
        """Return the effect, and how it was adjusted."""
        treatment, control = self._plain.get(variant, NO_ROWS), self._plain.get(other, NO_ROWS)
        if isinstance(treatment, Missing):
            return Missing(f"{variant}: {treatment.reason}"), ""
        if isinstance(control, Missing):
            return Missing(f"{other}: {control.reason}"), ""
        if self._theta is not None:
            return cuped_effect(
                self._joint[other], self._joint[variant], theta=self._theta
            ), "adjusted by its covariate"
        stratified = None if self._strata is None else self._strata.effect(other, variant)
        if self._strata is None or stratified is None:
            return effect_of(control, treatment), ""
        return stratified, f"post-stratified by {self._strata.attribute}"

    def _one_sided(self, effect: Effect) -> tuple[float, bool, bool]:
        """Return the limit in the bad direction, and what it proves about the margin: not worse, harmed."""
        up, margin, tuning = self._question.better_up, self._question.margin, self._tuning
        low, high = sequential.lower_limit, sequential.upper_limit
        worst = low(effect.difference, tuning) if up else high(effect.difference, tuning)
        lost = effect.contrast(-margin if up else margin)
        above, below = low(lost, tuning) > 0, high(lost, tuning) < 0
        return worst, above if up else below, below if up else above
