"""A day is the same for the same seed, finds what the stories find, and is shrunk to one."""

import pytest

from facematch_mock_server.drill import STORIES, Failure, Verdict
from facematch_mock_server.drill.day import make_day, shorten


def day(**changes):
    options = {"customers": 80, "seed": 7, "without": (), **changes}
    return make_day(tuple(STORIES), **options)


def test_same_seed_gives_the_same_day_and_another_one_another():
    assert day() == day()
    assert day() != day(seed=8)


def test_every_story_is_in_a_day_with_its_steps_in_order():
    played = {}
    for customer, step in day():
        played.setdefault(customer, []).append(step)
    assert len(played) == 80
    lone = [story for story in STORIES if ":" not in story]
    missing = [story for story in lone if not any(has(steps, story) for steps in played.values())]
    assert missing == []


def has(steps, story):
    """Return whether the steps of a story are among others, in order."""
    rest = iter(steps)
    return all(step in rest for step in story.split(","))


def test_steps_that_cannot_be_played_are_not_inserted():
    assert "job" in [step for _, step in day()]
    assert "job" not in [step for _, step in day(without=("job",))]


FALSE_YES = Failure(verdict=Verdict.FALSE_YES, customer="Dan", detail="")


@pytest.mark.parametrize("noise", ["hook", "job"])
def test_failure_is_shortened_to_the_steps_that_its_customer_needs(noise):
    def play(steps):
        taken = [step for _, step in steps]
        found = "begin" in taken and "other" in taken and taken.index("other") > 0
        return [FALSE_YES] if found else []

    day = [("Ben", "begin"), ("Dan", "begin"), ("Dan", noise), ("Ben", "pass")]
    day += [("Dan", "spoof"), ("Dan", "other")]
    assert shorten(play, FALSE_YES, day) == [("Ada", "begin"), ("Ada", "other")]


def test_failure_that_needs_two_customers_has_no_shorter_story():
    assert shorten(lambda _: [], FALSE_YES, [("Ben", "begin"), ("Dan", "begin")]) == []
