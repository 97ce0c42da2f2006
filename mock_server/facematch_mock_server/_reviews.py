"""Whether a vendor can say of a call that a person is to look at it."""

from __future__ import annotations

from .claims import Behaviours
from .world import World

_CALLS = (("match", "a match"), ("liveness", "a liveness check"))


def has_review(behaviours: Behaviours, operation: str) -> bool:
    """Whether these behaviours have a word for "a person is to look" of ``match``, say."""
    key = f"{operation}.review"
    return key in behaviours and behaviours[key] is not None


def check_review(world: World, operation: str) -> None:
    """Refuse an outcome that nobody would see.

    Raises:
        ValueError: the edition of the world has no such word; the message names those that have.
    """
    call = next((words for name, words in _CALLS if name == operation), None)
    if call is None or has_review(world.behaviours, operation):
        return
    kind = world.kind
    able = [
        edition
        for edition, chosen in kind.editions.items()
        if has_review(Behaviours(kind.claims, chosen), operation)
    ]
    others = f"the editions that have it: {', '.join(able)}" if able else "no edition has it"
    raise ValueError(f'the edition {world.edition} has no "In Review" for {call}; {others}')
