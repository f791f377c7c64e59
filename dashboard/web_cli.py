"""The commands that belong to the web: serving, the demo, users, keys and benchmarks."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from dashboard.guard import names
from dashboard.settings import Setting, Settings, settings
from experiments.access import APIKey, Scope, UserRole
from experiments.cli.console import json_option, opened, show, show_rows, store_options
from experiments.errors import Invalid

if TYPE_CHECKING:
    from experiments.store import Store

BY = "command line"
_ROLES = click.Choice([role.value for role in UserRole])
_SCOPES = click.Choice([scope.value for scope in Scope])


def setting_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of these settings, of all if none is named; it gets their values by name."""

    def wrap(command: Callable[..., Any]) -> Callable[..., Any]:
        for item in reversed(settings()):
            if item.flag is not None and (not names or item.name in names):
                text = f"{item.help} [default: {item.shown}; env: {item.variable}]".replace("`", "")
                command = click.option(item.flag, item.name, callback=_checked(item), help=text)(command)
        return command

    return wrap


def _checked(item: Setting) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A wrong flag is wrong usage; a wrong variable is refused later, when the settings are read."""

    def check(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else item.parse(value)
        except Invalid as error:
            raise click.BadParameter(str(error)) from error

    return check


@click.command("serve")
@setting_options()
def serve_command(**flags: str | None) -> None:
    """Serve visitors and the dashboard until interrupted."""
    from dashboard.server.serve import serve  # with it comes the server, which no other command needs

    serve(Settings.read(os.environ, **flags))


@click.group("user")
def user_group() -> None:
    """Let people in."""


@user_group.command("add")
@click.argument("email")
@click.option("--role", type=_ROLES, required=True, help="What they may do.")
@setting_options("store", "data", "url", "host", "port")
@json_option
def add_user_command(email: str, role: str, as_json: bool, **flags: str | None) -> None:
    """Add a person; prints a link that signs them in once, within 24 hours."""
    from dashboard.server.doorstep import sign_in_link

    read = Settings.read(os.environ, **flags)
    with opened(read.store) as store:
        user = store.add_user(names.email(email), role=UserRole(role))
        store.audit(BY, "user.add", user.email, {"role": role})
        link = sign_in_link(store, user.email, url=read.url)
    show({"email": user.email, "role": user.role.value, "link": link}, as_json=as_json)


@user_group.command("link")
@click.argument("email")
@setting_options("store", "data", "url", "host", "port")
@json_option
def link_user_command(email: str, as_json: bool, **flags: str | None) -> None:
    """Print a new one-time link for a person who lost theirs, or their password."""
    from dashboard.server.doorstep import sign_in_link

    read = Settings.read(os.environ, **flags)
    with opened(read.store) as store:
        user = store.user(names.email(email))
        store.audit(BY, "user.link", user.email, {})
        link = sign_in_link(store, user.email, url=read.url)
    show({"email": user.email, "role": user.role.value, "link": link}, as_json=as_json)


@click.group("key")
def key_group() -> None:
    """Make and revoke the keys of the HTTP API."""


@key_group.command("add")
@click.argument("name")
@click.option("--scope", type=_SCOPES, required=True, help="site is publishable; server and admin are secret.")
@click.option("--origin", "origins", multiple=True, help="Origin that may use a site key; repeatable, any by default.")
@store_options
@json_option
def add_key_command(store: Store, name: str, scope: str, origins: tuple[str, ...], as_json: bool) -> None:
    """Make a key; it is shown now and never again."""
    key = f"landit_{scope}_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(key.encode()).digest()
    made = store.add_key(names.key_name(name), scope=Scope(scope), sha256=digest, origins=names.origins(origins))
    store.audit(BY, "key.add", made.name, {"scope": scope, "origins": list(made.origins)})
    show({"name": made.name, "scope": scope, "key": key}, as_json=as_json)


@key_group.command("list")
@store_options
@json_option
def list_keys_command(store: Store, as_json: bool) -> None:
    """List all keys, revoked ones included; never the keys themselves."""
    keys = store.keys()
    rows = [_described(key) for key in keys]
    show_rows("keys", rows, columns=("name", "scope", "origins", "created", "revoked"), as_json=as_json)


@key_group.command("revoke")
@click.argument("name")
@store_options
@json_option
def revoke_key_command(store: Store, name: str, as_json: bool) -> None:
    """Refuse key NAME from now on."""
    store.revoke_key(name)
    store.audit(BY, "key.revoke", name, {})
    show({"name": name, "revoked": True}, as_json=as_json)


def _described(key: APIKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "scope": key.scope.value,
        "origins": ", ".join(key.origins),
        "created": _readable(key.created),
        "revoked": None if key.revoked is None else _readable(key.revoked),
    }


def _readable(time: int) -> str:
    return datetime.fromtimestamp(time // 1_000_000, UTC).isoformat().replace("+00:00", "Z")


@click.group("bench")
def bench_group() -> None:
    """Measure speed, each thing beside its floor or its peer in the same run."""


@bench_group.command("choose")
@click.option("--seconds", type=click.IntRange(min=1), default=2, show_default=True, help="Of load, each round.")
@json_option
def bench_choose_command(seconds: int, as_json: bool) -> None:
    """Measure ``/choose`` and ``/reward`` beside a no-op under the same server."""
    from dashboard.bench.choose import bench_choose  # each benchmark brings what it measures, and only that

    show(bench_choose(seconds=seconds), as_json=as_json)


@bench_group.command("policy")
@json_option
def bench_policy_command(as_json: bool) -> None:
    """Measure how fast policies choose and learn, beside their peers where those are installed."""
    from bandit.bench import bench_policy

    _show_bench(bench_policy(), as_json=as_json)


@bench_group.command("offline")
@json_option
def bench_offline_command(as_json: bool) -> None:
    """Measure how fast logs are read and evaluated."""
    from experiments.bench.offline import bench_offline

    _show_bench(bench_offline(), as_json=as_json)


@bench_group.command("report")
@json_option
def bench_report_command(as_json: bool) -> None:
    """Measure how long the report of a large experiment takes."""
    from experiments.bench.report import bench_report

    _show_bench(bench_report(), as_json=as_json)


def _show_bench(body: dict[str, Any], *, as_json: bool) -> None:
    rows = body["rows"]
    show_rows("rows", rows, columns=tuple(rows[0]), as_json=as_json)
