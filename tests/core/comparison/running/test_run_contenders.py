"""Who may be a contender, with which settings, and what it costs."""

from decimal import Decimal

import pytest
from core.comparison.running.studies import (
    once,
    opener,
)
from fakes import FakeBackend

from facematch_core import (
    Environment,
    FaceVerifier,
    InvalidRequest,
    Operation,
    Retention,
)
from facematch_core.comparison.running import Price, StudyRun, read_answers, run_study
from facematch_core.errors import (
    Unsupported,
)
from facematch_core.resilience import Budget


def test_a_threshold_may_not_change_within_a_study(journal, study):
    """Nothing is sent."""
    once(journal, study, opener(threshold=50))
    other = opener(threshold=60)
    with pytest.raises(InvalidRequest, match="is now set to 60"):
        once(journal, study, other)
    assert other.backend.calls == []
    assert other.backend.closed == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"keep": ["nobody"]}, "keep names 'nobody', which is no contender; there are: fake"),
        ({"prices": {"nobody": Price(amount=Decimal(1), currency="USD")}}, "price names 'nobody'"),
        ({"workers": 0}, "workers must be"),
        ({"workers": True}, "workers must be"),
    ],
)
def test_wrong_arguments_are_refused(journal, study, more, words):
    """Before anything is sent."""
    contender = opener()
    with pytest.raises(InvalidRequest, match=words):
        once(journal, study, contender, **more)
    assert (contender.backend.calls, contender.backend.closed) == (
        [],
        1 if "workers" in more else 0,
    )


def test_a_contender_is_one_backend(journal, study):
    """Whose verifier tells what it does."""
    with pytest.raises(InvalidRequest, match="at least one contender"):
        run_study(study, {}, journal)

    class Failover:
        closed = False

        def close(self):
            self.closed = True

    failover = Failover()
    with pytest.raises(InvalidRequest, match="is a Failover: a comparison needs one backend"):
        run_study(study, {"both": lambda on_event: failover}, journal)
    assert failover.closed
    backend = FakeBackend()
    with pytest.raises(InvalidRequest, match="opened without the on_event"):
        run_study(study, {"deaf": lambda on_event: FaceVerifier(backend)}, journal)
    assert backend.closed == 1


def test_what_a_backend_cannot_do_is_refused_first(journal, study):
    """And the contenders that are open already are closed."""
    first, second = opener(), opener(FakeBackend(retention=frozenset({Retention.MINIMAL})))
    with pytest.raises(Unsupported, match="retention"):
        run_study(study, {"first": first, "second": second}, journal, keep=["second"])
    assert (first.backend.closed, second.backend.closed) == (1, 1)
    assert journal.studies() == ()


def test_a_budget_tells_the_price(journal, study, address):
    """Unless somebody says another one."""
    price = {Operation.MATCH: Decimal("0.05")}
    budget = Budget(Decimal(10), name="shop", currency="USD", price=price)
    contender = opener(policies=[budget])
    once(journal, study, contender)
    (found,) = read_answers(journal, journal.study())
    assert (found.price, found.currency) == (0.05, "USD")
    other = {"fake": Price(amount=Decimal("0.04"), currency="EUR")}
    once(journal, study, contender, prices=other)
    (found,) = read_answers(journal, journal.study())
    assert (found.price, found.currency) == (0.04, "EUR")


def test_standings_before_a_run(journal, study):
    """What would be asked, and whether it costs money."""
    with StudyRun(study, {"paid": opener()}, journal, name="Mine") as run:
        assert (run.stored.name, run.stored.pairs) == ("Mine", 6)
        assert run.standings()["paid"].left == 6
        ((one, _),) = run.contenders
        assert one.costs_money
    free = opener(FakeBackend(environment=Environment.LOCAL, billed_operations=frozenset()))
    with StudyRun(study, {"free": free}, journal) as run:
        assert run.stored.name == "Mine"
        ((one, _),) = run.contenders
        assert not one.costs_money
        run.run()
    paid, found = read_answers(journal, journal.study())
    assert paid.not_answered == {"not asked": 6}
    assert found.privacy == "Nothing left this machine."
    only = read_answers(journal, journal.study(), names=["free"])
    assert [one.table.name for one in only] == ["free"]
