"""``landit plan``: how many visitors and days an experiment needs, before it starts."""

from __future__ import annotations

from typing import Any

import click

from experiments.cli.console import json_option, show
from experiments.errors import Invalid
from experiments.statistics.planning.fixed import ALPHA, POWER
from experiments.statistics.planning.plan import Method, Plan, Way, plan

_NAMES = {Method.FIXED: "read once", Method.SEQUENTIAL: "watched", Method.BANDIT: "bandit"}


def share(given: str | float) -> float:
    """A number, or a percentage.

    >>> share("0.05"), share("5%")
    (0.05, 0.05)
    """
    text = str(given).strip()
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a number nor a percentage.") from None


@click.command("plan")
@click.option("--baseline", type=share, required=True, metavar="P", help="The control's rate (or mean, with --sd).")
@click.option("--lift", type=share, metavar="L", help="Relative lift that would matter, .1 or 10%.")
@click.option("--rows", type=float, metavar="N", help="Visitors of all variants, if they are given.")
@click.option("--sd", type=float, metavar="S", help="Standard deviation of one outcome, where it is not a rate.")
@click.option("--variants", type=int, metavar="K", help="How many, with the control.  [default: 2]")
@click.option("--weights", metavar="W,W,...", help="How the traffic is split, the control first; equally if left out.")
@click.option("--daily", type=float, metavar="N", help="Visitors a day, for the days.")
@click.option("--power", type=share, default=POWER, show_default=True, help="How often a true lift is to be found.")
@click.option("--alpha", type=share, default=ALPHA, show_default=True, help="How often one may be found that is none.")
@click.option("--rho", type=float, default=0.0, show_default=True, help="Correlation with a covariate known before.")
@click.option("--sequential", is_flag=True, help="It is watched: the limits hold at every look.")
@click.option("--bandit", is_flag=True, help="Its traffic moves to what is better; simulated, takes seconds.")
@click.option("--exploration", type=share, metavar="E", help="A bandit's exploration; to prove if left out.")
@json_option
def plan_command(
    *,
    variants: int | None,
    weights: str | None,
    sequential: bool,
    bandit: bool,
    as_json: bool,
    baseline: float,
    lift: float | None,
    **numbers: Any,
) -> None:
    """Say how many visitors and days an experiment needs.

    With --rows instead of --lift it says the smallest lift that so many find, and with both, how often they find it.
    Every variant's difference from the control is tested, at alpha shared by all of them.
    """
    if numbers["exploration"] is not None and not bandit:
        raise Invalid("--exploration is a bandit's.", hint="Add --bandit.")
    shares = _weights(weights)
    if shares is not None and variants not in (None, len(shares)):
        raise Invalid(f"--weights has {len(shares)} numbers for {variants} variants.", hint="Give one a variant.")
    method = Method.BANDIT if bandit else Method.SEQUENTIAL if sequential else Method.FIXED
    found = plan(baseline, lift, variants=2 if variants is None else variants, weights=shares, method=method, **numbers)
    if as_json:
        show(found.to_json(), as_json=True)
    else:
        _print(found)


def _weights(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise Invalid(f"--weights {text!r} is not a list of numbers.", hint="For instance --weights 2,1,1.") from None


def _print(found: Plan) -> None:
    """Print a line a way, and what to make of it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "lift", "found in", "visitors", "a variant", "days", "stops after"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for method, way in (
        (Method.FIXED, found.fixed),
        (Method.SEQUENTIAL, found.sequential),
        (Method.BANDIT, found.bandit),
    ):
        if way is not None:
            table.add_row(_NAMES[method], *_cells(way))
    console = Console()
    console.print(table)
    for line in _notes(found):
        console.print(line, highlight=False, soft_wrap=True)


def _cells(way: Way) -> tuple[str, ...]:
    each = [] if way.per_variant is None else sorted(set(way.per_variant))
    return (
        f"{way.lift:+.2%}",
        f"{way.power:.0%}",
        _count(way.rows),
        " to ".join(dict.fromkeys(f"{number:,}" for number in (each[:1] + each[-1:]))),
        "" if way.days is None else str(way.days),
        _count(way.stops_after) if way.stops_after is not None or way.regret is not None else "",
    )


def _count(rows: int | None) -> str:
    return "too many" if rows is None else f"{rows:,}"


def _notes(found: Plan) -> list[str]:
    """What the numbers rest on."""
    notes = [
        "Read once: nobody decides before all visitors are there. Watched: limits hold at every look, and whoever stops"
        " at the proof stops after so many on average."
    ]
    bandit = found.bandit
    if bandit is not None and bandit.regret is not None:
        how = "beaten variants lose their share" if found.drop else "constant"
        saved = f"until the proof it loses {bandit.regret:.0%} of what an equal split loses"
        notes.append(f"Bandit: exploration {found.exploration:g}, {how}; half of the runs stop by then; {saved}.")
    if found.question.variants > 2:
        shared = found.question.alpha / (found.question.variants - 1)
        notes.append(f"Each of {found.question.variants - 1} differences is tested at {shared:.3g}.")
    notes.append(f'Put "planned_rows": {found.planned_rows} into the experiment: its limits are tightest there.')
    return notes
