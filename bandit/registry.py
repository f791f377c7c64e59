"""Names to policies. A family's module, and the library behind it, is loaded when the name is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec

from bandit.parameters import Parameter
from bandit.policy import Policy
from bandit.validation import InvalidInput

__all__ = ["REGISTRY", "Parameter", "missing", "names", "parameters", "policy_class"]

_HOMES = {
    "fixed": "fixed:Fixed",
    "thompson": "thompson:Thompson",
    "thompson_normal": "thompson:ThompsonNormal",
    "epsilon_greedy": "greedy:EpsilonGreedy",
    "ucb1": "ucb:UCB1",
    "kl_ucb": "ucb:KLUCB",
    "softmax": "softmax:Softmax",
    "exp3_ix": "exp3:Exp3IX",
    "thompson_count": "thompson:ThompsonCount",
    "top_two_thompson": "thompson:TopTwoThompson",
    "linucb": "linear:LinUCB",
    "linear_thompson": "linear:LinearThompson",
    "linear_epsilon_greedy": "linear:LinearEpsilonGreedy",
    "linear_squarecb": "linear:LinearSquareCB",
    "logistic_ucb": "logistic:LogisticUCB",
    "logistic_thompson": "logistic:LogisticThompson",
    "neural_linear": "neural:NeuralLinear",
    "hybrid_logistic_ucb": "hybrid_logistic:HybridLogisticUCB",
    "hybrid_logistic_thompson": "hybrid_logistic:HybridLogisticThompson",
    "fourier_linucb": "fourier:FourierLinUCB",
    "fourier_thompson": "fourier:FourierThompson",
    "fourier_logistic_ucb": "fourier:FourierLogisticUCB",
    "fourier_logistic_thompson": "fourier:FourierLogisticThompson",
    "hybrid_linucb": "hybrid:HybridLinUCB",
    "hybrid_thompson": "hybrid:HybridThompson",
    "hybrid_epsilon_greedy": "hybrid:HybridEpsilonGreedy",
    "hybrid_squarecb": "hybrid:HybridSquareCB",
    "ensemble": "ensemble:Ensemble",
    "auto": "auto:Auto",
    "vw_squarecb": "vowpal:SquareCB",
    "vw_epsilon": "vowpal:Epsilon",
    "vw_bag": "vowpal:Bag",
    "vw_cover": "vowpal:Cover",
    "vw_softmax": "vowpal:Softmax",
}

_LIBRARIES = {"neural_linear": ("sklearn", "scikit-learn, the extra landit[neural]")}
"""Optional libraries that a policy learns with: the module, and what to install."""


class _Registry(Mapping[str, type[Policy]]):
    """All policies by name."""

    def __getitem__(self, name: str) -> type[Policy]:
        module, _, class_name = _HOMES[name].partition(":")
        found: type[Policy] = getattr(import_module(f"bandit.policies.{module}"), class_name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


REGISTRY: Mapping[str, type[Policy]] = _Registry()


def names() -> list[str]:
    """Return the names of all policies, the plainest first."""
    return list(REGISTRY)


def policy_class(name: str) -> type[Policy]:
    """Return the class of that name.

    Raises
    ------
    InvalidInput
        For a name that no policy has.
    """
    if name not in _HOMES:
        raise InvalidInput(f"policy must be one of {', '.join(_HOMES)}, found {name!r}")
    return REGISTRY[name]


def parameters(name: str) -> tuple[Parameter, ...]:
    """Return what the policy of that name can be told."""
    return policy_class(name).parameters


def missing(name: str) -> str | None:
    """Return what must be installed before the policy of that name can learn; None where nothing is missing.

    >>> missing("linucb") is None
    True
    """
    module, what = _LIBRARIES.get(name, (None, ""))
    return None if module is None or find_spec(module) is not None else what
