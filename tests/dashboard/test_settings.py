from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.settings import Durability, Settings, settings, table
from experiments.errors import Invalid

ROOT = Path(__file__).parents[2]


def test_defaults_need_nothing_installed() -> None:
    """Without flags and variables, everything lives under the data folder."""
    read = Settings.read({})
    assert read.data == Path.cwd() / "landit-data"
    assert read.store == f"sqlite:///{read.data}/landit.db"
    assert read.url == "http://127.0.0.1:8080"
    assert read.durability is Durability.PROCESS


def test_a_flag_wins_over_the_environment() -> None:
    """A flag wins over a variable, a variable over the default, and an empty variable is none."""
    env = {"LANDIT_PORT": "9000", "LANDIT_WORKERS": "2", "LANDIT_HOST": ""}
    read = Settings.read(env, port="9001", workers=None)
    assert (read.port, read.workers, read.host) == (9001, 2, "127.0.0.1")


def test_the_address_of_an_ipv6_host_has_brackets() -> None:
    """An IPv6 host is written into the address as a browser needs it."""
    assert Settings.read({}, host="::1").url == "http://[::1]:8080"


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "0"), ("port", "many"), ("workers", "-1"), ("durability", "eventually"), ("host", "a\0b")],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    """A value that does not parse is refused with its setting, itself and what to do."""
    with pytest.raises(Invalid, match=name) as refused:
        Settings.read({f"LANDIT_{name.upper()}": value})
    assert repr(value) in str(refused.value)
    assert refused.value.hint


def test_children_read_the_same_settings() -> None:
    """What a supervisor hands to its children is read as the same settings."""
    read = Settings.read({}, data="/srv/landit", secret="x" * 40, durability="fsync", url="https://land.it/")
    assert Settings.read(read.environment()) == read


def test_secrets_are_not_shown() -> None:
    """Neither the secret nor a database password stands in a log by accident."""
    shown = repr(Settings.read({"LANDIT_SECRET": "planted-secret" * 4, "LANDIT_STORE": "postgresql://u:planted@h/d"}))
    assert "planted" not in shown


def test_every_setting_is_documented() -> None:
    """docs/settings.md holds the table of all settings, as the code has it."""
    assert table() in (ROOT / "docs" / "settings.md").read_text()
    assert all(item.help.endswith(".") for item in settings())
