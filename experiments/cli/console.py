"""What every command shares: where the store is, one JSON object or a table, and one line for what went wrong.

``landit serve`` comes through here too, and a restart waits for whatever is imported: so neither the store nor what
prints tables is, before it is used.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from bandit.validation import InvalidInput
from experiments.clock import system_clock
from experiments.errors import LanditError
from experiments.keeper.place import DEFAULT_DATA, store_url

if TYPE_CHECKING:
    from experiments.store import Store

R = TypeVar("R")


class Refused(click.ClickException):
    """A command was refused or failed: one line on stderr, exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"landit: {' '.join(self.message.split())}", err=True, file=file)


class Commands(click.Group):
    """A group of commands whose errors are one line each, never a traceback.

    Parameters
    ----------
    homes
        Commands by name, each as ``module:attribute``, imported when it is asked for: what ``landit serve`` does not
        import, a restart does not wait for.
    """

    def __init__(self, *args: Any, homes: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._homes = dict(homes or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(ctx), *self._homes])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported if need be."""
        if cmd_name not in self._homes:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._homes[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the line names."""
        try:
            return super().invoke(ctx)
        except (LanditError, InvalidInput) as error:
            raise Refused(str(error)) from error
        except (
            UnicodeEncodeError,
            UnicodeDecodeError,
        ) as error:  # bytes of an argument or a variable that are no text; said without the text
            raise Refused(f"something given is not UTF-8: {error.reason}.") from error
        except OSError as error:
            raise Refused(f"{error.filename or 'the system'}: {error.strerror or error}.") from error


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")


def url_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the flags of the store; it gets its ``url``."""

    @click.option("--store", "given", envvar="LANDIT_STORE", default="", metavar="URL", help="Database URL.")
    @click.option(
        "--data",
        envvar="LANDIT_DATA",
        type=click.Path(path_type=Path),
        default=DEFAULT_DATA,
        show_default=True,
        help="Data folder; its landit.db is the store unless --store says otherwise.",
    )
    @functools.wraps(command)
    def with_url(*args: Any, given: str, data: Path, **kwargs: Any) -> R:
        return command(*args, url=store_url(data, given), **kwargs)

    return with_url


def store_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the flags of the store; it gets the store itself as its first argument, open while it runs."""

    @url_options
    @functools.wraps(command)
    def with_store(*args: Any, url: str, **kwargs: Any) -> R:
        with opened(url) as store:
            return command(store, *args, **kwargs)

    return with_store


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open a store for one command."""
    from experiments.store import Store

    store = Store.open(url, clock=system_clock)
    try:
        yield store
    finally:
        store.close()


def show(body: Mapping[str, Any], *, as_json: bool, only: Iterable[str] = ()) -> None:
    """Print the body as one JSON object, or for people as a list of what stands in it (``only`` these, if given)."""
    if as_json:
        click.echo(json.dumps(body, allow_nan=False))
    else:
        _print(((name.replace("_", " "), body[name]) for name in only or body), columns=())


def show_rows(name: str, rows: Iterable[Mapping[str, Any]], *, columns: Iterable[str], as_json: bool) -> None:
    """Print rows as ``{name: [...]}``, or for people as a table of these columns."""
    if as_json:
        click.echo(json.dumps({name: list(rows)}, allow_nan=False))
        return
    columns = tuple(columns)
    _print(([row[column] for column in columns] for row in rows), columns=columns)


def _print(rows: Iterable[Iterable[Any]], *, columns: tuple[str, ...]) -> None:
    from rich.console import Console  # only here: `landit serve` prints no table, and is ready 0.1 s sooner
    from rich.table import Table

    table = Table(*columns, box=None, show_header=bool(columns))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)
