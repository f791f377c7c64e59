"""The estimators of what another policy would have earned: each a formula over the means of the row terms.

With e the target policy, π the logged one, (x, a, r) a logged row, w = e(a|x)/π(a|x), q a reward model, and means over
the rows:

============ ============================================== ==========================================
name         value                                          needs
============ ============================================== ==========================================
ips          mean(w·r)                                      propensities
snips        mean(w·r) / mean(w)                            propensities
dm           mean(Σ_b e(b|x)·q(x, b))                       a reward model
dr           dm + mean(w·(r − q(x, a)))                     both
sndr         dm + mean(w·(r − q(x, a))) / mean(w)           both
============ ============================================== ==========================================

Standard errors are those of the delta method over the covariance matrix of the means: the ratio of SNIPS and SNDR is
treated as the ratio it is. They do not count the error of fitting q, which matters for ``dm`` alone: its interval is
too narrow by as much as the model is wrong, and it does not shrink with more rows.

References: Horvitz and Thompson 1952 (ips); Swaminathan and Joachims 2015 (snips); Dudík, Langford and Li 2011 (dr);
Thomas and Brunskill 2016, section 5 (sndr).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from bandit.offpolicy.sums import Sums
from bandit.offpolicy.terms import Term
from bandit.types import Floats


class Estimator(StrEnum):
    """The estimators, by the names that users type."""

    IPS = "ips"
    SNIPS = "snips"
    DM = "dm"
    DR = "dr"
    SNDR = "sndr"

    @property
    def needs_propensities(self) -> bool:
        """Whether it weights rows."""
        return self is not Estimator.DM

    @property
    def needs_model(self) -> bool:
        """Whether it needs a reward model."""
        return self in (Estimator.DM, Estimator.DR, Estimator.SNDR)

    @property
    def extrapolates(self) -> bool:
        """Whether it says anything, by its model, of what the logged policy could not have chosen."""
        return self.needs_model


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard error and the normal interval around it."""

    value: float
    stderr: float
    low: float
    high: float

    @classmethod
    def normal(cls, value: float, stderr: float, *, level: float = 0.95) -> Estimate:
        """value ± z·stderr.

        >>> Estimate.normal(1.0, 0.5).low.__round__(6)
        0.020018
        """
        margin = NormalDist().inv_cdf(0.5 + level / 2) * stderr
        return cls(value, stderr, value - margin, value + margin)

    def widened(self, margin: float) -> Estimate:
        """The same value with an interval that reaches ``margin`` further on both sides."""
        return Estimate(self.value, self.stderr, self.low - margin, self.high + margin)


def estimate(sums: Sums, estimator: Estimator, *, level: float = 0.95) -> Estimate:
    """What the target policy would have earned a decision."""
    return _delta(sums, *_FORMULAS[estimator](sums.mean), level=level)


def difference(sums: Sums, estimator: Estimator, *, level: float = 0.95) -> Estimate:
    """What it would have earned more than the logged policy did, on the same rows (paired, so usually narrower)."""
    value, gradient = _FORMULAS[estimator](sums.mean)
    gradient[Term.REWARD] -= 1.0
    return _delta(sums, value - sums.mean[Term.REWARD], gradient, level=level)


def logged(sums: Sums, *, level: float = 0.95) -> Estimate:
    """What the logged policy did earn a decision."""
    return _delta(sums, sums.mean[Term.REWARD], _gradient({Term.REWARD: 1.0}), level=level)


def _delta(sums: Sums, value: float, gradient: Floats, *, level: float) -> Estimate:
    # Only the terms that matter: one that is unknown (NaN) must not spoil an estimate that does without it.
    used = np.flatnonzero(gradient)
    slope = gradient[used]
    variance = float(slope @ sums.covariance_of_means(used) @ slope)
    return Estimate.normal(float(value), float(np.sqrt(np.maximum(variance, 0.0))), level=level)


def _gradient(entries: dict[Term, float]) -> Floats:
    gradient = np.zeros(len(Term))
    for term, slope in entries.items():
        gradient[term] = slope
    return gradient


def _ips(mean: Floats) -> tuple[float, Floats]:
    return mean[Term.WEIGHTED_REWARD], _gradient({Term.WEIGHTED_REWARD: 1.0})


def _snips(mean: Floats) -> tuple[float, Floats]:
    return _ratio(mean, Term.WEIGHTED_REWARD)


def _dm(mean: Floats) -> tuple[float, Floats]:
    return mean[Term.MODELLED], _gradient({Term.MODELLED: 1.0})


def _dr(mean: Floats) -> tuple[float, Floats]:
    modelled, slope = _dm(mean)
    return modelled + mean[Term.CORRECTION], slope + _gradient({Term.CORRECTION: 1.0})


def _sndr(mean: Floats) -> tuple[float, Floats]:
    modelled, slope = _dm(mean)
    correction, ratio_slope = _ratio(mean, Term.CORRECTION)
    return modelled + correction, slope + ratio_slope


def _ratio(mean: Floats, term: Term) -> tuple[float, Floats]:
    weight = mean[Term.WEIGHT]
    if weight == 0:
        return float("nan"), _gradient({term: float("nan")})
    return mean[term] / weight, _gradient({term: 1 / weight, Term.WEIGHT: -mean[term] / weight**2})


_FORMULAS: dict[Estimator, Callable[[Floats], tuple[float, Floats]]] = {
    Estimator.IPS: _ips,
    Estimator.SNIPS: _snips,
    Estimator.DM: _dm,
    Estimator.DR: _dr,
    Estimator.SNDR: _sndr,
}
