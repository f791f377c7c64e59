"""What is kept of a log: sums that can be added, whatever the order or the split of its rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bandit.offpolicy.terms import Term, row_terms, unsupported
from bandit.types import Floats, Ints
from bandit.validation import require

CLUSTERS = 4096
"""Groups that units are hashed into; 4,095 degrees of freedom give the standard error to 1.1 %."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Moments of the :class:`~bandit.offpolicy.terms.Term` of n rows, and the facts that an evaluation is judged by.

    Means and centred products are kept, not raw second moments, and merged by the rule of Chan, Golub and LeVeque
    (1979), so that rewards far from zero lose no digits. ``merge`` is associative and commutative up to rounding.

    Parameters
    ----------
    rows
        n.
    mean
        (5,) mean of each term.
    scatter
        (5, 5) Σ (z − mean)(z − mean)'.
    largest_weight
        Greatest w; NaN where the log has no propensities.
    unsupported
        Σ U_i (see :func:`~bandit.offpolicy.terms.unsupported`); NaN where the log has no whole distributions.
    lowest_reward, highest_reward
        Range of the rewards seen.
    clusters
        (:data:`CLUSTERS`, 6) rows and summed terms by group of units, or None where every row is its own unit. A unit
        always falls into the same group, so groups are independent however often a unit comes.
    """

    rows: int
    mean: Floats
    scatter: Floats
    largest_weight: float
    unsupported: float
    lowest_reward: float
    highest_reward: float
    clusters: Floats | None = None

    @classmethod
    def of(
        cls,
        target: Floats,
        chosen: Ints,
        *,
        rewards: Floats,
        propensities: Floats | None = None,
        logged: Floats | None = None,
        model: Floats | None = None,
        units: Ints | None = None,
    ) -> Sums:
        """The sums of a batch.

        The arguments are those of :func:`~bandit.offpolicy.terms.row_terms`, and ``logged``, the (n, K) logged
        probability of every arm, and ``units``, (n,) non-negative hashes of the units where a unit may come again.
        """
        require(len(chosen) > 0, "a batch must have rows")
        terms = row_terms(target, chosen, rewards=rewards, propensities=propensities, model=model)
        mean = terms.mean(axis=1)
        centred = terms - mean[:, None]
        return cls(
            rows=len(chosen),
            mean=mean,
            scatter=centred @ centred.T,
            largest_weight=float(terms[Term.WEIGHT].max()),
            unsupported=float("nan") if logged is None else float(unsupported(target, logged).sum()),
            lowest_reward=float(rewards.min()),
            highest_reward=float(rewards.max()),
            clusters=None if units is None else _by_cluster(terms, units),
        )

    def merge(self, other: Sums) -> Sums:
        """The sums of both sets of rows.

        >>> one, two = (Sums.of(np.ones((1, 1)), np.array([0]), rewards=np.array([r])) for r in (1.0, 3.0))
        >>> one.merge(two).mean[Term.REWARD], one.merge(two).scatter[Term.REWARD, Term.REWARD]
        (np.float64(2.0), np.float64(2.0))
        """
        require((self.clusters is None) == (other.clusters is None), "sums with and without units cannot be merged")
        rows = self.rows + other.rows
        step = other.mean - self.mean
        return Sums(
            rows=rows,
            mean=self.mean + step * (other.rows / rows),
            scatter=self.scatter + other.scatter + np.outer(step, step) * (self.rows * other.rows / rows),
            largest_weight=float(np.maximum(self.largest_weight, other.largest_weight)),
            unsupported=self.unsupported + other.unsupported,
            lowest_reward=min(self.lowest_reward, other.lowest_reward),
            highest_reward=max(self.highest_reward, other.highest_reward),
            clusters=None if self.clusters is None or other.clusters is None else self.clusters + other.clusters,
        )

    @property
    def sum_of_weights(self) -> float:
        """Σw; near n when the target is supported and the propensities are right."""
        return float(self.rows * self.mean[Term.WEIGHT])

    @property
    def effective_sample_size(self) -> float:
        """(Σw)²/Σw²: how many rows of the target's own traffic the log is worth (Kong 1992)."""
        squares = self.scatter[Term.WEIGHT, Term.WEIGHT] + self.rows * self.mean[Term.WEIGHT] ** 2
        if squares == 0:
            return 0.0
        return float(self.sum_of_weights**2 / squares)

    @property
    def unsupported_share(self) -> float:
        """U, the mean of U_i; NaN where it cannot be known."""
        return self.unsupported / self.rows

    def covariance_of_means(self, terms: Ints) -> Floats:
        """Covariance matrix of the means of some terms.

        Rows as units: scatter / (n − 1) / n. With ``clusters``, G of them in use, by groups g with n_g rows and sums
        S_g: G/(G − 1) · Σ_g (S_g − n_g·mean)(S_g − n_g·mean)' / n² (Liang and Zeger 1986).
        """
        if self.clusters is None:
            freedom = max(self.rows - 1, 0)
            return self.scatter[np.ix_(terms, terms)] / freedom / self.rows if freedom else _unknown(len(terms))
        used = self.clusters[self.clusters[:, 0] > 0]
        if len(used) < 2:
            return _unknown(len(terms))
        residual = used[:, 1 + terms] - used[:, :1] * self.mean[terms]
        return np.asarray(residual.T @ residual * (len(used) / (len(used) - 1)) / self.rows**2)


def _by_cluster(terms: Floats, units: Ints) -> Floats:
    groups = units % CLUSTERS
    table = np.empty((CLUSTERS, 1 + len(terms)))
    table[:, 0] = np.bincount(groups, minlength=CLUSTERS)
    for column, term in enumerate(terms, start=1):
        table[:, column] = np.bincount(groups, weights=term, minlength=CLUSTERS)
    return table


def _unknown(size: int) -> Floats:
    return np.full((size, size), np.nan)
