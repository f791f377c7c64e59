"""People who may sign in: add one with a one-time link, or send a new link."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from dashboard.extension import landit, store
from dashboard.guard import auth, names, passwords
from dashboard.guard.auth import allow
from experiments.access import UserRole
from experiments.errors import Conflict, Invalid

pages = Blueprint("users", __name__, url_prefix="/users")


@pages.get("")
@allow(UserRole.ADMIN)
def listing() -> ResponseReturnValue:
    """List everybody."""
    return _page()


@pages.post("")
@allow(UserRole.ADMIN)
def create() -> ResponseReturnValue:
    """Add a person and show the link with which they set their password."""
    try:
        email = names.email(request.form.get("email", ""))
        role = _role(request.form.get("role", ""))
        store().add_user(email, role=role)
    except (Invalid, Conflict) as error:
        return make_response(_page(problem=error.message, hint=error.hint), error.status)
    store().audit(auth.caller(), "user.create", email, {"role": role.value})
    return _page(link=_new_link(email), link_email=email)


@pages.post("/link")
@allow(UserRole.ADMIN)
def link() -> ResponseReturnValue:
    """Make a new one-time link for somebody who lost a password."""
    email = store().user(request.form.get("email", "")).email
    store().audit(auth.caller(), "user.link", email, {})
    return _page(link=_new_link(email), link_email=email)


def _page(**extra: object) -> str:
    return render_template("users.html", users=store().users(), roles=list(UserRole), form=request.form, **extra)


def _new_link(email: str) -> str:
    token = passwords.new_token()
    expires = landit().clock() + passwords.LINK_SECONDS * 1_000_000
    store().create_login_link(email, passwords.token_digest(token), expires)
    return f"{landit().settings.url}/signin/{token}"


def _role(text: str) -> UserRole:
    try:
        return UserRole(text)
    except ValueError:
        raise Invalid(f"role must be one of {', '.join(UserRole)}, found {text[:40]!r}.") from None
