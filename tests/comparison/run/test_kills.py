"""A study with two vendors, killed at every step of its store's life: each pair is paid once."""

import random
import threading

import pytest
from kit.comparison.runner import DEAD, HELD
from kit.comparison.vendors import World

from facematch_comparison.run import PairState


def finish(world, runner):
    """Start until all is done, settling by the invoice what nothing tells; how much that was."""
    assert runner.run() == 0
    settled = world.settle_by_invoice()
    assert runner.run() == 0
    assert world.settle_by_invoice() == 0
    return settled


def check(world):
    """Each is paid once, and only lost where a vendor keeps no records."""
    found = world.check()
    assert found["didit"] == {PairState.ANSWERED: world.pairs}
    assert set(found["deepvue"]) <= {PairState.ANSWERED, PairState.NO_RESPONSE}
    return found["deepvue"].get(PairState.NO_RESPONSE, 0)


def test_killed_again_and_again(tmp_path):
    """One run, of which each start ends a few steps later than the one before."""
    with World(tmp_path, pairs=60) as world, world.runner() as runner:
        deaths = moment = 0
        while True:
            moment += 12
            code = runner.run(workers=2, die_at=moment)
            if code == 0:
                break
            assert code == DEAD
            deaths += 1
        assert deaths > 10
        finish(world, runner)
        check(world)


def killed_once(folder, moments):
    """A run for each of these moments, killed there and started again."""
    for moment in moments:
        place = folder / str(moment)
        place.mkdir()
        with World(place, pairs=12) as world, world.runner() as runner:
            assert runner.run(workers=2, die_at=moment) == DEAD
            finish(world, runner)
            check(world)


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_killed_once_at_every_step(tmp_path, part):
    """From opening the store to the last pair of 12: each moment of the life of a store."""
    killed_once(tmp_path, range(1 + part, 300, 8))


@pytest.mark.long
def test_killed_at_every_step_of_one_run(tmp_path):
    """As the short one, each start one moment later than the one before."""
    with World(tmp_path) as world, world.runner() as runner:
        moment = 1
        while (code := runner.run(workers=4, die_at=moment)) != 0:
            assert code == DEAD
            moment += 1
        finish(world, runner)
        check(world)


def kill_in_the_middle(world, runner, after):
    """SIGKILL when so many more calls were charged."""
    wanted = world.calls() + after
    runner.begin()
    for _ in range(6000):
        if world.calls() >= wanted:
            break
        threading.Event().wait(0.005)
    assert runner.kill_child() == -9


def killed_by_signal(folder, times, pairs):
    """SIGKILL so often, each time after another number of calls."""
    chance = random.Random(3)
    with World(folder, pairs=pairs) as world, world.runner() as runner:
        for _ in range(times):
            kill_in_the_middle(world, runner, chance.randint(5, pairs // 3))
        finish(world, runner)
        check(world)


def test_kill_9_in_the_middle(tmp_path):
    """Twice; calls that were under way may have been charged, and are not repeated."""
    killed_by_signal(tmp_path, times=2, pairs=60)


@pytest.mark.long
def test_kill_9_in_the_middle_many_times(tmp_path):
    """Ten times in a run of 200 pairs."""
    killed_by_signal(tmp_path, times=10, pairs=200)


def test_a_second_process_on_one_study_is_refused(tmp_path):
    """It sends nothing and changes nothing; the first goes on, and killed, is followed."""
    with World(tmp_path, pairs=80) as world, world.runner() as one, world.runner() as other:
        one.begin()
        for _ in range(6000):
            if world.calls() >= 30:
                break
            threading.Event().wait(0.005)
        assert other.run() == HELD
        assert one.kill_child() == -9
        one.begin()
        assert one.ended() == 0
        finish(world, other)
        check(world)
