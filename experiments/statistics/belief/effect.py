r"""The normal posterior of one effect: chance to win, credible interval and what each choice risks.

With an effect d of variance v and a prior N(m₀, v₀), or none (flat),

.. math:: V = (1/v + 1/v_0)^{-1}, \qquad M = V\,(d/v + m_0/v_0), \qquad P(\text{win}) = \Phi(M/\sqrt V),

and with :math:`r = M/\sqrt V` the expected losses of keeping the control and of shipping the treatment

.. math:: E[\max(0, \delta)] = \sqrt V\,\varphi(r) + M\,\Phi(r), \qquad
          E[\max(0, -\delta)] = \sqrt V\,\varphi(r) - M\,\Phi(-r).

It misleads whoever watches: a flat-prior chance to win beyond 95% on either side was reached in 60% of null experiments
within 100 looks and in 79% within 10,000.

References
----------
Gelman et al., Bayesian Data Analysis, §2.5. Stucchio 2015, Bayesian A/B Testing at VWO, §3 (expected loss).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from bandit.validation import require
from experiments.statistics.moments import Estimate
from experiments.statistics.sequential import ALPHA


@dataclass(frozen=True, slots=True)
class Prior:
    """A normal prior of an effect, in the effect's own unit."""

    mean: float
    variance: float

    def __post_init__(self) -> None:
        require(self.variance > 0, f"the prior's variance must be positive, found {self.variance}")

    def of_share(self, baseline: float) -> Prior:
        """The prior of a difference, where this is that of the difference as a share of ``baseline``.

        >>> Prior(0.1, 0.09).of_share(10.0)
        Prior(mean=1.0, variance=9.0)
        """
        return Prior(self.mean * abs(baseline), self.variance * baseline * baseline)

    def as_share(self, baseline: float) -> Prior:
        """The prior of a lift, where this is that of the difference."""
        return Prior(self.mean / abs(baseline), self.variance / baseline / baseline)


@dataclass(frozen=True, slots=True)
class EffectBelief:
    """The posterior N(mean, sd²) of an effect: a belief, not a proof."""

    mean: float
    sd: float
    low: float
    high: float
    chance_to_win: float
    keep_loss: float
    """Expected loss of keeping the control."""
    ship_loss: float
    """Expected loss of choosing the treatment."""


def effect_belief(
    effect: Estimate, prior: Prior | None = None, *, alpha: float = ALPHA, increase: bool = True
) -> EffectBelief:
    """The posterior of an effect, absolute or relative as it and the prior are; flat where no prior is given.

    Where less is better (``increase`` is false), winning is an effect below zero and the losses are exchanged.

    >>> round(effect_belief(Estimate(0.01, 0.0043235482311327**2, 20_100)).chance_to_win, 9)
    0.989636346
    """
    require(0 < alpha < 1, f"alpha must be between 0 and 1, found {alpha}")
    precision = 1 / effect.variance + (0.0 if prior is None else 1 / prior.variance)
    weighted = effect.value / effect.variance + (0.0 if prior is None else prior.mean / prior.variance)
    mean, sd = weighted / precision, 1 / math.sqrt(precision)
    half, r = -float(ndtri(alpha / 2)) * sd, mean / sd
    density = sd * math.exp(-r * r / 2) / math.sqrt(2 * math.pi)
    gain, harm = density + mean * float(ndtr(r)), density - mean * float(ndtr(-r))
    return EffectBelief(
        mean=mean,
        sd=sd,
        low=mean - half,
        high=mean + half,
        chance_to_win=float(ndtr(r if increase else -r)),
        keep_loss=max(gain if increase else harm, 0.0),
        ship_loss=max(harm if increase else gain, 0.0),
    )
