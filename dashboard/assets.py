"""Files that browsers keep for a year, because their address holds a hash of what is in them."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bundle:
    """Plotly's script, from its Python package."""

    digest: str
    packed: bytes
    """gzip."""
    style_id: str
    """The element that keeps the map renderer's styles, which we never use, from being put into the page.

    The bundle adds them as an inline style element, which the content security policy refuses, unless an element of
    this id is there already.
    """

    def plain(self) -> bytes:
        """Return the script as it is in the package."""
        return gzip.decompress(self.packed)


@cache
def plotly() -> Bundle:
    """Read and pack Plotly's script once a process (about 0.3 s)."""
    script = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    found = re.search(rb'getElementById\("([0-9a-f]{64})"\)', script)
    return Bundle(
        digest=_digest(script),
        packed=gzip.compress(script, compresslevel=6, mtime=0),
        style_id=found[1].decode() if found else "no-map-styles",
    )


@cache
def static_digest(folder: str, name: str) -> str:
    """Return the hash of a static file."""
    return _digest((Path(folder) / name).read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
