"""How many visitors and days an experiment takes, before it is made: a form whose address can be shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from bandit.validation import InvalidInput
from dashboard.aside import bandit_way
from dashboard.guard.auth import allow
from dashboard.pages.reading import FieldReader, FormInvalid
from experiments.access import UserRole
from experiments.errors import Invalid, LanditError
from experiments.statistics.planning.plan import Plan, Way, plan

pages = Blueprint("plan", __name__)

MOST_VARIANTS = 50
"""That a page plans for; the command line takes more."""


@dataclass
class PlanForm:
    """What was typed; shares are percentages."""

    kind: str = "rate"
    """``rate`` or ``value``."""
    baseline: str = "4"
    mean: str = ""
    sd: str = ""
    lift: str = "10"
    rows: str = ""
    variants: str = "2"
    weights: str = ""
    daily: str = "2000"
    power: str = "80"
    rho: str = ""
    exploration: str = ""
    bandit: str = ""

    @classmethod
    def read(cls, typed: Mapping[str, str]) -> PlanForm:
        """Read the address; one without a question gets an example."""
        if not typed:
            return cls()
        return cls(**{item.name: typed.get(item.name, "").strip() for item in fields(cls)})

    def numbers(self) -> dict[str, Any]:
        """Return the arguments of ``plan``; FormInvalid where fields do not parse."""
        reader = FieldReader()
        weights = reader.numbers("weights", self.weights) or None
        found = {
            "baseline": self._baseline(reader),
            "sd": reader.number("sd", self.sd, needed=True) if self.kind == "value" else None,
            "lift": reader.share("lift", self.lift, most=None, needed=not self.rows),
            "rows": reader.number("rows", self.rows),
            "variants": self._variants(reader, weights),
            "weights": weights,
            "daily": reader.number("daily", self.daily),
            "power": reader.share("power", self.power),
            "rho": reader.number("rho", self.rho) or 0.0,
        }
        if reader.problems:
            raise FormInvalid(reader.problems)
        return found

    def simulated(self) -> dict[str, Any]:
        """Return what a simulated bandit is asked besides."""
        reader = FieldReader()
        share = reader.share("exploration", self.exploration, needed=False)
        if reader.problems:
            raise FormInvalid(reader.problems)
        return {"exploration": share}

    def _baseline(self, reader: FieldReader) -> float | None:
        if self.kind == "value":
            return reader.number("mean", self.mean, needed=True)
        share = reader.share("baseline", self.baseline)
        if share in (0, 1):
            reader.problems["baseline"] = "More than 0 and less than 100 percent is needed here."
        return share

    def _variants(self, reader: FieldReader, weights: list[int | float] | None) -> int:
        count = reader.number("variants", self.variants, needed=True) or 2
        if not isinstance(count, int) or not 2 <= count <= MOST_VARIANTS:
            reader.problems.setdefault("variants", f"A whole number from 2 to {MOST_VARIANTS} is needed here.")
        elif weights is not None and len(weights) != count:
            reader.problems["weights"] = f"{count} variants need {count} weights, found {len(weights)}."
        return int(count)


@pages.get("/plan")
@allow(UserRole.VIEWER)
def page() -> ResponseReturnValue:
    """Show the form, and the plan for what is in it."""
    form = PlanForm.read(request.args.to_dict())
    try:
        numbers = form.numbers()
        found = _planned(numbers)
        bandit = bandit_way(numbers | form.simulated()) if form.bandit else None
    except LanditError as error:
        return _page(form, error=error)
    return _page(form, found=found, bandit=bandit)


def _planned(numbers: dict[str, Any]) -> Plan:
    try:
        return plan(**numbers)
    except InvalidInput as error:
        raise Invalid(f"{error}.") from None


def _page(
    form: PlanForm, *, found: Plan | None = None, bandit: Way | None = None, error: LanditError | None = None
) -> ResponseReturnValue:
    problems = error.problems if isinstance(error, FormInvalid) else {}
    shown = render_template("plan.html", form=form, plan=found, bandit=bandit, error=error, problems=problems)
    return make_response(shown, error.status if error else 200)
