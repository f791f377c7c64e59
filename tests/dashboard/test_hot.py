"""The hot path as a server sees it: every status, every header, and nothing that is a 500."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandit import policies
from dashboard.hot import HotPath
from experiments.access import APIKey, Scope
from experiments.definition import parse
from experiments.journal import Journal
from experiments.model import Experiment, State
from experiments.published import Catalog, PublishedExperiment
from experiments.secret import Secret
from experiments.service.requests import BODY_BYTES
from experiments.service.service import Service

ORIGIN = "https://shop.example"
KEYS = {
    "open": (Scope.SITE, ()),
    "bound": (Scope.SITE, (ORIGIN,)),
    "server": (Scope.SERVER, ()),
    "admin": (Scope.ADMIN, ()),
}
CHOOSE = b'{"experiment": "spring", "unit": "visitor"}'


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Calls a WSGI application as a server does."""

    application: HotPath
    journal: Journal

    def call(self, method: str, path: str, body: bytes = b"", *, query: str = "", **headers: str) -> Answer:
        """Send one request; headers in WSGI's spelling."""
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))} | headers
        setup_testing_defaults(environ)
        started: list[Any] = []
        chunks = self.application(environ, lambda *args: started.extend(args))
        return Answer(int(started[0].split()[0]), dict(started[1]), b"".join(chunks))

    def post(self, path: str, body: bytes, key: str | None = "open", **headers: str) -> Answer:
        """POST with a key."""
        return self.call("POST", path, body, **({"HTTP_AUTHORIZATION": f"Bearer {key}"} if key else {}) | headers)


def catalog(*keys: str) -> Catalog:
    """One running experiment, and those keys."""
    definition = parse({"key": "spring", "variants": [{"key": "a"}, {"key": "b"}], "metrics": [{"key": "purchase"}]})
    experiment = Experiment(1, definition, (0, 1), version=1, phase=1, state=State.RUNNING)
    blob = policies.create("thompson", arms=experiment.arms, exploration=0.2).to_bytes()
    found = tuple(APIKey(name, KEYS[name][0], sha256(name.encode()).hexdigest(), KEYS[name][1], 1) for name in keys)
    return Catalog((PublishedExperiment(experiment, blob, 1),), found, 7)


@pytest.fixture
def client(tmp_path: Path, clock: Any) -> Iterator[Client]:
    """A worker's application with every kind of key, and a teapot behind it."""
    journal = Journal(tmp_path, clock, timer=False)
    service = Service(Secret(b"a secret of more than thirty-two characters"), journal, clock=clock)
    service.swap(catalog(*KEYS))

    def teapot(environ: Any, start_response: Any) -> list[bytes]:
        start_response("418 I'm a teapot", [])
        return [b"pages"]

    yield Client(HotPath(service, teapot), journal)
    journal.close()


def test_a_choice_and_its_reward(client: Client) -> None:
    """The two calls of a site."""
    choice = client.post("/choose", CHOOSE)
    assert (choice.status, choice.headers["Content-Type"]) == (200, "application/json")
    assert set(choice.json) == {"decision", "experiment", "variant", "content", "probability", "policy", "reason"}
    assert choice.json["policy"] == {"name": "thompson", "version": 1}
    reward = client.post("/reward", json.dumps({"decision": choice.json["decision"], "metric": "purchase"}).encode())
    assert (reward.status, reward.json) == (202, {"status": "accepted"})


@pytest.mark.parametrize("path", ["/", "/choose/", "/experiments", "/chooses"])
def test_everything_else_falls_through(client: Client, path: str) -> None:
    """To Flask."""
    assert client.call("GET", path).status == 418


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"not json", 400, "not_json"),
        (b"\xff", 400, "not_json"),
        (b"", 400, "not_json"),
        (b"[]", 422, "invalid"),
        (b'{"experiment": "spring"}', 422, "invalid"),
        (b'{"experiment": "spring", "unit": "u", "nonsense": 1}', 422, "invalid"),
        (b'{"experiment": "spring", "unit": "u", "context": {"n": NaN}}', 422, "invalid"),
        (b'{"experiment": "spring", "unit": "u", "context": {"n": 1e400}}', 422, "invalid"),
        (b'{"experiment": "spring", "unit": "\\ud800"}', 422, "invalid"),
        (b'{"experiment": "spring", "unit": "\\u0000"}', 422, "invalid"),
        (b'{"experiment": "spring", "unit": "u", "context": {"\\ud800": []}}', 422, "invalid"),
        (b"[" * 60_000, 422, "invalid"),
        (b'{"experiment": "autumn", "unit": "u"}', 404, "not_found"),
        (b'{"experiment": "spring", "unit": "u", "preview": "a"}', 403, "forbidden"),
        (b" " * (BODY_BYTES + 1), 413, "too_large"),
        (b"[" * 10_000_000, 413, "too_large"),
    ],
)
def test_bad_bodies_have_a_status_and_one_shape(client: Client, body: bytes, status: int, code: str) -> None:
    """And leave nothing in the journal."""
    answer = client.post("/choose", body)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert set(answer.json["error"]) == {"code", "message", "hint"}
    assert all(isinstance(value, str) for value in answer.json["error"].values())


@pytest.mark.parametrize("length", ["", "x", str(10**30)])
def test_a_body_is_never_read_beyond_its_limit(client: Client, length: str) -> None:
    """Whatever it says of its length."""
    stream = io.BytesIO(b" " * 1_000_000)
    answer = client.post("/choose", b"", CONTENT_LENGTH=length, **{"wsgi.input": stream})
    assert answer.status == 413
    assert stream.tell() <= BODY_BYTES + 1


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 401),
        ({"HTTP_AUTHORIZATION": "Bearer nobody"}, "", 401),
        ({"HTTP_AUTHORIZATION": "Basic open"}, "", 401),
        ({"HTTP_AUTHORIZATION": "Bearer \xff"}, "", 401),
        ({}, "key=nobody", 401),
        ({}, "key=%FF%00", 401),
        ({}, "key=server", 403),
        ({}, "key=open", 200),
        ({"HTTP_X_API_KEY": "open"}, "", 200),
        ({"HTTP_AUTHORIZATION": "bearer server"}, "", 200),
        ({}, "&" * 1000, 401),
    ],
)
def test_keys(client: Client, headers: dict[str, str], query: str, status: int) -> None:
    """In a header, or in the address where it is publishable."""
    answer = client.call("POST", "/choose", CHOOSE, query=query, **headers)
    assert answer.status == status
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)


def test_the_scope_of_a_key_is_kept(client: Client) -> None:
    """Rewarding by unit and previewing are for secret keys."""
    by_unit = b'{"experiment": "spring", "unit": "visitor", "metric": "purchase"}'
    preview = CHOOSE[:-1] + b', "preview": "b"}'
    for key, statuses in {"open": (403, 403), "server": (202, 200), "admin": (202, 200)}.items():
        assert (client.post("/reward", by_unit, key).status, client.post("/choose", preview, key).status) == statuses


def test_a_key_that_is_gone_is_refused(client: Client) -> None:
    """With the next catalog."""
    assert client.post("/choose", CHOOSE).status == 200
    client.application._service.swap(catalog("server"))
    assert client.post("/choose", CHOOSE).status == 401


@pytest.mark.parametrize(
    ("key", "origin", "status"),
    [("open", "https://any.example", 200), ("bound", ORIGIN, 200), ("bound", "https://evil", 403)],
)
def test_browsers_read_answers_of_their_origins(client: Client, key: str, origin: str, status: int) -> None:
    """A key with origins is for those alone."""
    answer = client.post("/choose", CHOOSE, key, HTTP_ORIGIN=origin)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, "*")


def test_with_bound_keys_only_their_origins_are_named(client: Client) -> None:
    """In the answer to the preflight, too."""
    client.application._service.swap(catalog("bound"))
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        preflight = client.call("OPTIONS", "/reward", HTTP_ORIGIN=origin)
        assert preflight.status == 204
        assert preflight.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_other_methods_are_not_allowed(client: Client, method: str) -> None:
    """With what is."""
    answer = client.call(method, "/choose")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST, OPTIONS")


def test_a_full_disk_is_503_with_retry_after(client: Client) -> None:
    """Never a false answer."""
    client.journal.close()
    answer = client.post("/choose", CHOOSE)
    assert (answer.status, answer.headers["Retry-After"], answer.json["error"]["code"]) == (503, "1", "unavailable")


def test_a_mistake_of_ours_is_logged_and_shaped(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The visitor learns nothing of it."""
    monkeypatch.setattr(client.application._service, "choose", lambda *_, **__: 1 / 0)
    answer = client.post("/choose", CHOOSE)
    assert (answer.status, answer.json["error"]["code"]) == (500, "internal")
    assert b"division" not in answer.body


def test_what_machines_watch(client: Client, tmp_path: Path, clock: Any) -> None:
    """Alive, ready, and what was counted."""
    client.post("/choose", CHOOSE)
    client.post("/choose", b"")
    assert (client.call("GET", "/healthz").status, client.call("GET", "/readyz").status) == (200, 200)
    text = client.call("GET", "/metrics").body.decode()
    assert 'path="/choose",status="200"' in text
    assert 'path="/choose",status="400"' in text
    assert "landit_generation" in text
    empty = Service(Secret(b"x"), client.journal, clock=clock)
    assert Client(HotPath(empty, client.application), client.journal).call("GET", "/readyz").status == 503


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
fields = (
    "experiment",
    "unit",
    "context",
    "request_id",
    "previous",
    "variants",
    "preview",
    "metric",
    "value",
    "at",
    "id",
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=100)
    | st.dictionaries(st.sampled_from(fields), values).map(lambda body: json.dumps(body).encode())
)
def test_nothing_that_comes_in_is_answered_with_500(client: Client, body: bytes) -> None:
    """Neither by /choose nor by /reward."""
    for path in ("/choose", "/reward"):
        assert client.post(path, body, "server").status in {200, 202, 400, 403, 404, 422}
