"""The contract of several metrics and of crossing over, on SQLite and on PostgreSQL."""

from __future__ import annotations

from tests.store.measuring import CrossingContract, MeasuringContract


class TestMeasuring(MeasuringContract):
    """Several metrics, each with its window."""


class TestCrossing(CrossingContract):
    """Units that are served another variant."""
