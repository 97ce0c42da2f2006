"""A day: customers who live the stories, mixed, with further steps between; and its shrinking."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence

import attrs

from .judge import Failure
from .steps import STEPS
from .stories import Taken

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


@attrs.frozen(kw_only=True)
class Shrinker:
    """Finds the shortest steps that fail in the same way.

    Attributes:
        play: Plays steps.
        failure: The failure to find again.
    """

    play: Play
    failure: Failure

    def shrink(self, steps: Sequence[Taken]) -> list[Taken]:
        """Drop customers and steps while the failure stays."""
        alone = [step for step in steps if step[0] == self.failure.customer]
        shortest = alone if self._fails(alone) else list(steps)
        size = max(1, len(shortest) // 2)
        while size:
            dropped = self._drop(shortest, size)
            is_shorter = len(dropped) < len(shortest)
            shortest = dropped
            if size > 1 or not is_shorter:
                size //= 2
        return shortest

    def _drop(self, steps: list[Taken], size: int) -> list[Taken]:
        """Drop each run of so many steps without which the failure stays."""
        position = 0
        while position < len(steps):
            candidate = steps[:position] + steps[position + size :]
            if self._fails(candidate):
                steps = candidate
            else:
                position += size
        return steps

    def _fails(self, steps: Sequence[Taken]) -> bool:
        if not steps:
            return False
        has_race = any(STEPS[step].is_race for _, step in steps)
        for _ in range(_TRIES_OF_A_RACE if has_race else 1):
            for found in self.play(steps):
                if (found.verdict, found.customer) == (self.failure.verdict, self.failure.customer):
                    return True
        return False
