"""The backend and its account against the mock server: editions, money, environments, records."""

import contextlib
import pickle

import attrs
import pytest

import facematch_core as fm
from facematch_didit import DiditAccount, DiditBackend, SessionStatus
from facematch_mock_server import Fault, Kind, Stage, card_sheet

OLD, NEW = EDITIONS = ("2026-03", "2026-07")
SHEET = card_sheet()
MATCH, LIVE = fm.Decision, fm.LivenessDecision
KEEP = {"retention": fm.Retention.KEEP}


def card(name):
    return fm.Image.from_bytes(SHEET[name].data)


REFERENCE, AGAIN = card("p1"), card("p1-again")


@pytest.fixture
def mock(didit_server):
    return didit_server


@pytest.fixture
def open_mock(mock, at_end):
    """Opens a verifier on the mock; settings of the backend may be given, and its own arguments."""

    def make(edition=NEW, of_verifier=None, **settings):
        mock.control.reset(edition=edition)
        settings = {"api_key": mock.live_key, "base_url": mock.url} | settings
        verifier = fm.FaceVerifier(DiditBackend(**settings), **of_verifier or {})
        return at_end.enter_context(verifier)

    return make


@pytest.fixture
def world(open_mock):
    verifier = open_mock()
    with contextlib.closing(DiditAccount.of(verifier.backend)) as account:
        yield verifier, account


# What is decided, in both editions

#: Card against p1 (None: its liveness), options, decision early in 2026 and since then, codes of
#: the warnings of both.
CALLS = {
    "match": ("p1-again", {}, MATCH.MATCH, MATCH.MATCH),
    "no match": ("p2", {}, MATCH.NO_MATCH, MATCH.NO_MATCH),
    "no face, kept": ("no-face", KEEP, MATCH.INCONCLUSIVE, MATCH.INCONCLUSIVE),
    "two faces": ("two-faces", {}, MATCH.MATCH, MATCH.MATCH),
    "lying, rotate": ("turned-90", {"rotate": True}, MATCH.MATCH, MATCH.MATCH),
    "threshold 100": ("p1-again", {"threshold": 100}, MATCH.NO_MATCH, MATCH.NO_MATCH),
    "review band": ("p1-again", {"review_threshold": 98}, MATCH.REVIEW, MATCH.REVIEW),
    # Early in 2026 the threshold itself was enough; since then a score must lie above it.
    "equality": ("score-30", {"threshold": 30}, MATCH.MATCH, MATCH.NO_MATCH),
    # Only the edition of early 2026 says that a person should look.
    "review": ("review", {}, MATCH.REVIEW, MATCH.MATCH),
}
LIVENESSES = {
    "live": ("p1", {}, LIVE.LIVE, LIVE.LIVE),
    "spoof": ("spoof", {}, LIVE.NOT_LIVE, LIVE.NOT_LIVE),
    "attack": ("attack", {}, LIVE.NOT_LIVE, LIVE.NOT_LIVE),
    "no face, live": ("no-face", {}, LIVE.INCONCLUSIVE, LIVE.INCONCLUSIVE),
    "lying, live": ("turned-270", {"rotate": True}, LIVE.LIVE, LIVE.LIVE),
    "equal liveness": ("liveness-30", {}, LIVE.LIVE, LIVE.NOT_LIVE),
}


@pytest.mark.parametrize("name", [*CALLS, *LIVENESSES])
def test_the_caller_need_not_know_which_edition_decides(open_mock, mock, name):
    picture, options, *decisions = (CALLS | LIVENESSES)[name]
    for edition, decision in zip(EDITIONS, decisions, strict=True):
        verifier = open_mock(edition)
        if name in CALLS:
            result = verifier.verify(card(picture), REFERENCE, **options)
        else:
            result = verifier.check_liveness(card(picture), **options)
        assert result.decision is decision, edition
        # One credit for each answer 200, whatever the verdict; both sides say the same.
        assert result.billing.charged is fm.Charged.YES
        assert [charge.request_id for charge in mock.control.charges()] == [result.ids.vendor]
        assert result.environment is fm.Environment.MOCK
        kept = [session.id for session in mock.control.sessions.all()]
        assert kept == ([result.ids.session] if options == KEEP else [])
        if name.startswith("no face"):
            assert result.score is None
            assert [warning.code for warning in result.warnings] == [fm.WarningCode.NO_FACE]


@pytest.mark.parametrize(
    ("edition", "text"), [(NEW, "x" * 255), (OLD, "ü😀"), (NEW, 'a"b'), (NEW, "a\r\nb")]
)
def test_reference_and_metadata_arrive_as_they_were_given(open_mock, mock, edition, text):
    sent = {"caller_ref": text, "metadata": {text: [text, 3]}}
    result = open_mock(edition).verify(REFERENCE, REFERENCE, **KEEP, **sent)
    (session,) = mock.control.sessions.all()
    kept = sent["metadata"] | {"facematch_attempt_id": result.ids.call}
    assert (session.vendor_data, session.metadata) == (text, kept)
    assert (result.ids.caller, dict(result.metadata)) == (text, sent["metadata"])
    echoed = {} if edition == OLD else {"vendor_data": text, "metadata": kept}
    assert {name: result.raw[name] for name in echoed} == echoed


# Money, keys and environments


def test_a_sandbox_key_approves_everything_and_costs_and_keeps_nothing(open_mock, mock):
    verifier = open_mock(api_key=mock.sandbox_key)
    assert verifier.verify(card("p2"), REFERENCE, **KEEP).is_match
    assert verifier.check_liveness(card("spoof")).is_live
    result = verifier.verify(REFERENCE, REFERENCE, threshold=100)
    assert (result.vendor_status, result.decision) == ("Approved", fm.Decision.REVIEW)
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.THRESHOLD_CONFLICT]
    assert (mock.control.charges(), mock.control.sessions.all()) == ((), ())


# What was kept, and what was lost


def kept(verifier, ref=None):
    return verifier.verify(REFERENCE, AGAIN, **KEEP, caller_ref=ref, metadata={"gate": "north"})


def test_a_decision_is_field_by_field_the_result_of_the_call(world):
    verifier, account = world
    live = verifier.check_liveness(REFERENCE, **KEEP, metadata={"gate": "south"})
    not_in_it = {"threshold", "probe_faces", "reference_faces", "raw", "elapsed_s"}
    for called in (kept(verifier, "emp-0042"), live):
        decision = account.decision(called.ids.session)
        (result,) = decision.results
        assert type(result) is type(called)
        for field in attrs.fields(type(called)):
            if field.name not in not_in_it:
                assert getattr(result, field.name) == getattr(called, field.name), field.name


def test_what_a_person_declines_is_held_back_not_turned(world, mock):
    verifier, account = world
    called = kept(verifier)
    mock.control.sessions.decide(called.ids.session, "Declined", comment="Not them.")
    decision = account.decision(called.ids.session)
    assert decision.status is SessionStatus.DECLINED
    assert not decision.matches[0].is_match
    assert decision.matches[0].score == called.score
    assert decision.raw["reviews"][0]["comment"] == "Not them."


LOST = Fault(stage=Stage.MID_BODY, kind=Kind.RESET)
#: Paid for as well; the record says what it said.
UNREADABLE = Fault(stage=Stage.ANSWER, kind=Kind.WRONG_JSON, status=200, executed=True)


@pytest.mark.parametrize("fault", [LOST, UNREADABLE], ids=["lost", "unreadable"])
@pytest.mark.parametrize("operation", ["verify", "check_liveness"])
def test_a_lost_answer_is_found_among_other_calls_and_charged_once(
    mock, open_mock, fault, operation
):
    """By what is left after a crash: the record of an event, or the error, pickled."""
    events = []
    verifier = open_mock(of_verifier={"on_event": events.append, "clock": Now(mock)})
    pictures = (REFERENCE, AGAIN) if operation == "verify" else (REFERENCE,)
    more = {"caller_ref": "case 7", "metadata": {"n": [1, None]}, "threshold": 60}

    def ask():
        return getattr(verifier, operation)(*pictures, **KEEP, **more)

    ask()
    mock.control.add_fault(fault)
    with pytest.raises(fm.VendorError) as caught:
        ask()
    error, twin = pickle.loads(pickle.dumps(caught.value)), ask()
    (sent,) = (e for e in events if e.kind == "sent" and e.call_id == error.ids.call)
    written = fm.CallRecord.from_dict(sent.call.to_dict())
    for call in (error, written):
        answer = verifier.reconcile(call)
        assert answer.outcome is fm.Reconciled.FOUND, answer.reason
        result = answer.result
        assert (result.ids.call, result.ids.caller) == (error.ids.call, "case 7")
        assert result.metadata == more["metadata"]
        assert result.billing.charged is fm.Charged.YES
        assert result.ids.session != twin.ids.session
        for name in ("decision", "score", "threshold", "warnings", "environment", "backend"):
            assert getattr(result, name) == getattr(twin, name), name
    assert len(mock.control.charges()) == 3
    # Same time, same caller, same pictures: without the id it is another call.
    stranger = attrs.evolve(error.call, id="00000000-0000-4000-8000-000000000001")
    assert verifier.reconcile(stranger).outcome is fm.Reconciled.NOT_YET


@pytest.mark.parametrize(
    ("fault", "keep", "outcome", "charges"),
    [
        (Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.RESET, executed=False), True, "not_yet", 0),
        (LOST, False, "cannot_know", 1),
    ],
    ids=["never arrived", "not kept"],
)
def test_nothing_is_claimed_of_a_call_without_a_record(  # noqa: PLR0917 - fixtures and parameters
    mock, open_mock, fault, keep, outcome, charges
):
    verifier = open_mock(of_verifier={"clock": Now(mock)})
    mock.control.add_fault(fault)
    with pytest.raises(fm.OutcomeUnknown) as caught:
        verifier.verify(REFERENCE, AGAIN, **(KEEP if keep else {}))
    assert caught.value.reconcilable is keep
    assert verifier.reconcile(caught.value).outcome == outcome
    assert len(mock.control.charges()) == charges


def test_the_balance_falls_by_each_call(world):
    verifier, account = world
    before = account.balance().amount
    assert verifier.verify(REFERENCE, AGAIN).is_match
    assert account.balance().amount < before


class Now:
    """The mock's own time as a clock, so that no test depends on the machine's."""

    def __init__(self, mock):
        self._mock, self._ticks = mock, 0.0

    def now(self):
        return self._mock.control.now()

    def monotonic(self):
        self._ticks += 0.001
        return self._ticks

    def sleep(self, seconds):
        self._ticks += seconds
