from decimal import Decimal

import attrs
import pytest
from kit.comparison.studies import opener, run_once, write_study
from kit.fakes import FakeBackend, picture

from facematch_comparison import to_frame
from facematch_comparison.run import Price, StudyRun, read_answers, run_study
from facematch_core import Environment, FaceVerifier, InvalidRequest, Operation, Retention
from facematch_core.errors import AuthenticationFailed, Unsupported
from facematch_core.resilience import Budget


def test_a_wrong_number_of_workers_is_refused(database, study):
    system = opener()
    with pytest.raises(InvalidRequest):
        run_once(database, study, system, workers=0)
    assert system.backend.calls == []


def test_a_system_is_one_backend_whose_verifier_reports(database, study):
    with pytest.raises(InvalidRequest, match="at least one system"):
        run_study(study, {}, database)

    class Failover:
        closed = False

        def close(self):
            self.closed = True

    failover = Failover()
    with pytest.raises(InvalidRequest, match="is a Failover: a comparison needs one backend"):
        run_study(study, {"both": lambda on_event: failover}, database)
    assert failover.closed
    backend = FakeBackend()
    with pytest.raises(InvalidRequest, match="opened without the on_event"):
        run_study(study, {"deaf": lambda on_event: FaceVerifier(backend)}, database)
    assert backend.closed == 1


def test_what_a_backend_cannot_do_is_refused_first(database, study):
    first, second = opener(), opener(FakeBackend(retention=frozenset({Retention.MINIMAL})))
    with pytest.raises(Unsupported, match="retention"):
        run_study(study, {"first": first, "second": second}, database, keep=["second"])
    assert (first.backend.closed, second.backend.closed) == (1, 1)
    assert database.studies() == ()


def test_a_budget_gives_the_price_unless_somebody_says_another(database, study, address):
    price = {Operation.MATCH: Decimal("0.05")}
    budget = Budget(Decimal(10), name="shop", currency="USD", price=price)
    system = opener(policies=[budget])
    run_once(database, study, system)
    (answers,) = read_answers(database, database.study())
    assert (answers.price, answers.currency) == (0.05, "USD")
    other = {"fake": Price(amount=Decimal("0.04"), currency="EUR")}
    run_once(database, study, system, prices=other)
    (answers,) = read_answers(database, database.study())
    assert (answers.price, answers.currency) == (0.04, "EUR")


def test_before_a_run_it_is_known_what_would_be_asked_and_what_costs_money(database, study):
    with StudyRun(study, {"paid": opener()}, database, name="Mine") as run:
        assert (run.stored.name, run.stored.pairs) == ("Mine", 6)
        assert run.progress()["paid"].left == 6
        (system,) = run.systems
        assert system.costs_money
    free = opener(FakeBackend(environment=Environment.LOCAL, billed_operations=frozenset()))
    with StudyRun(study, {"free": free}, database) as run:
        assert run.stored.name == "Mine"
        (system,) = run.systems
        assert not system.costs_money
        run.run()
    paid, local = read_answers(database, database.study())
    assert paid.not_answered == {"not asked": 6}
    assert to_frame([paid])["error"].tolist() == ["not asked"] * 6
    assert local.privacy == "Nothing left this machine."
    assert (paid.name, local.name) == ("paid", "free")


def test_what_is_kept_from_a_later_start_on_is_not_denied(database, study):
    system = opener(FakeBackend(script=[None] * 2 + [AuthenticationFailed("No.")]))
    privacy = []
    for keep in ((), ["fake"], ()):
        run_once(database, study, system, keep=keep)
        (answers,) = read_answers(database, database.study())
        privacy.append(answers.privacy)
    nothing = "Both pictures of each pair were sent; fake was asked to keep nothing."
    kept = "fake was asked to keep each call as a record, pictures included."
    assert privacy == [nothing, kept, kept]


@pytest.fixture
def sorted_study(tmp_path):
    """80 mated pairs, then 160 others, sorted by person: ten pairs in a row are of one."""
    study = write_study(tmp_path / "pictures", pairs=240)
    for at, pair in enumerate(study.pairs):
        pair.probe.write_bytes(picture((at, 0, 0), kind="PNG").data)
    pairs = [
        attrs.evolve(
            pair,
            mated=at < 80,
            probe_subject=f"P{at // 10:02}",
            reference_subject=f"P{at // 10:02}" if at < 80 else f"Q{at}",
        )
        for at, pair in enumerate(study.pairs)
    ]
    return attrs.evolve(study, pairs=tuple(pairs))


def asked_by(study, database, name, *limits):
    backend = FakeBackend()
    for limit in limits:
        system = opener(backend, policies=[Budget(limit, name=f"{name}-{limit}")])
        run_study(study, {name: system}, database, workers=1)
    places = {pair.probe.read_bytes(): at for at, pair in enumerate(study.pairs)}
    return [places[call.probe.data] for call in backend.calls]


def test_a_budget_that_ends_early_buys_some_of_everything(sorted_study, database):
    places = asked_by(sorted_study, database, "fake", 150)
    assert len(set(places)) == 150
    mated = [at for at in places if at < 80]
    assert abs(len(mated) - 50) <= 1
    # Of each person, and so of each part of the file, about as much as of all.
    bought = [sum(at // 10 == person for at in places) for person in range(24)]
    assert min(bought) >= 2
    assert sum(at < 40 for at in mated) == pytest.approx(25, abs=8)
    # At any moment before that, too.
    for count in (30, 60, 90):
        assert abs(3 * sum(at < 80 for at in places[:count]) - count) <= 6


def test_the_order_is_that_of_the_study_in_every_start(sorted_study, database):
    study = attrs.evolve(sorted_study, name="short", pairs=sorted_study.pairs[70:90])
    whole = asked_by(study, database, "whole", 20)
    assert sorted(whole) == list(range(20))
    assert asked_by(study, database, "parts", 5, 15) == whole
    fewer = attrs.evolve(study, name="fewer", pairs=study.pairs[:-1])
    assert asked_by(fewer, database, "other", 19) != whole[:19]
