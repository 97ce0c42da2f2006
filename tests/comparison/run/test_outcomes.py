import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import match_result

from facematch_comparison.run.pairs import PairOutcome, PairState
from facematch_core import Billing, Charged, Decision, Environment, Score, errors
from facematch_core.errors import FATAL, FaceMatchError, VendorError
from facematch_core.models import Ids

#: Errors that need more than a message.
MORE = {
    "EnvironmentMismatch": {"environment": Environment.MOCK, "billing": Billing(Charged.NO)},
    "Unsupported": {"backend": "fake", "what": "retention"},
}


def of(kind, **more):
    return kind("Something is wrong.", **{**MORE.get(kind.__name__, {}), **more})


def every(kind):
    return [kind, *(subclass for below in kind.__subclasses__() for subclass in every(below))]


#: Those of the core: a plug-in's are below one of them.
TREE = [kind for kind in every(FaceMatchError) if kind.__module__ == errors.__name__]


def test_a_result_is_an_answer_without_names():
    result = match_result(
        score=Score(80.0, "fake/v1"),
        billing=Billing(Charged.YES),
        environment=Environment.MOCK,
        model="m",
        ids=Ids(call="an id", caller="Anna"),
    )
    kept = PairOutcome.of_result(result, elapsed_s=0.5)
    assert kept.state is PairState.ANSWERED
    assert (kept.decision, kept.score, kept.scale) == (Decision.MATCH, 80.0, "fake/v1")
    assert (kept.billed, kept.environment, kept.model) == (Charged.YES, Environment.MOCK, "m")
    assert (kept.elapsed_s, kept.call_id, kept.error) == (0.5, "an id", None)
    assert "Anna" not in repr(kept)
    faceless = PairOutcome.of_result(match_result(Decision.INCONCLUSIVE), elapsed_s=None)
    assert (faceless.state, faceless.decision, faceless.score) == ("answered", "inconclusive", None)


#: Those that have a bill.
BILLED = [*filter(lambda kind: issubclass(kind, VendorError), TREE)]


@pytest.mark.parametrize("kind", BILLED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("billed", Charged)
def test_what_may_have_been_charged_is_never_free(kind, billed):
    kept = PairOutcome.of_error(of(kind, billing=Billing(billed)))
    if billed is Charged.NO:
        fatal = issubclass(kind, (*FATAL, errors.BreakerOpen))
        assert kept.state is (PairState.FREE if fatal else PairState.FAILED)
    else:
        assert kept.state == {"yes": "no response", "unknown": "unresolved"}[billed]
    assert (kept.billed, kept.error) == (billed, kind.__name__)


@pytest.mark.parametrize("billed", Charged)
def test_a_system_that_charges_nothing_is_asked_again(billed):
    lost = of(errors.OutcomeUnknown, billing=Billing(billed))
    kept = PairOutcome.of_error(lost, is_billed=False)
    assert (kept.state, kept.billed) == (PairState.FAILED, Charged.NO)


@pytest.mark.parametrize("kind", [*FATAL, errors.StoreUnavailable], ids=lambda kind: kind.__name__)
def test_a_pair_stays_free_of_what_is_not_about_it(kind):
    assert PairOutcome.of_error(of(kind)).state is PairState.FREE


def test_a_picture_that_is_refused_before_it_is_sent_is_not_acquired():
    kept = PairOutcome.of_error(errors.InvalidImage("It is no picture."))
    assert (kept.state, kept.decision, kept.billed) == ("answered", None, "no")
    assert kept.error == "InvalidImage"


@given(
    st.one_of(st.none(), st.integers(100, 599), st.sampled_from([400, 413, 415, 422])),
    st.booleans(),
)
def test_a_picture_that_the_vendor_refuses_is_not_acquired(status, has_answered):
    error = errors.RequestRejected("Face not detected.", status_code=status)
    kept = PairOutcome.of_error(error, has_answered=has_answered)
    if status in (400, 413, 415, 422):
        assert kept.state == ("answered" if has_answered else "free")
    else:
        assert kept.state == "failed"
    assert (kept.decision, kept.billed) == (None, "no")
