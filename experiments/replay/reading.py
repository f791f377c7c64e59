"""The names of logs: ``obd:DIR``, ``parquet:PATH``, ``csv:PATH``, ``dsjson:PATH``, ``store:KEY``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from experiments.errors import Invalid
from experiments.replay.delimited import open_csv
from experiments.replay.dsjson import open_dsjson
from experiments.replay.exporting import open_stored
from experiments.replay.log import Log
from experiments.replay.openbandit import open_folder
from experiments.replay.parquet import open_parquet
from experiments.store import Store

READERS: dict[str, Callable[..., Log]] = {
    "obd": open_folder,
    "parquet": open_parquet,
    "csv": open_csv,
    "dsjson": open_dsjson,
}


def read_log(spec: str, *, store: Callable[[], Store] | Store | None = None) -> Log:
    """Open a log by its name.

    Parameters
    ----------
    spec
        ``KIND:PLACE``, as above.
    store
        Where ``store:KEY`` looks; a function is called only then.

    Raises
    ------
    Invalid, NotFound
        The name is none of the above, or there is nothing of that name.
    """
    kind, colon, place = spec.partition(":")
    if colon and place and kind == "store":
        if store is None:
            raise Invalid(f"{spec!r} needs a store.", hint="Pass store=Store.open(URL, clock=...).")
        return open_stored(place, store=store() if callable(store) else store)
    if not colon or not place or kind not in READERS:
        kinds = ", ".join(f"{known}:..." for known in (*READERS, "store"))
        raise Invalid(f"{spec!r} is no log.", hint=f"A log is one of {kinds}.")
    return READERS[kind](Path(place), name=spec)
