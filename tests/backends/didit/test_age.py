"""Didit's estimation of age: what is asked, and what each answer means."""

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
    Decision,
    ThresholdRule,
    WarningCode,
)
from facematch_didit import LIVENESS_SCALE, AgeDecision, AgeResult, lookups
from facematch_didit.lookups import AgeCall

FOLDER = Path(__file__).parent / "answers" / "lookups"
ANSWERS = {path.stem: json.loads(path.read_bytes()) for path in FOLDER.glob("age_*.json")}


def read(body, minimum_age=18):
    return lookups.result(AgeCall(probe=picture(), minimum_age=minimum_age), body, None)


def edited(name, **block):
    body = copy.deepcopy(ANSWERS[name])
    body["age_estimation"].update(block)
    return body


@pytest.mark.parametrize(("asked", "sent"), [(None, "18"), (21, "21"), (0, "0"), (100, "100")])
def test_what_is_sent(account, asked, sent):
    """The minimum age always, in whole years: left out, Didit's own would count."""
    opened, adapter = account(200, ANSWERS["age_approved"])
    opened.estimate_age(picture(), minimum_age=asked, threshold=41.5)
    [request] = adapter.seen
    assert request.url == "https://verification.didit.me/v3/age-estimation/"
    for name, text in (
        ("age_estimation_decline_threshold", sent),
        ("face_liveness_score_decline_threshold", "41.5"),
        ("save_api_request", "false"),
    ):
        assert f'name="{name}"\r\n\r\n{text}\r\n'.encode() in request.body


@pytest.mark.parametrize(
    ("name", "decision"),
    [
        ("age_approved", AgeDecision.OLD_ENOUGH),
        ("age_2026_03", AgeDecision.OLD_ENOUGH),
        ("age_below", AgeDecision.TOO_YOUNG),
        ("age_spoof", AgeDecision.NOT_LIVE),
        ("age_no_face", AgeDecision.INCONCLUSIVE),
        ("age_not_told", AgeDecision.INCONCLUSIVE),
    ],
)
def test_what_each_answer_means(name, decision):
    """A picture that is not live is never called too young."""
    result = read(ANSWERS[name])
    assert result.decision is decision
    assert result.is_old_enough is (decision is AgeDecision.OLD_ENOUGH)
    assert result.billing.charged is Charged.YES
    assert result.minimum_age == 18


def test_the_two_edges_are_opposite(account):
    """A score at its threshold declines, an age at the minimum does not; the result says both."""
    low = {"risk": "LOW_LIVENESS_SCORE", "log_type": "error"}
    body = edited("age_approved", score=41.5, status="Declined", warnings=[low])
    opened, _ = account(200, body)
    result = opened.estimate_age(picture(), threshold=41.5, minimum_age=34)
    assert result.decision is AgeDecision.NOT_LIVE
    assert result.threshold.rule is ThresholdRule.ABOVE
    assert not result.threshold.passes(result.score.value)
    opened, _ = account(200, edited("age_approved", age_estimation=21.0))
    result = opened.estimate_age(picture(), minimum_age=21)
    assert result.decision is AgeDecision.OLD_ENOUGH
    assert result.age == result.minimum_age


def test_without_a_minimum_nobody_is_old_enough():
    """0 switches the rule off: an age is told, and no verdict on it."""
    result = read(ANSWERS["age_approved"], 0)
    assert (result.decision, result.age) == (AgeDecision.ESTIMATED, 34.12)
    assert not result.is_old_enough
    assert read(ANSWERS["age_below"], 0).decision is AgeDecision.REVIEW


@pytest.mark.parametrize(
    "change",
    [
        {"status": "In Review"},
        {"status": "Waiting"},
        {"status": "Declined"},
        {"age_estimation": None},
        {"score": None},
        {"warnings": [{"risk": "FACE_IS_A_TEAPOT", "log_type": "error"}]},
        {"warnings": [{"risk": "FACE_IS_A_TEAPOT", "log_type": "molten"}]},
    ],
    ids=str,
)
def test_nothing_unknown_is_old_enough(change):
    """What is unknown, or contradicts itself, is for a person to look at."""
    assert read(edited("age_approved", **change)).decision is AgeDecision.REVIEW


def test_age_stays_and_guesses_beside_it_go(account):
    """The age is what was asked for; age, gender and race of the faces are not."""
    opened, _ = account(200, ANSWERS["age_approved"])
    result = opened.estimate_age(picture())
    assert result.age == 34.12
    assert (result.score.scale, result.method) == (LIVENESS_SCALE, "PASSIVE")
    assert all(face.demographics is None for face in result.probe_faces)
    assert "female" not in json.dumps(result.to_dict())
    assert AgeResult.from_dict(result.to_dict()) == result


def test_a_pass_below_the_minimum_is_not_believed(account):
    """Approved, but too young by its own age: a person looks."""
    opened, _ = account(200, edited("age_approved", age_estimation=17.99))
    result = opened.estimate_age(picture())
    assert result.decision is AgeDecision.REVIEW
    assert result.warnings[-1].code is WarningCode.THRESHOLD_CONFLICT


@given(told=json_values, name=st.sampled_from(["status", "score", "age_estimation", "warnings"]))
def test_any_answer_is_a_result_or_unreadable(told, name):
    """However odd the JSON: never old enough, unless Didit approved with an age and a score."""
    try:
        result = read(edited("age_approved", **{name: told}))
    except (ValueError, LookupError):
        return
    if result.is_old_enough:
        assert result.vendor_status == "Approved"
        assert result.age is not None
        assert result.score is not None


@given(ages=st.lists(st.none() | st.floats(0, 120), min_size=2, max_size=2))
def test_an_age_never_changes_a_match(ages, answers, parsed):
    """Whatever age is guessed in either picture, a comparison says what it says."""
    body = copy.deepcopy(answers["match_approved"])
    for name, age in zip(("user_image", "ref_image"), ages, strict=True):
        for entity in body["face_match"][name]["entities"]:
            entity["age"] = age
    assert parsed(body).decision is Decision.MATCH
