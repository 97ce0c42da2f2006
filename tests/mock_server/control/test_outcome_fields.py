"""An outcome's fields: one table, which Python, the control API and the docs read."""

import pytest

from facematch_mock_server import MockServer
from facematch_mock_server.recognition.outcomes import OUTCOME_FIELDS

ROWS = {row.name: row for row in OUTCOME_FIELDS.values()}
GOOD = {
    "number": lambda row: [row.least, row.most, 41.5],
    "count": lambda row: [row.least, row.least + 1, row.most or 10_000],
    "flag": lambda row: [True, False],
    "words": lambda row: list(row.words),
    "digest": lambda row: ["0" * 64],
    "fields": lambda row: [{"vendor_data": "case-7"}],
}
BAD = {
    "number": lambda row: [row.least - 1, row.most + 0.1, True, "many"],
    "count": lambda row: [row.least - 1, 1.5, True, "1", row.most + 1 if row.most else "2"],
    "flag": lambda row: [1, "true"],
    "words": lambda row: ["", True, row.words[0].upper()],
    "digest": lambda row: ["0", 7],
    "fields": lambda row: [{}, {"vendor_data": 7}, "vendor_data"],
}


@pytest.fixture
def asking(open_asking):
    # Else nobody would see a review.
    return open_asking(switches={"in_review": True})


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_python_and_http_accept_and_reject_the_same_outcome_values(asking, row):
    control = asking.control
    kind = {"kind": row.outcome_kind or "match"}
    values = GOOD[row.value_type](row)
    if row.name != "kind":
        values.append(None)
    for value in values:
        outcome = {**kind, row.name: value}
        answer = asking.post("/__mock__/outcomes", json=outcome)
        assert answer.status_code == 200, answer.text
        assert control.outcomes()[-1] == control.set_outcome(**outcome)
    accepted = control.outcomes()
    for value in BAD[row.value_type](row):
        outcome = {**kind, row.name: value}
        answer = asking.post("/__mock__/outcomes", json=outcome)
        assert answer.status_code == 400
        assert row.name in answer.json()["mock"]
        with pytest.raises(ValueError, match=row.name):
            control.set_outcome(**outcome)
    assert control.outcomes() == accepted


def test_scores_and_qualities_are_0_to_100_and_up_to_ten_faces_can_be_seen():
    percent = {name for name, row in ROWS.items() if (row.least, row.most) == (0, 100)}
    assert percent == {"score", "smaller_face_score", "quality", "luminance"}
    assert (ROWS["faces"].least, ROWS["faces"].most) == (0, 10)
    assert (ROWS["times"].least, ROWS["times"].most) == (1, None)


@pytest.mark.parametrize(
    "row", [row for row in ROWS.values() if row.outcome_kind], ids=lambda row: row.name
)
def test_outcome_field_is_rejected_for_the_other_kind_of_call(asking, row):
    other_kind = {"match": "liveness", "liveness": "match"}[row.outcome_kind]
    value, *_ = GOOD[row.value_type](row)
    with pytest.raises(ValueError, match=f"{row.name} is an outcome of a {row.outcome_kind}"):
        asking.control.set_outcome(other_kind, **{row.name: value})


def test_outcome_cannot_be_filtered_by_a_picture_field():
    control = MockServer(vendor="rekognition").control
    control.set_outcome("match", score=3, field={"QualityFilter": "AUTO"})
    with pytest.raises(ValueError, match="no such call has a field SourceImage"):
        control.set_outcome("match", score=3, field={"SourceImage": "x"})


def test_outcome_cannot_have_both_a_digest_and_a_picture(asking):
    with pytest.raises(ValueError, match="not both"):
        asking.control.set_outcome("match", digest="0" * 64, picture=b"")
