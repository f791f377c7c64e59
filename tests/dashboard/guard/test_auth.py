"""Sessions, passwords and one-time links."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher, Type
from flask import Flask

from dashboard.app import create_app
from dashboard.guard import passwords
from dashboard.guard.auth import ABSOLUTE, IDLE
from dashboard.settings import Settings
from experiments.access import UserRole
from experiments.errors import Invalid
from experiments.store import Store

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost little: these tests are about who gets in."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    passwords._decoy.cache_clear()


@pytest.fixture
def ann(kept: Store) -> str:
    """Somebody with a password."""
    kept.add_user("ann@example.com", role=UserRole.VIEWER)
    kept.set_password("ann@example.com", passwords.hashed(PASSWORD))
    return "ann@example.com"


def test_passwords_are_expensive_to_guess() -> None:
    """The parameters in force outside of tests: argon2id with at least 64 MiB and three passes (RFC 9106, §4)."""
    hasher = PasswordHasher()
    assert hasher.type is Type.ID
    assert (hasher.memory_cost, hasher.time_cost) >= (65_536, 3)


def sign_in(browser: Any, email: str, password: str, **form: str) -> Any:
    """Send the sign-in form."""
    return browser.post("/signin", {"email": email, "password": password, **form})


def test_a_password_begins_a_session(anonymous: Any, ann: str) -> None:
    """Address and password lead to the experiments, whatever the case of the address."""
    answer = sign_in(anonymous, "Ann@Example.com ", PASSWORD)
    assert (answer.status_code, answer.location) == (302, "/experiments")
    assert anonymous.get("/experiments").status_code == 200


def test_a_wrong_password_and_an_unknown_address_look_the_same(anonymous: Any, ann: str) -> None:
    """Nobody learns which addresses are known."""
    wrong, unknown = sign_in(anonymous, ann, "wrong"), sign_in(anonymous, "bob@example.com", "wrong")
    assert wrong.status_code == unknown.status_code == 401
    strip = ("ann@example.com", "bob@example.com")
    pages = [page.text.replace(strip[0], "").replace(strip[1], "") for page in (wrong, unknown)]
    tokens = [page.partition('name="csrf_token" value="')[2].partition('"')[0] for page in pages]
    assert pages[0].replace(tokens[0], "") == pages[1].replace(tokens[1], "")


def test_guessing_is_slowed_down_and_nobody_is_locked_out(anonymous: Any, ann: str, clock: Any) -> None:
    """After ten failures even the right password waits, for half a minute."""
    for _ in range(10):
        assert sign_in(anonymous, ann, "wrong").status_code == 401
    refused = sign_in(anonymous, ann, PASSWORD)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) == 30
    clock.sleep(30)
    assert sign_in(anonymous, ann, PASSWORD).status_code == 302


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_never_leads_elsewhere(anonymous: Any, ann: str, target: str) -> None:
    """``next`` is a path of ours or nothing."""
    assert sign_in(anonymous, ann, PASSWORD, next=target).location == "/experiments"


def test_signing_in_leads_back(anonymous: Any, ann: str) -> None:
    """Somebody who was sent to sign in returns to where they wanted to go."""
    asked = anonymous.get("/experiments?archived=1")
    assert asked.location == "/signin?next=/experiments?archived%3D1"
    assert sign_in(anonymous, ann, PASSWORD, next="/experiments?archived=1").location == "/experiments?archived=1"


def test_a_session_is_rotated_at_sign_in(app: Flask, anonymous: Any, ann: str) -> None:
    """What was planted in a browser before it signed in is gone afterwards."""
    with anonymous.client.session_transaction() as session:
        session["planted"] = "by somebody else"
        session["csrf_token"] = "0" * 40
    sign_in(anonymous, ann, PASSWORD)
    with anonymous.client.session_transaction() as session:
        assert "planted" not in session
        assert session.get("csrf_token") != "0" * 40


def test_an_idle_session_ends(editor: Any, clock: Any) -> None:
    """Thirty minutes without a request; the page that refreshes itself is no sign of life."""
    clock.sleep(IDLE / 1e6 - 1)
    assert editor.get("/experiments").status_code == 200
    for _ in range(2):
        clock.sleep(IDLE / 1e6 - 600)
        editor.get("/experiments/spring/live")
    assert editor.get("/experiments").status_code == 302


def test_no_session_outlives_twelve_hours(editor: Any, clock: Any) -> None:
    """However busy it is."""
    for _ in range(int(ABSOLUTE / IDLE)):
        assert editor.get("/experiments").status_code == 200
        clock.sleep(IDLE / 1e6)
    clock.sleep(1)
    assert editor.get("/experiments").status_code == 302


def test_signing_out_ends_every_session_of_a_person(app: Flask, anonymous: Any, ann: str) -> None:
    """A copied cookie is dead after its owner signed out."""
    sign_in(anonymous, ann, PASSWORD)
    stolen = app.test_client()
    stolen.set_cookie("landit", anonymous.client.get_cookie("landit").value)
    assert stolen.get("/experiments").status_code == 200
    assert anonymous.post("/signout").location == "/signin"
    assert stolen.get("/experiments").status_code == 302


def test_a_one_time_link_sets_a_password_once(app: Flask, anonymous: Any, kept: Store, clock: Any) -> None:
    """Opening the link uses nothing up; sending a password does."""
    kept.add_user("new@example.com", role=UserRole.EDITOR)
    kept.create_login_link("new@example.com", passwords.token_digest("secret-link"), clock() + 1_000_000)
    assert anonymous.get("/signin/secret-link").status_code == 200
    form = {"password": PASSWORD, "repeated": PASSWORD}
    assert anonymous.post("/signin/secret-link", {"password": "short", "repeated": "short"}).status_code == 422
    assert anonymous.post("/signin/secret-link", form).location == "/experiments"
    assert anonymous.get("/new").status_code == 200
    assert anonymous.post("/signin/secret-link", form).status_code == 404
    assert passwords.matches(kept.user("new@example.com").password, PASSWORD)


def test_an_expired_link_is_refused(anonymous: Any, kept: Store, clock: Any) -> None:
    """After its time it is as if it had never been."""
    kept.add_user("new@example.com", role=UserRole.EDITOR)
    kept.create_login_link("new@example.com", passwords.token_digest("late"), clock() + 1_000_000)
    clock.sleep(2)
    assert anonymous.post("/signin/late", {"password": PASSWORD, "repeated": PASSWORD}).status_code == 404


def test_changing_the_password_needs_the_present_one(anonymous: Any, kept: Store, ann: str) -> None:
    """A stolen session cannot take the account over."""
    sign_in(anonymous, ann, PASSWORD)
    form = {"present": "wrong", "password": "another long one", "repeated": "another long one"}
    assert anonymous.post("/password", form).status_code == 422
    assert anonymous.post("/password", form | {"present": PASSWORD}).status_code == 302
    assert anonymous.get("/experiments").status_code == 200
    assert passwords.matches(kept.user(ann).password, "another long one")


def test_cookies_are_secure_where_the_address_is_https(settings: Settings, sqlite_url: str) -> None:
    """``__Host-``, Secure, HttpOnly and SameSite=Lax under https; only the first two go under http."""
    safe = create_app(Settings.read({}, data=settings.data, store=sqlite_url, url="https://landit.example"))
    for built, secure in ((safe, True), (create_app(settings), False)):
        cookie = built.test_client().get("/signin").headers["Set-Cookie"]
        assert cookie.startswith("__Host-landit=" if secure else "landit=")
        assert ("Secure" in cookie) == secure
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie


@pytest.mark.parametrize(("password", "repeated"), [("short", "short"), ("x" * 201, "x" * 201), ("a" * 12, "b" * 12)])
def test_weak_or_mistyped_passwords_are_refused(password: str, repeated: str) -> None:
    """Too short, too long, not the same twice."""
    with pytest.raises(Invalid):
        passwords.check_new(password, repeated)


def test_secrets_stay_out_of_the_log(
    app: Flask, anonymous: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect in the middle of signing in is logged without what was typed, and answered without details."""

    def defect(email: str) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(app.extensions["landit"].store, "user", defect)
    answer = sign_in(anonymous, "ann@example.com", "planted-password-1")
    assert answer.status_code == 500
    assert "planted" not in answer.text
    assert "RuntimeError" in caplog.text
    assert "planted-password-1" not in caplog.text
