"""The audit log: who changed what, and when."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from dashboard.extension import store
from dashboard.guard.auth import allow
from experiments.access import UserRole

pages = Blueprint("trail", __name__)

SHOWN = 200


@pages.get("/audit")
@allow(UserRole.ADMIN)
def listing() -> ResponseReturnValue:
    """Show the newest entries."""
    return render_template("audit.html", entries=store().audit_log(SHOWN), shown=SHOWN)
