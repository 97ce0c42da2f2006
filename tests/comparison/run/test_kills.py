"""A study with two vendors, killed at every step of its store's life: each pair is paid once."""

import pytest
from kit.comparison.runner import DEAD
from kit.comparison.vendors import VendorStudy

from facematch_comparison.run import PairState

LONG = pytest.mark.long


def finish(world, runner):
    """Start until all is done, resolving by the invoice what nothing else says."""
    assert runner.run() == 0
    world.resolve_by_invoice()
    assert runner.run() == 0
    assert world.resolve_by_invoice() == 0


def check(world):
    found = world.check()
    assert found["didit"] == {PairState.ANSWERED: world.pairs}
    assert set(found["deepvue"]) <= {PairState.ANSWERED, PairState.NO_RESPONSE}


@pytest.mark.parametrize(
    ("pairs", "steps"),
    [pytest.param(60, 12, marks=pytest.mark.slow), pytest.param(200, 1, marks=LONG)],
)
def test_each_start_ends_a_few_steps_later_than_the_one_before(tmp_path, pairs, steps):
    with VendorStudy(tmp_path, pairs=pairs) as world, world.runner() as runner:
        deaths = 0
        while (code := runner.run(workers=2, die_at=1 + steps * deaths)) != 0:
            assert code == DEAD
            deaths += 1
        assert deaths > 10
        finish(world, runner)
        check(world)


def test_kill_9_in_the_middle_repeats_no_call_that_may_have_been_charged(tmp_path):
    with VendorStudy(tmp_path, pairs=12) as world, world.runner() as runner:
        for moment in (90, 60):
            assert runner.run(workers=2, die_at=moment) == DEAD
        assert 0 < world.calls() < 24
        finish(world, runner)
        check(world)
