"""Statuses and warnings: what each word means, and what doubt makes of a pass or a refusal."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from facematch_core import (
    Advice,
    Decision,
    LivenessDecision,
    Severity,
    WarningCode,
)

TAGS = {
    "LOW_FACE_MATCH_SIMILARITY": (WarningCode.LOW_SIMILARITY, None),
    "NO_REFERENCE_IMAGE": (WarningCode.NO_FACE, Advice.RETAKE_PHOTO),
    "NO_FACE_DETECTED": (WarningCode.NO_FACE, Advice.RETAKE_PHOTO),
    "MULTIPLE_FACES_DETECTED": (WarningCode.MULTIPLE_FACES, Advice.ONE_FACE_ONLY),
    "LOW_LIVENESS_SCORE": (WarningCode.LOW_LIVENESS, Advice.RETAKE_PHOTO),
    "LIVENESS_FACE_ATTACK": (WarningCode.PRESENTATION_ATTACK, Advice.POSSIBLE_FRAUD),
    "FACE_IN_BLOCKLIST": (WarningCode.BLOCKLISTED, Advice.POSSIBLE_FRAUD),
    "POSSIBLE_FACE_IN_BLOCKLIST": (WarningCode.POSSIBLY_BLOCKLISTED, Advice.POSSIBLE_FRAUD),
    "DUPLICATED_FACE": (WarningCode.DUPLICATE, Advice.REVIEW),
    "POSSIBLE_DUPLICATED_FACE": (WarningCode.POSSIBLE_DUPLICATE, Advice.REVIEW),
    "LOW_FACE_QUALITY": (WarningCode.LOW_QUALITY, Advice.BETTER_LIGHT),
    "LOW_FACE_LUMINANCE": (WarningCode.TOO_DARK, Advice.BETTER_LIGHT),
    "HIGH_FACE_LUMINANCE": (WarningCode.TOO_BRIGHT, Advice.BETTER_LIGHT),
    "FACE_MATCH_NOT_COMPUTED": (WarningCode.OTHER, None),
}


def risk(tag, log_type="error", **more):
    """A warning of the form with four keys."""
    texts = {"short_description": "short", "long_description": "long"}
    return {"risk": tag, "log_type": log_type} | texts | more


@pytest.mark.parametrize(("tag", "meaning"), TAGS.items())
def test_warnings(tag, meaning, edited, parsed):
    """Each tag has its code and advice, and is kept as it came."""
    for name in ("match_boundary", "liveness_declined"):
        (warning,) = parsed(edited(name, warnings=[risk(tag)])).warnings
        assert (warning.code, warning.advice) == meaning
        assert (warning.severity, warning.tag, warning.text) == (Severity.ERROR, tag, "long")


def test_severities(edited, parsed):
    """A weight that no document names is unknown, not light."""
    words = ("error", "warning", "information", "catastrophe", None)
    body = edited("match_approved", warnings=[risk("NEW", word) for word in words])
    found = [warning.severity for warning in parsed(body).warnings]
    assert found == ["error", "warning", "information", "unknown", "unknown"]


def test_short_text_where_there_is_no_long_one(edited, parsed):
    """The longer description is told, if there is one."""
    for text in (None, ""):
        body = edited("match_boundary", warnings=[risk("NEW", long_description=text)])
        assert parsed(body).warnings[0].text == "short"


@pytest.mark.parametrize("name", ["match_approved", "liveness_declined"])
@pytest.mark.parametrize("status", ["In Review", "Resubmitted", "", "approved"])
def test_other_statuses_go_to_a_person(name, status, edited, parsed):
    """Whatever the score: only the two documented words decide."""
    result = parsed(edited(name, status=status, warnings=[]))
    assert result.decision.value == "review"
    assert result.vendor_status == status


def test_a_decline_for_another_reason_than_liveness(edited, parsed):
    """No claim of a spoof, and never live; beside a reason about liveness it is not live."""
    other = risk("POSSIBLE_FACE_IN_BLOCKLIST")
    for tag, decision in (
        ("LOW_LIVENESS_SCORE", LivenessDecision.NOT_LIVE),
        ("LIVENESS_FACE_ATTACK", LivenessDecision.NOT_LIVE),
        ("SOMETHING_NEW", LivenessDecision.REVIEW),
    ):
        result = parsed(edited("liveness_declined", warnings=[other, risk(tag)]))
        assert result.decision is decision
        assert result.warnings[0].code is WarningCode.POSSIBLY_BLOCKLISTED


def test_a_decline_for_another_reason_than_similarity(edited, parsed):
    """The same for a face match: "two people" is said only if Didit says so."""
    result = parsed(edited("match_approved", status="Declined", warnings=[risk("NEW")]))
    assert result.decision is Decision.REVIEW


def test_light_warnings_change_nothing(edited, parsed):
    """A duplicate is information: it neither declines nor holds back."""
    told = [risk("DUPLICATED_FACE", "information")]
    assert parsed(edited("liveness_declined", status="Approved", warnings=told)).is_live
    assert parsed(edited("liveness_declined", warnings=told)).decision is LivenessDecision.NOT_LIVE


@pytest.mark.parametrize("word", ["error", "catastrophe"])
@pytest.mark.parametrize("name", ["match_approved", "liveness_declined"])
def test_an_approval_with_a_grave_warning(name, word, edited, parsed):
    """That contradicts the documents, so a person looks."""
    told = [risk("FACE_IN_BLOCKLIST", word)]
    result = parsed(edited(name, status="Approved", warnings=told))
    assert result.decision.value == "review"


@pytest.mark.parametrize("name", ["match_approved", "liveness_declined"])
def test_an_approval_without_a_score(name, edited, parsed):
    """No score passes no threshold; the result says what is missing."""
    result = parsed(edited(name, status="Approved", score=None, warnings=[]))
    assert (result.decision.value, result.score) == ("review", None)
    (ours,) = result.warnings
    assert (ours.code, ours.severity) == (WarningCode.SCORE_UNAVAILABLE, Severity.ERROR)
    assert (ours.tag, ours.text) == (None, "Didit approved without a score.")


@pytest.mark.parametrize("status", ["", "Declined", "In Review", "approved"])
def test_only_an_approval_must_have_a_score(status, edited, parsed):
    """Of other statuses nothing is said about it."""
    result = parsed(edited("match_approved", status=status, score=None, warnings=[]))
    assert result.warnings == ()


def test_a_missing_score_is_told_beside_what_didit_tells(edited, parsed):
    """Didit's warnings first, and none of them is lost."""
    told = [risk("DUPLICATED_FACE", "information"), risk("LOW_FACE_LUMINANCE", "warning")]
    body = edited("liveness_declined", status="Approved", score=None, warnings=told)
    assert [warning.code for warning in parsed(body).warnings] == [
        WarningCode.DUPLICATE,
        WarningCode.TOO_DARK,
        WarningCode.SCORE_UNAVAILABLE,
    ]


def test_a_decline_without_a_score(edited, parsed):
    """Nothing was measured: no verdict, unless an attack was recognised."""
    assert parsed(edited("match_boundary", score=None)).decision is Decision.INCONCLUSIVE
    low = parsed(edited("liveness_declined", score=None))
    assert low.decision is LivenessDecision.INCONCLUSIVE
    attack = edited("liveness_declined", score=None, warnings=[risk("LIVENESS_FACE_ATTACK")])
    assert parsed(attack).decision is LivenessDecision.NOT_LIVE


@given(
    told=st.dictionaries(
        st.sampled_from(sorted(TAGS)),
        st.sampled_from(["error", "warning", "information", "catastrophe"]),
    ),
    status=st.sampled_from(["Approved", "Declined", "In Review"]),
    score=st.none() | st.floats(0, 100),
)
@example(
    told=dict.fromkeys(["NO_FACE_DETECTED", "LIVENESS_FACE_ATTACK"], "error"),
    status="Declined",
    score=None,
)
def test_any_warnings_together(told, status, score, edited, parsed):
    """An attack outweighs a missing face, a missing face everything else, and doubt a pass."""
    warnings = [risk(tag, weight) for tag, weight in told.items()]
    block = {"status": status, "score": score, "warnings": warnings}
    found = parsed(edited("liveness_declined", **block))
    attack = "LIVENESS_FACE_ATTACK" in told
    no_face = not {"NO_FACE_DETECTED", "NO_REFERENCE_IMAGE"}.isdisjoint(told)
    grave = not {"error", "catastrophe"}.isdisjoint(told.values())
    if attack and status == "Declined":
        assert found.decision is LivenessDecision.NOT_LIVE
    elif attack and (no_face or grave):
        assert found.decision is LivenessDecision.REVIEW
    elif no_face:
        assert found.decision is LivenessDecision.INCONCLUSIVE
    passed = status == "Approved" and score is not None and not (grave or no_face)
    assert (found.decision is LivenessDecision.LIVE) is passed
    assert (found.score is None) is (score is None or no_face)
    block["warnings"] = warnings[::-1]
    assert parsed(edited("liveness_declined", **block)).decision is found.decision
    if no_face:
        # An attack is no word about two faces.
        match = parsed(edited("match_approved", **block))
        assert match.decision is Decision.INCONCLUSIVE


def test_two_faces_are_told(answers, edited, parsed):
    """More entities than one give a warning of ours, if Didit sends none."""
    found = answers["match_approved"]["face_match"]["user_image"]["entities"]
    two = {"entities": found * 2, "best_angle": 0}
    (ours,) = parsed(edited("match_approved", user_image=two)).warnings
    assert (ours.code, ours.severity) == (WarningCode.MULTIPLE_FACES, Severity.WARNING)
    assert ours.tag is None
    assert ours.text == "The probe shows 2 faces; Didit takes the largest."
    (ours,) = parsed(edited("match_approved", ref_image=two)).warnings
    assert ours.text == "The reference shows 2 faces; Didit takes the largest."
    (ours,) = parsed(edited("liveness_declined", user_image=two, warnings=[])).warnings
    assert ours.text == "The probe shows 2 faces; Didit takes the largest."
    others = [risk("LOW_FACE_MATCH_SIMILARITY"), risk("NEW"), risk("LOW_FACE_LUMINANCE")]
    for other in others:
        *_, last = parsed(edited("match_approved", user_image=two, warnings=[other])).warnings
        assert last.code is WarningCode.MULTIPLE_FACES
    told = [risk("MULTIPLE_FACES_DETECTED", "warning")]
    result = parsed(edited("liveness_declined", status="Approved", user_image=two, warnings=told))
    assert [warning.tag for warning in result.warnings] == ["MULTIPLE_FACES_DETECTED"]
    assert result.is_live
