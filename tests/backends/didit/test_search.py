"""Didit's face search: what is asked, and what each answer means."""

import copy
import json
from pathlib import Path

import pytest
from fakes import picture
from hypothesis import given
from hypothesis import strategies as st
from strategies import json_values

from facematch_core import (
    Charged,
    Environment,
    FaceVerifier,
    RequestRejected,
    Retention,
    UnexpectedResponse,
    WarningCode,
)
from facematch_didit import (
    SEARCH_SCALE,
    SearchDecision,
    SearchMode,
    SearchResult,
    lookups,
)
from facematch_didit.lookups import NO_FACE, SearchCall

FOLDER = Path(__file__).parent / "answers" / "lookups"
ANSWERS = {path.stem: json.loads(path.read_bytes()) for path in FOLDER.glob("search_*.json")}


def read(body, **call):
    return lookups.result(SearchCall(probe=picture(), **call), body, None)


def edited(name, **block):
    body = copy.deepcopy(ANSWERS[name])
    body["face_search"].update(block)
    return body


@pytest.mark.parametrize(
    ("mode", "word"),
    [
        (SearchMode.MOST_SIMILAR, "most_similar"),
        (SearchMode.BLOCKLISTED_OR_APPROVED, "blocklisted_or_approved"),
    ],
)
def test_what_is_sent(backend, mode, word):
    """The kind of search, turning and keeping; no threshold, for Didit has none there."""
    call = SearchCall(probe=picture(), mode=mode, rotate=True)
    request = lookups.request(call, base_url=backend.base_url, api_key=backend.api_key)
    assert request.url == "https://verification.didit.me/v3/face-search/"
    assert request.fields == {
        "search_type": word,
        "rotate_image": "true",
        "save_api_request": "false",
    }
    assert [part.name for part in request.files] == ["user_image"]


@pytest.mark.parametrize(
    ("name", "decision"),
    [
        ("search_clear", SearchDecision.CLEAR),
        ("search_found", SearchDecision.FOUND),
        ("search_blocklisted", SearchDecision.BLOCKLISTED),
        ("search_2026_03", SearchDecision.REVIEW),
    ],
)
def test_what_each_answer_means(name, decision):
    """Each documented kind of answer has its decision."""
    result = read(ANSWERS[name])
    assert result.decision is decision
    assert result.is_clear is (decision is SearchDecision.CLEAR)
    assert result.billing.charged is Charged.YES
    assert result.threshold is None


def test_whom_it_found():
    """Every face with its own score; the highest is that of the result."""
    result = read(ANSWERS["search_found"], mode=SearchMode.BLOCKLISTED_OR_APPROVED)
    first, second = result.matches
    assert (first.score.value, first.score.scale) == (96.4, SEARCH_SCALE)
    assert (first.session_number, first.source, first.caller_ref) == (118, "session", "emp-0042")
    assert first.at.isoformat() == "2026-06-30T08:00:00+00:00"
    assert (second.session_id, second.score.value) == (None, 71.0)
    assert result.score == first.score
    assert result.mode is SearchMode.BLOCKLISTED_OR_APPROVED


@pytest.mark.parametrize("name", ["search_found", "search_2026_03"])
def test_no_name_and_no_address_of_a_stranger(name):
    """What Didit tells of other people, and where their pictures are, stays out of the result."""
    text = json.dumps(read(ANSWERS[name]).to_dict()) + repr(read(ANSWERS[name]))
    for private in ("Somebody Else", "X1234567", "media.example"):
        assert private not in text
    assert "emp-0042" not in repr(read(ANSWERS[name]))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "Waiting"},
        {"status": "Declined"},
        {"total_matches": 3},
        {"warnings": [{"risk": "POSSIBLE_FACE_IN_BLOCKLIST", "log_type": "error"}]},
        {"warnings": [{"risk": "FACE_IS_A_TEAPOT", "log_type": "error"}]},
        {"warnings": [{"risk": "FACE_IS_A_TEAPOT", "log_type": "molten"}]},
        {"warnings": [{"risk": "DUPLICATED_FACE", "log_type": "information"}]},
        {"matches": [{"similarity_percentage": 90.0}], "total_matches": 1},
    ],
    ids=str,
)
def test_nothing_unknown_is_clear(change):
    """What is unknown, or contradicts itself, is for a person to look at."""
    assert read(edited("search_clear", **change)).decision is SearchDecision.REVIEW


def test_a_blocklisted_face_beats_every_other_word():
    """Approved or not, warned or not."""
    face = {"similarity_percentage": 40.0, "is_blocklisted": True}
    result = read(edited("search_clear", matches=[face], total_matches=1))
    assert result.decision is SearchDecision.BLOCKLISTED


@given(status=st.text(max_size=12), told=json_values)
def test_any_answer_is_a_result_or_unreadable(status, told):
    """However odd the JSON: never clear, unless Didit approved."""
    for change in ({"status": status}, {"matches": told}, {"warnings": told}):
        try:
            result = read(edited("search_clear", **change))
        except (ValueError, LookupError):
            continue
        if result.decision is SearchDecision.CLEAR:
            assert result.vendor_status == "Approved"
            assert result.matches == ()


def test_a_picture_without_a_face_is_an_answer(account):
    """Didit refuses it with 400; it is INCONCLUSIVE as everywhere, and was not charged."""
    opened, _ = account(400, NO_FACE)
    result = opened.search_faces(picture(), caller_ref="case 7")
    assert result.decision is SearchDecision.INCONCLUSIVE
    assert (result.billing.charged, result.probe_faces, result.ids.caller) == (
        Charged.NO,
        (),
        "case 7",
    )
    assert [warning.code for warning in result.warnings] == [WarningCode.NO_FACE]
    assert SearchResult.from_dict(result.to_dict()) == result


@pytest.mark.parametrize("body", [{"error": "No faces"}, {"error": NO_FACE["error"], "more": 1}])
def test_any_other_refusal_is_an_error(account, body):
    """Only the documented words are that answer."""
    opened, _ = account(400, body)
    with pytest.raises(RequestRejected) as caught:
        opened.search_faces(picture())
    assert caught.value.billing.charged is Charged.NO


def test_the_words_for_no_face_mean_it_of_a_search_alone(account, canned):
    """The same refusal of a liveness check, or of an estimation of age, is a refusal."""
    backend, _ = canned(400, NO_FACE)
    with FaceVerifier(backend) as verifier, pytest.raises(RequestRejected):
        verifier.check_liveness(picture())
    opened, _ = account(400, NO_FACE)
    with pytest.raises(RequestRejected):
        opened.estimate_age(picture())


def test_through_the_account(account):
    """The shared rules hold: ids, environment, sessions, and what cannot be read."""
    opened, adapter = account(200, ANSWERS["search_found"], environment=Environment.SANDBOX)
    result = opened.search_faces(picture(), retention=Retention.KEEP, metadata={"a": 1})
    assert (result.billing.charged, result.ids.session) == (Charged.NO, None)
    assert (result.environment, result.metadata) == (Environment.SANDBOX, {"a": 1})
    assert b'"facematch_attempt_id"' in adapter.seen[0].body
    opened, _ = account(200, {"face_search": {"status": "Approved"}})
    with pytest.raises(UnexpectedResponse) as caught:
        opened.search_faces(picture())
    assert caught.value.billing.charged is Charged.YES
