"""The example of the library used alone is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "bandit" / "README.md"


def test_ten_lines_find_the_best_arm(capsys):
    """They print where the visitors go in the end: nearly all to the page that converts twice as well."""
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len([line for line in block.splitlines() if line]) <= 10
    exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - our own README
    shares = dict(re.findall(r"'(\w+)': ([\d.]+)", capsys.readouterr().out))
    assert list(shares) == ["calm", "bold", "short"]
    assert float(shares["short"]) > 0.9
