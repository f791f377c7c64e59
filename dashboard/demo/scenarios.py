"""The three simulated experiments of the demo: what is shown, to whom, and the truth behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from dashboard.demo.world import World
from experiments.definition import parse
from experiments.model import Definition
from experiments.report import SIMULATED

WINDOW_SECONDS = 10
"""Short enough that learning can be watched."""
METRIC = "signup"

POPULATION = {
    "device": {"mobile": 0.6, "desktop": 0.4},
    "source": {"search": 0.5, "social": 0.3, "newsletter": 0.2},
}


@dataclass(frozen=True)
class Scenario:
    """An experiment and the world whose visitors come to it."""

    definition: Definition
    world: World

    @property
    def key(self) -> str:
        """The experiment's key."""
        return self.definition.key


def scenarios() -> tuple[Scenario, ...]:
    """An A/B test, a bandit and a contextual bandit, each on landing pages of its own."""
    return (_headline(), _hero(), _personal())


def _headline() -> Scenario:
    """Two headlines on a fixed 50:50 split; the new one is really better."""
    variants = [
        _variant("today", "Today's headline", "Project plans without the fuss", "Start free", control=True),
        _variant("promise", "A promise", "Ship your next project a week earlier", "Start free"),
    ]
    return Scenario(
        _definition("headline", "Headline: a promise?", "A promise beats a description.", variants, {"name": "fixed"}),
        World(base={"today": 0.10, "promise": 0.13}, population=POPULATION),
    )


def _hero() -> Scenario:
    """Four hero sections under Thompson sampling; 'people' is really best."""
    variants = [
        _variant("plain", "Plain", "Plan, share, done", "Try it", control=True),
        _variant("product", "Product shot", "See your whole quarter on one page", "Take the tour", image="#2f6fab"),
        _variant("people", "People", "Meet the people who plan with us", "Join them", image="#8a5a9e"),
        _variant("video", "Video", "Two minutes that save you two hours", "Watch", image="#b3541e"),
    ]
    return Scenario(
        _definition("hero", "Hero section", "Faces make trust.", variants, {"name": "thompson"}),
        World(base={"plain": 0.08, "product": 0.10, "people": 0.16, "video": 0.11}, population=POPULATION),
    )


def _personal() -> Scenario:
    """Three pages whose best depends on device and source: no single page is best for everybody."""
    variants = [
        _variant("short", "Short page", "One tap and you are in", "Continue", control=True),
        _variant("detailed", "Detailed page", "Everything it does, with prices", "Compare plans", image="#3b7d5c"),
        _variant("story", "Story", "How a team of five moved to four days", "Read on", image="#8a5a9e"),
    ]
    context = [
        {"name": name, "type": "category", "values": list(shares)} for name, shares in sorted(POPULATION.items())
    ]
    return Scenario(
        _definition(
            "personal",
            "A page for each visitor",
            "Phones want it short, desks want detail, social wants a story.",
            variants,
            {"name": "linear_thompson"},
            context=context,
        ),
        World(
            base={"short": 0.07, "detailed": 0.07, "story": 0.06},
            population=POPULATION,
            shifts={
                ("device", "mobile"): {"short": 0.12},
                ("device", "desktop"): {"detailed": 0.13},
                ("source", "social"): {"story": 0.20},
            },
        ),
    )


def _definition(
    key: str,
    name: str,
    hypothesis: str,
    variants: list[dict[str, Any]],
    policy: dict[str, Any],
    *,
    context: list[dict[str, Any]] | None = None,
) -> Definition:
    return parse(
        {
            "key": key,
            "name": name,
            "hypothesis": hypothesis,
            "variants": variants,
            "context": context or [],
            "metrics": [{"key": METRIC, "window_seconds": WINDOW_SECONDS, "max": 1}],
            "policy": policy,
            "tags": [SIMULATED],
        }
    )


def _variant(
    key: str, name: str, headline: str, button: str, *, image: str = "", control: bool = False
) -> dict[str, Any]:
    content = {"headline": headline, "text": "Free for 30 days. No card.", "button": button}
    if image:
        content["image"] = _picture(image)
    return {"key": key, "name": name, "content": content, "control": control}


def _picture(colour: str) -> str:
    """A plain coloured picture that needs no file."""
    drawing = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 9'>"
        f"<rect width='16' height='9' fill='{colour}'/></svg>"
    )
    return f"data:image/svg+xml,{quote(drawing)}"
