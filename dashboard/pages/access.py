"""Sign in, by password or one-time link; choose a password; sign out."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.extension import landit, store
from dashboard.guard import auth, passwords
from dashboard.guard.auth import allow, public
from experiments.access import User, UserRole
from experiments.errors import Invalid, NotFound

pages = Blueprint("access", __name__)

LONGEST_EMAIL = 254
"""Characters of an address that are looked at (RFC 5321): failures are counted under it, in memory."""
WRONG = "This address and password do not belong together."


@pages.get("/signin")
@public
def sign_in_form() -> ResponseReturnValue:
    """Ask for address and password."""
    return render_template("access/sign_in.html", next=request.args.get("next", ""))


@pages.post("/signin")
@public
def sign_in() -> ResponseReturnValue:
    """Begin a session, or say that the pair is wrong and never which half of it."""
    email, password = request.form.get("email", "").strip().lower()[:LONGEST_EMAIL], request.form.get("password", "")
    address = request.remote_addr or ""
    throttle = landit().throttle
    wait = throttle.wait(account=email, address=address)
    if wait > 0:
        return _refused(429, f"Too many attempts. Try again in {wait} seconds.", email, wait=wait)
    user = _user_or_none(email)
    if not passwords.matches(user.password if user else None, password[: passwords.MOST + 1]) or user is None:
        throttle.failed(account=email, address=address)
        return _refused(401, WRONG, email)
    throttle.succeeded(account=email)
    auth.sign_in(user)
    store().audit(user.email, "user.sign_in", user.email, {})
    return redirect(_local(request.form.get("next", "")))


@pages.get("/signin/<token>")
@public
def link_form(token: str) -> ResponseReturnValue:
    """Ask whoever holds a one-time link for a password; opening the link does not use it up."""
    return render_template("access/set_password.html", token=token, least=passwords.LEAST)


@pages.post("/signin/<token>")
@public
def use_link(token: str) -> ResponseReturnValue:
    """Use the link up, set the password and begin a session."""
    try:
        chosen = passwords.check_new(request.form.get("password", ""), request.form.get("repeated", ""))
        user = store().redeem_link(passwords.token_digest(token), landit().clock())
    except (Invalid, NotFound) as error:
        page = render_template(
            "access/set_password.html", token=token, least=passwords.LEAST, problem=error.message, hint=error.hint
        )
        return make_response(page, error.status)
    _keep(user, chosen)
    landit().throttle.succeeded(account=user.email)
    flash("Your password is set. Welcome to Landit.", "good")
    return redirect(url_for("experiments.listing"))


@pages.get("/password")
@allow(UserRole.VIEWER)
def password_form() -> ResponseReturnValue:
    """Ask for the present and a new password."""
    return render_template("access/password.html", least=passwords.LEAST)


@pages.post("/password")
@allow(UserRole.VIEWER)
def change_password() -> ResponseReturnValue:
    """Set another password; all other sessions end."""
    user = auth.person()
    try:
        if not passwords.matches(user.password, request.form.get("present", "")[: passwords.MOST + 1]):
            raise Invalid("The present password is not right.", hint="Type the one that you signed in with.")
        chosen = passwords.check_new(request.form.get("password", ""), request.form.get("repeated", ""))
    except Invalid as error:
        page = render_template("access/password.html", least=passwords.LEAST, problem=error.message, hint=error.hint)
        return make_response(page, error.status)
    _keep(user, chosen)
    flash("Your password is changed, and you are signed out everywhere else.", "good")
    return redirect(url_for("experiments.listing"))


@pages.post("/signout")
@allow(UserRole.VIEWER)
def sign_out() -> ResponseReturnValue:
    """End all sessions of this person."""
    store().audit(auth.person().email, "user.sign_out", auth.person().email, {})
    auth.sign_out()
    return redirect(url_for("access.sign_in_form"))


def _keep(user: User, chosen: str) -> None:
    store().set_password(user.email, passwords.hashed(chosen))
    store().audit(user.email, "user.set_password", user.email, {})
    auth.sign_in(store().user(user.email))


def _user_or_none(email: str) -> User | None:
    try:
        return store().user(email)
    except NotFound:
        return None


def _refused(status: int, problem: str, email: str, *, wait: int = 0) -> ResponseReturnValue:
    page = render_template("access/sign_in.html", problem=problem, email=email, next=request.form.get("next", ""))
    response = make_response(page, status)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response


def _local(target: str) -> str:
    """Where to go after signing in: only ever a path of ours, which begins with one slash and holds nothing odd."""
    ours = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if ours else url_for("experiments.listing")
