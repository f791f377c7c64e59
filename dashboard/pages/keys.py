"""Keys of the HTTP API: made, shown once, revoked."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.extension import store
from dashboard.guard import auth, names, passwords
from dashboard.guard.auth import allow
from experiments.access import Scope, UserRole
from experiments.errors import Conflict, Invalid

pages = Blueprint("keys", __name__, url_prefix="/keys")


@pages.get("")
@allow(UserRole.ADMIN)
def listing() -> ResponseReturnValue:
    """List all keys, revoked ones last."""
    return _page()


@pages.post("")
@allow(UserRole.ADMIN)
def create() -> ResponseReturnValue:
    """Make a key and show it, now and never again."""
    try:
        name = names.key_name(request.form.get("name", ""))
        scope = _scope(request.form.get("scope", ""))
        origins = names.origins(request.form.get("origins", "").replace(",", " ").split())
        key = f"landit_{scope}_{passwords.new_token()}"
        store().add_key(name, scope=scope, sha256=passwords.token_digest(key), origins=origins)
    except (Invalid, Conflict) as error:
        return make_response(_page(problem=error.message, hint=error.hint), error.status)
    store().audit(auth.caller(), "key.create", name, {"scope": scope.value})
    return _page(made=key, made_name=name)


@pages.post("/revoke")
@allow(UserRole.ADMIN)
def revoke() -> ResponseReturnValue:
    """Refuse a key from now on."""
    name = request.form.get("name", "")
    store().revoke_key(name)
    store().audit(auth.caller(), "key.revoke", name, {})
    flash(f"The key '{name}' is revoked; the servers refuse it within two seconds.", "good")
    return redirect(url_for("keys.listing"))


def _page(**extra: object) -> str:
    keys = sorted(store().keys(), key=lambda key: (key.revoked is not None, key.name))
    return render_template("keys.html", keys=keys, scopes=list(Scope), form=request.form, **extra)


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise Invalid(f"scope must be one of {', '.join(Scope)}, found {text[:40]!r}.") from None
