from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dashboard.commands import landit
from experiments.access import Scope, UserRole
from experiments.clock import system_clock
from experiments.keeper.place import store_url
from experiments.store import Store, migrate

BODY = {
    "key": "spring",
    "variants": [{"key": "a"}, {"key": "b"}],
    "metrics": [{"key": "sale", "window_seconds": 7200}],
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a migrated store, which every command finds by its variable."""
    for name in ("LANDIT_STORE", "LANDIT_URL", "LANDIT_PORT", "LANDIT_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANDIT_DATA", str(tmp_path))
    migrate(store_url(tmp_path))
    return tmp_path


def run(*command: str, text: str | None = None) -> Result:
    """Run a command."""
    return CliRunner().invoke(landit, list(command), input=text)


def answer(*command: str, text: str | None = None) -> dict[str, Any]:
    """Run a command with ``--json``; stdout is one JSON object and nothing else."""
    result = run(*command, "--json", text=text)
    assert result.exit_code == 0, result.output
    body: dict[str, Any] = json.loads(result.stdout)
    return body


def test_an_experiment_lives_on_the_command_line(data: Path) -> None:
    """Create, show, list, start, pause, resume, stop with a winner: each prints the experiment as it is then."""
    created = answer("experiment", "create", "-", text=json.dumps(BODY))
    assert (created["state"], created["version"], created["phase"]) == ("draft", 1, 1)
    assert "learns late" in created["warnings"][0]
    assert answer("experiment", "show", "spring")["variants"][0]["key"] == "a"
    assert [row["key"] for row in answer("experiment", "list")["experiments"]] == ["spring"]
    for command, state in (("start", "running"), ("pause", "paused"), ("start", "running")):
        assert answer("experiment", command, "spring")["state"] == state
    stopped = answer("experiment", "stop", "spring", "--winner", "b")
    assert (stopped["state"], stopped["winner"]) == ("stopped", "b")


def test_a_window_above_an_hour_is_warned_about(data: Path, tmp_path: Path) -> None:
    """Whoever defines a long reward window is told that the policy will learn late, and the draft is made."""
    file = tmp_path / "e.json"
    file.write_text(json.dumps(BODY))
    result = run("experiment", "create", str(file))
    assert result.exit_code == 0
    assert "learns late" in result.stderr


def test_a_key_is_shown_once_and_kept_as_its_hash(data: Path) -> None:
    """The store holds the SHA-256 of what was printed; a revoked key says so in the list."""
    made = answer("key", "add", "shop", "--scope", "site", "--origin", "https://shop.example")
    store = Store.open(store_url(data), clock=system_clock)
    (kept,) = store.keys()
    store.close()
    assert (kept.scope, kept.sha256) == (Scope.SITE, hashlib.sha256(made["key"].encode()).hexdigest())
    assert kept.origins == ("https://shop.example",)
    assert answer("key", "list")["keys"][0]["revoked"] is None
    answer("key", "revoke", "shop")
    assert answer("key", "list")["keys"][0]["revoked"] is not None
    assert made["key"] not in json.dumps(answer("key", "list"))


@pytest.mark.parametrize(
    "command",
    [
        ("key", "add", " ", "--scope", "site"),
        ("key", "add", "x" * 101, "--scope", "site"),
        ("key", "add", "a\u0007b", "--scope", "site"),
        ("key", "add", "shop", "--scope", "site", "--origin", "shop.example"),
        ("user", "add", "nobody", "--role", "viewer"),
        ("user", "add", "a b@example.com", "--role", "viewer"),
    ],
)
def test_names_that_the_pages_refuse_are_refused_here(data: Path, command: tuple[str, ...]) -> None:
    """One line that says what was found, and nothing is made."""
    result = run(*command)
    assert result.exit_code == 1
    assert "found" in result.stderr
    assert answer("key", "list")["keys"] == []


def test_an_address_is_kept_in_small_letters(data: Path) -> None:
    """However it was typed, it is one person."""
    assert answer("user", "add", "Ann@Example.com", "--role", "editor")["email"] == "ann@example.com"
    assert answer("user", "link", " ANN@example.com")["email"] == "ann@example.com"


def test_a_user_gets_a_link_that_works_once(data: Path) -> None:
    """The link's token is known to the store by its hash, for one use; another can be asked for."""
    added = answer("user", "add", "ann@example.com", "--role", "editor")
    assert (added["email"], added["role"]) == ("ann@example.com", "editor")
    again = answer("user", "link", "ann@example.com")
    store = Store.open(store_url(data), clock=system_clock)
    for link in (added["link"], again["link"]):
        token = link.removeprefix("http://127.0.0.1:8080/signin/")
        user = store.redeem_link(hashlib.sha256(token.encode()).digest(), system_clock())
        assert user.role is UserRole.EDITOR
    store.close()


@pytest.mark.parametrize(
    "command",
    [
        ("experiment", "show", "nowhere"),
        ("experiment", "create", "/no/such/file.json"),
        ("experiment", "start", "nowhere"),
        ("relearn", "nowhere"),
        ("key", "revoke", "nowhere"),
        ("user", "link", "nobody@example.com"),
        ("migrate", "--store", "mysql://h/d"),
        ("experiment", "list", "--data", "/no/such/folder"),
    ],
)
def test_a_refusal_is_one_line(data: Path, command: tuple[str, ...]) -> None:
    """What cannot be done is said in one line on stderr, with exit code 1 and nothing on stdout."""
    result = run(*command, "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("landit: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [("serve", "--port", "many"), ("key", "add", "x"), ("experiment", "fly")])
def test_wrong_usage_is_exit_code_two(data: Path, command: tuple[str, ...]) -> None:
    """A wrong flag, a missing one and an unknown command are wrong usage."""
    assert run(*command).exit_code == 2


def test_every_command_explains_itself() -> None:
    """Every command is where it is said to live, and has a help text."""
    names = landit.list_commands(None)  # type: ignore[arg-type]
    assert {"serve", "demo", "migrate", "experiment", "relearn", "evaluate", "user", "key", "bench"} <= set(names)
    for name in names:
        result = run(name, "--help")
        assert result.exit_code == 0
        assert len(result.output.splitlines()) > 3


def test_relearn_says_whether_it_matches(data: Path) -> None:
    """An experiment without a policy is refused; there is nothing to compare with."""
    answer("experiment", "create", "-", text=json.dumps(BODY))
    result = run("relearn", "spring")
    assert result.exit_code == 1
    assert "no policy version yet" in result.stderr
