"""Whatever comes in: each kind of bad input has its status and its message, nothing is lost, nothing answers 500.

The requests go through the whole application of a worker: the hot path, and behind it the pages on a database.
"""

from __future__ import annotations

import base64
import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from werkzeug.test import Client as WSGIClient
from werkzeug.test import TestResponse

from bandit import policies
from dashboard.commands import landit
from dashboard.guard.passwords import hashed
from dashboard.hot import HotPath
from experiments.access import APIKey, Scope, UserRole
from experiments.definition import parse
from experiments.journal import Journal, read_lines
from experiments.model import Experiment, State
from experiments.published import Catalog, PublishedExperiment
from experiments.records import MarkRecord
from experiments.secret import Secret
from experiments.service.service import Service

GOOD: dict[str, Any] = {"experiment": "spring", "unit": "visitor"}


@dataclass(frozen=True)
class Site:
    """A worker's application, as a site with a key of every scope sees it."""

    client: WSGIClient
    service: Service
    journal: Path

    def post(self, path: str, body: bytes | dict[str, Any], key: str | None = "site") -> TestResponse:
        """POST with a key."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, data=raw, headers={"Authorization": f"Bearer {key}"} if key else {})

    def token(self, experiment: str = "spring") -> str:
        """The token of a new decision."""
        token: str = self.post("/choose", GOOD | {"experiment": experiment}).json["decision"]
        return token

    def logged(self) -> int:
        """How many records stand in the journal."""
        lines = [line for path in self.journal.glob("*.log") for line in read_lines(path).lines]
        return sum(not isinstance(line.record, MarkRecord) for line in lines)


def served(number: int, key: str, metric: dict[str, Any]) -> PublishedExperiment:
    """A running experiment with a policy."""
    definition = parse({"key": key, "variants": [{"key": "a"}, {"key": "b"}], "metrics": [metric]})
    experiment = Experiment(number, definition, (0, 1), version=1, phase=1, state=State.RUNNING)
    return PublishedExperiment(experiment, policies.create("thompson", arms=experiment.arms).to_bytes(), 1)


def publish(service: Service, *keys: str) -> None:
    """Two experiments, and those keys, each named as its scope."""
    found = tuple(APIKey(key, Scope(key), sha256(key.encode()).hexdigest(), (), 1) for key in keys)
    spring = served(1, "spring", {"key": "purchase"})
    autumn = served(2, "autumn", {"key": "price", "kind": "revenue", "max": 100})
    service.swap(Catalog((spring, autumn), found, 1))


@pytest.fixture
def site(app: Flask, tmp_path: Path, clock: Callable[[], int]) -> Iterator[Site]:
    """The application with its database behind the hot path."""
    journal = Journal(tmp_path / "journal", clock, timer=False)
    service = Service(Secret(b"a secret of more than thirty-two characters"), journal, clock=clock)
    publish(service, "site", "server")
    yield Site(WSGIClient(HotPath(service, app)), service, tmp_path / "journal")
    journal.close()


def refused(answer: TestResponse, status: int, words: str) -> None:
    """It is refused with that status, in the one shape, and its message says what was wrong."""
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    error = answer.json["error"]
    assert set(error) == {"code", "message", "hint"}
    assert words in error["message"]


CHOICES: dict[str, tuple[bytes | dict[str, Any], int, str]] = {
    "nothing": (b"", 400, "not JSON"),
    "no JSON": (b"experiment=spring", 400, "not JSON"),
    "bad UTF-8": (b'{"experiment": "\xff"}', 400, "not JSON"),
    "cut short": (b'{"experiment": "spring"', 400, "not JSON"),
    "a list": (b"[1]", 422, "body: Expected `object`"),
    "no experiment": ({"unit": "u"}, 422, "`experiment`"),
    "no unit": ({"experiment": "spring"}, 422, "unit: "),
    "an empty unit": (GOOD | {"unit": ""}, 422, "unit: "),
    "a unit that is a number": (GOOD | {"unit": 1}, 422, "unit: Expected `str"),
    "an endless unit": (GOOD | {"unit": "u" * 257}, 422, "unit: "),
    "an unknown field": (GOOD | {"units": 1}, 422, "unknown field `units`"),
    "an object in the context": (GOOD | {"context": {"d": {}}}, 422, "context.d: "),
    "a list of numbers": (GOOD | {"context": {"tags": [1]}}, 422, "context.tags"),
    "an endless text": (GOOD | {"context": {"d": "x" * 1025}}, 422, "context.d: "),
    "a whole number beyond 2^53": (GOOD | {"context": {"n": 2**53 + 1}}, 422, "context.n: "),
    "NaN": (b'{"experiment": "spring", "unit": "u", "context": {"n": NaN}}', 422, "context.n: NaN"),
    "Infinity": (b'{"experiment": "spring", "unit": "u", "context": {"n": -Infinity}}', 422, "context.n: -Inf"),
    "1e400": (b'{"experiment": "spring", "unit": "u", "context": {"n": 1e400}}', 422, "context.n: "),
    "NUL": (b'{"experiment": "spring", "unit": "a\\u0000b"}', 422, "unit: the text contains NUL"),
    "half a surrogate pair": (b'{"experiment": "spring", "unit": "\\udc00"}', 422, "half of a surrogate"),
    "101 attributes": (GOOD | {"context": {f"x{i}": 1 for i in range(101)}}, 422, "context: "),
    "100,000 keys": ({f"x{i}": 1 for i in range(100_000)}, 413, "larger than 65536 bytes"),
    "10 MB": (b" " * 10_000_000, 413, "larger than 65536 bytes"),
    "10^5 levels": (b'{"context":' + b"[" * 100_000, 413, "larger than 65536 bytes"),
    "as many levels as fit": (b'{"experiment": "s", "context": ' + b'{"a":' * 12_000, 422, "context"),
    "an unknown experiment": (GOOD | {"experiment": "winter"}, 404, "no experiment 'winter'"),
    "an unknown variant": (GOOD | {"variants": ["z"]}, 422, "no variant 'z'"),
    "no variant at all": (GOOD | {"variants": []}, 422, "variants: "),
    "a preview by anybody": (GOOD | {"preview": "a"}, 403, "a site key may not preview"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_bad_choices(site: Site, name: str) -> None:
    """Refused, and nothing is written."""
    body, status, words = CHOICES[name]
    refused(site.post("/choose", body), status, words)
    assert site.logged() == 0


REWARDS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no metric": ({}, 422, "`metric`"),
    "an unknown metric": ({"metric": "clicks"}, 422, "spring has no metric 'clicks'"),
    "another experiment's metric": ({"metric": "price"}, 422, "spring has no metric 'price'"),
    "another experiment": ({"metric": "purchase", "experiment": "autumn"}, 422, "belongs to 'spring'"),
    "a value below the range": ({"metric": "purchase", "value": -1}, 422, "-1 is outside the range 0 to 1"),
    "a value above the range": ({"metric": "purchase", "value": 1.5}, 422, "1.5 is outside the range 0 to 1"),
    "a value beyond all ranges": ({"metric": "purchase", "value": 1e308}, 422, "value: "),
    "a value that is a text": ({"metric": "purchase", "value": "1"}, 422, "value: Expected `float`"),
    "no value": ({"metric": "purchase", "value": None}, 422, "value: Expected `float`"),
    "an endless id": ({"metric": "purchase", "id": "x" * 129}, 422, "id: "),
    "a time without zone": ({"metric": "purchase", "at": "2026-11-22T10:00:00"}, 422, "at: "),
    "a decision and a unit": ({"metric": "purchase", "unit": "u"}, 422, "not both"),
}


@pytest.mark.parametrize("name", REWARDS)
def test_bad_rewards(site: Site, name: str) -> None:
    """Refused beside a good token, and only its decision is in the journal."""
    body, status, words = REWARDS[name]
    refused(site.post("/reward", {"decision": site.token()} | body), status, words)
    assert site.logged() == 1


def test_values_that_no_sum_could_hold(site: Site) -> None:
    """Not even in an experiment that sets its metric no limit; the greatest that is taken has a finite square."""
    site.service.swap(Catalog((served(1, "spring", {"key": "m", "kind": "revenue"}),), _keys(site), 2))
    refused(site.post("/reward", {"decision": site.token(), "metric": "m", "value": 1e16}), 422, "value: ")
    assert site.post("/reward", {"decision": site.token(), "metric": "m", "value": 1e15}).status_code == 202


def test_nobody_rewards_by_unit_but_servers(site: Site) -> None:
    """Nor without a decision at all."""
    body = {"experiment": "spring", "unit": "u", "metric": "purchase"}
    refused(site.post("/reward", body), 403, "rewards by decision only")
    refused(site.post("/reward", {"metric": "purchase"}), 422, "needs the token")
    refused(site.post("/reward", body | {"experiment": "winter"}, "server"), 404, "no experiment 'winter'")


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: token[:-1],
        lambda token: token[: len(token) // 2],
        lambda token: token + "A",
        lambda token: token + "=",
        lambda _: "",
        lambda _: "eyJhbGciOiJub25lIn0.e30.",
        lambda _: "é" * 100,
        lambda _: "A" * 1024,
        lambda token: flipped(token, 0),
        lambda token: flipped(token, 1),
        lambda token: flipped(token, 3),
        lambda token: flipped(token, 20),
        lambda token: flipped(token, -1),
    ],
)
def test_forged_and_truncated_tokens(site: Site, forge: Callable[[str], str]) -> None:
    """Are no tokens to /reward, and nothing to stay with for /choose."""
    token = forge(site.token())
    refused(site.post("/reward", {"decision": token, "metric": "purchase"}), 422, "not a token")
    assert site.post("/choose", GOOD | {"previous": token}).json["reason"] == "policy"


def flipped(token: str, position: int) -> str:
    """The token with one bit of one byte turned over."""
    raw = bytearray(base64.urlsafe_b64decode(token))
    raw[position] ^= 1
    return base64.urlsafe_b64encode(raw).decode()


def test_a_token_of_another_installation(site: Site, tmp_path: Path, clock: Callable[[], int]) -> None:
    """Whatever it says."""
    journal = Journal(tmp_path / "other", clock, timer=False)
    service = Service(Secret(b"another secret of more than 32 characters"), journal, clock=clock)
    publish(service, "site")
    theirs = Site(WSGIClient(HotPath(service, site.client.application)), service, tmp_path / "other").token()
    journal.close()
    refused(site.post("/reward", {"decision": theirs, "metric": "purchase"}), 422, "not a token")


@pytest.mark.parametrize("path", ["/choose", "/reward"])
def test_missing_foreign_and_revoked_keys(site: Site, path: str) -> None:
    """401, whatever the body is."""
    refused(site.post(path, b"", None), 401, "there is no API key")
    refused(site.post(path, b"\xff", "foreign"), 401, "unknown or revoked")
    publish(site.service, "server")
    refused(site.post(path, GOOD), 401, "unknown or revoked")
    assert site.logged() == 0


def test_a_full_disk(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, never a false answer; what was acknowledged before stays."""
    token = site.token()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("experiments.journal.write", full)
        for path, body in (("/choose", GOOD), ("/reward", {"decision": token, "metric": "purchase"})):
            answer = site.post(path, body)
            refused(answer, 503, "journal cannot be written")
            assert answer.headers["Retry-After"]
    assert site.logged() == 1


# -- what stands behind the hot path -----------------------------------------------------------------------------------

ODD = ("x", "%00", "%FF%FE", "..%2F..%2Fetc%2Fpasswd", "'%20OR%201=1--", "<script>", "a" * 5000, "%F0%9F%92%A9")


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", ["/experiments/{}/report.json", "/decisions/{}", "/api/experiments/{}", "/static/{}"])
def test_odd_addresses(
    site: Site, experiment: Experiment, key_headers: Callable[[Scope], dict[str, str]], place: str, odd: str
) -> None:
    """Are not found, or are no tokens; none is a mistake of ours."""
    answer = site.client.get(place.format(odd), headers=key_headers(Scope.ADMIN), query_string=f"q={odd}")
    assert answer.status_code in {404, 422}
    assert place.startswith("/static") or set(answer.json) == {"error"}


@pytest.mark.parametrize(
    ("method", "path", "raw", "status", "words"),
    [
        ("POST", "", b"[" * 100_000, 400, "not JSON"),
        ("POST", "", b"\xff", 400, "not JSON"),
        ("POST", "", b"[]", 422, "must be an object"),
        ("POST", "", b'{"key": "k", "key ": 1}', 422, ""),
        ("POST", "", b'{"key": "new\\n", "variants": [{"key": "a"}], "metrics": [{"key": "m"}]}', 422, "key: "),
        ("POST", "", b'{"variants": [{"key": "a", "weight": 1e308}]}', 422, ""),
        ("POST", "", b" " * 5_000_000, 413, ""),
        ("PUT", "/spring", b'{"version": "1"}', 422, "version: must be the whole number"),
        ("PUT", "/spring", b'{"version": 1e400}', 400, "out of range"),
        ("POST", "/spring/explode", b"", 404, "'explode'"),
        ("POST", "/spring/stop", b'{"winner": 1}', 422, "winner"),
        ("POST", "/spring/archive", b"", 409, ""),
    ],
)
def test_bad_calls_of_the_admin_api(
    site: Site,
    experiment: Experiment,
    key_headers: Callable[[Scope], dict[str, str]],
    method: str,
    path: str,
    raw: bytes,
    status: int,
    words: str,
) -> None:
    """Refused in the same shape as on the hot path."""
    answer = site.client.open(f"/api/experiments{path}", method=method, data=raw, headers=key_headers(Scope.ADMIN))
    refused(answer, status, words)


@pytest.mark.parametrize("cookie", ["x", ".e30.x.y", "eyJfdXNlcl9pZCI6MX0.aaaaaa.bbbb", "é", '"', "=" * 4000])
def test_odd_cookies_sign_nobody_in(site: Site, cookie: str) -> None:
    """And send whoever has them to the door."""
    answer = site.client.get("/experiments", headers={"Cookie": f"landit={cookie}; remember_token=a|b"})
    assert (answer.status_code, answer.location) == (302, "/signin?next=/experiments")


@pytest.mark.parametrize(
    "name", ["variants-" + "9" * 5000 + "-key", "variants--key", "variants-x-key", "param-", "action"]
)
def test_odd_fields_of_a_form(editor: Any, name: str) -> None:
    """The page comes back with what is wrong."""
    assert editor.post("/new", {name: "x", "metrics-0-window": "1e308", "traffic": "nan"}).status_code == 422


@pytest.mark.parametrize(
    "target", ["//[", "/a\r\nSet-Cookie: x=1", "//evil.example", "/\\evil.example", "https://e", "\0"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(anonymous: Any, kept: Any, target: str) -> None:
    """An address that is none of ours is forgotten."""
    kept.add_user("ann@example.com", role=UserRole.VIEWER)
    kept.set_password("ann@example.com", hashed("a password to guess"))
    form = {"email": "ann@example.com", "password": "a password to guess", "next": target}
    answer = anonymous.post("/signin", form)
    assert (answer.status_code, answer.location) == (302, "/experiments")


# -- the command line --------------------------------------------------------------------------------------------------

BYTES = "\udcff"
"""How Python shows a byte of an argument that is no UTF-8."""


@pytest.mark.parametrize(
    "command",
    [
        ("experiment", "show", BYTES),
        ("experiment", "show", "'; DROP TABLE users; --"),
        ("experiment", "create", "/dev/null"),
        ("experiment", "create", "/nowhere"),
        ("user", "link", BYTES),
        ("key", "revoke", BYTES),
        ("relearn", BYTES),
        ("evaluate", f"store:{BYTES}", "--target", "uniform"),
        ("evaluate", "csv:/dev/null", "--target", "uniform"),
        ("evaluate", "nonsense", "--target", "uniform"),
        ("experiment", "list", "--store", "nonsense"),
        ("experiment", "list", "--store", "sqlite:////nowhere/landit.db"),
        ("experiment", "list", "--store", f"sqlite:///{BYTES}"),
        ("experiment", "list", "--store", "postgresql://u:hidden@[::1/x"),
    ],
)
def test_bad_commands(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    """Exit code 1 and one line without a traceback or a password; with --json nothing else on stdout."""
    monkeypatch.setenv("LANDIT_STORE", sqlite_url)
    result = CliRunner().invoke(landit, [*command, "--json"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("landit: ")
    assert len(result.stderr.splitlines()) == 1
    assert "hidden" not in result.stderr


def _keys(site: Site) -> tuple[APIKey, ...]:
    return (APIKey("site", Scope.SITE, sha256(b"site").hexdigest(), (), 1),)
