"""Looks: declared once, each at a fair share of all systems, never made twice in two ways."""

import threading
from decimal import Decimal

import attrs
import pytest
from core.comparison.run.studies import answer, failing, opener, states, write_study
from fakes import FakeBackend, match_result

from facematch_core import Billing, Charged, Decision, InvalidRequest, Score
from facematch_core.comparison.run import Price, RunDatabase, StudyRun, read_answers, run_study
from facematch_core.comparison.run import looks as running
from facematch_core.comparison.stats import sequential
from facematch_core.comparison.stats.sequential import Looks
from facematch_core.errors import AuthenticationFailed, RateLimited
from facematch_core.images import Image

PAIRS = 80
LOOKS = Looks((0.25, 0.5, 1.0), alpha=0.2, kind="pocock")
REFUSED = AuthenticationFailed("The key is wrong.", status_code=401)
PRICES = {name: Price(amount=Decimal("0.5"), currency="EUR") for name in ("good", "bad")}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A test set of so many pairs, every second one mated."""
    return write_study(tmp_path_factory.mktemp("looks") / "pictures", PAIRS, kind="PNG")


@pytest.fixture(autouse=True)
def _seed(monkeypatch):
    """Every run draws the same order."""
    monkeypatch.setattr(running.secrets, "token_hex", lambda _bytes: "5eed")


class Vendor(FakeBackend):
    """Knows everybody, but misses the first so many of each ten mated pairs."""

    def __init__(self, study, misses=0, **more):
        super().__init__(**more)
        self.of = {Image.read(p.probe).digest: at for at, p in enumerate(study.pairs)}
        self.misses, self.is_mated, self.asked = misses, study.mated, []

    def match(self, call):
        pair = self.of[call.probe.digest]
        self.asked.append(pair)
        self.script = self.script or [self.answered]
        return super().match(attrs.evolve(call, metadata={"pair": pair}))

    def answered(self, call):
        pair = call.metadata["pair"]
        high = self.is_mated[pair] and pair // 2 % 10 >= self.misses
        value = (90.0 if high else 10.0) + pair / 100
        decision = Decision.MATCH if value > 50 else Decision.NO_MATCH
        bill = Billing(Charged.YES)
        return match_result(decision, score=Score(value, "fake/v1"), billing=bill)


def vendors(study, bad=10, **more):
    """Two of them."""
    return {"good": opener(Vendor(study, **more)), "bad": opener(Vendor(study, bad, **more))}


def run(study, systems, database, looks=LOOKS, **more):
    """With prices, quickly."""
    more = {"workers": 2, "prices": PRICES, "required_fmr": 0.1, **more}
    return run_study(study, systems, database, looks=looks, **more)


def test_a_run_stops_when_the_difference_is_shown(many, database):
    """The rest is not asked, and the summary says what that saves; a later start asks nothing."""
    systems = vendors(many)
    summary = run(many, systems, database)
    (look,) = summary.looks
    assert (look.number, look.pairs, look.stop) == (1, 20, True)
    assert "good turns away fewer people, and that is not chance" in look.sentences[0]
    assert (summary.is_decided, summary.is_complete) == (True, True)
    assert summary.saved == {"EUR": 2 * 60 * Decimal("0.5")}
    assert [one.asked for one in summary.systems] == [20, 20]
    again = run(many, systems, database)
    assert (again.looks, again.saved) == (summary.looks, summary.saved)
    assert [len(one.backend.asked) for one in systems.values()] == [20, 20]


def test_without_a_difference_every_pair_is_asked(many, database):
    """Once each, look after look."""
    systems = vendors(many, bad=0)
    summary = run(many, systems, database)
    assert [look.pairs for look in summary.looks] == [20, 40, 80]
    assert not any(look.stop for look in summary.looks)
    assert (summary.is_decided, summary.is_complete, summary.saved) == (False, True, {})
    for one in systems.values():
        assert sorted(one.backend.asked) == list(range(PAIRS))


def test_a_difference_at_the_last_look_saves_nothing(many, database):
    """All pairs were asked by then; what failed is asked by the next start, and not saved."""
    systems = vendors(many)
    systems["good"].backend.script = [failing(RateLimited("Slower."))]
    summary = run(many, systems, database, looks=Looks((1.0,)), workers=1)
    assert summary.looks[-1].stop
    assert summary.systems[0].progress.left == 1
    assert (summary.is_decided, summary.saved) == (False, {})


def test_every_look_is_a_fair_sample(many, database):
    """The same pairs of all systems, as many mated ones as in the whole, drawn by a stored seed."""
    systems = vendors(many)
    run(many, systems, database)
    first, second = (one.backend.asked for one in systems.values())
    assert set(first) == set(second)
    assert sum(pair % 2 == 0 for pair in first) == 10
    assert sorted(first) != list(range(20))
    rows = [database.answers(one.number) for one in database.systems(database.study().digest)]
    turns = [[row.place for row in some] for some in rows]
    assert turns[0] == turns[1]
    assert sorted(turns[0]) == list(range(PAIRS))
    study = database.study()
    assert running.places(study) == turns[0]
    assert running.places(attrs.evolve(study, looks={**study.looks, "seed": "other"})) != turns[0]


@pytest.mark.parametrize(
    "other",
    [
        {"looks": Looks((0.5, 1.0), alpha=0.2, kind="pocock")},
        {"looks": attrs.evolve(LOOKS, alpha=0.1)},
        {"looks": attrs.evolve(LOOKS, kind="obrien-fleming")},
        {"looks": None},
        {"required_fmr": 0.01},
    ],
    ids=["shares", "alpha", "kind", "none", "fmr"],
)
def test_looks_are_declared_once(many, database, other):
    """Another start with others is refused, and sends nothing."""
    systems = vendors(many)
    run(many, systems, database)
    changed = vendors(many)
    with pytest.raises(InvalidRequest, match=r"was begun with looks at 0\.25, 0.5, 1 of the pairs"):
        run(many, changed, database, **other)
    changed["third"] = opener(Vendor(many))
    with pytest.raises(InvalidRequest, match=r"is now run with looks .* for bad, good, third"):
        run(many, changed, database, prices={})
    assert [one.backend.asked for one in changed.values()] == [[], [], []]


def test_looks_come_too_late(many, database):
    """A run that has begun without them, or with one system, has none."""
    systems = vendors(many)
    run_study(many, systems, database)
    with pytest.raises(InvalidRequest, match="was begun with no looks, and is now run with looks"):
        run(many, systems, database)
    with pytest.raises(InvalidRequest, match="name at least two"):
        run(many, {"good": systems["good"]}, database, prices={})


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["asking", "deciding", "writing", "afterwards"])
def test_a_kill_around_a_look_changes_nothing(many, address, monkeypatch, moment):
    """The next start goes on to the same look, with the same pairs; each is paid once."""
    database = RunDatabase(address)
    systems, decide = vendors(many), sequential.decide
    decided = []

    def watched(*args, **more):
        decided.append((args[1], [one.table.answered.sum() for one in args[2:]]))
        if moment == "deciding":
            raise Killed
        return decide(*args, **more)

    def die(*_args, **_more):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(sequential, "decide", watched)
        if moment == "asking":
            systems["bad"].backend.script = [*[systems["bad"].backend.answered] * 7, die]
        if moment == "writing":
            patch.setattr(database, "write_look", die)
        if moment == "afterwards":
            patch.setattr(StudyRun, "_summary", die)
        with pytest.raises(Killed):
            run(many, systems, database, workers=1)
    database.close()
    database = RunDatabase(address)
    with monkeypatch.context() as patch:
        moment = ""
        patch.setattr(sequential, "decide", watched)
        for one in systems.values():
            one.backend.script = []
        summary = run(many, systems, database)
    assert summary.looks[0].stop
    for one in systems.values():
        assert len(one.backend.asked) == len(set(one.backend.asked))
    assert all(number == 1 for number, _ in decided)
    # One pair may have been charged when its process was killed: it is not asked again.
    assert max(decided[-1][1]) == 20
    assert min(decided[-1][1]) >= 19
    database.close()


def test_a_look_that_was_made_is_never_made_again(many, database, monkeypatch):
    """Whoever wrote it first is right: also for one that has just computed something else."""
    write = database.write_look

    def somebody_was_first(digest, number, made):
        write(digest, number, {**made, "stop": False, "sentences": ["Theirs."]})
        write(digest, number, made)

    monkeypatch.setattr(database, "write_look", somebody_was_first)
    summary = run(many, vendors(many), database)
    assert [look.sentences for look in summary.looks] == [("Theirs.",)] * 3
    assert all(one.asked == PAIRS for one in summary.systems)


def test_a_look_waits_until_all_its_pairs_have_ended(many, database, clock, monkeypatch):
    """Those of a system that ended early, and those that another process has; it is made later."""
    systems = vendors(many)
    systems["bad"].backend.script = [*[systems["bad"].backend.answered] * 5, REFUSED]
    summary = run(many, systems, database, workers=1)
    assert summary.looks == ()
    assert [one.asked for one in summary.systems] == [20, 5]
    one = database.systems(summary.study.digest)[1]
    claims = database.claim(one.number, 2, below=20)
    systems["bad"].backend.script = []
    summary = run(many, systems, database, clock=clock)
    assert (summary.looks, summary.systems[1].progress.states["answered"]) == ((), 18)
    database.release(claims)
    assert run(many, systems, database).is_decided


def test_pairs_that_another_process_ends_meanwhile_are_waited_for(many, database, clock):
    """The look is made as soon as they have."""
    systems = vendors(many)
    systems["bad"].backend.script = [REFUSED]
    digest = run(many, systems, database, workers=1).study.digest
    other = database.systems(digest)[1]
    (claim,) = database.claim(other.number, below=20)
    assert not database.is_ended(other.number, 20)

    class Waiting(type(clock)):
        def sleep(self, seconds):
            super().sleep(seconds)
            database.release([claim])

    systems["bad"].backend.script = []
    summary = run(many, systems, database, clock=Waiting())
    assert summary.looks == ()
    assert summary.systems[1].progress.left == 61
    assert run(many, systems, database).is_decided


def test_what_failed_unpaid_does_not_hold_up_a_look(many, database):
    """It counts as not answered there, and is asked by the next start."""
    systems = vendors(many)
    systems["good"].backend.script = [failing(RateLimited("Slower."))]
    summary = run(many, systems, database, workers=1)
    assert summary.looks[0].stop
    one, _ = database.systems(summary.study.digest)
    assert states(database, one).count("failed") == 1


def test_what_failed_is_asked_again_after_the_last_look(many, database):
    """By the next start, as without looks; the look stays as it was."""
    systems = vendors(many, bad=0)
    systems["bad"].backend.script = [failing(RateLimited("Slower."))]
    summary = run(many, systems, database, workers=1)
    assert [look.number for look in summary.looks] == [1, 2, 3]
    assert (summary.is_complete, summary.systems[1].progress.left) == (False, 1)
    again = run(many, systems, database)
    assert (again.is_complete, again.looks) == (True, summary.looks)


def test_three_systems_stop_when_every_two_differ(many, database):
    """What was shown at an earlier look stays shown."""
    three = {
        "good": opener(Vendor(many)),
        "fair": opener(Vendor(many, 4)),
        "bad": opener(Vendor(many, 10)),
    }
    summary = run(many, three, database, prices={})
    assert [len(look.sentences) for look in summary.looks] == [3] * len(summary.looks)
    shown = set()
    for number, look in enumerate(summary.looks, start=1):
        made = database.look(summary.study.digest, number)
        shown |= {(one["first"], one["second"]) for one in made["results"] if one["stop"]}
        assert look.stop == (len(shown) == 3)
    assert len(shown) >= 2


def test_a_model_that_changes_ends_no_run(many, database):
    """Its answers are those of two systems: no look decides between them."""
    systems = vendors(many)
    one = systems["bad"].backend
    one.script = [answer(model="v1", score=Score(90.0, "fake/v1"))] * 3 + [
        answer(model="v2", score=Score(90.0, "fake/v1"))
    ]
    summary = run(many, systems, database, workers=1)
    assert [look.stop for look in summary.looks] == [False] * 3
    assert summary.looks[0].sentences == ("bad changed its model during the run: no look ends it.",)
    assert set(summary.changed_models) == {"bad"}
    assert [a.name for a in read_answers(database, summary.study)][1:] == ["bad", "bad (model v2)"]


def test_two_processes_share_a_look(many, address):
    """Both ask; the look sees all pairs of its share, whoever makes it."""
    databases = [RunDatabase(address) for _ in range(2)]
    systems = vendors(many)
    found = []

    def work(database):
        found.append(run(many, systems, database))

    threads = [threading.Thread(target=work, args=[one]) for one in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.is_decided for one in found] == [True, True]
    assert found[0].looks == found[1].looks
    assert sum(one.asked for each in found for one in each.systems) == 40
    for one in databases:
        one.close()
