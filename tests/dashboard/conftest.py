"""An application on a database of its own, people of every role, and browsers that keep their session."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from werkzeug.test import TestResponse

from dashboard.app import create_app
from dashboard.guard.passwords import token_digest
from dashboard.settings import Settings
from experiments.access import Scope, UserRole
from experiments.definition import parse
from experiments.model import Experiment
from experiments.store import Store

DEFINITION: dict[str, Any] = {
    "key": "spring",
    "name": "Spring landing page",
    "variants": [
        {"key": "a", "name": "Today's page", "control": True, "content": {"headline": "Hello"}},
        {"key": "b", "name": "Bold", "content": {"headline": "Hey!", "button": "Go", "layout": {"wide": True}}},
    ],
    "metrics": [{"key": "purchase", "window_seconds": 1800}],
}


class Browser:
    """A person with a browser: keeps cookies, and sends the CSRF token that the pages gave it."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self._token = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, buffered=True, **options)

    def post(self, path: str, form: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form."""
        answer = self.client.post(path, data={"csrf_token": self._token or self.token(), **(form or {})}, **options)
        if path.startswith(("/signin", "/signout", "/password")):
            self._token = ""  # another session, another token
        return answer

    def token(self) -> str:
        """The CSRF token of any page with a form."""
        page = self.client.get("/signin")
        found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert found is not None
        self._token = found[1]
        return self._token


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    """Settings on a migrated SQLite file."""
    return Settings.read({}, data=tmp_path, store=sqlite_url)


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Templates that an earlier test compiled."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def app(settings: Settings, clock: Callable[[], int], compiled_templates: FileSystemBytecodeCache) -> Iterator[Flask]:
    """The application."""
    built = create_app(settings, clock=clock)
    built.jinja_env.bytecode_cache = compiled_templates
    yield built
    built.extensions["landit"].close()


@pytest.fixture
def kept(app: Flask) -> Store:
    """The application's store."""
    store: Store = app.extensions["landit"].store
    return store


@pytest.fixture
def anonymous(app: Flask) -> Browser:
    """A browser in which nobody is signed in."""
    return Browser(app.test_client())


@pytest.fixture
def browser_of(app: Flask, kept: Store, clock: Callable[[], int]) -> Callable[[UserRole], Browser]:
    """A function from a role to a browser in which somebody of that role is signed in."""

    def signed_in(role: UserRole) -> Browser:
        user = kept.add_user(f"{role}@example.com", role=role)
        client = app.test_client()
        with client.session_transaction() as session:
            session.update(_user_id=user.email, since=clock(), seen=clock(), epoch=user.sessions)
        return Browser(client)

    return signed_in


@pytest.fixture
def editor(browser_of: Callable[[UserRole], Browser]) -> Browser:
    """An editor's browser."""
    return browser_of(UserRole.EDITOR)


@pytest.fixture
def admin(browser_of: Callable[[UserRole], Browser]) -> Browser:
    """An administrator's browser."""
    return browser_of(UserRole.ADMIN)


@pytest.fixture
def body() -> dict[str, Any]:
    """The JSON of an experiment, to be changed by the test."""
    return deepcopy(DEFINITION)


@pytest.fixture
def experiment(kept: Store, body: dict[str, Any]) -> Experiment:
    """A draft in the store."""
    return kept.create_experiment(parse(body), by="test")


@pytest.fixture
def key_headers(kept: Store) -> Callable[[Scope], dict[str, str]]:
    """A function from a scope to the headers of a new key of that scope."""

    def headers(scope: Scope) -> dict[str, str]:
        key = f"key-of-{scope}"
        kept.add_key(f"{scope}", scope=scope, sha256=token_digest(key))
        return {"Authorization": f"Bearer {key}"}

    return headers
