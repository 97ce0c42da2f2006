"""A study with two vendors, killed at every step of its store's life: each pair is paid once."""

import collections
import csv
import itertools
from hashlib import sha256

import pytest
from kit.comparison.runner import DEAD, Runner

from facematch_comparison.run import PairState, RunDatabase
from facematch_comparison.run.recover import finalize_budgets
from facematch_core import Charged
from facematch_core.store import SqlStore
from facematch_core.testing import ManualClock
from facematch_mock_server import MockServer, VirtualClock, make_card

#: Where each vendor is asked to compare two faces.
PATHS = {"didit": "/v3/face-match/", "deepvue": "/v1/facematch"}


def write_cards(folder, pairs):
    """A study of so many pairs of test cards: each person has three."""
    people = next(n for n in itertools.count(2) if 9 * n * (n - 1) // 2 + 3 * n >= pairs)
    cards = [(f"person{number}", look) for number in range(people) for look in (50, 60, 70)]
    folder.mkdir()
    for person, look in cards:
        (folder / f"{person}-{look}.png").write_bytes(make_card(person, luminance=look))
    two = sorted(itertools.combinations(cards, 2), key=lambda two: two[0][0] != two[1][0])
    with (folder / "pairs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["probe", "reference", "same", "probe_subject", "reference_subject"])
        for (person, a), (other_person, b) in two[:pairs]:
            rows.writerow(
                [
                    f"{person}-{a}.png",
                    f"{other_person}-{b}.png",
                    int(person == other_person),
                    person,
                    other_person,
                ]
            )
    return folder / "pairs.csv"


class VendorStudy:
    """Two vendors and one study. A context manager."""

    def __init__(self, folder, pairs=200):
        limits = ("write_limit", "get_limit", "decision_limit")
        switches = {"didit": dict.fromkeys(limits, 1_000_000)}
        # As the vendors' own clocks do, which a search for lost calls goes by.
        clock = VirtualClock(running=True)
        self.mock = MockServer(vendor=["didit", "deepvue"], seed=7, switches=switches, clock=clock)
        self.pairs = pairs
        self.study = write_cards(folder / "cards", pairs)
        self.store = f"sqlite:///{folder}/study.sqlite3"

    def __enter__(self):
        self.mock.start()
        return self

    def __exit__(self, *_):
        self.mock.stop()

    def runner(self):
        deepvue = self.mock.of("deepvue")
        return Runner(
            {
                "store": self.store,
                "study": str(self.study),
                "didit": [self.mock.url, self.mock.live_key],
                "deepvue": [self.mock.url, deepvue.client_id, deepvue.live_key],
            }
        )

    def charged(self, vendor):
        """How often each two pictures were charged."""
        entries = self.mock.of(vendor).control.journal()
        return collections.Counter(
            frozenset(file.digest for file in entry.files)
            for entry in entries
            if entry.path == PATHS[vendor] and entry.status == 200
        )

    def calls(self):
        """How many calls were charged by now."""
        return sum(len(self.mock.of(vendor).control.charges()) for vendor in PATHS)

    def resolve_by_invoice(self):
        """A person resolves the rest by the vendors' books; how many calls it was."""
        database, attempts = RunDatabase(self.store), SqlStore(self.store)
        charged_pairs = attempts_of(self)
        count = 0
        study = database.study()
        for system in database.systems(study.digest):
            for pair in database.unresolved(system):
                if pair.state is not PairState.UNRESOLVED:
                    continue
                billed = Charged.YES if charged_pairs[system.name, pair.pair] else Charged.NO
                finalize_budgets([attempts], [pair.call.id], billed, ManualClock().now())
                assert database.resolve(system.number, pair.call.id, billed)
                count += 1
        database.close()
        attempts.close()
        return count

    def check(self):
        """Exactly one charge for each pair and vendor, in every book; what became of the pairs."""
        database, attempts = RunDatabase(self.store), SqlStore(self.store)
        study = database.study()
        states = {}
        for system in database.systems(study.digest):
            charges = self.charged(system.name)
            assert len(charges) == self.pairs
            assert set(charges.values()) == {1}
            assert len(self.mock.of(system.name).control.charges()) == self.pairs
            progress = database.progress(system.number)
            assert (progress.pairs, progress.charged) == (self.pairs, self.pairs)
            states[system.name] = dict(progress.states)
        assert attempts.open_reservations() == ()
        for budget in attempts.budgets():
            sums = budget.spent, budget.reserved, budget.unknown
            assert (budget.key.name, sums) == (budget.key.name, (self.pairs, 0, 0))
        assert len(attempts.budgets()) == len(states) == 2
        database.close()
        attempts.close()
        return states


def attempts_of(world):
    """By vendor and pair: whether it was charged."""
    from facematch_comparison.study import read_study

    study = read_study(world.study)
    digests = {path: sha256(path.read_bytes()).hexdigest() for path in study.pictures}
    return {
        (vendor, place): world.charged(vendor)[
            frozenset((digests[pair.probe], digests[pair.reference]))
        ]
        for vendor in PATHS
        for place, pair in enumerate(study.pairs)
    }


LONG = pytest.mark.long


def finish(world, runner):
    """Start until all is done, resolving by the invoice what nothing else says."""
    assert runner.run() == 0
    world.resolve_by_invoice()
    assert runner.run() == 0
    assert world.resolve_by_invoice() == 0


def check(world):
    states = world.check()
    assert states["didit"] == {PairState.ANSWERED: world.pairs}
    assert set(states["deepvue"]) <= {PairState.ANSWERED, PairState.NO_RESPONSE}


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
