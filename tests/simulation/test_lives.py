"""Whole lives of an application, each drawn from a number: two processes that may die anywhere.

A failing life is shortened and printed as a story. To live it again, type its number:
``LIFE=4711 pytest tests/simulation -k chosen -s``.
"""

import itertools
import os
import subprocess
import sys

import attrs
import pytest
from kit.money.sessions import BACKENDS
from simulation import plan as plans
from simulation.life import Life
from simulation.planted import FAULTS

VENDORS = sorted(BACKENDS)
STEPS = 40
#: Prints the log of a life.
PROGRAM = """
import logging, sys
from simulation.test_lives import draw, Life

logging.disable()
life = Life(draw(int(sys.argv[1])), sys.argv[2])
life.run()
print(*life.log, sep="\\n")
"""


@pytest.fixture
def addresses(tmp_path):
    """New databases, one after the other."""
    return (f"sqlite:///{tmp_path}/{number}.sqlite3" for number in itertools.count())


def draw(seed):
    return plans.draw(seed, VENDORS, STEPS)


def live(seeds, addresses):
    """Live; fail with the story of the first life in which a law is broken."""
    for seed in seeds:
        plan = draw(seed)
        if Life(plan, next(addresses)).run():
            pytest.fail(tell(seed, plan, addresses), pytrace=False)


def tell(seed, plan, addresses):
    """Return the shortest story that still breaks a law."""
    plan = plans.shorten(plan, lambda shorter: Life(shorter, next(addresses)).run())
    life = Life(plan, next(addresses))
    faults = "; ".join(life.run())
    ahead = f"process 1 is {plan.skew_s} s ahead"
    return "\n".join([f"life {seed}, sessions at {plan.vendor}, {ahead}: {faults}", *life.log])


@pytest.mark.parametrize("first", range(0, 8, 4))
def test_no_life_breaks_a_law(first, addresses):
    live(range(first, first + 4), addresses)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(8, 188, 20))
def test_no_life_of_many_breaks_a_law(first, addresses):
    live(range(first, first + 20), addresses)


@pytest.mark.skipif("LIFE" not in os.environ, reason="LIFE names no life")
def test_chosen_life_breaks_no_law(addresses):
    live([int(os.environ["LIFE"])], addresses)


def logs_of(seed, addresses):
    """Return the different logs of a life that is lived five times, each in its own process."""
    logs = set()
    for hash_seed in range(5):
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONHASHSEED": str(hash_seed),
        }
        command = [sys.executable, "-c", PROGRAM, str(seed), next(addresses)]
        logs.add(subprocess.check_output(command, env=environment, text=True, timeout=240))
    return logs


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 7])
def test_same_number_is_the_same_life_in_another_process(seed, addresses):
    (log,) = logs_of(seed, addresses)
    assert len(log.splitlines()) > STEPS / 2


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("first", range(188, 508, 20))
def test_no_life_of_a_night_breaks_a_law(first, addresses):
    live(range(first, first + 20), addresses)


@pytest.mark.parametrize("name", FAULTS)
def test_life_that_found_a_planted_fault_fails_by_it_alone(name, addresses):
    plan = draw(FAULTS[name].seed)
    plan = attrs.evolve(plan, steps=[plan.steps[number] for number in FAULTS[name].steps])
    assert len(plan.steps) <= 10
    assert not Life(plan, next(addresses)).run()
    with FAULTS[name].plant():
        assert Life(plan, next(addresses)).run()


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_found_and_told_in_a_short_story(name, addresses):
    with FAULTS[name].plant():
        seeds = range(FAULTS[name].seed + 1)
        seed = next(seed for seed in seeds if Life(draw(seed), next(addresses)).run())
        story = tell(seed, draw(seed), addresses)
    # Each action ends in a line with the charges.
    assert story.count("; charges") <= 10, story
