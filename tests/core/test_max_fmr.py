"""`max_fmr`: one number for every vendor, each with its own threshold for it."""

import datetime as dt
import json

import pytest
import tomli_w
from kit.calibrations import NOW, calibration, point
from kit.fakes import SCALE, FakeBackend, found_match, match_result, picture

import facematch_core as fm
from facematch_core.testing import ManualClock

A, B = picture(), picture((10, 20, 30))


class Other(FakeBackend):
    """Another vendor, with a scale of its own."""

    name = "other"


@pytest.fixture
def verifier():
    """A verifier that has thresholds for 1e-3 (60) and 1e-4 (75); its answers score 80."""
    return fm.FaceVerifier(FakeBackend(), calibration=calibration())


def test_the_threshold_of_the_calibration(verifier):
    """The result says who set it."""
    result = verifier.verify(A, B, max_fmr=1e-3)
    assert result.threshold == fm.Threshold(
        60, fm.ThresholdRule.AT_LEAST, fm.ThresholdSource.CALIBRATION
    )
    assert result.decision is fm.Decision.MATCH
    assert verifier.backend.calls[0].threshold == result.threshold
    verifier.backend.score = 70
    assert verifier.verify(A, B, max_fmr=1e-3).is_match
    assert not verifier.verify(A, B, max_fmr=1e-4).is_match


def test_without_it_nothing_changes(verifier):
    """The calibration alone sets no threshold."""
    assert verifier.verify(A, B).threshold.source is fm.ThresholdSource.DEFAULT
    assert verifier.verify(A, B, threshold=5).threshold.source is fm.ThresholdSource.CALLER


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"max_fmr": 1e-3, "threshold": 50}, fm.InvalidRequest, "both say where a match begins"),
        (
            {"max_fmr": 5e-4},
            fm.InvalidRequest,
            r"for an FMR of 0\.0005; it has those for 0\.001, 0",
        ),
        ({"max_fmr": 60}, fm.InvalidRequest, "a rate above 0 and at most 1"),
        ({"max_fmr": 0}, fm.InvalidRequest, "a rate above 0 and at most 1"),
        ({"max_fmr": True}, fm.InvalidRequest, "a rate above 0 and at most 1"),
        ({"max_fmr": 1e-3, "review_threshold": 55}, fm.InvalidRequest, "above threshold"),
    ],
    ids=str,
)
def test_what_is_refused(verifier, options, error, told):
    """Before anything is sent."""
    with pytest.raises(error, match=told):
        verifier.verify(A, B, **options)
    assert verifier.backend.calls == []


def test_without_a_calibration():
    """The sentence says how to get one."""
    verifier = fm.FaceVerifier(FakeBackend())
    with pytest.raises(fm.ConfigurationError, match="`facematch compare threshold` writes one"):
        verifier.verify(A, B, max_fmr=1e-3)
    assert verifier.backend.calls == []


def test_a_review_threshold_of_the_profile_gives_way():
    """Where the calibrated threshold is stricter, nothing is left to review."""
    verifier = fm.FaceVerifier(FakeBackend(), review_threshold=65, calibration=calibration())
    assert verifier.verify(A, B, max_fmr=1e-3).review_threshold.value == 65
    assert verifier.verify(A, B, max_fmr=1e-4).review_threshold is None


def test_liveness_and_comparison_together(verifier):
    """It is for the comparison; liveness keeps its own threshold."""
    result = verifier.verify_live(A, B, max_fmr=1e-4, liveness_threshold=20)
    assert result.match.threshold.value == 75
    assert result.liveness.threshold.value == 20
    with pytest.raises(fm.InvalidRequest, match=r"for an FMR of 0\.5"):
        verifier.verify_live(A, B, max_fmr=0.5)
    assert len(verifier.backend.calls) == 2
    with pytest.raises(TypeError):
        verifier.check_liveness(A, max_fmr=1e-3)


def test_many(verifier):
    """As an option of every pair."""
    (outcome,) = verifier.verify_many([(A, B)], max_fmr=1e-4)
    assert outcome.result.threshold.value == 75


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (calibration(backend="other"), "for the backend other"),
        (calibration(environment=fm.Environment.MOCK), "from answers of a mock"),
        (calibration(expires_at=NOW), "expired"),
        (5, "must be a Calibration or the name of its file, not int"),
        ("no-such-file.json", "cannot be read"),
    ],
    ids=["backend", "mock", "old", "int", "file"],
)
def test_a_calibration_that_does_not_fit(given, told):
    """Is refused when the verifier is opened."""
    with pytest.raises(fm.ConfigurationError, match=told):
        fm.FaceVerifier(FakeBackend(), calibration=given)


def test_it_may_expire_while_the_program_runs():
    """Then it is refused at the next call; other calls go on."""
    clock = ManualClock()
    made = calibration(expires_at=clock.now() + dt.timedelta(hours=1))
    verifier = fm.FaceVerifier(FakeBackend(), calibration=made, clock=clock)
    assert verifier.verify(A, B, max_fmr=1e-3).is_match
    clock.sleep(3600)
    with pytest.raises(fm.ConfigurationError, match="expired"):
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
def test_an_answer_of_another_model(answer, decision):
    """A vendor that changes its model overnight lets nobody in by the old threshold."""
    said = match_result(
        **{"score": fm.Score(99, SCALE), "billing": fm.Billing(fm.Charged.YES), **answer}
    )
    backend = FakeBackend(script=[said])
    verifier = fm.FaceVerifier(backend, calibration=calibration(model="m1"))
    result = verifier.verify(A, B, max_fmr=1e-3)
    assert result.decision is decision
    codes = [warning.code for warning in result.warnings]
    assert codes == ([fm.WarningCode.THRESHOLD_CONFLICT] if decision is fm.Decision.REVIEW else [])
    backend.script = [said]
    # It says nothing of a threshold that somebody else set.
    assert verifier.verify(A, B).decision is answer.get("decision", fm.Decision.MATCH)


class Records(FakeBackend):
    """A vendor that keeps a match of another model for every attempt."""

    def reconcile(self, attempt, *, deadline_s=None):
        return found_match(attempt, 99, model="m2")


def test_what_the_records_say_is_judged_likewise():
    """An answer that was lost and found is no better than one that came at once."""
    backend = Records(script=[ValueError("lost")])
    verifier = fm.FaceVerifier(backend, calibration=calibration(model="m1"))
    with pytest.raises(fm.VendorError) as caught:
        verifier.verify(A, B, max_fmr=1e-3, retention=fm.Retention.KEEP)
    assert caught.value.billing.charged is fm.Charged.UNKNOWN
    assert caught.value.call.threshold.source is fm.ThresholdSource.CALIBRATION
    assert verifier.reconcile(caught.value).result.decision is fm.Decision.REVIEW


def test_a_failover_has_one_number_for_all():
    """Each member its own threshold for it: that is what a rate is for."""
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


def test_a_failover_refuses_before_anybody_is_asked():
    """A member without a calibration, or without this rate, is a mistake that shows at once."""
    first = FakeBackend()
    for spare, told in (
        (fm.FaceVerifier(Other()), "max_fmr needs a calibration of other"),
        (
            fm.FaceVerifier(Other(), calibration=calibration(point(0.01, 9), backend="other")),
            "The calibration of other has no threshold for an FMR of 0.001",
        ),
    ):
        both = fm.Failover({"a": fm.FaceVerifier(first, calibration=calibration()), "b": spare})
        with pytest.raises((fm.ConfigurationError, fm.InvalidRequest), match=told):
            both.verify(A, B, max_fmr=1e-3)
        with pytest.raises((fm.ConfigurationError, fm.InvalidRequest), match=told):
            both.verify_live(A, B, max_fmr=1e-3)
    calibrated = fm.Failover({"a": fm.FaceVerifier(first, calibration=calibration())})
    with pytest.raises(fm.InvalidRequest, match="both say where a match begins"):
        calibrated.verify(A, B, max_fmr=1e-3, threshold={"a": 50})
    assert first.calls == []


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Opens a profile of the scripted backend that says this."""
    monkeypatch.setattr(
        fm.config, "backend_class", lambda name: {"fake": FakeBackend, "other": Other}[name]
    )

    def make(says, name="p", more=None, **arguments):
        path = tmp_path / "facematch.toml"
        profiles = {"p": {"backend": "fake", **says}, **(more or {})}
        path.write_text(tomli_w.dumps({"profiles": profiles}))
        return fm.open_verifier(profile=name, config=path, **arguments)

    return make


def test_a_profile_names_the_file(opened, tmp_path):
    """Beside the configuration; a threshold of the profile is for calls without a rate."""
    (tmp_path / "fake.json").write_text(json.dumps(calibration().to_dict()))
    verifier = opened({"calibration": "fake.json", "threshold": 10})
    assert verifier.verify(A, B, max_fmr=1e-4).threshold.value == 75
    assert verifier.verify(A, B).threshold.value == 10
    other = opened({"calibration": "fake.json"}, calibration=calibration(point(1e-4, 88)))
    assert other.verify(A, B, max_fmr=1e-4).threshold.value == 88


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"calibration": "nothing.json"}, r"nothing\.json' cannot be read"),
        ({"calibration": 5}, "calibration must be a path, not int"),
        ({"calibration": "a\0b"}, "calibration must be a path, not str of length 3"),
        ({"calibration": "other.json"}, "for the backend other"),
    ],
    ids=str,
)
def test_profiles_that_cannot_be_opened(opened, tmp_path, says, told):
    """One sentence; the backend is closed again."""
    made = calibration(backend="other")
    (tmp_path / "other.json").write_text(json.dumps(made.to_dict()))
    with pytest.raises(fm.ConfigurationError, match=told):
        opened(says)


def test_a_failover_takes_no_calibration(opened):
    """Each of its members has its own."""
    with pytest.raises(fm.ConfigurationError, match="members have their own calibration"):
        opened({}, "ha", {"ha": {"members": ["p"]}}, calibration=calibration())
    with pytest.raises(fm.ConfigurationError, match="calibration belongs to a member"):
        opened({}, "ha", {"ha": {"members": ["p"], "calibration": "x.json"}})
