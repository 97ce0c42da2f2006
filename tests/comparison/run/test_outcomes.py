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


def every(kind):
    return [kind, *(subclass for below in kind.__subclasses__() for subclass in every(below))]


#: Errors of the core with each charge that they may have; a plug-in's are below one of them.
CASES = [
    (kind, billed)
    for kind in every(FaceMatchError)
    if kind.__module__ == errors.__name__
    for billed in (Charged if issubclass(kind, VendorError) else [None])
]


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


@pytest.mark.parametrize(("kind", "billed"), CASES)
def test_what_may_have_been_charged_is_never_free(kind, billed):
    """What was not charged is free if it is not about the pair; else it failed, once."""
    about = {} if billed is None else {"billing": Billing(billed)}
    error = kind("Something is wrong.", **MORE.get(kind.__name__, {}) | about)
    kept = PairOutcome.of_error(error)
    uncharged = "failed"
    if issubclass(kind, (*FATAL, errors.BreakerOpen, errors.StoreUnavailable)):
        uncharged = "free"
    elif issubclass(kind, errors.InvalidImage):
        uncharged = "answered"
    assert kept.state == {Charged.YES: "no response", Charged.UNKNOWN: "unresolved"}.get(
        billed, uncharged
    )
    assert (kept.billed, kept.error) == (billed or Charged.NO, kind.__name__)
    # A system that charges nothing is asked again.
    kept = PairOutcome.of_error(error, is_billed=False)
    assert (kept.state, kept.billed, kept.decision) == (uncharged, Charged.NO, None)


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
