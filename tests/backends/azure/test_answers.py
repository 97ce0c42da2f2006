"""What Azure AI Face says, and what becomes of it here."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import picture

import facematch_core as fm
from facematch_azure import AzureBackend
from facematch_core import errors
from facematch_core.backend import MatchCall
from facematch_core.http import HttpReply

HOME = "https://contoso.cognitiveservices.azure.com"
BACKEND = AzureBackend(api_key="k", base_url=HOME)
FACE = {
    "faceId": "c5c24a82-6845-4031-9d5d-978df9175426",
    "recognitionModel": "recognition_04",
    "faceRectangle": {"top": 78, "left": 394, "width": 10, "height": 20},
}
FOUND = (200, [FACE])


def verdict(confidence, is_identical=None):
    """An answer of verify, by default with the verdict that goes with the confidence."""
    if is_identical is None:
        is_identical = isinstance(confidence, float) and confidence >= 0.5
    return 200, {"isIdentical": is_identical, "confidence": confidence}


def error(status, code, **more):
    """A refusal in Microsoft's form."""
    return status, {"error": {"code": code, "message": "in their words", **more}}


def read(*answers, threshold=50):
    """What these answers, each status and body, mean for a call."""
    call = MatchCall(
        probe=picture(),
        reference=picture(),
        threshold=fm.Threshold(threshold, fm.ThresholdRule.AT_LEAST),
    )
    replies = [
        HttpReply(
            status=status, headers={"apim-request-id": f"id-{n}"}, body=json.dumps(b).encode()
        )
        for n, (status, b) in enumerate(answers, 1)
    ]
    return BACKEND.read_reply(call, *replies)


@given(st.integers(0, 100))
def test_a_confidence_is_exactly_its_percentage(percent):
    """0.57 is 57, which 0.57 * 100 is not; and reaches a threshold of 57."""
    result = read(FOUND, FOUND, verdict(percent / 100), threshold=percent)
    assert (result.score.value, result.score.raw) == (percent, percent / 100)
    assert result.score.scale == "azure/recognition_04"
    assert result.decision is fm.Decision.MATCH


@given(st.floats(0, 1), st.floats(0, 100))
def test_the_threshold_is_ours_and_the_verdict_is_theirs(confidence, threshold):
    """isIdentical, true from 0.5 on, is kept and decides nothing."""
    result = read(FOUND, FOUND, verdict(confidence), threshold=threshold)
    passes = result.score.value >= threshold
    assert result.decision is (fm.Decision.MATCH if passes else fm.Decision.NO_MATCH)
    assert result.raw["verify"]["isIdentical"] is (confidence >= 0.5)
    assert result.vendor_status == f"isIdentical: {'true' if confidence >= 0.5 else 'false'}"


@given(st.floats(0, 1), st.floats(0, 100))
def test_a_verdict_against_its_own_confidence_is_for_a_person(confidence, threshold):
    """Whatever the threshold is: one of the two is wrong, and nobody knows which."""
    answer = verdict(confidence, is_identical=confidence < 0.5)
    result = read(FOUND, FOUND, answer, threshold=threshold)
    assert result.decision is fm.Decision.REVIEW
    assert (result.score.raw, result.billing.charges) == (confidence, 3)


def test_faces_have_their_places():
    """The largest of each picture, which comes first, is the one that was compared."""
    smaller = {**FACE, "faceRectangle": {"top": 1, "left": 2, "width": 3, "height": 4}}
    result = read((200, [FACE, smaller]), FOUND, verdict(0.9))
    box = result.probe_faces[0].box
    assert (box.left, box.top, box.right, box.bottom, box.unit) == (394, 78, 404, 98, "px")
    assert [face.compared for face in result.probe_faces] == [True, False]
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.MULTIPLE_FACES]
    assert "the probe shows 2 faces" in result.warnings[0].text
    assert result.decision is fm.Decision.MATCH


@pytest.mark.parametrize(
    ("answers", "charges", "name"),
    [([(200, [])], 1, "probe"), ([FOUND, (200, [])], 2, "reference")],
)
def test_without_a_face_the_call_ends_early(answers, charges, name):
    """It is no mismatch, and says what it has cost by then."""
    result = read(*answers)
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.score is None
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.NO_FACE]
    assert result.warnings[0].text == f"the {name} shows no face"
    assert (result.billing.charged, result.billing.charges) == (fm.Charged.YES, charges)
    assert not any(face.compared for face in result.probe_faces)


def test_no_confidence_is_no_score():
    """And no mismatch."""
    result = read(FOUND, FOUND, verdict(None))
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.SCORE_UNAVAILABLE]
    assert result.billing.charges == 3


OTHER_MODEL = {**FACE, "recognitionModel": "recognition_01"}
ODD_PLACE = {**FACE, "faceRectangle": {"top": "78", "left": 1, "width": 1, "height": 1}}


@pytest.mark.parametrize(
    "answers",
    [
        [(200, {})],
        [(200, None)],
        [(200, [OTHER_MODEL])],
        [(200, [{"faceRectangle": {}}])],
        [FOUND, (200, [{**FACE, "faceId": None}, 7])],
        [(200, [ODD_PLACE]), FOUND, verdict(0.9)],
        *([FOUND, FOUND, verdict(one)] for one in (-0.01, 1.01, "0.9", True, [])),
        *([FOUND, FOUND, (200, one)] for one in ({}, [], None, "yes", {"confidence": 0.9})),
        [FOUND, FOUND, verdict(0.9, "true")],
    ],
)
def test_what_cannot_be_read_is_paid(answers):
    """As many transactions as were answered; nothing is guessed, clamped or repeated."""
    answer = read(*answers)
    assert isinstance(answer, errors.UnexpectedResponse)
    assert answer.billing.charges == len(answers)
    assert not answer.retryable


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        (error(400, "BadArgument"), errors.RequestRejected, "rejected"),
        (error(400, "InvalidImageSize"), errors.RequestRejected, "rejected"),
        (error(401, "401"), errors.AuthenticationFailed, "key"),
        (error(403, "UnsupportedFeature"), errors.PermissionDenied, "aka.ms/facerecognition"),
        (
            error(403, "InvalidRequest", innererror={"code": "UnsupportedFeature"}),
            errors.PermissionDenied,
            "aka.ms/facerecognition",
        ),
        (error(403, "Other"), errors.PermissionDenied, "may not"),
        (error(404, "404"), errors.RequestRejected, "check base_url"),
        (error(404, "FaceNotFound"), errors.VendorUnavailable, "60 seconds"),
        (error(429, "429"), errors.RateLimited, "too many calls"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_refusal_and_what_was_paid_before_it(refusal, kind, words, before):
    """Its own request costs nothing; the earlier ones do, and are not paid a second time."""
    answer = read(*[FOUND] * before, refusal)
    assert type(answer) is kind
    assert words in answer.message
    assert "in their words" in answer.message
    assert (answer.billing.charges, answer.status_code) == (before, refusal[0])
    assert answer.billing.charged is (fm.Charged.YES if before else fm.Charged.NO)
    assert answer.retryable is (kind is errors.RateLimited and not before)
    assert answer.ids.vendor == f"id-{before + 1}"


@pytest.mark.parametrize("before", [0, 2])
def test_what_a_fault_of_theirs_costs_is_not_known(before):
    """No page says that it is free."""
    answer = read(*[FOUND] * before, error(503, "503"))
    assert isinstance(answer, errors.OutcomeUnknown)
    assert answer.billing.charged is fm.Charged.UNKNOWN


def test_microsofts_support_finds_a_call_by_our_id():
    """Each request names it; keys are secrets until they are sent."""
    call = MatchCall(probe=picture(), reference=picture())
    request = next(BACKEND.steps(call))
    assert request.headers["client-request-id"] == call.call_id
    assert "k" not in map(str, request.headers.values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FACE, "isIdentical", "confidence", "error"]), inner)
    ),
)
ANSWERS = st.tuples(st.sampled_from([200, 400, 404, 429, 500]), JSON)


@given(st.sampled_from([[], [FOUND], [FOUND, FOUND]]), st.lists(ANSWERS, min_size=3, max_size=3))
def test_any_answers_are_a_result_or_one_error(begun, odd):
    """However odd: what is charged is never less than what was answered before."""
    answer = read(*begun, *odd)
    if not isinstance(answer, fm.MatchResult):
        assert isinstance(answer, errors.VendorError)
        assert not (answer.retryable and begun)
    charges = answer.billing.charges
    assert charges is None or charges >= len(begun)


@pytest.mark.parametrize(
    ("url", "is_microsofts"),
    [
        ("https://contoso.cognitiveservices.azure.com/", True),
        ("https://westeurope.api.cognitive.microsoft.com", True),
        ("https://cognitiveservices.azure.com", False),
        ("https://a.b.cognitiveservices.azure.com", False),
        ("https://contoso.cognitiveservices.azure.com.evil.example", False),
        ("https://contoso.cognitiveservices.azure.us", False),
    ],
)
def test_faces_go_to_microsofts_hosts(url, is_microsofts):
    """Another one must be allowed by name: key and faces go there."""
    if is_microsofts:
        assert AzureBackend(api_key="k", base_url=url).address == url.rstrip("/")
        return
    with pytest.raises(fm.ConfigurationError, match="allow_base_url"):
        AzureBackend(api_key="k", base_url=url)
    assert AzureBackend(api_key="k", base_url=url, allow_base_url=True).address


def test_key_and_endpoint_come_from_microsofts_variables(monkeypatch):
    """Those of its quickstart; without them a sentence says which are missing."""
    with pytest.raises(fm.ConfigurationError, match=r"needs api_key.*FACE_APIKEY"):
        fm.open_verifier("azure")
    monkeypatch.setenv("FACE_APIKEY", "secret-azure-key")
    with pytest.raises(fm.ConfigurationError, match=r"needs base_url.*FACE_ENDPOINT"):
        fm.open_verifier("azure")
    monkeypatch.setenv("FACE_ENDPOINT", f"{HOME}/")
    with fm.open_verifier("azure") as verifier:
        assert verifier.backend.address == HOME
        assert "secret-azure-key" not in repr(verifier.backend)
