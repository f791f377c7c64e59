"""A marketer's first ten minutes, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from dashboard.guard import passwords
from experiments.access import UserRole
from experiments.clock import system_clock
from experiments.definition import parse
from experiments.model import Experiment, State
from experiments.records import DecisionRecord
from experiments.store import Store

EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def decisions(experiment: Experiment, first: int, count: int) -> list[DecisionRecord]:
    """Decisions of a fixed split, alternating."""
    return [
        DecisionRecord(
            id=f"{number:032x}", experiment=experiment.id, version=experiment.version, phase=1, unit=f"{number:032x}",
            time=system_clock(), variant=experiment.variant_keys[number % 2], probability=0.5,
            distribution=b"[0.5,0.5]", policy="fixed", policy_version=1, reason="policy",
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def test_from_the_link_to_a_running_experiment(page: Page, kept: Store, complaints: list[str]) -> None:
    """One-time link, password, the form with a variant added by its script, start."""
    kept.add_user("ann@example.com", role=UserRole.ADMIN)
    kept.create_login_link("ann@example.com", passwords.token_digest("first"), system_clock() + 60_000_000)
    page.goto("/signin/first")
    page.get_by_label("New password").fill("correct horse battery")
    page.get_by_label("The same again").fill("correct horse battery")
    page.get_by_role("button", name="Set password").click()
    page.get_by_role("link", name="New experiment").click()
    page.get_by_label("Name", exact=True).first.fill("Spring landing page")
    expect(page.get_by_label("Key").first).to_have_value("spring-landing-page")
    page.get_by_role("button", name="Add a variant").click()
    page.locator("[name=variants-2-key]").fill("c")
    page.locator("[name=variants-2-headline]").fill("Third time lucky")
    page.get_by_role("button", name="Create draft").last.click()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("The experiment is running")).to_be_visible()
    experiment = kept.experiment("spring-landing-page")
    assert experiment.state is State.RUNNING
    assert experiment.definition.variants[2].content == {"headline": "Third time lucky"}
    assert complaints == []


def test_attributes_are_declared_in_the_editor(inside: Page, kept: Store, complaints: list[str]) -> None:
    """Rows come by script, each type shows its own fields, and all of it is in the experiment."""
    kept.create_experiment(parse({"key": "k", "variants": [{"key": "a"}], "metrics": [{"key": "m"}]}), by="test")
    inside.goto("/experiments/k/edit")
    for number, (name, kind) in enumerate((("query", "text"), ("price", "number"))):
        inside.get_by_role("button", name="Add an attribute", exact=True).click()
        inside.locator(f"[name=context-{number}-name]").fill(name)
        inside.locator(f"[name=context-{number}-type]").select_option(kind)
    inside.locator("[name=context-0-columns]").fill("16")
    expect(inside.locator("[name=context-0-values]")).to_be_hidden()
    expect(inside.locator("[name=context-1-standardize]")).to_be_checked()
    inside.get_by_text("Attributes that matter together").click()
    inside.get_by_label("Interactions").fill("price * price, query * price")
    inside.get_by_text("What variants have in common", exact=True).click()
    inside.get_by_role("button", name="Add an attribute of variants").click()
    inside.locator("[name=variant_attributes-0-name]").fill("tone")
    inside.locator("[name=variant_attributes-0-values]").fill("calm, bold")
    inside.get_by_role("button", name="Save").last.click()
    expect(inside.get_by_text("Saved as version 2")).to_be_visible()
    made = kept.experiment("k").definition
    assert [(a.name, a.columns, a.standardize) for a in made.context] == [("query", 16, False), ("price", None, True)]
    assert made.interactions == (("price", "price"), ("query", "price"))
    assert [(a.name, a.values) for a in made.variant_attributes] == [("tone", ("calm", "bold"))]
    assert complaints == []


def test_the_results_page_refreshes_itself(inside: Page, kept: Store, complaints: list[str]) -> None:
    """New decisions appear in numbers and chart without a reload, and no policy is violated."""
    body = {"key": "spring", "variants": [{"key": "a"}, {"key": "b"}], "metrics": [{"key": "m"}]}
    kept.create_experiment(parse(body | {"policy": {"name": "fixed"}, "tags": ["simulated"]}), by="test")
    experiment = kept.set_state("spring", State.RUNNING, by="test")
    kept.ship("j.log", start=0, end=1, records=decisions(experiment, 1, 10))
    inside.goto("/experiments/spring")
    shown = inside.locator("[data-number=decisions]")
    expect(shown).to_have_text("10")
    expect(inside.locator("[data-chart=traffic] .scatterlayer .trace")).to_have_count(2)
    inside.evaluate("window.stayed = true")
    kept.ship("j.log", start=1, end=2, records=decisions(experiment, 11, 32))
    expect(shown).to_have_text("42")
    assert inside.evaluate("window.stayed")
    assert inside.evaluate("document.querySelector('[data-chart=traffic]').data[0].y[0]") == 0.5
    assert inside.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(inside.get_by_text("Simulated visitors").first).to_be_visible()
    assert complaints == []


def test_planted_code_does_not_run(inside: Page, kept: Store) -> None:
    """In names and content, on every page, charts and their labels included."""
    variants = [{"key": key, "name": EVIL, "content": {"headline": EVIL, "image": EVIL}} for key in "ab"]
    body = {"key": "spring", "name": EVIL, "hypothesis": EVIL, "variants": variants, "metrics": [{"key": "m"}]}
    kept.create_experiment(parse(body), by="test")
    experiment = kept.set_state("spring", State.RUNNING, by=EVIL)
    kept.ship("j.log", start=0, end=1, records=decisions(experiment, 1, 10))
    for path in ("/experiments", "/experiments/spring", "/experiments/spring/edit", "/experiments/spring/finish"):
        inside.goto(path)
        inside.wait_for_load_state("networkidle")
        assert inside.title() != "owned"
        assert inside.locator("img").count() == 0


def test_pages_fit_a_phone_and_can_be_used_by_keyboard(inside: Page, kept: Store) -> None:
    """No sideways scrolling at 390 px; the first Tab leads to the content; every field has a label."""
    kept.create_experiment(
        parse({"key": "spring", "variants": [{"key": "a"}, {"key": "b"}], "metrics": [{"key": "m"}]}), by="test"
    )
    inside.set_viewport_size({"width": 390, "height": 844})
    for path in ("/experiments", "/experiments/spring", "/new", "/plan", "/keys", "/users", "/audit"):
        inside.goto(path)
        assert inside.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        inside.keyboard.press("Tab")
        assert inside.evaluate("document.activeElement.textContent") == "Skip to the content"
        unnamed = """[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
            .filter((field) => !field.labels.length).map((field) => field.outerHTML)"""
        assert inside.evaluate(unnamed) == [], path
