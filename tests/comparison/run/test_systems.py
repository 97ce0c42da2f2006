"""Who may be a system, with which settings, and what it costs."""

from decimal import Decimal

import pytest
from kit.comparison.studies import (
    once,
    opener,
)
from kit.fakes import FakeBackend

from facematch_comparison.run import Price, StudyRun, read_answers, run_study
from facematch_core import (
    Environment,
    FaceVerifier,
    InvalidRequest,
    Operation,
    Retention,
)
from facematch_core.errors import (
    AuthenticationFailed,
    Unsupported,
)
from facematch_core.resilience import Budget


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"keep": ["nobody"]}, "keep names 'nobody', which is no system; there are: fake"),
        ({"prices": {"nobody": Price(amount=Decimal(1), currency="USD")}}, "price names 'nobody'"),
        ({"workers": 0}, "workers must be"),
        ({"workers": True}, "workers must be"),
    ],
)
def test_wrong_arguments_are_refused(database, study, more, words):
    """Before anything is sent."""
    system = opener()
    with pytest.raises(InvalidRequest, match=words):
        once(database, study, system, **more)
    assert (system.backend.calls, system.backend.closed) == (
        [],
        1 if "workers" in more else 0,
    )


def test_a_system_is_one_backend(database, study):
    """Whose verifier tells what it does."""
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
    """And the systems that are open already are closed."""
    first, second = opener(), opener(FakeBackend(retention=frozenset({Retention.MINIMAL})))
    with pytest.raises(Unsupported, match="retention"):
        run_study(study, {"first": first, "second": second}, database, keep=["second"])
    assert (first.backend.closed, second.backend.closed) == (1, 1)
    assert database.studies() == ()


def test_a_budget_tells_the_price(database, study, address):
    """Unless somebody says another one."""
    price = {Operation.MATCH: Decimal("0.05")}
    budget = Budget(Decimal(10), name="shop", currency="USD", price=price)
    system = opener(policies=[budget])
    once(database, study, system)
    (found,) = read_answers(database, database.study())
    assert (found.price, found.currency) == (0.05, "USD")
    other = {"fake": Price(amount=Decimal("0.04"), currency="EUR")}
    once(database, study, system, prices=other)
    (found,) = read_answers(database, database.study())
    assert (found.price, found.currency) == (0.04, "EUR")


def test_progress_before_a_run(database, study):
    """What would be asked, and whether it costs money."""
    with StudyRun(study, {"paid": opener()}, database, name="Mine") as run:
        assert (run.stored.name, run.stored.pairs) == ("Mine", 6)
        assert run.progress()["paid"].left == 6
        (one,) = run.systems
        assert one.costs_money
    free = opener(FakeBackend(environment=Environment.LOCAL, billed_operations=frozenset()))
    with StudyRun(study, {"free": free}, database) as run:
        assert run.stored.name == "Mine"
        (one,) = run.systems
        assert not one.costs_money
        run.run()
    paid, found = read_answers(database, database.study())
    assert paid.not_answered == {"not asked": 6}
    assert found.privacy == "Nothing left this machine."
    only = read_answers(database, database.study(), ["free"])
    assert [one.table.name for one in only] == ["free"]


def test_what_is_kept_from_a_later_start_on_is_not_denied(database, study):
    """Once a vendor was asked to keep anything, no later start takes that back."""
    system = opener(FakeBackend(script=[None] * 2 + [AuthenticationFailed("No.")]))
    said = []
    for keep in ((), ["fake"], ()):
        once(database, study, system, keep=keep)
        (found,) = read_answers(database, database.study())
        said.append(found.privacy)
    nothing = "Both pictures of each pair were sent; fake was asked to keep nothing."
    kept = "fake was asked to keep each call as a record, pictures included."
    assert said == [nothing, kept, kept]
