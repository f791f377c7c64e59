"""A walk over every route: who may call it is decided, refused where it must be, and reading changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.guard.auth import Access, access_of
from experiments.access import Scope, UserRole
from experiments.model import Experiment
from experiments.store import Store

ARGUMENTS = {"key": "spring", "token": "x", "move": "start", "decision": "0" * 32, "digest": "0", "filename": "copy.js"}
MUTATING = {"POST", "PUT", "PATCH", "DELETE"}


def routes(app: Flask) -> Iterator[tuple[str, str, Access]]:
    """Address, method and permission of everything that can be called."""
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            path = adapter.build(rule.endpoint, {name: ARGUMENTS[name] for name in rule.arguments})
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield path, method, access_of(app, rule.endpoint)


def call(client: FlaskClient, method: str, path: str, **options: Any) -> TestResponse:
    """Call a route with an empty body."""
    return client.open(path, method=method, buffered=True, **options)


def test_every_route_says_who_may_call_it(app: Flask) -> None:
    """A view without a permission would refuse everybody: there is none."""
    undecided = [path for path, _, access in routes(app) if access == Access()]
    assert undecided == []
    assert len(list(routes(app))) > 25


def test_mutating_routes_refuse_without_a_csrf_token(
    app: Flask, browser_of: Callable[[UserRole], Any], experiment: Experiment
) -> None:
    """An administrator's session alone changes nothing: 403 without the token, 401 where only keys may call."""
    client = browser_of(UserRole.ADMIN).client
    walked = [(path, method) for path, method, _ in routes(app) if method in MUTATING]
    for path, method in walked:
        answer = call(client, method, path)
        assert answer.status_code == 403, (path, answer.status_code)
        assert "could not be trusted" in answer.text
    assert len(walked) > 10


def test_mutating_routes_refuse_a_role_that_is_too_small(
    app: Flask, browser_of: Callable[[UserRole], Any], experiment: Experiment
) -> None:
    """With a token, each role is refused whatever is above it."""
    for role in (UserRole.VIEWER, UserRole.EDITOR):
        browser = browser_of(role)
        token = browser.token()
        for path, method, access in routes(app):
            if access.role is not None and not role.covers(access.role):
                answer = call(browser.client, method, path, headers={"X-CSRFToken": token})
                assert answer.status_code == 403, (role, path)
                assert "may not do this" in answer.text


def test_nobody_gets_in_without_signing_in(app: Flask, experiment: Experiment) -> None:
    """Without a session or a key every route that is not public answers 401, 403, or sends people to sign in."""
    client = app.test_client()
    for path, method, access in routes(app):
        if not access.public:
            answer = call(client, method, path)
            assert answer.status_code in {302, 401, 403}, path
            if answer.status_code == 302:
                assert answer.location.startswith("/signin?next=")


@pytest.mark.parametrize("scope", list(Scope))
def test_keys_open_what_their_scope_covers(
    app: Flask, scope: Scope, key_headers: Callable[[Scope], dict[str, str]], experiment: Experiment
) -> None:
    """The whole matrix of routes and scopes: 403 exactly where the scope does not cover the route."""
    headers, client = key_headers(scope), app.test_client()
    for path, method, access in routes(app):
        opens = access.public or (access.scope is not None and scope.covers(access.scope))
        answer = call(client, method, path, headers=headers)
        assert (answer.status_code != 403) == opens, (path, method, answer.status_code)


def test_get_changes_nothing(app: Flask, kept: Store, admin: Any, experiment: Experiment) -> None:
    """Opening every page leaves experiments, versions, users, keys and the audit log as they were."""

    def state() -> tuple[object, ...]:
        return (kept.versions("spring"), kept.users(), kept.keys(), kept.audit_log(1000))

    before = state()
    for path, method, _ in routes(app):
        if method == "GET":
            assert admin.get(path).status_code < 500, path
    assert state() == before


def test_every_answer_carries_the_strict_headers(app: Flask, admin: Any, experiment: Experiment) -> None:
    """No inline script or style, no frame, no sniffing: on pages, JSON, files and errors alike."""
    for path in ("/signin", "/experiments/spring", "/openapi.json", "/static/copy.js", "/nothing", "/api/experiments"):
        headers = admin.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


def test_pages_hold_no_inline_code(app: Flask, admin: Any, experiment: Experiment) -> None:
    """No event handler, style attribute or executable inline script: the policy would refuse them."""
    for path, method, access in routes(app):
        if method != "GET" or (access.scope is not None and access.role is None):
            continue
        page = admin.get(path)
        if page.content_type.startswith("text/html"):
            assert " style=" not in page.text, path
            assert " onclick=" not in page.text, path
            for script in page.text.split("<script")[1:]:
                assert " src=" in script.split(">")[0] or 'type="application/json"' in script.split(">")[0], path
