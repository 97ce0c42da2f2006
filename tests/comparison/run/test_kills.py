"""A study with two vendors, killed at every step of its store's life: each pair is paid once."""

import collections
import contextlib
import itertools
import math
from hashlib import sha256

import pytest
from kit.comparison.runner import DEAD, Runner

from facematch_comparison import PairState, RunDatabase, read_study
from facematch_core import Charged
from facematch_core.batch.charges import write_charges
from facematch_core.store import SqlStore
from facematch_core.testing import ManualClock
from facematch_mock_server import MockServer, VirtualClock, make_card

#: Where each vendor is asked to compare two faces.
PATHS = {"didit": "/v3/face-match/", "deepvue": "/v1/facematch"}


#: Of each person there is a card with each of these.
LUMINANCES = (50, 60, 70)


def pairs_of_cards(people):
    """The number of pairs of two of their cards."""
    return math.comb(len(LUMINANCES) * people, 2)


def write_cards(folder, pairs):
    """A study of so many pairs of test cards: each person has three."""
    people = next(count for count in itertools.count(2) if pairs_of_cards(count) >= pairs)
    cards = list(itertools.product([f"person{number}" for number in range(people)], LUMINANCES))
    folder.mkdir()
    for person, luminance in cards:
        card = make_card(person, luminance=luminance)
        (folder / f"{person}-{luminance}.png").write_bytes(card)
    both = itertools.combinations(cards, 2)
    mated_first = sorted(both, key=lambda both: both[0][0] != both[1][0])
    lines = ["probe,reference,same,probe_subject,reference_subject"]
    for (probe, a), (reference, b) in mated_first[:pairs]:
        is_same = int(probe == reference)
        lines.append(f"{probe}-{a}.png,{reference}-{b}.png,{is_same},{probe},{reference}")
    (folder / "pairs.csv").write_text("\n".join(lines))
    return folder / "pairs.csv"


def digest_of(path):
    return sha256(path.read_bytes()).hexdigest()


class VendorStudy:
    """Two vendors and one study."""

    def __init__(self, mock, folder, pairs):
        self.mock = mock
        self.study = write_cards(folder / "cards", pairs)
        self.store = f"sqlite:///{folder}/study.sqlite3"
        #: The digests of the pictures of each pair.
        self.pairs = [
            frozenset([digest_of(pair.probe), digest_of(pair.reference)])
            for pair in read_study(self.study).pairs
        ]

    def runner(self):
        deepvue = self.mock.of("deepvue")
        keys = {"didit": self.mock.live_key, "deepvue": [deepvue.client_id, deepvue.live_key]}
        return Runner({"store": self.store, "study": str(self.study), "url": self.mock.url, **keys})

    @contextlib.contextmanager
    def books(self):
        """The run database with its systems, and the books of budgets."""
        with (
            contextlib.closing(RunDatabase(self.store)) as database,
            contextlib.closing(SqlStore(self.store)) as attempts,
        ):
            yield database, database.systems(), attempts

    def charged(self, vendor):
        """How often each two pictures were charged."""
        charges = collections.Counter()
        for entry in self.mock.of(vendor).control.journal():
            if entry.path == PATHS[vendor] and entry.status == 200:
                charges[frozenset(file.digest for file in entry.files)] += 1
        return charges

    def calls(self):
        """How many calls were charged by now."""
        return sum(len(self.mock.of(vendor).control.charges()) for vendor in PATHS)

    def resolve_by_invoice(self):
        """A person resolves the rest by the vendors' books; how many calls it was."""
        count = 0
        with self.books() as (database, systems, attempts):
            for system in systems:
                charged = self.charged(system.name)
                for pair in database.unresolved(system):
                    if pair.state is PairState.UNRESOLVED:
                        billed = Charged.YES if charged[self.pairs[pair.pair]] else Charged.NO
                        write_charges([attempts], [pair.call.id], billed, ManualClock().now())
                        assert database.resolve(system.number, pair.call.id, billed)
                        count += 1
        return count

    def finish(self, runner):
        """Start until all is done: exactly one charge for each pair and vendor, in every book."""
        assert runner.run() == 0
        self.resolve_by_invoice()
        assert runner.run() == 0
        assert self.resolve_by_invoice() == 0
        assert self.calls() == 2 * len(self.pairs)
        states = {}
        with self.books() as (database, systems, attempts):
            for system in systems:
                assert self.charged(system.name) == collections.Counter(self.pairs)
                progress = database.progress(system.number)
                assert (progress.pairs, progress.charged) == (len(self.pairs), len(self.pairs))
                states[system.name] = progress.states
            assert attempts.open_reservations() == ()
            money = [(book.spent, book.reserved, book.unknown) for book in attempts.budgets()]
            assert money == [(len(self.pairs), 0, 0)] * 2
        assert states["didit"] == {PairState.ANSWERED: len(self.pairs)}
        assert set(states["deepvue"]) <= {PairState.ANSWERED, PairState.NO_RESPONSE}


@pytest.fixture
def vendor_study(tmp_path):
    limits = ("write_limit", "get_limit")
    switches = {"didit": dict.fromkeys(limits, 1_000_000)}
    # As the vendors' own clocks do, which a search for lost calls goes by.
    clock = VirtualClock(running=True)
    with MockServer(vendor=["didit", "deepvue"], seed=7, switches=switches, clock=clock) as mock:
        yield lambda pairs: VendorStudy(mock, tmp_path, pairs)


@pytest.mark.parametrize(
    ("pairs", "steps"),
    [pytest.param(60, 12, marks=pytest.mark.slow), pytest.param(200, 1, marks=pytest.mark.long)],
)
def test_a_run_killed_at_every_step_is_resumed(vendor_study, pairs, steps):
    study = vendor_study(pairs)
    with study.runner() as runner:
        exit_codes = []
        while 0 not in exit_codes:
            exit_codes.append(runner.run(workers=2, die_at=1 + steps * len(exit_codes)))
        assert set(exit_codes) == {DEAD, 0}
        assert len(exit_codes) > 11
        study.finish(runner)
