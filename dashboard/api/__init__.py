"""The admin API: what the dashboard can do, for programs. Keys only, never cookies: no page can forge a call."""

from __future__ import annotations

from flask import Flask

from dashboard.api import decisions, description, experiments


def init(app: Flask) -> None:
    """Register every group of calls."""
    for blueprint in (experiments.api, decisions.api, description.api):
        app.register_blueprint(blueprint)
