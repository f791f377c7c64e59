r"""Post-stratification: the effect as a mean over segments, each weighted by its share of all rows.

With strata s of :math:`n_s` of N rows in both variants, :math:`\nu_s = n_s/N`, within each the control's means
:math:`\mu_{C,s}` and the differences :math:`\delta_s` with covariance :math:`\Lambda_s` of both,

.. math:: (\mu, \delta) = \sum_s \nu_s\,(\mu_{C,s}, \delta_s), \qquad
          \operatorname{Cov} = \sum_s \nu_s^2 \Lambda_s + \frac1N A(\operatorname{diag}\nu - \nu\nu^T)A^T,

A the matrix of the strata's columns. The second part is for the shares, which are themselves drawn. Of a ratio of two
metrics, numerator and denominator are stratified and then divided. With a covariate, each stratum is adjusted by a θ of
its own.

Strata must be known before exposure, and fixed before data. It narrows the interval where strata differ in their means,
and removes what an unlucky split of strata does. A stratum in which a variant's values do not vary yet is put together
with the largest one.

References
----------
Miratrix, Sekhon, Yu 2013, JRSS-B 75(2), §2 and §3. Xie and Aurisset, KDD 2016, §4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from bandit.types import Floats, Ints
from experiments.statistics.covariates import JointMoments, cuped_effect, metric_ratio
from experiments.statistics.effect import Effect, effect_of
from experiments.statistics.moments import Estimate, Missing, Moments

Sums = TypeVar("Sums", Moments, JointMoments)


def stratified_effect(strata: Sequence[tuple[Moments, Moments]]) -> Effect | Missing:
    """The effect on a mean from the moments of (control, treatment) in each stratum.

    >>> first = Moments(1000, 3000.0, 10500.0, 1000), Moments(1100, 3400.0, 12300.0, 1100)
    >>> second = Moments(3000, 15000.0, 82000.0, 3000), Moments(2900, 14800.0, 83000.0, 2900)
    >>> round(stratified_effect([first, second]).difference.standard_error, 9)
    0.033345746
    """
    return _weighted([_plain(*cell) for cell in _cells(strata, _plain)])


def stratified_cuped_effect(strata: Sequence[tuple[JointMoments, JointMoments]]) -> Effect | Missing:
    """The effect on a mean, every stratum adjusted by its covariate before."""
    return _weighted([cuped_effect(*cell) for cell in _cells(strata, cuped_effect)])


def stratified_ratio_effect(strata: Sequence[tuple[JointMoments, JointMoments]]) -> Effect | Missing:
    """The effect on a ratio of two metrics per unit, whose numerator and denominator are stratified."""
    cells = _cells(strata, _plain_ratio)
    if not cells:
        return Missing("no stratum has values that vary in both variants")
    points, covariances = zip(*(_numerators_and_denominators(*cell) for cell in cells), strict=True)
    rows = np.array([control.rows + treatment.rows for control, treatment in cells])
    (m, d, more_m, more_d), covariance = _mixed(np.array(points), np.array(covariances), rows)
    treated = d + more_d
    if d == 0 or treated == 0:
        return Missing("the denominator is not told from zero yet")
    base = np.array([1 / d, -m / d**2, 0.0, 0.0])
    new = np.array([1.0, -(m + more_m) / treated, 1.0, -(m + more_m) / treated]) / treated
    return _effect(m / d, (m + more_m) / treated - m / d, _quadratic(np.array([base, new - base]), covariance), rows)


def _cells(
    strata: Sequence[tuple[Sums, Sums]], effect: Callable[[Sums, Sums], Effect | Missing]
) -> list[tuple[Sums, Sums]]:
    """The strata that have an effect, those that have none put together with the largest."""
    ordered = sorted(strata, key=lambda cell: cell[0].rows + cell[1].rows, reverse=True)
    cells = ordered[:1]
    for control, treatment in ordered[1:]:
        if isinstance(effect(control, treatment), Missing):
            cells[0] = (cells[0][0] + control, cells[0][1] + treatment)
        else:
            cells.append((control, treatment))
    return [cell for cell in cells if not isinstance(effect(*cell), Missing)]


def _plain(control: Moments, treatment: Moments) -> Effect | Missing:
    return _of(control.estimate(), treatment.estimate())


def _plain_ratio(control: JointMoments, treatment: JointMoments) -> Effect | Missing:
    return _of(metric_ratio(control), metric_ratio(treatment))


def _of(control: Estimate | Missing, treatment: Estimate | Missing) -> Effect | Missing:
    if isinstance(control, Missing):
        return control
    return treatment if isinstance(treatment, Missing) else effect_of(control, treatment)


def _weighted(found: Sequence[Effect | Missing]) -> Effect | Missing:
    """The effects of strata weighted by their shares."""
    effects = [effect for effect in found if isinstance(effect, Effect)]
    if not effects:
        return Missing("no stratum has values that vary in both variants")
    points = np.array([[effect.baseline, effect.value] for effect in effects])
    covariances = np.array(
        [[[e.baseline_variance, e.covariance], [e.covariance, e.variance]] for e in effects], dtype=np.float64
    )
    rows = np.array([effect.rows for effect in effects])
    point, covariance = _mixed(points, covariances, rows)
    return _effect(float(point[0]), float(point[1]), covariance, rows)


def _mixed(points: Floats, covariances: Floats, rows: Ints) -> tuple[Floats, Floats]:
    """(p,) weighted point and (p, p) its covariance, from (S, p), (S, p, p) and (S,) rows."""
    shares = rows / rows.sum()
    drawn = (np.diag(shares) - np.outer(shares, shares)) / rows.sum()
    return shares @ points, np.einsum("s,sij->ij", shares**2, covariances) + points.T @ drawn @ points


def _numerators_and_denominators(control: JointMoments, treatment: JointMoments) -> tuple[Floats, Floats]:
    """The point (M, D, ΔM, ΔD) of a stratum and its (4, 4) covariance."""
    base, new = (np.array([moments.y, moments.x]) / moments.rows for moments in (control, treatment))
    vb, vn = (moments.covariance_matrix / moments.rows for moments in (control, treatment))
    return np.concatenate([base, new - base]), np.block([[vb, -vb], [-vb, vb + vn]])


def _quadratic(gradients: Floats, covariance: Floats) -> Floats:
    return np.asarray(gradients @ covariance @ gradients.T)


def _effect(baseline: float, value: float, covariance: Floats, rows: Ints) -> Effect:
    return Effect(
        value=float(value),
        variance=float(covariance[1, 1]),
        baseline=float(baseline),
        baseline_variance=float(covariance[0, 0]),
        covariance=float(covariance[0, 1]),
        rows=int(rows.sum()),
    )
