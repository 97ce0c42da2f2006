"""What a verifier makes of its backend's results, and which it refuses to hand out."""

import datetime as dt

import attrs
import pytest
from kit.calibrations import calibration
from kit.fakes import SCALE, FakeBackend, found_match, liveness_result, match_result, picture

import facematch_core as fm
from facematch_core.testing import ManualClock

A, B = picture(), picture((10, 20, 30))
MOCK, PRODUCTION, SANDBOX = (
    fm.Environment.MOCK,
    fm.Environment.PRODUCTION,
    fm.Environment.SANDBOX,
)
PAID = fm.Billing(fm.Charged.YES, "said", 2)
FACE = fm.Face(demographics=fm.Demographics(age=31))


def at_least(value):
    return fm.Threshold(value, fm.ThresholdRule.AT_LEAST, fm.ThresholdSource.CALLER)


def scored(value, **more):
    return match_result(score=fm.Score(value, SCALE), billing=PAID, **more)


def verified(said, backend=None, **more):
    """The result of a call that its backend answers with `said`."""
    options = {name: more.pop(name) for name in ("threshold", "metadata") if name in more}
    backend = backend or FakeBackend(environment=more.pop("environment", PRODUCTION))
    backend.script = [said]
    return fm.FaceVerifier(backend, **more).verify(A, B, caller_ref="case 7", **options)


def test_what_this_side_adds():
    """Its ids, the metadata, and where the backend says that it asks."""
    told = verified(scored(80, ids=fm.Ids(vendor="v-1", session="s-1")), metadata={"gate": 1})
    assert (told.ids.vendor, told.ids.session, told.ids.caller) == ("v-1", "s-1", "case 7")
    assert told.ids.call
    assert (told.environment, told.metadata) == (PRODUCTION, {"gate": 1})


def test_how_long_a_call_took():
    """By the clock of the verifier."""
    clock = ManualClock()

    def slow(_):
        clock.advance(2.5)
        return scored(80)

    assert verified(slow, clock=clock).elapsed_s == 2.5


def test_a_call_that_began_later_than_now_took_no_time():
    """The time of day goes back now and then, and what is found later is timed by it."""

    class Records(FakeBackend):
        def reconcile(self, attempt, *, deadline_s=None):
            return found_match(attempt, 80)

    clock = ManualClock()
    call = fm.CallRecord(
        id="a-1",
        operation=fm.Operation.MATCH,
        backend="fake",
        kept=True,
        started_at=clock.now() + dt.timedelta(seconds=5),
    )
    assert fm.FaceVerifier(Records(), clock=clock).reconcile(call).result.elapsed_s == 0.0


def test_what_a_backend_alone_knows_to_be_private_goes():
    """Guesses about people, unless they are wanted; pictures always."""
    can = {"demographic_keys": ("guess",), "media_keys": ("crop",)}
    said = scored(80, raw={"guess": 1, "crop": "p", "rest": 2}, probe_faces=(FACE,))
    told = verified(said, FakeBackend(**can))
    assert (told.raw["rest"], told.probe_faces) == (2, (fm.Face(),))
    assert told.reference_faces is None
    assert "guess" not in told.raw or told.raw["guess"] != 1
    told = verified(said, FakeBackend(**can), keep_demographics=True)
    assert (told.raw["guess"], told.probe_faces) == (1, (FACE,))
    assert told.raw.get("crop") != "p"


def test_guesses_about_a_face_in_a_liveness_check_go():
    """It has one picture."""
    backend = FakeBackend(
        script=[liveness_result(score=fm.Score(99, SCALE), probe_faces=(FACE,), billing=PAID)]
    )
    told = fm.FaceVerifier(backend).check_liveness(A)
    assert (told.probe_faces, told.is_live) == ((fm.Face(),), True)


def test_a_result_that_cannot_be_used_is_paid_for():
    """The error says so, and has the ids of the vendor."""
    said = attrs.evolve(scored(80), ids=fm.Ids(vendor="v-1"))
    object.__setattr__(said, "probe_faces", 5)
    with pytest.raises(
        fm.UnexpectedResponse, match=r"result of fake cannot be used \(TypeErr"
    ) as at:
        verified(said)
    assert (at.value.billing, at.value.ids.vendor) == (PAID, "v-1")


@pytest.mark.parametrize(
    ("declared", "said", "required", "words"),
    [
        (PRODUCTION, MOCK, None, "came from mock, but the backend is set to production"),
        (None, MOCK, PRODUCTION, None),
        (None, None, PRODUCTION, None),
    ],
)
def test_an_answer_of_another_environment(declared, said, required, words):
    """The result is kept for a person, with its bill and its ids."""
    possible = {"environments": frozenset({PRODUCTION, MOCK})}
    kind = type("Anywhere", (FakeBackend,), possible)
    result = scored(80, environment=said, ids=fm.Ids(vendor="v-1"))
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        verified(result, kind(environment=declared), require_environment=required)
    error = caught.value
    came = said or "an unknown environment"
    words = words or f"came from {came}, but production is required"
    assert str(error) == f"The answer of fake {words}: check the address and the key."
    assert (error.environment, error.billing) == (said, PAID)
    assert error.ids == error.result.ids
    assert error.ids.vendor == "v-1"
    assert error.result.score == result.score


@pytest.mark.parametrize("declared", [PRODUCTION, None])
@pytest.mark.parametrize("said", [PRODUCTION, None])
def test_an_answer_of_the_environment_that_is_asked_for(declared, said):
    """Whoever of the two says it."""
    if (declared, said) == (None, None):
        assert verified(scored(80), FakeBackend(environment=None)).environment is None
        return
    possible = {"environments": frozenset({PRODUCTION})}
    backend = type("Anywhere", (FakeBackend,), possible)(environment=declared)
    told = verified(scored(80, environment=said), backend, require_environment=PRODUCTION)
    assert told.environment is PRODUCTION


@pytest.mark.parametrize(
    ("declared", "possible", "required", "came", "words"),
    [
        (MOCK, {PRODUCTION}, None, PRODUCTION, "is set to mock, but its address is the real"),
        (MOCK, {PRODUCTION}, MOCK, PRODUCTION, "is set to mock, but its address is the real"),
        (PRODUCTION, {PRODUCTION}, SANDBOX, PRODUCTION, "is set to production, but sandbox is"),
        (None, {MOCK}, SANDBOX, None, "does not say which environment it asks"),
        (None, set(), SANDBOX, None, "does not say which environment it asks"),
    ],
)
def test_nobody_is_asked_who_could_not_answer_from_there(declared, possible, required, came, words):
    """Free, and before anything is sent."""
    kind = type("Somewhere", (FakeBackend,), {"environments": frozenset(possible)})
    backend = kind(environment=declared)
    with pytest.raises(fm.EnvironmentMismatch, match=words) as caught:
        verified(scored(80), backend, require_environment=required)
    assert caught.value.billing == fm.Billing(fm.Charged.NO, "nothing was sent")
    assert (caught.value.environment, backend.calls) == (came, [])


CONFLICT, NO_SCORE = fm.WarningCode.THRESHOLD_CONFLICT, fm.WarningCode.SCORE_UNAVAILABLE


@pytest.mark.parametrize(
    ("said", "asked", "decision", "code"),
    [
        (scored(60), 60, "match", None),
        (scored(59.5), 60, "review", CONFLICT),
        (scored(60, threshold=at_least(70)), 50, "review", CONFLICT),
        (scored(60, threshold=at_least(50)), 70, "review", CONFLICT),
        (match_result(billing=PAID), 60, "review", NO_SCORE),
        (scored(10, decision=fm.Decision.NO_MATCH), 60, "no_match", None),
    ],
)
def test_a_pass_against_its_own_score(said, asked, decision, code):
    """A person looks at it; the warning comes after the vendor's own, and once."""
    own = fm.ResultWarning(code=fm.WarningCode.OTHER, severity=fm.Severity.INFORMATION, tag="OWN")
    told = verified(attrs.evolve(said, warnings=(own,)), threshold=asked)
    assert told.decision is fm.Decision(decision)
    assert told.warnings[0] == own
    found = [(warning.code, warning.severity) for warning in told.warnings[1:]]
    assert found == ([] if code is None else [(code, fm.Severity.ERROR)])
    if code is not None:
        again = verified(attrs.evolve(said, warnings=told.warnings), threshold=asked)
        assert (again.decision, again.warnings) == (told.decision, told.warnings)


def test_a_threshold_without_a_number_is_none():
    """The vendor does not say where a pass begins: nothing to hold the score against."""
    unknown = fm.Threshold(None, fm.ThresholdRule.VENDOR, fm.ThresholdSource.VENDOR)
    record = match_result(ids=fm.Ids(call="a-1"), threshold=unknown)
    call = fm.CallRecord(
        id="a-1",
        operation=fm.Operation.MATCH,
        backend="fake",
        kept=True,
        started_at=ManualClock().now(),
    )
    assert fm.judge(record, call).is_match


def test_a_result_says_which_threshold_it_had():
    """The vendor's own word comes before what was asked for."""
    told = verified(scored(80, threshold=at_least(55)), threshold=60)
    assert told.threshold == at_least(55)
    assert verified(scored(80), threshold=60).threshold == at_least(60)


def test_a_calibration_doubts_what_passes_by_its_threshold():
    """With a warning that says why; an answer without a score is doubted for that alone."""
    verifier = fm.FaceVerifier(
        FakeBackend(script=[scored(99, model="m2")]), calibration=calibration(model="m1")
    )
    told = verifier.verify(A, B, max_fmr=1e-3)
    assert told.decision is fm.Decision.REVIEW
    assert [(w.code, w.severity) for w in told.warnings] == [(CONFLICT, fm.Severity.ERROR)]
    assert "m2" in told.warnings[0].text
    verifier.backend.script = [match_result(billing=PAID, model="m1")]
    told = verifier.verify(A, B, max_fmr=1e-3)
    assert [w.code for w in told.warnings] == [NO_SCORE]
    verifier.backend.script = [liveness_result(score=fm.Score(99, SCALE), billing=PAID, model="m2")]
    assert verifier.check_liveness(A).is_live


def test_a_grave_warning_of_a_liveness_check():
    """A person looks at it, and sees the warning."""
    grave = fm.ResultWarning(code=fm.WarningCode.OTHER, severity=fm.Severity.ERROR, tag="NEW")
    said = liveness_result(score=fm.Score(99, SCALE), warnings=(grave,), billing=PAID)
    told = fm.FaceVerifier(FakeBackend(script=[said])).check_liveness(A)
    assert (told.decision, told.warnings) == (fm.LivenessDecision.REVIEW, (grave,))
