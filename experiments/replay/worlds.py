"""Worlds by name: those that ship, and those in files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bandit.simulate import World, digits, shift
from bandit.validation import InvalidInput
from experiments.errors import Invalid, NotFound

SHIPPED: dict[str, Callable[[], World]] = {"digits": digits, "shift": shift}
NAMED = ("logistic", "polynomial")
"""Worlds known by name whose files do not ship: NAME.npz is looked for in a folder of worlds."""


def find_world(spec: str, *, folder: Path | None = None) -> World:
    """The world of a name: ``digits``, ``shift``, ``logistic``, ``polynomial``, ``file:WORLD.npz``.

    Parameters
    ----------
    folder
        Where ``logistic`` and ``polynomial`` look for their files, besides the current folder.

    Raises
    ------
    Invalid, NotFound
        There is no such world or file, or the file is not one.
    """
    if spec in SHIPPED:
        return SHIPPED[spec]()
    kind, _, place = spec.partition(":")
    if kind == "file" and place:
        return load_world(Path(place), name=spec)
    if spec not in NAMED:
        raise Invalid(f"{spec!r} is no world.", hint=f"A world is {', '.join((*SHIPPED, *NAMED))} or file:WORLD.npz.")
    folders = [place for place in (folder, Path()) if place is not None]
    for found in (place / f"{spec}.npz" for place in folders):
        if found.is_file():
            return load_world(found, name=spec)
    raise NotFound(
        f"The world {spec!r} needs the file {spec}.npz, which is not in {' or '.join(str(f) for f in folders)}.",
        hint="Set LANDIT_WORLDS to its folder, or write file:PATH.",
    )


def load_world(path: Path, *, name: str) -> World:
    """A world from an npz file with ``contexts`` (n, d) and ``expected_rewards`` (n, K)."""
    try:
        with np.load(path, allow_pickle=False) as data:
            missing = [array for array in ("contexts", "expected_rewards") if array not in data]
            if missing:
                raise Invalid(
                    f"{path.name} lacks {', '.join(missing)}.", hint=f"It has: {', '.join(data) or 'nothing'}."
                )
            contexts, rewards = (np.asarray(data[key], np.float64) for key in ("contexts", "expected_rewards"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.", hint="Give the path of an npz file.") from error
    except (ValueError, OSError, zipfile.BadZipFile, EOFError, AttributeError) as error:
        raise Invalid(f"{path.name} is no npz file of numbers: {error}.") from error
    try:
        return World(name, contexts, rewards)
    except InvalidInput as error:
        raise Invalid(f"{path.name} is no world: {error}.") from error
