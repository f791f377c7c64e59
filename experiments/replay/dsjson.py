"""dsjson logs: the decision-service lines that Vowpal Wabbit and Personalizer write, one JSON object a decision.

A line holds ``_label_cost`` (the reward is its negative), ``_label_probability``, ``_labelIndex`` or ``_label_Action``
(from 1), ``a`` and ``p`` (the actions, from 1, and the probability of each) and ``c`` (the context; its ``_multi`` list
are the actions' features).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from experiments.errors import Invalid, NotFound
from experiments.model import ContextValue
from experiments.replay.columns import canonical
from experiments.replay.contexts import encode_json, infer_schema, parse_contexts
from experiments.replay.log import BATCH_ROWS, Log, Recorded


class Line(msgspec.Struct, frozen=True):
    """What is read of a line; everything else is ignored."""

    cost: float = msgspec.field(name="_label_cost")
    probability: float = msgspec.field(name="_label_probability")
    action: int = msgspec.field(name="_label_Action")
    a: list[int]
    p: list[float]
    c: dict[str, Any] = {}
    timestamp: str | None = msgspec.field(name="Timestamp", default=None)
    skip: bool = msgspec.field(name="_skipLearn", default=False)
    dropped: float = msgspec.field(name="pdrop", default=0.0)


_decoder = msgspec.json.Decoder(Line)


def open_dsjson(path: Path, *, name: str) -> Log:
    """A dsjson file as a log.

    Variants are the actions by number, ``1`` to K, and K is the first line's. Lines with ``_skipLearn`` teach nothing
    and are left out. Shared features become attributes by their path (``GUser.device``).

    Raises
    ------
    NotFound, Invalid
        There is no such file, a line is not what is said above (the message has its number), has another number of
        actions, or was kept by chance (``pdrop``), which nothing here corrects for.
    """
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Give the path of a log.")
    first = next((line for _, line in _lines(path)), None)
    if first is None:
        raise Invalid(f"{path.name} has no decisions.")
    actions = len(first.a)

    def scan(contexts: bool) -> Iterator[pa.RecordBatch]:
        lines = _lines(path)
        while block := list(islice(lines, BATCH_ROWS)):
            yield _convert(block, actions=actions, contexts=contexts)

    sample = next(scan(True))
    return Log(
        name=name,
        variants=tuple(str(action) for action in range(1, actions + 1)),
        metric="reward",
        recorded=Recorded.EVERY,
        schema=infer_schema(parse_contexts(sample.column("context"))),
        scan=scan,
    )


def _lines(path: Path) -> Iterator[tuple[int, Line]]:
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                line = _decoder.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise Invalid(f"Line {number} of {path.name} is no dsjson decision: {error}.") from error
            if line.dropped != 0:
                raise Invalid(
                    f"Line {number} of {path.name} was kept with probability {1 - line.dropped:g} (pdrop).",
                    hint="Only whole logs can be evaluated.",
                )
            if not line.skip:
                yield number, line


def _convert(block: list[tuple[int, Line]], *, actions: int, contexts: bool) -> pa.RecordBatch:
    vectors = np.stack([_vector(number, line, actions) for number, line in block])
    return canonical(
        np.array([number for number, _ in block]),
        time=pa.array([_micros(number, line) for number, line in block], pa.int64()),
        variant=pa.array([line.action - 1 for _, line in block], pa.int32()),
        probability=pa.array([line.probability for _, line in block], pa.float64()),
        distribution=pa.array(list(vectors), pa.list_(pa.float64())),
        reward=pa.array([-line.cost for _, line in block], pa.float64()),
        context=encode_json(_flat(line.c) for _, line in block) if contexts else None,
    )


def _vector(number: int, line: Line, actions: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if sorted(line.a) != list(range(1, actions + 1)) or len(line.p) != actions or line.action not in line.a:
        raise Invalid(
            f"Line {number} of the log must have the actions 1 to {actions} of its first line, each with a probability,"
            f" found {len(line.a)} actions, {len(line.p)} probabilities and action {line.action}."
        )
    vector = np.empty(actions)
    vector[np.array(line.a) - 1] = line.p
    return vector


def _micros(number: int, line: Line) -> int | None:
    if line.timestamp is None:
        return None
    try:
        time = datetime.fromisoformat(line.timestamp)
    except ValueError as error:
        raise Invalid(f"Line {number} of the log: {line.timestamp!r} is no ISO 8601 time.") from error
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e6)


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, ContextValue]:
    flat: dict[str, ContextValue] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if key == "_multi":
            continue
        if isinstance(item, dict):
            flat |= _flat(item, f"{name}.")
        elif isinstance(item, str | int | float | bool):
            flat[name] = item
    return flat
