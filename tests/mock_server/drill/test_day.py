"""A day is the same for the same seed, finds what the stories find, and is shrunk to one."""

import pytest

from facematch_mock_server.drill import STORIES, Failure, Verdict
from facematch_mock_server.drill.day import Shrinker, make_day


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


@pytest.mark.parametrize("noise", ["hook", "job"])
def test_failure_is_shrunk_to_its_customer_and_simplest_steps(noise):
    def play(steps):
        alone = [step for customer, step in steps if customer == "Dan"]
        found = "begin" in alone and "other" in alone and alone.index("other") > 0
        failure = Failure(verdict=Verdict.FALSE_YES, customer="Dan", detail="")
        return [failure] if found else []

    steps = [
        ("Ben", "begin"),
        ("Dan", "begin"),
        ("Dan", noise),
        ("Ben", "pass"),
        ("Dan", "spoof"),
        ("Dan", "other"),
    ]
    failure = Failure(verdict=Verdict.FALSE_YES, customer="Dan", detail="")
    assert Shrinker(play=play, failure=failure).shrink(steps) == [
        ("Dan", "begin"),
        ("Dan", "other"),
    ]


def test_failure_that_needs_two_customers_keeps_both():
    failure = Failure(verdict=Verdict.LOST_YES, customer="Ada", detail="")

    def play(steps):
        needed = {("Ada", "pass"), ("Ben", "pass")}
        return [failure] if needed <= set(steps) else []

    steps = [("Ada", "begin"), ("Ben", "begin"), ("Ada", "pass"), ("Ben", "hook"), ("Ben", "pass")]
    assert Shrinker(play=play, failure=failure).shrink(steps) == [("Ada", "pass"), ("Ben", "pass")]
