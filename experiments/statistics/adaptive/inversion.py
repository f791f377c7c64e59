"""Limits of lifts and ratios: all φ that the sequence of N - φ D does not refute, compiled.

That is { φ : (Σ N - φ Σ D)² <= (V(φ) + η(φ)) ln((V(φ) + η(φ)) / (η(φ) a²)) }, an interval around Σ N/Σ D wherever Σ D
is itself told from zero; else it has no ends and nothing is shown (Fieller, JRSS B 16, 1954). Exactly as valid as the
sequence of a difference: no delta method.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from bandit.kernels.jit import long_kernel
from bandit.types import Floats

_DOUBLINGS: Final = 200
_STEPS: Final = 60
_EXACT: Final = 1e-12


@long_kernel
def invert(first: Floats, second: Floats, forms: Floats, tune: float, level: float, limits: Floats) -> None:
    """Write (2, m) limits of φ; not-a-number where there are none.

    Parameters
    ----------
    first, second
        (m,) Σ N and Σ D.
    forms
        (m, 4, 3) coefficients of the three bounds of V, then of η.
    tune
        n*/τ(a), by which the last form is multiplied.
    level
        a.
    """
    for i in range(len(first)):
        limits[0, i] = limits[1, i] = np.nan
        top, bottom, form = first[i], second[i], forms[i]
        if bottom > 0 and _bounded(bottom, form, tune, level):
            middle = top / bottom
            v, eta = _variance(middle, form, tune)
            if v + eta > 0 and eta > 0:
                step = math.sqrt(v + eta) / bottom
                limits[0, i] = _end(middle, -step, top, bottom, form, tune, level)
                limits[1, i] = _end(middle, step, top, bottom, form, tune, level)


@long_kernel
def _form(phi: float, form: Floats) -> float:
    return max(float(form[0] - 2 * phi * form[1] + phi * phi * form[2]), 0.0)


@long_kernel
def _variance(phi: float, form: Floats, tune: float) -> tuple[float, float]:
    v = max(_form(phi, form[0]), _form(phi, form[1]), _form(phi, form[2]))
    return v, tune * _form(phi, form[3])


@long_kernel
def _beyond(gap: float, v: float, eta: float, level: float) -> float:
    """How far the squared sum is above its boundary; below or at 0, φ is not refuted."""
    if not eta > 0:
        return -1.0
    return gap * gap - (v + eta) * math.log((v + eta) / (eta * level * level))


@long_kernel
def _bounded(bottom: float, form: Floats, tune: float, level: float) -> bool:
    """Whether Σ D is told from zero: the leading coefficients, as φ grows."""
    v, eta = max(form[0, 2], form[1, 2], form[2, 2]), tune * form[3, 2]
    if not eta > 0:
        return bool(v <= 0)  # a constant denominator
    return _beyond(bottom, v, eta, level) > 0


@long_kernel
def _end(middle: float, step: float, top: float, bottom: float, form: Floats, tune: float, level: float) -> float:
    """The first refuted φ from the middle on: the step is doubled until one is refuted, then the root is found."""
    v, eta = _variance(middle, form, tune)
    inner, below = middle, _beyond(top - middle * bottom, v, eta, level)
    outer, above = middle, below
    for _ in range(_DOUBLINGS):
        outer = middle + step
        v, eta = _variance(outer, form, tune)
        above = _beyond(top - outer * bottom, v, eta, level)
        if above > 0:
            break
        inner, below, step = outer, above, 2 * step
    if not above > 0 or not math.isfinite(above):
        return np.nan
    return _root(inner, below, outer, above, middle, top, bottom, form, tune, level)


@long_kernel
def _root(
    inner: float,
    below: float,
    outer: float,
    above: float,
    middle: float,
    top: float,
    bottom: float,
    form: Floats,
    tune: float,
    level: float,
) -> float:
    """The root between a φ that is kept and one that is refuted: false position, a stuck end halved (Illinois)."""
    side, last = 0, outer
    phi = outer
    for _ in range(_STEPS):
        phi = (inner * above - outer * below) / (above - below)
        v, eta = _variance(phi, form, tune)
        value = _beyond(top - phi * bottom, v, eta, level)
        if value > 0:
            outer, above = phi, value
            below = 0.5 * below if side > 0 else below
            side = 1
        else:
            inner, below = phi, value
            above = 0.5 * above if side < 0 else above
            side = -1
        if abs(phi - last) <= _EXACT * abs(phi - middle):
            break
        last = phi
    return phi
