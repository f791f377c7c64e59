"""Policies by name: make a cold one, or read one back from its bytes."""

from __future__ import annotations

from typing import Any

from bandit.features import Schema
from bandit.policy import Policy
from bandit.registry import missing, policy_class
from bandit.serialization import unpack
from bandit.types import Arms
from bandit.validation import InvalidInput, require

__all__ = ["create", "from_bytes"]


def create(name: str, *, arms: Arms, schema: Schema | None = None, exploration: float = 0.0, **params: Any) -> Policy:
    """Return a policy that has learned nothing.

    Raises
    ------
    InvalidInput
        For an unknown name or parameter, or one out of its range, and where the library that the policy learns with
        is not installed; :func:`from_bytes` needs none.

    >>> create("fixed", arms=Arms(("a", "b"), weights=(3.0, 1.0))).distribution().tolist()
    [[0.75, 0.25]]
    """
    lacking = missing(name)
    require(lacking is None, f"the policy {name} needs {lacking}")
    return policy_class(name)(arms=arms, schema=schema, exploration=exploration, **params)


def from_bytes(blob: bytes) -> Policy:
    """Return the policy whose :meth:`~bandit.policy.Policy.to_bytes` this is.

    Raises
    ------
    InvalidInput
        For bytes that are damaged, or that no policy wrote.
    """
    header, arrays = unpack(blob)
    name = header.get("policy")
    if not isinstance(name, str):
        raise InvalidInput(f"a policy's header must name it, found {name!r}")
    return policy_class(name).restore(header, arrays)
