"""Face search and estimation of age against the mock server, in each edition."""

import pytest

from facematch_core import (
    Charged,
    Environment,
    InsufficientCredit,
    OutcomeUnknown,
    Reconciled,
    Retention,
    WarningCode,
)
from facematch_didit import AgeDecision, DiditAccount, SearchDecision, SearchMode
from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet, make_card

EDITIONS = ("2026-03", "2026-07", "2026-11")
SHEET = card_sheet()
P1, P1_AGAIN = SHEET["p1"].data, SHEET["p1-again"].data


@pytest.fixture(scope="module", params=EDITIONS)
def server(request):
    with MockServer(edition=request.param, seed=5) as running:
        yield running


@pytest.fixture
def account(verifier):
    return DiditAccount.of(verifier.backend)


def test_who_was_kept_is_found(mock, verifier, account):
    """The face of a kept liveness check, with its own reference; one charge for the search."""
    assert account.search_faces(P1_AGAIN).is_clear
    kept = verifier.check_liveness(P1, retention=Retention.KEEP, caller_ref="case 7")
    result = account.search_faces(P1_AGAIN)
    assert result.decision is SearchDecision.FOUND
    (face,) = result.matches
    assert (face.session_id, face.caller_ref) == (kept.ids.session, "case 7")
    assert (face.is_blocklisted, face.score) == (False, result.score)
    assert result.environment is Environment.MOCK
    assert len(mock.control.charges()) == 3


def test_who_is_blocked_is_told_first(mock, account):
    """Blocked is blocked, however much more alike another face is."""
    mock.control.faces.enrol(person="p1")
    mock.control.faces.enrol(make_card("p1", quality=40), listing="block")
    result = account.search_faces(P1, mode=SearchMode.BLOCKLISTED_OR_APPROVED)
    assert result.decision is SearchDecision.BLOCKLISTED
    assert result.mode is SearchMode.BLOCKLISTED_OR_APPROVED
    assert result.matches[0].is_blocklisted is True
    assert WarningCode.BLOCKLISTED in {warning.code for warning in result.warnings}


def test_no_face_is_inconclusive_and_free(mock, account):
    """Of a search; an estimation of age answers 200, and so costs a credit."""
    result = account.search_faces(SHEET["no-face"].data)
    assert (result.decision, result.billing.charged) == (SearchDecision.INCONCLUSIVE, Charged.NO)
    assert mock.control.charges() == ()
    aged = account.estimate_age(SHEET["no-face"].data)
    assert (aged.decision, aged.age, aged.billing.charged) == (
        AgeDecision.INCONCLUSIVE,
        None,
        Charged.YES,
    )
    assert len(mock.control.charges()) == 1


@pytest.mark.parametrize(
    ("card", "minimum_age", "decision"),
    [
        ({"age": 18}, None, AgeDecision.OLD_ENOUGH),
        ({"age": 17}, None, AgeDecision.TOO_YOUNG),
        ({"age": 17}, 17, AgeDecision.OLD_ENOUGH),
        ({"age": 12}, 0, AgeDecision.ESTIMATED),
        ({"age": 40, "liveness": 3}, None, AgeDecision.NOT_LIVE),
        ({"age": 12, "liveness": 3}, None, AgeDecision.NOT_LIVE),
    ],
    ids=str,
)
def test_ages_at_their_edges(account, card, minimum_age, decision):
    """At the minimum is old enough; what is not live is never too young."""
    result = account.estimate_age(make_card("p1", **card), minimum_age=minimum_age)
    assert (result.decision, result.age) == (decision, card["age"])
    assert all(face.demographics is None for face in result.probe_faces)


def test_a_liveness_score_at_its_threshold(account):
    """It does not pass: the rule is opposite to that of the age."""
    result = account.estimate_age(make_card("p1", age=40, liveness=60), threshold=60)
    assert result.decision is AgeDecision.NOT_LIVE


@pytest.mark.parametrize("name", ["search_faces", "estimate_age"])
def test_a_lost_answer_is_unknown_and_was_paid_once(mock, verifier, account, name):
    """As of every call; Didit's records do not tell such an answer in a documented form."""
    mock.control.add_fault(Fault(stage=Stage.MID_BODY, kind=Kind.RESET))
    with pytest.raises(OutcomeUnknown) as caught:
        getattr(account, name)(P1, retention=Retention.KEEP)
    assert (caught.value.billing.charged, caught.value.reconcilable) == (Charged.UNKNOWN, False)
    assert len(mock.control.charges()) == 1
    assert verifier.reconcile(caught.value).outcome is Reconciled.CANNOT_KNOW


@pytest.mark.parametrize("name", ["search_faces", "estimate_age"])
def test_money_and_sandbox(mock, account, name):
    """An empty account is told, and a sandbox key pays nothing."""
    mock.control.set_balance(0)
    with pytest.raises(InsufficientCredit):
        getattr(account, name)(P1)
    trial = DiditAccount(api_key=mock.sandbox_key, base_url=mock.url)
    with trial as sandbox:
        getattr(sandbox, name)(P1, retention=Retention.KEEP)
    assert mock.control.charges() == ()
