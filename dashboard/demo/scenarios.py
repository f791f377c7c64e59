"""The three simulated experiments of the demo: what is shown, to whom, and the truth behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from dashboard.demo.world import Answers, World
from experiments.definition import parse
from experiments.model import Definition
from experiments.report import SIMULATED

WINDOW_SECONDS = 10
"""Short enough that learning can be watched."""
METRIC = "signup"
SPENT = "spent"
BOUNCE = "bounce"
METRICS: list[dict[str, Any]] = [
    {"key": METRIC, "window_seconds": WINDOW_SECONDS, "max": 1},
    {"key": SPENT, "kind": "revenue", "role": "secondary", "window_seconds": WINDOW_SECONDS, "cap": 200},
    {"key": "spent-per-signup", "kind": "ratio", "role": "secondary", "numerator": SPENT, "denominator": METRIC},
    {"key": BOUNCE, "kind": "bounce", "role": "guardrail", "window_seconds": WINDOW_SECONDS, "margin": 0.1},
]
ORDER = (3.0, 0.6)
"""Of what a signup spends: mean and standard deviation of the logarithm, alike for all variants."""
STAYS = 0.5
"""Of those who do not sign up, how many look around."""

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

    def rewards(self, variant: str, context: Answers, rng: np.random.Generator) -> dict[str, float]:
        """What a visitor brings who is shown the variant: metric to value, of the metrics that are declared."""
        brought: dict[str, float] = {}
        if rng.random() < self.world.rate(variant, context):
            brought = {METRIC: 1.0, SPENT: round(float(rng.lognormal(*ORDER)), 2)}
        elif rng.random() < STAYS:
            brought = {BOUNCE: 1.0}
        declared = {metric.key for metric in self.definition.metrics}
        return {metric: value for metric, value in brought.items() if metric in declared}


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
    return Scenario(
        _definition(
            "personal",
            "A page for each visitor",
            "Phones want it short, desks want detail, social wants a story.",
            variants,
            {"name": "linear_thompson"},
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
) -> Definition:
    attributes = sorted(POPULATION.items())
    return parse(
        {
            "key": key,
            "name": name,
            "hypothesis": hypothesis,
            "variants": variants,
            "context": [{"name": name, "type": "category", "values": list(shares)} for name, shares in attributes],
            "segments": [{"attribute": name} for name, _ in attributes],
            "metrics": METRICS,
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
