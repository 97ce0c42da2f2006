"""A day: customers who live the stories, mixed, with further steps between; and its shrinking."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence

from .judge import Failure
from .steps import STEPS
from .stories import FIRST_CUSTOMER, Taken

#: How many customers are under way at once.
_AT_ONCE = 8
#: How often a story is tried while it is shrunk, if its end depends on the time.
_TRIES_OF_A_RACE = 3
#: Steps that a day inserts into the stories.
_INSERTED = ("hook", "hook", "hook-newest", "hook-twice", "forged", "job", "fail", "begin")
_NAMES = "Ada Ben Cleo Dan Eve Finn Gus Hana Ivan Jo Kim Leo Mia Nils Ola Pia Quin Rosa Sam Tess"

#: Plays steps, and returns what is wrong.
Play = Callable[[Sequence[Taken]], Sequence[Failure]]


def make_day(
    stories: Sequence[str], *, customers: int, seed: int, without: Collection[str]
) -> list[Taken]:
    """Return the steps of a day, the same for the same seed. `without` are steps not to insert."""
    rng = random.Random(seed)  # noqa: S311 - a day protects nothing
    inserted = [step for step in _INSERTED if step not in without]
    # In a day there are other customers anyway.
    lone = [story for story in stories if ":" not in story]
    steps_of = {}
    shuffled: list[str] = []
    for number in range(customers):
        # Each story comes once before any comes again.
        shuffled = shuffled or rng.sample(lone, len(lone))
        steps_of[name_of(number)] = _with_inserted(rng, shuffled.pop().split(","), inserted)
    day: list[Taken] = []
    while steps_of:
        customer = rng.choice(list(steps_of)[:_AT_ONCE])
        day.append((customer, steps_of[customer].pop(0)))
        if not steps_of[customer]:
            del steps_of[customer]
    return day


def name_of(number: int) -> str:
    """Return the name of a customer of the day, from 0."""
    names = _NAMES.split()
    round_number, position = divmod(number, len(names))
    return names[position] + (str(round_number + 1) if round_number else "")


def _with_inserted(rng: random.Random, steps: list[str], inserted: Sequence[str]) -> list[str]:
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        # The first step of a story begins it.
        steps.insert(rng.randint(1, len(steps)), rng.choice(inserted))
    return steps


def shorten(play: Play, failure: Failure, day: Sequence[Taken]) -> list[Taken]:
    """Return the steps of a failure's customer without those that it does not need.

    Empty if the customer's steps do not fail alone.
    """

    def fails(steps: Sequence[Taken]) -> bool:
        is_race = any(STEPS[step].is_race for _, step in steps)
        for _ in range(_TRIES_OF_A_RACE if is_race else 1):
            if failure.verdict in {each.verdict for each in play(steps)}:
                return True
        return False

    steps = [(FIRST_CUSTOMER, step) for customer, step in day if customer == failure.customer]
    if not fails(steps):
        return []
    for position in reversed(range(len(steps))):
        shorter = steps[:position] + steps[position + 1 :]
        if shorter and fails(shorter):
            steps = shorter
    return steps
