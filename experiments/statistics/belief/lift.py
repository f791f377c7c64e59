r"""The distribution of a lift or of a difference of two independent posteriors, by quadrature.

For a treatment T and a control C with Beta posteriors of densities f and distribution functions F,

.. math:: P(T/C - 1 \le x) = \int f_C(c)\, F_T\bigl((1+x)\,c\bigr)\,dc = \int f_T(t)\,\bigl[1 - F_C(t/(1+x))\bigr]\,dt,

and the same with c + x for the difference. The narrower of the two posteriors, on the scale in question, is the one
integrated over, in log-odds, where a Beta density is smooth and log-concave. Of normal posteriors, where the control is
far from zero,

.. math:: P(T/C - 1 \le x) = \Phi\Bigl(\frac{(1+x)\,m_C - m_T}{\sqrt{v_T + (1+x)^2 v_C}}\Bigr).

It is a belief, not a proof: not adjusted for looking often, and it assumes that nothing changes over time.

References
----------
Hinkley 1969, Biometrika 56: the ratio of normals. Pham-Gia 2000: ratios of Betas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincc, betaincinv, betaln, logit, ndtri

from bandit.types import Floats
from bandit.validation import require
from experiments.statistics.effect import effect_of
from experiments.statistics.moments import Estimate, Missing
from experiments.statistics.sequential import fieller

QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
CUT = 1e-13
"""Mass that is left out on either side of a posterior."""
FAR = 4.0
"""Standard errors that a normal control must be from zero for its lift to have a distribution to speak of."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of an effect: quantiles at the asked-for levels, chance to be above zero, gain and harm.

    Parameters
    ----------
    levels, quantiles
        Probabilities and the values that the effect is below with them.
    chance
        P(effect > 0).
    gain, harm
        E[max(0, effect)] and E[max(0, −effect)], of the difference in the metric's unit: what keeping the control and
        what choosing the treatment would cost.
    """

    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    chance: float
    gain: float
    harm: float


Beta = tuple[float, float]


def beta_lift(control: Beta, treatment: Beta, *, levels: Sequence[float] = QUANTILES) -> Posterior:
    """The lift T/C − 1 of two Beta posteriors, each given by its a and b.

    >>> [round(value, 4) for value in beta_lift((1001, 9001), (1112, 8990)).quantiles]
    [0.0146, 0.0698, 0.0999, 0.131, 0.1926]
    """
    start = math.log(_mean(treatment) / _mean(control))
    scale = math.sqrt(_log_variance(control) + _log_variance(treatment))
    logarithms = _solve(lambda x: _ratio_cdf(control, treatment, x), levels, start=start, scale=scale)
    return _posterior(control, treatment, levels, np.expm1(logarithms))


def beta_difference(control: Beta, treatment: Beta, *, levels: Sequence[float] = QUANTILES) -> Posterior:
    """The difference T − C of two Beta posteriors.

    >>> round(beta_difference((1001, 9001), (1112, 8990)).chance, 6)
    0.989611
    """
    start = _mean(treatment) - _mean(control)
    scale = math.sqrt(_variance(control) + _variance(treatment))
    values = _solve(lambda x: _difference_cdf(control, treatment, x), levels, start=start, scale=scale)
    return _posterior(control, treatment, levels, values)


def normal_lift(
    control: Estimate, treatment: Estimate, *, levels: Sequence[float] = QUANTILES
) -> tuple[float, ...] | Missing:
    """Quantiles of the lift of normal posteriors: the limits of Fieller at each level.

    >>> [round(value, 4) for value in normal_lift(Estimate(10.0, 0.01, 500), Estimate(11.0, 0.01, 500))]
    [0.0713, 0.09, 0.1, 0.1101, 0.1296]
    """
    if abs(control.value) < FAR * control.standard_error:
        return Missing("not enough control data for a relative lift")
    effect = effect_of(control, treatment)
    found = []
    for level in levels:
        limits = fieller(effect, abs(float(ndtri(level))))
        if isinstance(limits, Missing):
            return limits
        found.append(limits.low if level < 0.5 else limits.high)
    return tuple(found)


def _posterior(control: Beta, treatment: Beta, levels: Sequence[float], values: Floats) -> Posterior:
    """What is asked of the difference, with the quantiles that were found."""
    up, gain = _gain(control, treatment)
    down, harm = _gain(treatment, control)
    return Posterior(tuple(levels), tuple(values.tolist()), chance=up / (up + down), gain=gain, harm=harm)


def _gain(control: Beta, treatment: Beta) -> tuple[float, float]:
    """P(T > C) and E[max(0, T − C)], by E[X; X > x] = E[X] P(Beta(a + 1, b) > x) for a Beta X."""
    narrow = _variance(control) <= _variance(treatment)
    x, mass = _rule(control if narrow else treatment)
    (a, b), tail = (treatment, betaincc) if narrow else (control, betainc)
    share, moment = tail(a, b, x), _mean((a, b)) * tail(a + 1, b, x)
    return float(mass @ share), max(float(mass @ (moment - x * share)) * (1 if narrow else -1), 0.0)


def _ratio_cdf(control: Beta, treatment: Beta, logarithms: Floats) -> Floats:
    """P(ln T − ln C <= x) for (m,) x."""
    factor = np.exp(logarithms)[:, None]
    if _log_variance(control) <= _log_variance(treatment):
        x, mass = _rule(control, below=1 / factor)
        inside = (betainc(*treatment, np.minimum(factor * x, 1.0)) * mass).sum(axis=1)
        return np.asarray(inside + betaincc(*control, np.minimum(1 / factor[:, 0], 1.0)))
    x, mass = _rule(treatment, below=factor)
    return np.asarray((betaincc(*control, np.minimum(x / factor, 1.0)) * mass).sum(axis=1))


def _difference_cdf(control: Beta, treatment: Beta, differences: Floats) -> Floats:
    """P(T − C <= x) for (m,) x."""
    d = differences[:, None]
    if _variance(control) <= _variance(treatment):
        x, mass = _rule(control, above=-d, below=1 - d)
        inside = (betainc(*treatment, np.clip(x + d, 0.0, 1.0)) * mass).sum(axis=1)
        return np.asarray(inside + betaincc(*control, np.clip(1 - d[:, 0], 0.0, 1.0)))
    x, mass = _rule(treatment, above=d, below=1 + d)
    inside = (betaincc(*control, np.clip(x - d, 0.0, 1.0)) * mass).sum(axis=1)
    return np.asarray(inside + betainc(*treatment, np.clip(d[:, 0], 0.0, 1.0)))


def _solve(cdf: Callable[[Floats], Floats], levels: Sequence[float], *, start: float, scale: float) -> Floats:
    """Where a distribution function reaches each level: secants in normal scores, where it is nearly a straight line.

    A step that leaves what is known to bracket the root is replaced by the middle of the bracket.
    """
    wanted = np.asarray(levels, dtype=np.float64)
    require(bool(np.all((wanted > 0) & (wanted < 1))), f"levels must be between 0 and 1, found {list(levels)}")
    target = ndtri(wanted)
    x, slope = start + scale * target, np.full(len(wanted), 1 / scale)
    low, high = np.full(len(wanted), -np.inf), np.full(len(wanted), np.inf)
    error = _scores(cdf(x)) - target
    for _ in range(80):
        low, high = np.where(error < 0, x, low), np.where(error > 0, x, high)
        step = x - error / slope
        middle = np.where(np.isfinite(low) & np.isfinite(high), (low + high) / 2, x - 2 * np.sign(error) * scale)
        following = np.where((step > low) & (step < high) & np.isfinite(step), step, middle)
        after = _scores(cdf(following)) - target
        moved = following != x
        change = np.divide(after - error, following - x, out=slope.copy(), where=moved)
        slope = np.where(change > 0, change, slope)
        x, error = np.where(error == 0, x, following), np.where(error == 0, error, after)
        if np.all(np.abs(error) < 1e-9) or not moved.any():
            break
    return np.asarray(x)


def _scores(probabilities: Floats) -> Floats:
    return np.asarray(ndtri(np.clip(probabilities, 1e-300, 1 - 1e-16)))


def _rule(posterior: Beta, *, above: float | Floats = 0.0, below: float | Floats = 1.0) -> tuple[Floats, Floats]:
    """Points and masses (n,) of a Beta posterior, or (m, n) between two (m, 1) bounds: Gauss-Legendre in log-odds.

    The bounds are where the other factor of an integrand has its corner, which no polynomial follows.
    """
    a, b = posterior
    left, right = (sign * float(logit(betaincinv(*pair, CUT))) for sign, pair in ((1, (a, b)), (-1, (b, a))))
    nodes, weights = _FEW if right - left < MANY else _PLENTY
    start = np.clip(logit(np.clip(above, 0.0, 1.0)), left, right)
    half = (np.clip(logit(np.clip(below, 0.0, 1.0)), start, right) - start) / 2
    t = start + half * (1 + nodes)
    log_x, log_rest = -np.logaddexp(0, -t), -np.logaddexp(0, t)
    return np.exp(log_x), weights * half * np.exp(a * log_x + b * log_rest - betaln(a, b))


def _mean(posterior: Beta) -> float:
    return posterior[0] / (posterior[0] + posterior[1])


def _variance(posterior: Beta) -> float:
    a, b = posterior
    return a * b / ((a + b) ** 2 * (a + b + 1))


def _log_variance(posterior: Beta) -> float:
    """The variance of the logarithm, about."""
    a, b = posterior
    return b / (a * (a + b))


MANY = 12.0
"""Log-odds; a posterior that is wider takes more nodes, since the logistic function has poles at ±iπ."""
_FEW, _PLENTY = np.polynomial.legendre.leggauss(48), np.polynomial.legendre.leggauss(320)
