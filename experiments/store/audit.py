"""The audit trail: who did what to which thing, written in the transaction that did it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert

from experiments.model import Micros
from experiments.store.codec import to_json
from experiments.tables import AuditLog


def write_audit(
    connection: Connection, time: Micros, by: str, action: str, subject: str, detail: Mapping[str, Any]
) -> None:
    """Append an entry to the trail."""
    text = to_json(detail)
    row = {"time": time, "by": by, "action": action, "subject": subject, "detail": text}
    connection.execute(insert(AuditLog), row)
