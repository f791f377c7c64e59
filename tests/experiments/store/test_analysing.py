"""The contract of analysis, on SQLite and on PostgreSQL."""

from __future__ import annotations

from tests.store.analysing import AnalysingContract


class TestAnalysing(AnalysingContract):
    """One state an experiment, and every proof once."""
