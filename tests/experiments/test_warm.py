from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import bandit
from experiments import analysis, statistics
from experiments.service import draw
from experiments.warm import warm

SIMULATED = {
    "bandit.bench.plain_loop",
    "bandit.kernels.laplace.play",
    "bandit.kernels.sequence.inverses",
    "bandit.kernels.sequence.play",
}


def kernels() -> dict[str, Any]:
    """Every compiled function of the policies, the statistics, the analysis and the draw, by module and name."""
    modules = [
        import_module(module.name)
        for package in (bandit, statistics, analysis)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return {
        f"{module.__name__}.{name}": found
        for module in (*modules, draw)
        for name, found in vars(module).items()
        if hasattr(found, "signatures") and found.py_func.__module__ == module.__name__
    }


def test_what_python_calls_is_compiled() -> None:
    """After it every kernel is there, but for those that other kernels have in them and for those of simulations."""
    warm()
    found = kernels()
    parts = {part for kernel in found.values() for part in kernel.py_func.__code__.co_names}
    cold = {name for name, kernel in found.items() if not kernel.signatures and name.rpartition(".")[2] not in parts}
    assert cold <= SIMULATED
    assert len(found) > 50
