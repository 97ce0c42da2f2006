"""`Calibration`: a file of thresholds, bound to what it was made with."""

import contextlib
import datetime as dt
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.calibrations import NOW, calibration, point
from kit.fakes import SCALE, FakeBackend
from kit.strategies import json_objects

from facematch_core import (
    Calibration,
    ConfigurationError,
    Environment,
    InvalidRequest,
    ThresholdRule,
)


def test_written_and_read(tmp_path):
    """To the last field, as text for people as well."""
    made = calibration(model="m1", study_digest="d" * 64, expires_at=NOW + dt.timedelta(days=90))
    path = tmp_path / "fake.calibration.json"
    path.write_text(json.dumps(made.to_dict(), indent=2))
    assert Calibration.read(path) == Calibration.read(str(path)) == made
    document = made.to_dict()
    assert (document["schema"], document["kind"]) == (1, "calibration")
    assert [one["max_fmr"] for one in document["points"]] == [1e-3, 1e-4]


def test_a_file_of_the_first_release_is_read():
    """Its schema was 0."""
    made = calibration()
    assert Calibration.from_dict({**made.to_dict(), "schema": 0}) == made


def test_the_threshold_for_a_rate():
    """Those that it has, and nothing between two of them."""
    made = calibration(point(1e-4, 75), point(1e-3, 60), point(0.01, 60))
    assert [one.max_fmr for one in made.points] == [0.01, 1e-3, 1e-4]
    assert (made.threshold_for(0.001), made.threshold_for(1 / 10_000)) == (60, 75)
    with pytest.raises(InvalidRequest, match=r"for an FMR of 0\.0005; it has those for 0\.01, 0"):
        made.threshold_for(5e-4)


@pytest.mark.parametrize("value", [0, -1, 1.5, 50, True, "1e-3", None, float("nan")], ids=repr)
def test_what_is_no_rate(value):
    """50, say, which is a threshold."""
    with pytest.raises(InvalidRequest, match="max_fmr must be a rate above 0 and at most 1"):
        calibration().threshold_for(value)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: calibration(point(), point()), "Two thresholds are for an FMR of 0.001"),
        (
            lambda: calibration(point(1e-3, 60), point(1e-4, 50)),
            "The threshold for an FMR of 0.0001 is lower than the one for 0.001",
        ),
        (lambda: calibration(rule=ThresholdRule.VENDOR), "known rule"),
        (lambda: calibration(confidence=0.5), "confidence"),
        (lambda: calibration(confidence=float("nan")), "confidence"),
        (lambda: attrs.evolve(calibration(), points=()), "at least one threshold"),
        (lambda: calibration(made_at=dt.datetime(2026, 11, 20)), "offset from UTC"),
        (lambda: point(max_fmr=0), "max_fmr"),
        (lambda: point(upper=1.5), "upper"),
        (lambda: point(threshold=101), "threshold"),
        (lambda: point(errors=5, trials=4), "There cannot be 5 errors in 4 pairs"),
        (lambda: point(errors=0, trials=0), "There cannot be 0 errors in 0 pairs"),
    ],
)
def test_what_contradicts_itself(made, told):
    """Is refused when it is made, or read."""
    with pytest.raises(ValueError, match=told):
        made()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": 2}, "has the schema 2, and this facematch reads 1"),
        ({"kind": "comparison"}, "no calibration"),
        ({"backend": None}, "wrong or missing: .*backend"),
        ({"points": [{"max_fmr": "0.001"}]}, "wrong or missing"),
        ({"points": []}, "cannot be used"),
        ({"rule": "sometimes"}, "wrong or missing: .*rule"),
        ({"made_at": "2026-11-20"}, "wrong or missing: .*made_at"),
        ({"confidence": True}, "wrong or missing: .*confidence"),
    ],
    ids=str,
)
def test_files_that_cannot_be_used(tmp_path, change, told):
    """The file is named, and one reason."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**calibration().to_dict(), **change}))
    with pytest.raises(ConfigurationError, match=told) as caught:
        Calibration.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    """Missing, a folder, no JSON, too large, no name of a file."""
    broken, large = tmp_path / "broken.json", tmp_path / "large.json"
    broken.write_bytes(b"{")
    large.write_bytes(b" " * ((1 << 20) + 1))
    for path, told in (
        (tmp_path / "nothing.json", "cannot be read: No such file"),
        (tmp_path, "cannot be read"),
        (broken, "is no JSON"),
        (large, "over 1048576 bytes"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            Calibration.read(path)
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    with pytest.raises(ConfigurationError, match="is no JSON"):
        Calibration.read(deep)


@given(json_objects, st.booleans())
def test_any_document_is_a_calibration_or_refused(document, is_ours):
    """Whatever stands in it."""
    whole = calibration().to_dict()
    with contextlib.suppress(InvalidRequest):
        Calibration.from_dict({**whole, **document} if is_ours else document)
    for key in whole.keys() & document.keys():
        with contextlib.suppress(InvalidRequest):
            Calibration.from_dict({**whole, key: document[key]})


@given(
    st.lists(st.tuples(st.floats(1e-6, 1), st.floats(0, 100)), min_size=1, max_size=5, unique=True)
)
def test_any_calibration_keeps_its_promise(pairs):
    """What is accepted has a threshold for each of its rates, the lower the rate the higher."""
    try:
        made = calibration(*(point(rate, at) for rate, at in pairs))
    except InvalidRequest:
        return
    at = [made.threshold_for(one.max_fmr) for one in made.points]
    assert at == sorted(at)
    assert Calibration.from_dict(made.to_dict()) == made


class Other(FakeBackend):
    name = "other"


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        (Other(), "for the backend fake, and this verifier has other"),
        (FakeBackend(score_scale="fake/v2"), "scale fake/v1, and this verifier has fake/v2"),
        (FakeBackend(score_scale=None), "scale fake/v1, and this verifier has none"),
        (FakeBackend(threshold_rule=ThresholdRule.ABOVE), "for the rule at_least, .* has above"),
    ],
    ids=["name", "scale", "no scale", "rule"],
)
def test_another_backend(backend, told):
    """Another vendor, another model's scale, another rule: another threshold."""
    with pytest.raises(ConfigurationError, match=told):
        calibration().check(backend, NOW)
    calibration().check(FakeBackend(), NOW)


@pytest.mark.parametrize("made_in", Environment)
@pytest.mark.parametrize("used_in", Environment)
def test_a_mock_calibrates_itself_alone(made_in, used_in):
    """A threshold of a mock goes nowhere else; one of the vendor may be tried there."""
    made = calibration(environment=made_in)
    backend = FakeBackend(environment=used_in)
    is_real = made_in in (Environment.PRODUCTION, Environment.LOCAL)
    if is_real or made_in is used_in:
        made.check(backend, NOW)
    else:
        with pytest.raises(ConfigurationError, match=f"from answers of a {made_in}, and this"):
            made.check(backend, NOW)


def test_it_expires():
    """From that moment on."""
    made = calibration(expires_at=NOW)
    made.check(FakeBackend(), NOW - dt.timedelta(seconds=1))
    with pytest.raises(ConfigurationError, match="expired on 2026-11-20"):
        made.check(FakeBackend(), NOW)


def test_answers_that_it_does_not_speak_of():
    """What is not told is not doubted."""
    made = calibration(model="m1")
    assert made.doubt_of(SCALE, "m1") is None
    assert made.doubt_of(None, None) is None
    assert calibration().doubt_of(SCALE, "m2") is None
    assert made.doubt_of("fake/v2", "m1") == (
        "The calibration is for scores on the scale fake/v1, and the answer is of fake/v2."
    )
    assert made.doubt_of(SCALE, "m2") == (
        "The calibration is for the model m1, and the answer is of m2."
    )
