"""All policies keep the contract, and all policies are found."""

from __future__ import annotations

import hashlib
import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import bandit.policies
from bandit import policies, registry
from bandit.features import Schema
from bandit.policy import Policy
from bandit.types import Arms, Batch
from bandit.validation import InvalidInput
from tests.policy_contract import PolicyContract


def discovered() -> dict[str, type[Policy]]:
    """Every concrete policy in any module of the package."""
    found = {}
    for module in pkgutil.iter_modules(bandit.policies.__path__, "bandit.policies."):
        for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
            if issubclass(kind, Policy) and not inspect.isabstract(kind) and hasattr(kind, "name"):
                found[kind.name] = kind
    return found


KINDS = discovered()


def test_all_policies_are_found():
    """Discovery and the registry agree on the thirty-four: a contract over an empty list would prove nothing."""
    assert len(KINDS) == 34
    assert dict(registry.REGISTRY) == KINDS
    assert registry.names() == list(registry.REGISTRY)


def test_every_policy_is_documented():
    """Each says what it is for, where it comes from, and what its parameters do."""
    for kind in KINDS.values():
        assert kind.__doc__
        assert kind.name == "fixed" or "Reference" in kind.__doc__
        assert registry.parameters(kind.name) == kind.parameters


def test_unknown_policies_are_refused():
    """The message lists what there is."""
    with pytest.raises(InvalidInput, match="thompson_normal"):
        policies.create("ucb", arms=Arms(("a",)))


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request):
    """One policy after another."""
    return KINDS[request.param]


class TestContract(PolicyContract):
    """The contract, over every policy."""


def fingerprints() -> str:
    """A digest of what every policy makes of the same rows."""
    rng = np.random.default_rng(5)
    n = 30
    batch = Batch(
        contexts=rng.normal(size=(n, 2)),
        arms=rng.integers(0, 3, n),
        rewards=rng.integers(0, 2, n).astype(np.float64),
        distributions=np.full((n, 3), 1 / 3),
        times=np.zeros(n, dtype=np.int64),
        weights=np.ones(n),
    )
    digest = hashlib.sha256()
    for name in registry.names():
        policy = policies.create(name, arms=Arms(("a", "b", "c")), schema=Schema.numeric(2))
        policy.learn(batch)
        digest.update(policy.to_bytes())
        digest.update(policy.distribution(batch.contexts[:3]).tobytes())
    return digest.hexdigest()


def test_two_processes_agree():
    """The same rows give the same bytes and answers in another process, whatever its hash seed."""
    source = "import tests.bandit.test_policies as t; print(t.fingerprints())"
    other = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprints()
