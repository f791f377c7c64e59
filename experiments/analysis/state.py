"""What an analysis is made of, and its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy.typing as npt

from bandit.serialization import pack, unpack
from bandit.types import Floats, Ints
from bandit.validation import InvalidInput, require
from experiments.analysis.frame import BALANCE, Frame
from experiments.analysis.metric_sums import Arrays, MetricSums, within
from experiments.analysis.recent import Recent
from experiments.model import Micros
from experiments.statistics.propensity import AuditSums

FORMAT = 2


@dataclass(slots=True, eq=False)
class State:
    """What the rows of one experiment come to.

    Parameters
    ----------
    version
        The experiment's version that it was last fitted to.
    since
        The version whose contents it speaks of: rows of decisions under an earlier one are passed over.
    variants
        (K,) the keys of all variants that it knows, in the order of its arrays; also of removed ones.
    contents
        A digest of what each of them shows.
    frame
        What is counted.
    counts, crossed
        (K,) rows of each variant, and those of units that were served another one too.
    opened
        (K,) when the decision of the first row was made that had a chance of each; 0 without one.
    audit
        Whether the log is what its propensities promised.
    recent
        The objective's last days.
    metrics
        The sums of each metric, by its key.
    balance
        The covariate as if it were a metric: known before exposure, it should differ by luck alone.
    begins
        When the decision of the first row was made that carries each metric, by its key; none without one.
    secondary
        The keys of all secondary metrics that there ever were: what could have been asked.
    seq
        The last row that was read.
    rows
        How many were counted.
    first, last
        When the decisions of the first and the last counted row were made; 0 without one.
    law
        (K,) the one weight vector that drew all rows; None before the first row, and once there was a second one.
    moved
        Whether more than one weight vector was in force.
    """

    version: int
    since: int
    variants: tuple[str, ...]
    contents: dict[str, str]
    frame: Frame
    counts: Floats
    crossed: Floats
    opened: Ints
    audit: AuditSums
    recent: Recent
    metrics: dict[str, MetricSums]
    balance: MetricSums | None
    begins: dict[str, Micros]
    secondary: tuple[str, ...]
    seq: int = 0
    rows: int = 0
    first: Micros = 0
    last: Micros = 0
    law: Floats | None = None
    moved: bool = False

    def to_bytes(self) -> bytes:
        """Return the state as bytes, which :meth:`from_bytes` reads; equal states have equal bytes."""
        header = {
            "format": FORMAT,
            "numbers": {name: getattr(self, name) for name in _NUMBERS},
            "variants": list(self.variants),
            "contents": [self.contents[key] for key in self.variants],
            "frame": self.frame.to_json(),
            "moved": self.moved,
            "begins": self.begins,
            "secondary": list(self.secondary),
        }
        arrays: Arrays = {"counts": self.counts, "crossed": self.crossed, "opened": self.opened}
        if self.law is not None:
            arrays["law"] = self.law
        arrays |= _named("audit", self.audit.to_arrays()) | _named("recent", self.recent.to_arrays())
        for place, channels in enumerate(self.frame.metrics):
            arrays |= _named(str(place), self.metrics[channels.metric].to_arrays())
        if self.balance is not None:
            arrays |= _named(BALANCE, self.balance.to_arrays())
        return pack(header, arrays)

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Return the analysis that :meth:`to_bytes` wrote, to go on as if it had never been away.

        Raises
        ------
        InvalidInput
            Where a single bit differs from what was written.
        """
        header, arrays = unpack(blob)
        require(header.get("format") == FORMAT, f"an analysis must have format {FORMAT}, found {header.get('format')}")
        try:
            return cls(**_read(header, arrays))
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"an analysis must have all its parts, found none of {error}") from error


_NUMBERS = ("version", "since", "seq", "rows", "first", "last")


def _named(part: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    return {f"{part}.{name}": array for name, array in arrays.items()}


def _read(header: Mapping[str, Any], arrays: Arrays) -> dict[str, Any]:
    frame = Frame.from_json(header["frame"])
    variants = tuple(header["variants"])
    recent = within(arrays, "recent.")
    balance = frame.balance
    numbers: dict[str, Any] = header["numbers"]
    return numbers | {
        "variants": variants,
        "contents": dict(zip(variants, header["contents"], strict=True)),
        "frame": frame,
        "moved": header["moved"],
        "law": arrays.get("law"),
        "counts": arrays["counts"],
        "crossed": arrays["crossed"],
        "opened": arrays["opened"],
        "begins": header["begins"],
        "secondary": tuple(header["secondary"]),
        "audit": AuditSums.from_arrays(within(arrays, "audit.")),
        "recent": Recent(recent["sums"], recent["days"]),
        "metrics": {
            channels.metric: MetricSums.from_arrays(channels, within(arrays, f"{place}."))
            for place, channels in enumerate(frame.metrics)
        },
        "balance": None if balance is None else MetricSums.from_arrays(balance, within(arrays, f"{BALANCE}.")),
    }
