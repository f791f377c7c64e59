"""The store's contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

from tests.store_contract import (
    AccessContract,
    ExperimentsContract,
    LeadershipContract,
    RowsContract,
    ShippingContract,
)


class TestExperiments(ExperimentsContract):
    """Experiments, versions, phases and states."""


class TestShipping(ShippingContract):
    """Records come in exactly once."""


class TestRows(RowsContract):
    """Analysis rows."""


class TestLeadership(LeadershipContract):
    """One leader, and what it commits."""


class TestAccess(AccessContract):
    """Users, links, keys, the trail and the secret."""
