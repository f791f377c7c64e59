"""``landit``: the entry point. What every command needs to be true before numpy is loaded is made so here."""

from __future__ import annotations

import os

from dashboard.child import ONE_THREAD


def main() -> None:
    """Run the command that the command line names."""
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    from dashboard.commands import landit  # only now: with it comes numpy, which reads these variables once

    landit(prog_name="landit")


if __name__ == "__main__":
    main()
