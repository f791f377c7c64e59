"""The README's Python is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_the_readme_holds_one_short_program() -> None:
    """Fifteen lines are read; fifty are not."""
    (block,) = BLOCKS
    assert len(block.strip().splitlines()) <= 16


@pytest.mark.parametrize("block", BLOCKS)
def test_the_program_does_what_the_readme_says(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It learns which page suits mobile visitors."""
    exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - our own README
    printed = [float(number) for number in re.findall(r"\d\.\d*", capsys.readouterr().out)]
    assert printed[0] < 0.2 < 0.8 < printed[1]
