"""Where an installation keeps its things, when nobody says otherwise."""

from __future__ import annotations

from pathlib import Path

DEFAULT_DATA = Path("landit-data")


def store_url(data: Path, url: str = "") -> str:
    """Return ``url``, or that of the SQLite file of a data directory.

    >>> store_url(Path("/srv/landit"))
    'sqlite:////srv/landit/landit.db'
    """
    return url or f"sqlite:///{data.absolute() / 'landit.db'}"
