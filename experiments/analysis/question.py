"""What is asked of a ledger: for whom, at which level, which way is better; and who answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from experiments.analysis.values import ContrastFinding, VariantFinding


@dataclass(frozen=True, slots=True)
class Question:
    """What every engine needs to know of a metric.

    Parameters
    ----------
    alpha
        The level of each contrast.
    n_star
        The number of rows at which sequences are tightest.
    better_up
        Whether more is better.
    margin
        Relative: what may be lost before it counts.
    bounds
        Between what means lie for certain.
    ratio
        Whether the metric is a ratio of two others.
    adjusted
        Whether differences of a fixed split are adjusted by the covariate.
    """

    alpha: float
    n_star: float
    better_up: bool = True
    margin: float = 0.0
    bounds: tuple[float, float] = (float("-inf"), float("inf"))
    ratio: bool = False
    adjusted: bool = False

    def good(self, low: float, high: float) -> bool:
        """Whether limits of a difference leave out zero, on the good side."""
        return low > 0 if self.better_up else high < 0

    def clipped(self, estimate: float, low: float, high: float) -> tuple[float, float, float]:
        """Return a mean and its limits, all cut where no mean can be, so that they stay in their order."""
        least, most = self.bounds
        return min(max(estimate, least), most), min(max(low, least), most), min(max(high, least), most)


class Answers(Protocol):
    """What answers for one ledger, by places of variants in it."""

    def mean(self, variant: str) -> VariantFinding:
        """The mean of a variant, with limits at 5%."""

    def contrast(self, variant: str, other: str) -> ContrastFinding:
        """A variant less another one, with limits at the question's level."""

    def ahead(self, variant: str, other: str) -> bool:
        """Whether both limits of that contrast are on the good side of zero: what :meth:`contrast` says, at once."""
