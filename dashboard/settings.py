"""Every setting: its name, default and help; a flag, an environment variable, read once.

A flag wins over the environment, the environment over the default. ``docs/settings.md`` holds :func:`table`; a test
sees to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from experiments.errors import Invalid
from experiments.keeper.place import DEFAULT_DATA, store_url


class Durability(StrEnum):
    """What an acknowledged decision survives: the death of every process, or the loss of power too."""

    PROCESS = "process"
    FSYNC = "fsync"


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain NUL")
    return value


def _between(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if not least <= number <= most:
            raise ValueError(f"must be from {least} to {most}")
        return number

    return parse


@dataclass(frozen=True, kw_only=True)
class About:
    """What a setting is for, how its text becomes a value, and its default in words where the value says nothing."""

    help: str
    parse: Callable[[str], Any] = _text
    shown: str | None = None
    flag: bool = True


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an installation may be told. :meth:`read` fills in the defaults that depend on other settings."""

    data: Annotated[
        Path, About(help="Folder of the journals, the published policies and the SQLite file.", parse=Path)
    ] = DEFAULT_DATA
    store: Annotated[
        str,
        About(
            help="Database URL: `sqlite:///PATH` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`.",
            shown="`landit.db` under the data folder",
        ),
    ] = field(default="", repr=False)
    host: Annotated[str, About(help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, About(help="Port to listen on.", parse=_between(1, 65535))] = 8080
    workers: Annotated[int, About(help="Web worker processes.", parse=_between(1, 256))] = 1
    threads: Annotated[
        int,
        About(
            help="Threads of each worker; more than one keeps a slow page from holding `/choose` up.",
            parse=_between(1, 128),
        ),
    ] = 4
    durability: Annotated[
        Durability,
        About(
            help="What an acknowledged decision survives: `process` the death of every process, "
            "`fsync` a loss of power too.",
            parse=Durability,
        ),
    ] = Durability.PROCESS
    url: Annotated[
        str,
        About(
            help="Address under which visitors and marketers reach the server; `https` makes its cookies Secure.",
            shown="`http://HOST:PORT`",
        ),
    ] = ""
    secret: Annotated[
        str | None,
        About(
            help="The master secret that all hosts of an installation share. "
            "Environment only: a command line is public.",
            shown="`secret` under the data folder, made at the first start",
            flag=False,
        ),
    ] = field(default=None, repr=False)
    admin: Annotated[str, About(help="Address of the administrator that the first start creates.")] = "admin@localhost"
    ship_grace: Annotated[
        int,
        About(
            help="Seconds after which a silent journal no longer holds learning up.",
            parse=_between(1, 86_400),
        ),
    ] = 60

    @classmethod
    def read(cls, env: Mapping[str, str], **flags: Any) -> Settings:
        """Read every setting once.

        Parameters
        ----------
        env
            The environment; an empty variable counts as absent.
        flags
            Values by setting name, as text or already of their type; None where the flag was not given.

        Raises
        ------
        Invalid
            A value does not parse; the message names the setting and the value.
        """
        values: dict[str, Any] = {}
        for item in settings():
            given = flags.pop(item.name, None)
            given = (env.get(item.variable) or None) if given is None else given
            if given is not None:
                values[item.name] = item.parse(given)
        if flags:
            raise TypeError(f"unknown settings {sorted(flags)}")
        return cls(**values)._completed()

    def _completed(self) -> Settings:
        data = self.data.absolute()
        host = f"[{self.host}]" if ":" in self.host else self.host
        return replace(
            self,
            data=data,
            store=store_url(data, self.store),
            url=(self.url or f"http://{host}:{self.port}").rstrip("/"),
        )

    @property
    def journal(self) -> Path:
        """Folder of the journals that workers write and the keeper ships."""
        return self.data / "journal"

    @property
    def published(self) -> Path:
        """Folder that the keeper writes and workers read."""
        return self.data / "published"

    def environment(self) -> dict[str, str]:
        """Every setting as its environment variable: what a supervisor hands to its children."""
        values = {item.variable: getattr(self, item.name) for item in settings()}
        return {variable: str(value) for variable, value in values.items() if value is not None}


@dataclass(frozen=True)
class Setting:
    """One setting, as flags and documentation see it."""

    name: str
    help: str
    shown: str
    flag: str | None
    """``--name``, or None for one that may only come from the environment."""
    _parse: Callable[[str], Any]

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"LANDIT_{self.name.upper()}"

    def parse(self, value: Any) -> Any:
        """Turn text into the setting's type; Invalid with the value and what to do."""
        try:
            return self._parse(str(value))
        except ValueError as error:
            raise Invalid(
                f"setting {self.name}: {str(value)!r} is not valid ({error}).",
                hint=f"{self.help} Set {self.flag or self.variable}.",
            ) from error


@cache
def settings() -> tuple[Setting, ...]:
    """Every setting, in the order of the documentation."""
    hints = get_type_hints(Settings, include_extras=True)
    return tuple(_described(item.name, item.default, get_args(hints[item.name])[1]) for item in fields(Settings))


def _described(name: str, default: object, about: About) -> Setting:
    return Setting(
        name=name,
        help=about.help,
        shown=about.shown or f"`{default}`",
        flag=f"--{name.replace('_', '-')}" if about.flag else None,
        _parse=about.parse,
    )


def table() -> str:
    """Return the settings as a Markdown table."""
    rows = [
        f"| {f'`{item.flag}`' if item.flag else '(none)'} | `{item.variable}` | {item.shown} | {item.help} |"
        for item in settings()
    ]
    return "\n".join(["| flag | variable | default | meaning |", "|---|---|---|---|", *rows, ""])
