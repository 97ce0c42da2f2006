import pytest
from kit.comparison.studies import opener, run_once
from kit.fakes import FakeBackend

from facematch_comparison import to_frame
from facematch_comparison.run import StudyRun, read_answers, run_study
from facematch_core import Environment, FaceVerifier, InvalidRequest, Retention
from facematch_core.errors import AuthenticationFailed, Unsupported


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
    with pytest.raises(InvalidRequest, match="is a Failover, but must be a single backend"):
        run_study(study, {"both": lambda on_event: failover}, database)
    assert failover.closed
    backend = FakeBackend()
    with pytest.raises(InvalidRequest, match="ignored its argument on_event"):
        run_study(study, {"deaf": lambda on_event: FaceVerifier(backend)}, database)
    assert backend.closed == 1


def test_what_a_backend_cannot_do_is_refused_first(database, study):
    first, second = opener(), opener(FakeBackend(retention=frozenset({Retention.MINIMAL})))
    with pytest.raises(Unsupported, match="retention"):
        run_study(study, {"first": first, "second": second}, database, keep=["second"])
    assert (first.backend.closed, second.backend.closed) == (1, 1)
    assert database.studies() == ()


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
