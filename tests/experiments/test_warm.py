from __future__ import annotations

from bandit import quadrature
from bandit.offpolicy import terms
from bandit.policies import linear
from experiments.service import draw
from experiments.warm import warm


def test_what_python_calls_is_compiled() -> None:
    """After it every kernel that a server or an evaluation calls is there."""
    warm()
    for module in (draw, linear, quadrature, terms):
        kernels = {name: found for name, found in vars(module).items() if hasattr(found, "signatures")}
        parts = {name for kernel in kernels.values() for name in kernel.py_func.__code__.co_names}
        assert [name for name, kernel in kernels.items() if not kernel.signatures and name not in parts] == []
        assert kernels
