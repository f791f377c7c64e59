"""The marketer's pages. Each module is one group of them; ``filters`` formats, ``templates/`` lays out.

A page shows numbers that a report holds and changes things that the store keeps; it computes nothing itself.
"""

from __future__ import annotations

from flask import Blueprint, Flask, g, redirect, url_for
from flask.typing import ResponseReturnValue

from dashboard import assets
from dashboard.guard.auth import allow
from dashboard.pages import (
    access,
    charts_script,
    editor,
    experiments,
    filters,
    keys,
    lifecycle,
    plan,
    results,
    trail,
    users,
)
from experiments.access import UserRole

home = Blueprint("home", __name__)


@home.get("/")
@allow(UserRole.VIEWER)
def index() -> ResponseReturnValue:
    """Send people to where they work."""
    return redirect(url_for("experiments.listing"))


def init(app: Flask) -> None:
    """Register every group of pages, and what all templates use."""
    for blueprint in (
        home,
        access.pages,
        charts_script.pages,
        experiments.pages,
        editor.pages,
        lifecycle.pages,
        results.pages,
        plan.pages,
        keys.pages,
        users.pages,
        trail.pages,
    ):
        app.register_blueprint(blueprint)
    app.jinja_env.filters.update(filters.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(_shared)

    @app.template_global()
    def asset(name: str) -> str:
        """Return the address of a static file, which changes with its content."""
        return url_for("static", filename=name, v=assets.static_digest(str(app.static_folder), name))


def _shared() -> dict[str, object]:
    user = g.get("user")
    return {
        "user": user,
        "may_edit": user is not None and user.role.covers(UserRole.EDITOR),
        "may_administer": user is not None and user.role.covers(UserRole.ADMIN),
    }
