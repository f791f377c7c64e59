"""Who is asking, and may they: one guard before every view, which refuses whatever no view has allowed.

A view says who may call it with :func:`allow`. A browser carries a signed session (idle 30 minutes, 12 hours at most,
dead everywhere once its user signs out or sets a password) and a CSRF token with whatever changes something; a program
carries a key and no cookie.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_user
from flask_wtf.csrf import CSRFProtect

from dashboard.errors import wants_json
from dashboard.extension import landit, store
from dashboard.guard.passwords import token_digest
from experiments.access import APIKey, Scope, User, UserRole
from experiments.errors import Forbidden, NotFound, Unauthorized
from experiments.model import Micros

IDLE: Micros = 30 * 60 * 1_000_000
ABSOLUTE: Micros = 12 * 3600 * 1_000_000

View = TypeVar("View", bound=Callable[..., Any])
csrf = CSRFProtect()


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a view: anybody, people from a role on, keys of a scope on."""

    public: bool = False
    role: UserRole | None = None
    scope: Scope | None = None
    polled: bool = False
    """Asked for by scripts, so that it is no sign of a person at the keyboard."""


def allow(role: UserRole | None = None, *, scope: Scope | None = None, polled: bool = False) -> Callable[[View], View]:
    """Let people with ``role`` and keys with ``scope`` call the decorated view; neither: refuse everybody."""
    return _marked(Access(role=role, scope=scope, polled=polled))


def public(view: View) -> View:
    """Let anybody call the decorated view; what it changes still needs a CSRF token."""
    return _marked(Access(public=True))(view)


def access_of(app: Flask, endpoint: str) -> Access:
    """Return who may call an endpoint; nobody where its view does not say."""
    if endpoint == "static":
        return Access(public=True)
    access: Access = getattr(app.view_functions[endpoint], "access", Access())
    return access


def _marked(access: Access) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return mark


class Account(UserMixin):  # type: ignore[misc]
    """A signed-in person, as Flask-Login wants to see one."""

    def __init__(self, user: User) -> None:
        self.user = user

    def get_id(self) -> str:
        """Return what the session keeps of the person."""
        return self.user.email


def init(app: Flask) -> None:
    """Add sessions and the guard to the application."""
    csrf.init_app(app)
    manager = LoginManager(app)
    manager.user_loader(_load)
    manager.session_protection = None  # an address changes between train and office; idle and absolute limits stay
    app.before_request(guard)


def guard() -> ResponseReturnValue | None:
    """Refuse the request, send a person to sign in, or let it pass (None)."""
    g.user = g.key = None
    if request.endpoint is None:  # the router's own 404 or 405 follows
        return None
    access = access_of(current_app, request.endpoint)
    presented = _presented_key()
    if presented is not None:
        g.key = _require_key(presented, access)
        return None
    csrf.protect()
    return None if access.public else _require_person(access)


def sign_in(user: User) -> None:
    """Begin a session that shares nothing with the one before it."""
    session.clear()
    now = landit().clock()
    session.permanent = True
    session.update(since=now, seen=now, epoch=user.sessions)
    login_user(Account(user))


def sign_out() -> None:
    """End every session of the person who asks, in every browser."""
    store().end_sessions(person().email)
    session.clear()


def person() -> User:
    """Return the signed-in person of a view that asked for a role."""
    user: User | None = g.user
    if user is None:
        raise Unauthorized("Nobody is signed in.", hint="Sign in, or send a key.")
    return user


def caller() -> str:
    """Return who is asking, as the audit log names them."""
    key: APIKey | None = g.key
    return person().email if key is None else f"key:{key.name}"


def _presented_key() -> str | None:
    header = request.headers.get("Authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return request.headers.get("X-API-Key")


def _require_key(presented: str, access: Access) -> APIKey:
    digest = token_digest(presented).hex()
    found = [key for key in _live_keys() if hmac.compare_digest(key.sha256, digest)]
    if not found:
        raise Unauthorized("The key is unknown or revoked.", hint="Send one from the page 'Keys'.")
    if not access.public and (access.scope is None or not found[0].scope.covers(access.scope)):
        needed = f"a key of scope {access.scope}" if access.scope else "a signed-in person"
        raise Forbidden(f"A key of scope {found[0].scope} may not do this.", hint=f"It takes {needed}.")
    return found[0]


def _live_keys() -> Sequence[APIKey]:
    known = store().keys()
    return [key for key in known if key.revoked is None]


def _require_person(access: Access) -> ResponseReturnValue | None:
    if access.role is None:
        hint = f"Send 'Authorization: Bearer KEY' with a key of scope {access.scope}." if access.scope else ""
        raise Unauthorized("There is no key.", hint=hint)
    if not current_user.is_authenticated:
        return _to_sign_in()
    user: User = current_user.user
    g.user = user
    if not access.polled:
        session["seen"] = landit().clock()
    if not user.role.covers(access.role):
        raise Forbidden(f"Your role, {user.role}, may not do this.", hint=f"It takes the role {access.role}.")
    return None


def _to_sign_in() -> ResponseReturnValue:
    if wants_json() or request.method != "GET":
        raise Unauthorized("Nobody is signed in.", hint="Sign in again, or send a key.")
    return redirect(url_for("access.sign_in_form", next=request.full_path.rstrip("?")))


def _load(email: str) -> Account | None:
    now = landit().clock()
    since, seen = session.get("since", 0), session.get("seen", 0)
    if now - since > ABSOLUTE or now - seen > IDLE:
        return None
    try:
        user = store().user(email)
    except NotFound:
        return None
    return Account(user) if user.sessions == session.get("epoch") else None
