"""The five numbers that off-policy evaluation needs of a logged row, in one pass over the row.

Every estimator of :mod:`bandit.offpolicy.estimators` is a smooth function of their means, so their means and their
scatter matrix are all that has to be kept of a log, whatever its length.
"""

from __future__ import annotations

from enum import IntEnum

import numba
import numpy as np

from bandit.types import Bools, Floats, Ints
from bandit.validation import require


class Term(IntEnum):
    """The rows of the array that :func:`row_terms` returns.

    With e the target policy, π the logged one, a the logged arm, r its reward and q a reward model:
    """

    WEIGHT = 0
    """w = e(a|x) / π(a|x)"""
    WEIGHTED_REWARD = 1
    """w·r"""
    MODELLED = 2
    """v = Σ_b e(b|x)·q(x, b)"""
    CORRECTION = 3
    """w·(r - q(x, a))"""
    REWARD = 4
    """r"""


def row_terms(
    target: Floats, chosen: Ints, *, rewards: Floats, propensities: Floats | None = None, model: Floats | None = None
) -> Floats:
    """The terms of every row of a batch.

    Parameters
    ----------
    target
        (n, K) probability of every arm under the policy to be evaluated.
    chosen
        (n,) index of the logged arm.
    rewards
        (n,) reward of the logged arm.
    propensities
        (n,) logged probability of the logged arm, in (0, 1]. Where the log has none, every term with a weight in it
        is NaN, and with it whatever is estimated from that term: an unknown weight is never taken for 1.
    model
        (n, K) modelled reward of every arm; without it the terms that need it are NaN.

    Returns
    -------
    Floats
        (5, n), one row a :class:`Term`.

    Raises
    ------
    InvalidInput
        When shapes differ, or a probability or a reward is not what is said above.

    >>> row_terms(np.array([[0.75, 0.25]]), np.array([0]), rewards=np.array([1.0]), propensities=np.array([0.5]))[:2, 0]
    array([1.5, 1.5])
    """
    rows, arms = target.shape
    require(chosen.shape == rewards.shape == (rows,), f"chosen and rewards must be ({rows},) like target's rows")
    require(bool(np.all((chosen >= 0) & (chosen < arms))), f"chosen must be in 0..{arms - 1}")
    require(bool(np.all(np.isfinite(rewards))), "rewards must be finite")
    require(model is None or model.shape == target.shape, f"model must be {target.shape} like target")
    if propensities is None:
        propensities = np.full(rows, np.nan)
    else:
        require(bool(np.all((propensities > 0) & (propensities <= 1))), "propensities must be in (0, 1]")
    terms = np.empty((len(Term), rows))
    if model is None:
        _without_model(target, chosen, propensities, rewards, terms)
    else:
        _with_model(target, chosen, propensities, rewards, model, terms)
    return terms


def unsupported(target: Floats, logged: Floats) -> Floats:
    """Share of the target's choices that the logged policy could not have made.

    U_i = Σ_a e(a|x_i)·1{π(a|x_i) = 0}, (n,). Where it is positive, no weighting can recover what the target would
    have earned there.

    >>> unsupported(np.array([[0.9, 0.1]]), np.array([[1.0, 0.0]]))
    array([0.1])
    """
    impossible: Bools = logged == 0
    return np.asarray(np.einsum("nk,nk->n", target, impossible.astype(np.float64)))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _without_model(target: Floats, chosen: Ints, propensities: Floats, rewards: Floats, terms: Floats) -> None:
    for i in range(len(chosen)):
        weight = target[i, chosen[i]] / propensities[i]
        terms[0, i] = weight
        terms[1, i] = weight * rewards[i]
        terms[2, i] = np.nan
        terms[3, i] = np.nan
        terms[4, i] = rewards[i]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _with_model(
    target: Floats, chosen: Ints, propensities: Floats, rewards: Floats, model: Floats, terms: Floats
) -> None:
    for i in range(len(chosen)):
        weight = target[i, chosen[i]] / propensities[i]
        modelled = 0.0
        for arm in range(target.shape[1]):
            modelled += target[i, arm] * model[i, arm]
        terms[0, i] = weight
        terms[1, i] = weight * rewards[i]
        terms[2, i] = modelled
        terms[3, i] = weight * (rewards[i] - model[i, chosen[i]])
        terms[4, i] = rewards[i]
