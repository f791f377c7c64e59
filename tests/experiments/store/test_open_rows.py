"""The contract of open rows, on SQLite and on PostgreSQL."""

from __future__ import annotations

from tests.open_rows_contract import OpenRowsContract


class TestOpenRows(OpenRowsContract):
    """Open rows, delays, and what is served."""
