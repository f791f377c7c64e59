"""What a plan is asked: metric, variants, and how often it may err; every number is checked at the door."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bandit.validation import require
from experiments.statistics.planning.fixed import ALPHA, POWER, adjusted, proportion_variances, shares_of

MOST_VARIANTS = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """An experiment that is to be planned.

    Parameters
    ----------
    baseline
        The control's mean, above 0: a proportion, or with ``sd`` a mean in the metric's unit.
    sd
        Standard deviation of one outcome; None for a proportion.
    weights
        (K,) how the traffic is split, the control first.
    power
        How often a true lift is to be found.
    alpha
        How often one that is not there may be found, by any of the K − 1 contrasts.
    rho
        Correlation of the outcome with a covariate that is known beforehand (CUPED); 0 without one.

    Examples
    --------
    >>> question = Question(baseline=0.1)
    >>> question.variants, [round(v, 4) for v in question.variances(0.2)]
    (2, [0.09, 0.1056])
    """

    baseline: float
    sd: float | None = None
    weights: tuple[float, ...] = (1.0, 1.0)
    power: float = POWER
    alpha: float = ALPHA
    rho: float = 0.0

    def __post_init__(self) -> None:
        if self.sd is None:
            inside = 0 < self.baseline < 1
            require(inside, f"baseline must be a rate between 0 and 1 unless sd is given, found {self.baseline:g}")
        else:
            require(math.isfinite(self.sd) and self.sd > 0, f"sd must be above 0, found {self.sd:g}")
            good = math.isfinite(self.baseline) and self.baseline > 0
            require(good, f"baseline must be above 0, found {self.baseline:g}")
        require(len(self.weights) >= 2, f"there must be at least 2 variants, found {len(self.weights)}")
        require(len(self.weights) <= MOST_VARIANTS, f"there may be {MOST_VARIANTS} variants, found {len(self.weights)}")
        shares_of(self.weights, len(self.weights))
        require(0 < self.alpha < 1, f"alpha must be between 0 and 1, found {self.alpha:g}")
        require(self.alpha < self.power < 1, f"power must be above alpha and below 1, found {self.power:g}")
        require(-1 < self.rho < 1, f"rho must be above -1 and below 1, found {self.rho:g}")

    @property
    def variants(self) -> int:
        """K."""
        return len(self.weights)

    @property
    def shares(self) -> tuple[float, ...]:
        """(K,) shares of the traffic."""
        return tuple(shares_of(self.weights, self.variants).tolist())

    @property
    def largest_lift(self) -> float:
        """The lift that no variant can exceed."""
        return math.inf if self.sd is not None else 1 / self.baseline - 1

    def check_lift(self, lift: float) -> None:
        """Refuse a lift that is none, or beyond what a proportion can be."""
        require(math.isfinite(lift) and lift != 0, f"lift must be a number other than 0, found {lift:g}")
        if self.sd is None:
            least, most = -1.0, self.largest_lift
            above = f"lift must be above -1 and at most {most:g}, as the baseline is {self.baseline:g}, found {lift:g}"
            require(least < lift <= most, above)

    def delta(self, lift: float) -> float:
        """The difference that a relative lift is, in the metric's unit."""
        return self.baseline * lift

    def variances(self, lift: float) -> tuple[float, ...]:
        """(K,) of one outcome, all variants but the control being lifted; what the covariate leaves of them."""
        if self.sd is not None:
            return adjusted([self.sd**2] * self.variants, self.rho)
        # not beyond 1 by rounding
        delta = min(self.delta(lift), 1 - self.baseline)
        return adjusted(proportion_variances(self.baseline, delta, arms=self.variants), self.rho)
