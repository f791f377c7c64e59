"""What rows must be, before any is added."""

from __future__ import annotations

import numpy as np

from bandit.types import Floats, Ints
from bandit.validation import require


def check_shape(name: str, found: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise InvalidInput unless an array has the shape that the others have."""
    require(found == shape, f"{name} must have shape {shape}, found {found}")


def check_rows(chosen: Ints, p: Floats, **numbers: Floats) -> None:
    """Raise InvalidInput unless (..., n) choices are possible under (..., n, K) ``p``, and all numbers finite."""
    for name, array in {"p": p, **numbers}.items():
        require(bool(np.isfinite(array).all()), f"{name} must be finite numbers")
    arms = p.shape[-1]
    require(bool(((chosen >= 0) & (chosen < arms)).all()), f"chosen must be places below {arms}")
    require(bool((p >= 0).all()), "p must not be negative")
    own = np.take_along_axis(p, chosen[..., None], axis=-1)
    require(bool((own > 0).all()), "every chosen variant must have a probability above 0")
