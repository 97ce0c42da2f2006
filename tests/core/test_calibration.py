import contextlib
import datetime as dt
import json

import attrs
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from kit.calibrations import NOW, calibration, point
from kit.fakes import SCALE, FakeBackend, found_match, match_result, picture
from kit.strategies import json_objects

import facematch_core as fm
from facematch_core.testing import ManualClock

A, B = picture(), picture((10, 20, 30))


class Other(FakeBackend):
    name = "other"


@pytest.fixture
def verifier():
    return fm.FaceVerifier(FakeBackend(), calibration=calibration())


def test_a_rate_sets_the_threshold_of_the_calibration(verifier):
    result = verifier.verify(A, B, max_fmr=1e-3)
    assert result.threshold == fm.Threshold(
        60, fm.ThresholdRule.AT_LEAST, fm.ThresholdSource.CALIBRATION
    )
    assert result.decision is fm.Decision.MATCH
    assert verifier.backend.calls[0].threshold == result.threshold
    verifier.backend.score = 70
    assert verifier.verify(A, B, max_fmr=1e-3).is_match
    assert not verifier.verify(A, B, max_fmr=1e-4).is_match


def test_without_a_rate_the_calibration_sets_no_threshold(verifier):
    assert verifier.verify(A, B).threshold.source is fm.ThresholdSource.DEFAULT
    assert verifier.verify(A, B, threshold=5).threshold.source is fm.ThresholdSource.CALLER


@pytest.mark.parametrize(
    "options",
    [
        {"max_fmr": 1e-3, "threshold": 50},
        {"max_fmr": 5e-4},
        {"max_fmr": 60},
        {"max_fmr": 0},
        {"max_fmr": True},
        {"max_fmr": 1e-3, "review_threshold": 55},
    ],
    ids=str,
)
def test_odd_rates_are_refused_before_anything_is_sent(verifier, options):
    with pytest.raises(fm.InvalidRequest):
        verifier.verify(A, B, **options)
    with pytest.raises(fm.InvalidRequest):
        verifier.verify_live(A, B, **options)
    assert verifier.backend.calls == []


def test_without_a_calibration_a_rate_is_refused_with_the_command_that_makes_one():
    verifier = fm.FaceVerifier(FakeBackend())
    with pytest.raises(fm.ConfigurationError, match="`facematch compare report --calibration`"):
        verifier.verify(A, B, max_fmr=1e-3)
    assert verifier.backend.calls == []


def test_a_review_threshold_of_the_profile_gives_way_to_a_stricter_one():
    verifier = fm.FaceVerifier(FakeBackend(), review_threshold=65, calibration=calibration())
    assert verifier.verify(A, B, max_fmr=1e-3).review_threshold.value == 65
    assert verifier.verify(A, B, max_fmr=1e-4).review_threshold is None


def test_of_both_calls_it_is_for_the_comparison(verifier):
    result = verifier.verify_live(A, B, max_fmr=1e-4, liveness_threshold=20)
    assert (result.match.threshold.value, result.liveness.threshold.value) == (75, 20)
    with pytest.raises(TypeError):
        verifier.check_liveness(A, max_fmr=1e-3)
    (outcome,) = verifier.verify_many([(A, B)], max_fmr=1e-4)
    assert outcome.result.threshold.value == 75


@pytest.mark.parametrize(
    "argument",
    [
        calibration(backend="other"),
        calibration(environment=fm.Environment.MOCK),
        calibration(expires_at=NOW),
        5,
        "no-such-file.json",
    ],
    ids=["backend", "mock", "old", "int", "file"],
)
def test_a_calibration_that_does_not_fit_is_refused_when_the_verifier_is_opened(argument):
    with pytest.raises(fm.ConfigurationError):
        fm.FaceVerifier(FakeBackend(), calibration=argument)


def test_a_calibration_may_expire_while_the_program_runs():
    clock = ManualClock()
    hourly = calibration(expires_at=clock.now() + dt.timedelta(hours=1))
    verifier = fm.FaceVerifier(FakeBackend(), calibration=hourly, clock=clock)
    assert verifier.verify(A, B, max_fmr=1e-3).is_match
    clock.sleep(3600)
    with pytest.raises(fm.ConfigurationError):
        verifier.verify(A, B, max_fmr=1e-3)
    assert verifier.verify(A, B).is_match


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ({"model": "m1"}, fm.Decision.MATCH),
        ({"model": None}, fm.Decision.MATCH),
        ({"model": "m2"}, fm.Decision.REVIEW),
        ({"score": fm.Score(99, "fake/v2")}, fm.Decision.REVIEW),
        ({"model": "m2", "decision": fm.Decision.NO_MATCH}, fm.Decision.NO_MATCH),
    ],
    ids=str,
)
def test_a_match_of_another_model_is_reviewed(answer, decision):
    script_result = match_result(
        **{"score": fm.Score(99, SCALE), "billing": fm.Billing(fm.Charged.YES), **answer}
    )
    backend = FakeBackend(script=[script_result])
    verifier = fm.FaceVerifier(backend, calibration=calibration(model="m1"))
    result = verifier.verify(A, B, max_fmr=1e-3)
    assert result.decision is decision
    codes = [warning.code for warning in result.warnings]
    assert codes == ([fm.WarningCode.THRESHOLD_CONFLICT] if decision is fm.Decision.REVIEW else [])
    backend.script = [script_result]
    # It says nothing of a threshold that somebody else set.
    assert verifier.verify(A, B).decision is answer.get("decision", fm.Decision.MATCH)


class Records(FakeBackend):
    def reconcile(self, attempt, *, deadline):
        return found_match(attempt, 99, model="m2")


def test_what_the_records_say_is_judged_likewise():
    backend = Records(script=[ValueError("lost")])
    verifier = fm.FaceVerifier(backend, calibration=calibration(model="m1"))
    with pytest.raises(fm.VendorError) as caught:
        verifier.verify(A, B, max_fmr=1e-3, retention=fm.Retention.KEEP)
    assert caught.value.billing.charged is fm.Charged.UNKNOWN
    assert caught.value.call.threshold.source is fm.ThresholdSource.CALIBRATION
    assert verifier.reconcile(caught.value).result.decision is fm.Decision.REVIEW


def test_a_failover_has_one_rate_and_each_member_its_threshold_for_it():
    first = FakeBackend(script=[fm.RateLimited("later")])
    second = Other(score=50)
    both = fm.Failover(
        {
            "shop": fm.FaceVerifier(first, calibration=calibration()),
            "backup": fm.FaceVerifier(
                second, calibration=calibration(point(1e-3, 40.0), backend="other")
            ),
        }
    )
    result = both.verify(A, B, max_fmr=1e-3)
    assert (result.route.answered_by, result.threshold.value, result.is_match) == (
        "backup",
        40,
        True,
    )
    assert first.calls[0].threshold.value == 60
    live = both.verify_live(A, B, max_fmr=1e-3)
    assert live.match.threshold.value == 60
    assert live.liveness.threshold.source is fm.ThresholdSource.DEFAULT


@pytest.mark.parametrize(
    "second", [None, calibration(point(0.01, 9), backend="other")], ids=["none", "no such rate"]
)
def test_a_failover_refuses_a_rate_that_one_member_has_not_before_anybody_is_asked(second):
    first = fm.FaceVerifier(FakeBackend(), calibration=calibration())
    both = fm.Failover({"a": first, "b": fm.FaceVerifier(Other(), calibration=second)})
    for ask in (both.verify, both.verify_live):
        with pytest.raises((fm.ConfigurationError, fm.InvalidRequest)):
            ask(A, B, max_fmr=1e-3)
    with pytest.raises(fm.InvalidRequest):
        fm.Failover({"a": first}).verify(A, B, max_fmr=1e-3, threshold={"a": 50})
    assert first.backend.calls == []


@pytest.fixture
def opened(tmp_path, monkeypatch):
    monkeypatch.setattr(
        fm.config.opening, "backend_class", lambda name: {"fake": FakeBackend, "other": Other}[name]
    )

    def make(says, name="p", more=None, **arguments):
        path = tmp_path / "facematch.toml"
        profiles = {"p": {"backend": "fake", **says}, **(more or {})}
        path.write_text(tomli_w.dumps({"profiles": profiles}))
        return fm.open_verifier(profile=name, config=path, **arguments)

    return make


def test_a_profile_names_the_file_beside_the_configuration(opened, tmp_path):
    (tmp_path / "fake.json").write_text(json.dumps(calibration().to_dict()))
    verifier = opened({"calibration": "fake.json", "threshold": 10})
    assert verifier.verify(A, B, max_fmr=1e-4).threshold.value == 75
    assert verifier.verify(A, B).threshold.value == 10
    other = opened({"calibration": "fake.json"}, calibration=calibration(point(1e-4, 88)))
    assert other.verify(A, B, max_fmr=1e-4).threshold.value == 88


# The file itself


def test_a_calibration_is_written_and_read(tmp_path):
    original = calibration(
        model="m1", study_digest="d" * 64, expires_at=NOW + dt.timedelta(days=90)
    )
    path = tmp_path / "fake.calibration.json"
    path.write_text(json.dumps(original.to_dict(), indent=2))
    assert fm.Calibration.read(path) == fm.Calibration.read(str(path)) == original
    document = original.to_dict()
    assert (document["schema"], document["kind"]) == (1, "calibration")
    assert [entry["max_fmr"] for entry in document["points"]] == [1e-3, 1e-4]
    # The schema of the first release was 0.
    assert fm.Calibration.from_dict({**document, "schema": 0}) == original


def test_it_has_thresholds_for_its_rates_and_none_between():
    steps = calibration(point(1e-4, 75), point(1e-3, 60), point(0.01, 60))
    assert [step.max_fmr for step in steps.points] == [0.01, 1e-3, 1e-4]
    assert (steps.threshold_for(0.001), steps.threshold_for(1 / 10_000)) == (60, 75)
    with pytest.raises(
        fm.InvalidRequest, match=r"for an FMR of 0\.0005; it has those for 0\.01, 0"
    ):
        steps.threshold_for(5e-4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: calibration(point(), point()),
        lambda: calibration(point(1e-3, 60), point(1e-4, 50)),
        lambda: calibration(rule=fm.ThresholdRule.VENDOR),
        lambda: calibration(confidence=0.5),
        lambda: calibration(confidence=float("nan")),
        lambda: attrs.evolve(calibration(), points=()),
        lambda: calibration(made_at=dt.datetime(2026, 11, 20)),
        lambda: point(max_fmr=0),
        lambda: point(upper=1.5),
        lambda: point(threshold=101),
        lambda: point(errors=5, trials=4),
        lambda: point(errors=0, trials=0),
    ],
)
def test_what_contradicts_itself_is_refused_when_it_is_made(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    "change",
    [
        *({"schema": 2}, {"kind": "comparison"}, {"backend": None}, {"rule": "sometimes"}),
        *({"points": [{"max_fmr": "0.001"}]}, {"points": []}),
        *({"made_at": "2026-11-20"}, {"confidence": True}),
    ],
    ids=str,
)
def test_a_file_that_cannot_be_used_is_named_in_one_sentence(tmp_path, change):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**calibration().to_dict(), **change}))
    with pytest.raises(fm.ConfigurationError) as caught:
        fm.Calibration.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(json_objects, st.booleans())
def test_any_document_is_a_calibration_or_refused(document, is_ours):
    whole = calibration().to_dict()
    with contextlib.suppress(fm.InvalidRequest):
        fm.Calibration.from_dict({**whole, **document} if is_ours else document)
    for key in whole.keys() & document.keys():
        with contextlib.suppress(fm.InvalidRequest):
            fm.Calibration.from_dict({**whole, key: document[key]})


@pytest.mark.parametrize(
    "backend",
    [
        Other(),
        FakeBackend(score_scale="fake/v2"),
        FakeBackend(score_scale=None),
        FakeBackend(threshold_rule=fm.ThresholdRule.ABOVE),
    ],
    ids=["name", "scale", "no scale", "rule"],
)
def test_another_vendor_scale_or_rule_needs_another_threshold(backend):
    calibration().check(FakeBackend(), NOW)
    with pytest.raises(fm.ConfigurationError):
        calibration().check(backend, NOW)


@pytest.mark.parametrize("made_in", fm.Environment)
@pytest.mark.parametrize("used_in", fm.Environment)
def test_a_mock_calibrates_itself_alone(made_in, used_in):
    mock_calibration = calibration(environment=made_in)
    backend = FakeBackend(environment=used_in)
    is_real = made_in in (fm.Environment.PRODUCTION, fm.Environment.LOCAL)
    if is_real or made_in is used_in:
        mock_calibration.check(backend, NOW)
    else:
        with pytest.raises(fm.ConfigurationError):
            mock_calibration.check(backend, NOW)


def test_it_expires_from_that_moment_on():
    expiring = calibration(expires_at=NOW)
    expiring.check(FakeBackend(), NOW - dt.timedelta(seconds=1))
    with pytest.raises(fm.ConfigurationError):
        expiring.check(FakeBackend(), NOW)


def test_it_doubts_answers_of_another_scale_or_model_and_none_that_do_not_say():
    of_model = calibration(model="m1")
    assert of_model.doubt_of(SCALE, "m1") is of_model.doubt_of(None, None) is None
    assert calibration().doubt_of(SCALE, "m2") is None
    assert "fake/v2" in of_model.doubt_of("fake/v2", "m1")
    assert "m2" in of_model.doubt_of(SCALE, "m2")
