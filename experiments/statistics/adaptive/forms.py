r"""From sums to the variance of any comparison, as quadratic forms.

A *value* or *pair* is the null :math:`X(\varphi) = N - \varphi D = 0` on the rows of a target or of two: for a contrast
N and D are the scores of two targets and φ = 1, for a lift φ = 1 + lift, for a ratio its two channels. The variance of
:math:`\sum X` is bounded by the largest of three quadratics in φ, each kept as its coefficients (NN, ND, DD):

- seen: :math:`\sum (X - \bar X)^2`;
- now: :math:`\sum_t\sum_a \frac{(e_i(a) - \varphi e_j(a))^2}{\pi_a}\,s_a^2`, :math:`s_a^2` the larger of the
  variant's own and the pooled variance of r - m, as of now;
- then: the same with :math:`v_{t-1}`, the moving mean of squared residuals before the row.

The first has not yet seen what rare variants will do; the second knows it where nothing drifts; the third where
something does.
:math:`\eta` has the form :math:`\eta_N + \varphi^2\eta_D`, in units of n*/τ(a): see :func:`values`.

With two channels a pair compares ratios ρ = M/D through :math:`\psi = \rho + (G^M - \rho G^D)/\bar G^D`, the linearised
score of a ratio (delta method), ρ and the mean of the denominator taken from the pair's rows.

References
----------
Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, arXiv:2103.06476, §3. Bibaut et al., NeurIPS 2021 (variance under adaptive
weights).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bandit.types import Bools, Floats
from experiments.statistics.adaptive.sums import AdaptiveSums
from experiments.statistics.moments import MIN_ROWS

ETA: Final = 2.0
"""η is this times n* K s²/τ(a) (of UNIFORM and SERVED without K): it foresees that 1/π grows beyond K."""
_PRIOR: Final = 2.0
"""Rows of pooled variance that each variant's own variance begins with."""


@dataclass(frozen=True, slots=True)
class Forms:
    """Sums of N and D over the rows of a target (..., T) or of a pair (..., T, T), and the forms of their variance.

    Parameters
    ----------
    rows
        n.
    first, second
        Σ N and Σ D.
    seen, now, then
        (3, ...) coefficients NN, ND, DD.
    eta
        (3, ...) the same of η·τ(a)/n*.
    shown
        Whether there is enough to say anything.
    """

    rows: Floats
    first: Floats
    second: Floats
    seen: Floats
    now: Floats
    then: Floats
    eta: Floats
    shown: Bools

    def at(self, phi: float | Floats) -> tuple[Floats, Floats, Floats]:
        """Return Σ X, V and η·τ(a)/n* of X = N - φ D."""
        parts = [_at(form, phi) for form in (self.seen, self.now, self.then)]
        return self.first - phi * self.second, np.maximum(np.maximum(parts[0], parts[1]), parts[2]), _at(self.eta, phi)


@np.errstate(all="ignore")
def values(sums: AdaptiveSums) -> Forms:
    """The forms of each target: N its outcome, or N and D its two channels.

    η·τ(a)/n* is 2 K s² of a variant, 2 s² of UNIFORM and SERVED, whose variance a row does not grow with K.
    """
    rows = _diagonal(sums.rows)
    total, square = _diagonal(sums.total), _diagonal(sums.square)
    spread = _covariances(sums)
    now, then = _diagonal(_own_now(sums, spread)), _diagonal(_own_then(sums))
    eta = _scales(sums)
    last = sums.channels - 1
    first = total[..., 0, :]
    second = total[..., 1, :] if last > 0 else np.zeros_like(first)
    seen = _triple(square, last) - np.stack([first**2, first * second, second**2]) / np.maximum(rows, 1.0)
    shown = (rows >= MIN_ROWS) & (sums.size > 0)
    return Forms(rows, first, second, seen, _triple(now, last), _triple(then, last), _triple(eta, last), shown)


@np.errstate(all="ignore")
def pairs(sums: AdaptiveSums) -> Forms:
    """The forms of every pair of targets (row i: N, column j: D) over the rows on which both were eligible."""
    spread = _covariances(sums)
    parts = {
        "seen": (sums.square, sums.cross),
        "now": (_own_now(sums, spread), _cross_now(sums, spread)),
        "then": (_own_then(sums), _cross_then(sums)),
    }
    rows, shown = sums.rows, (sums.rows >= MIN_ROWS) & (sums.size[..., None] > 0)
    shown = shown & ~np.eye(sums.arms + 2, dtype=np.bool_)
    eta = _scales(sums)
    if sums.channels == 1:
        forms = {name: _plain(own[..., 0, 0, :, :], cross[..., 0, 0, :, :]) for name, (own, cross) in parts.items()}
        first = centre = sums.total[..., 0, :, :]
        tuned = np.broadcast_to(eta[..., 0, 0, :, None], rows.shape)
    else:
        ratio, weights, known = _linearised(sums)
        forms = {name: _contracted(own, cross, weights) for name, (own, cross) in parts.items()}
        centre = np.einsum("...cij,...cij->...ij", weights, sums.total)
        first, shown = rows * ratio, shown & known & np.swapaxes(known, -1, -2)
        tuned = np.einsum("...cij,...dij,...cdi->...ij", weights, weights, eta)
    forms["seen"] = forms["seen"] - _plain(centre**2, centre * _swapped(centre)) / np.maximum(rows, 1.0)
    return Forms(rows, first, _swapped(first), **forms, eta=_plain(tuned, np.zeros_like(tuned)), shown=shown)


def _at(form: Floats, phi: float | Floats) -> Floats:
    return np.asarray(np.maximum(form[0] - 2 * phi * form[1] + phi * phi * form[2], 0.0))


def _diagonal(array: Floats) -> Floats:
    return np.asarray(np.diagonal(array, axis1=-2, axis2=-1))


def _swapped(array: Floats) -> Floats:
    return np.swapaxes(array, -1, -2)


def _triple(array: Floats, last: int) -> Floats:
    """(..., C, C, T) as coefficients of N (channel 0) and D (channel 1, nothing where there is none)."""
    one = array[..., 0, 0, :]
    if last == 0:
        return np.stack([one, np.zeros_like(one), np.zeros_like(one)])
    return np.stack([one, array[..., 0, 1, :], array[..., 1, 1, :]])


def _plain(own: Floats, cross: Floats) -> Floats:
    return np.stack([own, cross, _swapped(own)])


def _contracted(own: Floats, cross: Floats, weights: Floats) -> Floats:
    """(..., C, C, T, T) products as those of ψ, whose weights by channel are (..., C, T, T)."""
    one = np.einsum("...cij,...dij,...cdij->...ij", weights, weights, own)
    both = np.einsum("...cij,...dji,...cdij->...ij", weights, weights, cross)
    return _plain(one, both)


def _linearised(sums: AdaptiveSums) -> tuple[Floats, Floats, Bools]:
    """ρ of the row's target on each pair's rows, the weights (1, -ρ)/mean(D) of its channels, and where they exist."""
    above, below = sums.total[..., 0, :, :], sums.total[..., 1, :, :]
    known = (below > 0) & (sums.rows > 0)
    safe = np.where(known, below, 1.0)
    ratio = np.where(known, above / safe, 0.0)
    scale = np.where(known, sums.rows / safe, 0.0)
    return ratio, np.stack([scale, -ratio * scale], axis=-3), known


def _covariances(sums: AdaptiveSums) -> Floats:
    """(..., C, C, K + 1) of r - m by variant: the larger of its own, shrunk, and the pooled one; the last is pooled."""
    channels = sums.channels
    count, mean = sums.residual[..., 0, :], sums.residual[..., 1 : 1 + channels, :]
    outer = sums.residual[..., 1 + channels :, :].reshape(*sums.lanes, channels, channels, -1)
    rows = np.maximum(count.sum(axis=-1), 1.0)[..., None, None]
    middle = mean.sum(axis=-1) / rows[..., 0]
    pooled = (outer.sum(axis=-1) / rows - middle[..., :, None] * middle[..., None, :])[..., None]
    weight = np.maximum(count, 1.0)[..., None, None, :]
    inner = outer - mean[..., :, None, :] * mean[..., None, :, :] / weight
    own = (inner + _PRIOR * pooled) / (count[..., None, None, :] + _PRIOR)
    own[..., -1] = pooled[..., 0]
    return np.asarray(pooled + _positive(own - pooled, pooled))


def _positive(excess: Floats, pooled: Floats) -> Floats:
    """The positive part of symmetric (..., C, C, K) matrices, in units in which the pooled variances are 1."""
    if excess.shape[-3] == 1:
        return np.maximum(excess, 0.0)
    scale = np.sqrt(np.maximum(np.stack([pooled[..., 0, 0, :], pooled[..., 1, 1, :]], axis=-2), 0.0))
    scale = np.where(scale > 0, scale, 1.0)
    units = scale[..., :, None, :] * scale[..., None, :, :]
    a = excess / units
    middle = (a[..., 0, 0, :] + a[..., 1, 1, :]) / 2
    radius = np.hypot((a[..., 0, 0, :] - a[..., 1, 1, :]) / 2, a[..., 0, 1, :])
    largest, least = (middle + radius)[..., None, None, :], (middle - radius)[..., None, None, :]
    share = np.where(radius > 0, (middle + radius) / np.where(radius > 0, 2 * radius, 1.0), 0.0)[..., None, None, :]
    identity = np.eye(2)[:, :, None]
    part = np.where(least >= 0, a, np.where(largest <= 0, 0.0, share * (a - least * identity)))
    return np.asarray(part * units)


def _own_now(sums: AdaptiveSums, spread: Floats) -> Floats:
    """(..., C, C, T, T) Σ e_i(a)²/π_a s_a² over the rows of pair i, j."""
    variants = spread[..., :-1, None] * sums.inverse[..., None, None, 0, :, :]
    others = np.einsum("...cda,...saj->...cdsj", spread, sums.mixed[..., 0, :, :, :])
    return np.concatenate([variants, others], axis=-2)


def _own_then(sums: AdaptiveSums) -> Floats:
    channels = sums.channels
    both = np.concatenate([sums.inverse[..., 1:, :, :], sums.mixed[..., 1:, :, :, :].sum(axis=-2)], axis=-2)
    return np.asarray(both.reshape(*sums.lanes, channels, channels, *both.shape[-2:]))


def _cross_now(sums: AdaptiveSums, spread: Floats) -> Floats:
    """(..., C, C, T, T) Σ e_i(a) e_j(a)/π_a s_a²: of two variants nothing."""
    met = spread[..., None, :] * sums.overlap[..., None, None, 0, :, :]
    return _placed(met[..., :2, :-1], met[..., 2, :].sum(axis=-1))


def _cross_then(sums: AdaptiveSums) -> Floats:
    met = sums.overlap[..., 1:, :, :].reshape(*sums.lanes, sums.channels, sums.channels, 3, sums.arms + 1)
    return _placed(met[..., :2, :-1], met[..., 2, :].sum(axis=-1))


def _placed(variants: Floats, mixed: Floats) -> Floats:
    arms = variants.shape[-1]
    result = np.zeros((*mixed.shape, arms + 2, arms + 2))
    result[..., arms:, :arms] = variants
    result[..., :arms, arms:] = _swapped(variants)
    result[..., arms, arms + 1] = result[..., arms + 1, arms] = mixed
    return result


def _scales(sums: AdaptiveSums) -> Floats:
    """(..., C, C, T) η·τ(a)/n* of each target alone."""
    factors = np.ones((*sums.lanes, 1, 1, sums.arms + 2))
    factors[..., :-2] = sums.size[..., None, None, :]
    return np.asarray(ETA * sums.scale[..., None] * factors)
