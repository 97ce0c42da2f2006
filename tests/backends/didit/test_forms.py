"""A paid answer of Didit with one field in another form: which form costs the verdict."""

import pytest
from kit.fakes import json_reply

import facematch_core as fm
from facematch_core import models

USER_IMAGE = ("face_match", "user_image")
FACE = (*USER_IMAGE, "entities", 0)
WARNINGS = ("face_match", "warnings")
#: What decides nothing: the verdict stays, and a warning names the field.
DETAILS = [
    ((*USER_IMAGE, "best_angle"), 45, "user_image.best_angle"),
    ((*USER_IMAGE, "best_angle"), "auto", "user_image.best_angle"),
    ((*FACE, "bbox"), {"x": 1, "y": 2, "w": 3, "h": 4}, "user_image.entities.bbox"),
    ((*FACE, "confidence"), "0.98", "user_image.entities.confidence"),
    (("created_at",), 1780000000, "created_at"),
    (("created_at",), "yesterday", "created_at"),
    (("request_id",), 123, "request_id"),
    (USER_IMAGE, [{}], "user_image"),
    (
        WARNINGS,
        [{"risk": "X", "log_type": "information", "long_description": {"en": "x"}}],
        "face_match.warnings.long_description",
    ),
    (WARNINGS, [{"log_type": "information"}], None),
    (("created_at",), "2026-07-02 09:15", None),
    (("face_match", "region"), "eu", None),
    (("vendor_data",), " emp-0042 ", None),
]
#: What decides: the path in the message.
DECIDING = [
    (WARNINGS, None, "face_match.warnings is missing or null, not a list"),
    (("face_match", "score"), "98.01", "face_match.score is a text, not a number"),
    (("face_match", "score"), 101, "face_match.score is not from 0 to 100"),
    (("face_match", "status"), 7, "face_match.status is a number, not a text"),
    (("face_match",), [], "face_match is a list, not an object"),
    (("vendor_data",), "anonymous", "vendor_data repeats an id that was not sent"),
]


@pytest.fixture
def read(backend, make_call):
    def read(body):
        return backend.read_reply(make_call(caller_ref="emp-0042"), json_reply(body))

    return read


@pytest.fixture
def changed(answers, read):
    def changed(path, value):
        body = holder = answers["match_approved"]
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = value
        return read(body)

    return changed


@pytest.mark.parametrize(("path", "value", "field"), DETAILS, ids=str)
def test_detail_costs_no_verdict(path, value, field, changed):
    result = changed(path, value)
    assert result.decision is fm.Decision.MATCH
    assert result.score.value == 87.36
    told = []
    for warning in result.warnings:
        if warning.code is fm.WarningCode.UNREADABLE_DETAIL:
            assert warning.severity is models.Severity.INFORMATION
            told.append(warning.text.rpartition(": ")[2])
    assert told == ([] if field is None else [field])


def test_one_warning_names_all_fields(answers, read):
    body = answers["match_approved"]
    body["request_id"] = ["canary-6a21"]
    for image in ("user_image", "ref_image"):
        body["face_match"][image]["best_angle"] = "canary-6a21"
    (warning,) = read(body).warnings
    for field in ("request_id", "user_image.best_angle", "ref_image.best_angle"):
        assert field in warning.text
    assert "canary" not in warning.text


@pytest.mark.parametrize(("path", "value", "problem"), DECIDING, ids=str)
def test_what_decides_is_refused_by_the_name_of_its_field(path, value, problem, changed):
    error = changed(path, value)
    assert type(error) is fm.UnexpectedResponse
    assert f"({problem})" in str(error)
    assert error.billing.charged is fm.Charged.YES
    assert not error.retryable


@pytest.mark.parametrize("log_type", [None, 7, "odd", ["error"]], ids=str)
@pytest.mark.parametrize(
    ("status", "decision"),
    [("Approved", fm.Decision.REVIEW), ("Declined", fm.Decision.REVIEW)],
)
def test_warning_of_unknown_severity_makes_no_yes(log_type, status, decision, edited, read):
    warning = {"risk": "SOMETHING_NEW", "log_type": log_type}
    result = read(edited("match_approved", status=status, warnings=[warning]))
    assert result.decision is decision
    assert result.warnings[0].severity is models.Severity.UNKNOWN


def test_error_has_the_status_the_id_and_the_shape(changed, answers):
    error = changed(("face_match", "score"), "98.01")
    assert error.vendor_status == "Approved"
    assert error.ids.vendor == answers["match_approved"]["request_id"]
    assert "score:digits" in error.shape
    assert "request_id:uuid" in error.shape
    assert "Approved" not in error.shape
