"""The backend `didit` against the mock server, and what differs in early documents of Didit."""

import contextlib

import pytest

from facematch_core import (
    Charged,
    Decision,
    FaceVerifier,
    Image,
    LivenessDecision,
    Retention,
    WarningCode,
)
from facematch_core.errors import AuthenticationFailed, RequestRejected
from facematch_didit import DiditBackend
from facematch_mock_server import card_sheet, make_card

OLD, NEW = EDITIONS = ("2026-03", "2026-07")
SHEET = card_sheet()


def card(name):
    """A ready card as the library takes pictures."""
    return Image.from_bytes(SHEET[name].data)


REFERENCE = card("p1")


@pytest.fixture
def open_mock(didit_server):
    """Opens a verifier on the world of the test, begun anew in an edition."""
    with contextlib.ExitStack() as opened:

        def make(edition="2026-07", **settings):
            didit_server.control.reset(edition=edition)
            settings = {"api_key": didit_server.live_key, "base_url": didit_server.url} | settings
            return opened.enter_context(FaceVerifier(DiditBackend(**settings)))

        yield make


def faces(found):
    return None if found is None else len(found)


def normal(result):
    """What a caller acts on, but for the number of the score."""
    shown = {
        "decision": result.decision,
        "scored": result.score is not None,
        "codes": sorted(warning.code for warning in result.warnings),
        "billed": result.billing.charged,
        "environment": result.environment,
        "threshold": result.threshold,
        "session": result.ids.session is not None,
        "faces": faces(result.probe_faces),
        "scale_source": None if result.score is None else result.score.source,
    }
    if hasattr(result, "reference_faces"):
        shown["reference_faces"] = faces(result.reference_faces)
    return shown


# Where the editions agree

#: Card against p1, options, decision.
MATCHES = {
    "same person": ("p1-again", {}, Decision.MATCH),
    "another person": ("p2", {}, Decision.NO_MATCH),
    "no face": ("no-face", {}, Decision.INCONCLUSIVE),
    "two faces": ("two-faces", {}, Decision.MATCH),
    "lying": ("turned-90", {}, Decision.INCONCLUSIVE),
    "lying, rotate": ("turned-90", {"rotate": True}, Decision.MATCH),
    "on its head, rotate": ("turned-180", {"rotate": True}, Decision.MATCH),
    "at 30, threshold 31": ("score-30", {"threshold": 31}, Decision.NO_MATCH),
    "at 30, threshold 29": ("score-30", {"threshold": 29}, Decision.MATCH),
    "kept": ("p1-again", {"retention": Retention.KEEP}, Decision.MATCH),
    "kept, no face": ("no-face", {"retention": Retention.KEEP}, Decision.INCONCLUSIVE),
    "threshold 100": ("p1-again", {"threshold": 100}, Decision.NO_MATCH),
    "fraction": ("p1-again", {"threshold": 94.0}, Decision.MATCH),
    "review band": ("p1-again", {"review_threshold": 98}, Decision.REVIEW),
}
LIVENESSES = {
    "live": ("p1", {}, LivenessDecision.LIVE),
    "not live": ("not-live", {}, LivenessDecision.NOT_LIVE),
    "spoof": ("spoof", {}, LivenessDecision.NOT_LIVE),
    "attack": ("attack", {}, LivenessDecision.NOT_LIVE),
    "no face": ("no-face", {}, LivenessDecision.INCONCLUSIVE),
    "no score": ("liveness-none", {}, LivenessDecision.INCONCLUSIVE),
    "two faces": ("two-faces", {}, LivenessDecision.LIVE),
    "lying": ("turned-270", {}, LivenessDecision.INCONCLUSIVE),
    "lying, rotate": ("turned-270", {"rotate": True}, LivenessDecision.LIVE),
    "kept": ("p1", {"retention": Retention.KEEP}, LivenessDecision.LIVE),
}


@pytest.mark.parametrize("name", MATCHES)
def test_a_comparison(open_mock, name):
    """The caller need not know which edition the vendor speaks."""
    picture, options, decision = MATCHES[name]
    seen = [normal(open_mock(e).verify(card(picture), REFERENCE, **options)) for e in EDITIONS]
    assert seen[0]["decision"] is decision
    assert seen[1] == seen[0]


@pytest.mark.parametrize("name", LIVENESSES)
def test_a_liveness_check(open_mock, name):
    """As for comparisons."""
    picture, options, decision = LIVENESSES[name]
    seen = [normal(open_mock(e).check_liveness(card(picture), **options)) for e in EDITIONS]
    assert seen[0]["decision"] is decision
    assert seen[1] == seen[0]


def test_the_bill(open_mock, didit_server):
    """One credit for each answer 200, whatever the verdict; both sides say the same."""
    verifier = open_mock()
    results = [
        verifier.verify(card(picture), REFERENCE, **options)
        for picture, options, _ in MATCHES.values()
    ]
    assert {result.billing.charged for result in results} == {Charged.YES}
    charges = didit_server.control.charges()
    assert [charge.request_id for charge in charges] == [result.ids.vendor for result in results]


def test_a_live_match_pays_for_the_second_call_only_if_it_is_made(open_mock, didit_server):
    """A picture that is not live is not compared."""
    verifier = open_mock()
    assert not verifier.verify_live(card("spoof"), REFERENCE).is_verified
    assert [charge.what for charge in didit_server.control.charges()] == ["PASSIVE_LIVENESS"]
    assert verifier.verify_live(card("p1-again"), REFERENCE).is_verified
    assert [charge.what for charge in didit_server.control.charges()][1:] == [
        "PASSIVE_LIVENESS",
        "FACE_MATCH",
    ]


# Where they do not


@pytest.mark.parametrize(("edition", "decision"), [(OLD, Decision.MATCH), (NEW, Decision.NO_MATCH)])
def test_equality_at_the_threshold(open_mock, edition, decision):
    """Early in 2026 the threshold itself was enough; since then a score must lie above it."""
    verifier = open_mock(edition)
    assert verifier.verify(card("score-30"), REFERENCE, threshold=30).decision is decision
    live = {Decision.MATCH: LivenessDecision.LIVE, Decision.NO_MATCH: LivenessDecision.NOT_LIVE}
    assert verifier.check_liveness(card("liveness-30")).decision is live[decision]


@pytest.mark.parametrize("edition", EDITIONS)
def test_whole_scores(open_mock, edition):
    """Early in 2026 scores were whole numbers; the scale is the same."""
    verifier = open_mock(edition)
    picture = Image.from_bytes(make_card("p1", score=87.36))
    found = verifier.verify(picture, REFERENCE, retention=Retention.KEEP)
    assert found.score.value == (87 if edition == OLD else 87.36)
    assert found.score.raw == found.score.value
    assert found.score.scale == "didit/face-match"


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("edition", EDITIONS)
def test_the_words_for_no_face(open_mock, edition, keep):
    """Another tag and another number; the same finding, and no score."""
    retention = Retention.KEEP if keep else Retention.MINIMAL
    found = open_mock(edition).verify(card("no-face"), REFERENCE, retention=retention)
    assert [warning.tag for warning in found.warnings] == [
        "NO_FACE_DETECTED" if edition == OLD else "NO_REFERENCE_IMAGE"
    ]
    assert [warning.code for warning in found.warnings] == [WarningCode.NO_FACE]
    assert found.score is None


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize(
    ("picture", "code"),
    [
        ("blurred", WarningCode.LOW_QUALITY),
        ("dark", WarningCode.TOO_DARK),
        ("bright", WarningCode.TOO_BRIGHT),
    ],
)
def test_quality_warnings(open_mock, edition, picture, code):
    """Early in 2026 Didit warned of quality and light; they never decide."""
    found = open_mock(edition).check_liveness(card(picture))
    assert [warning.code for warning in found.warnings] == ([code] if edition == OLD else [])
    assert found.decision is LivenessDecision.LIVE
    facts = SHEET[picture].card
    assert (found.quality, found.luminance) == (facts.quality, facts.luminance)


@pytest.mark.parametrize("edition", EDITIONS)
def test_review(open_mock, edition):
    """Only the edition of early 2026 says that a person should look."""
    found = open_mock(edition).verify(card("review"), REFERENCE)
    assert found.decision is (Decision.REVIEW if edition == OLD else Decision.MATCH)
    assert found.vendor_status == ("In Review" if edition == OLD else "Approved")


@pytest.mark.parametrize(("edition", "status"), [(OLD, 401), (NEW, 403)])
def test_a_bad_key(open_mock, didit_server, edition, status):
    """401 or 403: the caller sees one error."""
    verifier = open_mock(edition, api_key="wrong-key-1234567890")
    with pytest.raises(AuthenticationFailed) as caught:
        verifier.verify(REFERENCE, REFERENCE)
    assert caught.value.status_code == status
    assert caught.value.billing.charged is Charged.NO
    assert didit_server.control.charges() == ()


# What the caller sends along, and what is kept


@pytest.mark.parametrize("retention", Retention)
def test_what_is_kept_has_a_session(open_mock, didit_server, retention):
    """KEEP gives the id under which Didit has the call, MINIMAL gives none."""
    verifier = open_mock()
    found = verifier.verify(card("p1-again"), REFERENCE, retention=retention)
    checked = verifier.check_liveness(REFERENCE, retention=retention)
    ids = [session.id for session in didit_server.control.sessions.all()]
    if retention is Retention.KEEP:
        assert ids == [found.ids.session, checked.ids.session]
        assert found.ids.session == found.ids.vendor
    else:
        assert ids == []
        assert found.ids.session is None
        assert checked.ids.session is None
        assert found.ids.vendor


@pytest.mark.parametrize("edition", EDITIONS)
def test_reference_and_metadata_arrive(open_mock, didit_server, edition):
    """As vendor_data and metadata; the result has them, whether the edition echoes them or not.

    Of what is kept the vendor also learns our id of the call.
    """
    sent = {"caller_ref": "emp-0042", "metadata": {"gate": "north", "n": 3}}
    found = open_mock(edition).verify(REFERENCE, REFERENCE, retention=Retention.KEEP, **sent)
    (session,) = didit_server.control.sessions.all()
    kept = sent["metadata"] | {"facematch_attempt_id": found.ids.call}
    assert (session.vendor_data, session.metadata) == ("emp-0042", kept)
    assert (found.ids.caller, dict(found.metadata)) == ("emp-0042", sent["metadata"])
    echoed = {} if edition == OLD else {"vendor_data": "emp-0042", "metadata": kept}
    body = found.raw
    assert {name: body[name] for name in ("vendor_data", "metadata") if name in body} == echoed


def test_a_turned_card_tells_its_angle(open_mock):
    """What was done to a picture stands with its face."""
    found = open_mock().verify(card("turned-180"), REFERENCE, rotate=True)
    assert [face.rotation for face in found.probe_faces] == [180]
    assert [face.rotation for face in found.reference_faces] == [0]


def test_a_fraction_of_a_threshold(open_mock):
    """Early in 2026 thresholds were whole; a fraction is refused by name, and costs nothing."""
    with pytest.raises(RequestRejected) as caught:
        open_mock(OLD).verify(REFERENCE, REFERENCE, threshold=30.5)
    assert caught.value.field_errors == {
        "face_match_score_decline_threshold": ("A valid integer is required.",)
    }
    assert caught.value.billing.charged is Charged.NO
    assert open_mock().verify(REFERENCE, REFERENCE, threshold=30.5).is_match


@pytest.mark.parametrize("text", ["x" * 255, "ü", "😀", 'a"b', "a\r\nb", "--"])
def test_texts_arrive_as_they_were_given(open_mock, didit_server, text):
    """Quotes, line ends and letters of any script pass through form, ledger and echo."""
    sent = {"caller_ref": text, "metadata": {text: [text]}}
    found = open_mock().verify(REFERENCE, REFERENCE, retention=Retention.KEEP, **sent)
    (session,) = didit_server.control.sessions.all()
    kept = {text: [text], "facematch_attempt_id": found.ids.call}
    assert (session.vendor_data, session.metadata) == (text, kept)
    assert (found.raw["vendor_data"], found.raw["metadata"]) == (text, kept)
