"""Keys, people and the audit log."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dashboard.guard.passwords import token_digest
from experiments.access import Scope, UserRole
from experiments.store import Store


def test_a_key_is_shown_once_and_works(app: Any, admin: Any, kept: Store) -> None:
    """The page after making it holds it; no later page does; only its hash is stored."""
    page = admin.post("/keys", {"name": "shop", "scope": "admin", "origins": ""}).text
    found = re.search(r"landit_admin_[\w-]+", page)
    assert found is not None
    assert found[0] not in admin.get("/keys").text
    assert kept.keys()[0].sha256 == token_digest(found[0]).hex()
    headers = {"X-API-Key": found[0]}
    assert app.test_client().get("/api/experiments", headers=headers).status_code == 200
    assert admin.post("/keys/revoke", {"name": "shop"}).status_code == 302
    assert app.test_client().get("/api/experiments", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "scope": "site"},
        {"name": "x" * 101, "scope": "site"},
        {"name": "a\0b", "scope": "site"},
        {"name": "x", "scope": "root"},
        {"name": "x", "scope": "site", "origins": "http://[::1"},
        {"name": "x", "scope": "site", "origins": "www.example.com"},
        {"name": "x", "scope": "site", "origins": "https://www.example.com/path"},
    ],
)
def test_odd_keys_are_refused(admin: Any, kept: Store, form: dict[str, str]) -> None:
    """422 with what was wrong, and nothing is made."""
    assert admin.post("/keys", form).status_code == 422
    assert kept.keys() == []


def test_a_key_name_is_taken_once(admin: Any, kept: Store) -> None:
    """409 for the second one; origins are kept."""
    form = {"name": "site", "scope": "site", "origins": "https://a.example, http://b.example:8000"}
    assert admin.post("/keys", form).status_code == 200
    assert admin.post("/keys", form).status_code == 409
    assert kept.keys()[0].scope is Scope.SITE
    assert kept.keys()[0].origins == ("https://a.example", "http://b.example:8000")


def test_a_new_person_gets_a_link(admin: Any, anonymous: Any, kept: Store) -> None:
    """The link that is shown opens the door."""
    page = admin.post("/users", {"email": " New@Example.com", "role": "viewer"}).text
    found = re.search(r"http://127\.0\.0\.1:8080(/signin/[\w-]+)", page)
    assert found is not None
    assert kept.user("new@example.com").role is UserRole.VIEWER
    assert anonymous.post(found[1], {"password": "long enough 12", "repeated": "long enough 12"}).status_code == 302
    assert "http://127.0.0.1:8080/signin/" in admin.post("/users/link", {"email": "new@example.com"}).text


@pytest.mark.parametrize("email", ["", "nobody", "a b@example.com", "@example.com", "a@" + "x" * 260, "a@b\0"])
def test_odd_addresses_are_refused(admin: Any, kept: Store, email: str) -> None:
    """422, and nobody is added."""
    before = kept.users()
    assert admin.post("/users", {"email": email, "role": "viewer"}).status_code == 422
    assert admin.post("/users", {"email": "ok@example.com", "role": "god"}).status_code == 422
    assert kept.users() == before


def test_what_was_done_is_in_the_audit_log(admin: Any) -> None:
    """Who, what, of which thing."""
    admin.post("/keys", {"name": "shop", "scope": "server"})
    admin.post("/users", {"email": "new@example.com", "role": "editor"})
    page = admin.get("/audit").text
    for text in ("admin@example.com", "key create", "shop", "user create", "new@example.com"):
        assert text in page
