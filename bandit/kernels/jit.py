"""The one door to numba: compiled on first use, kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile ``function`` when it is first called; results do not depend on the order of its sums (no fast-math).

    The machine code is cached beside the source, else in the user's cache directory. Where neither can be written,
    as in a read-only container, each process compiles anew.
    """
    return _compiled(function)


def long_kernel(function: F) -> F:
    """Compile ``function`` as :func:`kernel` does, and let other threads run while it does.

    For what takes far longer than handing the interpreter over and getting it back, which may take milliseconds.
    """
    return _compiled(function, nogil=True)


def _compiled(function: F, **options: Any) -> F:
    try:
        return cast("F", numba.njit(cache=True, error_model="numpy", **options)(function))
    except RuntimeError:  # numba's "no locator available": there is nowhere to write
        return cast("F", numba.njit(error_model="numpy", **options)(function))


def plain(array: npt.NDArray[Any], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Return ``array`` as kernels know it; one that is strided or read-only would have each compiled anew."""
    return array if array.flags.carray and array.dtype == dtype else np.array(array, dtype=dtype, order="C")
