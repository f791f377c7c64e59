"""``landit``: the entry point. What every command needs to be true before numpy is loaded is made so here."""

from __future__ import annotations

import os

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""BLAS sums in an order that depends on its number of threads; one makes relearning exact (SEMANTICS §5)."""


def main() -> None:
    """Run the command that the command line names."""
    for name in ONE_THREAD:
        os.environ[name] = "1"
    from dashboard.commands import landit  # only now: with it comes numpy, which reads these variables once

    landit(prog_name="landit")


if __name__ == "__main__":
    main()
