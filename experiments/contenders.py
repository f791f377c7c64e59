"""Who is still in the race: which variants a proof may take out, and what becomes of that when a person changes things.

A proof says: on average, some contender beats this variant. That is a reason to stop showing it only where no visitor
could be of another kind, so only policies that see no context drop variants; and a fixed split is never moved.
"""

from __future__ import annotations

from collections.abc import Iterable

from bandit import registry
from experiments.goals import Goal
from experiments.model import Definition, Experiment


def sees_context(definition: Definition) -> bool:
    """Say whether the experiment's policy can treat one visitor differently from another."""
    return bool(definition.context) and registry.policy_class(definition.policy.name).contextual


def may_drop(definition: Definition) -> bool:
    """Say whether a variant that is proved beaten loses its share."""
    moves = definition.policy.name != "fixed"
    return definition.goal is Goal.PROVE and moves and not sees_context(definition)


def proved(experiment: Experiment, beaten: Iterable[str]) -> tuple[str, ...]:
    """Return the variants to be out of the race, given those that a proof speaks against now; in their order.

    What was once proved stays so, as the proof holds at every look; where things may change, only the present proof
    counts. Never are all enabled variants out: a proof against all of them is no proof.

    Parameters
    ----------
    experiment
        As it is in force.
    beaten
        Keys of enabled variants, each of which some contender is proved to beat.
    """
    if not may_drop(experiment.definition):
        return ()
    out = set(beaten) if experiment.definition.may_change else set(beaten) | set(experiment.beaten)
    enabled = {variant.key for variant in experiment.definition.variants if variant.enabled}
    return experiment.beaten if enabled <= out else tuple(key for key in experiment.variant_keys if key in out)


def still_beaten(old: Experiment, new: Definition) -> tuple[str, ...]:
    """Return the variants that stay out of the race when a person saves ``new`` over ``old``.

    A proof stands as long as everything it spoke of does: a contender that was switched off, removed or given another
    content may be the very one that had beaten the others, so they all come back and have to be beaten again.
    """
    if not old.beaten or not may_drop(new):
        return ()
    after = {variant.key: variant for variant in new.variants}
    for before in old.definition.variants:
        if before.enabled and before.key not in old.beaten:
            now = after.get(before.key)
            if now is None or not now.enabled or now.content != before.content:
                return ()
    unchanged = {
        variant.key
        for variant in old.definition.variants
        if variant.key in after and after[variant.key].content == variant.content
    }
    return tuple(key for key in after if key in old.beaten and key in unchanged)
