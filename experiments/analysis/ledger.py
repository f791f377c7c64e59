"""One ledger: the sums of one metric, over all rows or over those of one segment value, as inference reads them."""

from __future__ import annotations

from dataclasses import dataclass

from bandit.types import Floats
from experiments.analysis.values import SegmentValue
from experiments.statistics.adaptive.bounded import BoundedSums
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.covariates import JointMoments
from experiments.statistics.moments import Moments


@dataclass(frozen=True, slots=True)
class Ledger:
    """The sums of one metric over all rows, or over those of one segment value; a view, not a copy.

    Parameters
    ----------
    metric, segment
        What it is about.
    variants
        (K,) keys, in the order of all its arrays.
    tallies
        (7, K) per variant: n, Σy, Σy², how many y are not 0, Σx, Σx², Σxy; x is the covariate or the denominator.
    sums
        The doubly robust sums.
    bounded
        The audit line's sums: of the objective over all rows, where its outcomes are bounded.
    """

    metric: str
    segment: SegmentValue | None
    variants: tuple[str, ...]
    tallies: Floats
    sums: AdaptiveSums
    bounded: BoundedSums | None = None

    @property
    def rows(self) -> int:
        """How many rows carry an outcome of the metric."""
        return int(self.tallies[0].sum())

    @property
    def moments(self) -> dict[str, Moments]:
        """Rows, sum and squares of each variant; of a ratio's numerator."""
        return {
            key: Moments(rows=int(n), total=y, squares=yy, nonzero=int(nonzero))
            for key, (n, y, yy, nonzero) in zip(self.variants, self.tallies[:4].T.tolist(), strict=True)
        }

    @property
    def joint(self) -> dict[str, JointMoments]:
        """The same with the covariate, or with a ratio's denominator."""
        return {
            key: JointMoments(rows=int(n), y=y, x=x, yy=yy, xx=xx, xy=xy)
            for key, (n, y, yy, _, x, xx, xy) in zip(self.variants, self.tallies.T.tolist(), strict=True)
        }
