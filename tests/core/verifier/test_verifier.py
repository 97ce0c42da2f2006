import copy
import math
import operator as op
import pickle

import pytest
from kit.fakes import PROBE, REFERENCE, SCALE, FakeBackend, FakeOptions, liveness_result

import facematch_core as fm
from facematch_core import models


def results_of(verifier):
    return [
        verifier.verify(PROBE, REFERENCE),
        verifier.check_liveness(PROBE),
        verifier.verify_live(PROBE, REFERENCE),
    ]


def test_result_has_no_truth_value_and_is_no_decision(verifier):
    for result in results_of(verifier):
        with pytest.raises(TypeError, match="is not None"):
            bool(result)
        review = type(result.decision)("review")
        says = r"result\.decision == .*\.REVIEW"
        for compare in (op.eq, op.ne):
            with pytest.raises(TypeError, match=says):
                compare(result, review)
            with pytest.raises(TypeError, match=says):
                compare(review, result)


def test_result_read_like_a_dict_names_the_attribute_to_use(verifier):
    for result in results_of(verifier):
        with pytest.raises(TypeError, match=r"'verified'\]: use \.is_\w+ or \.decision\."):
            result["verified"]
        with pytest.raises(TypeError, match="not iterable"):
            list(result)


def test_results_compare_with_results_and_decisions_with_text(verifier):
    for result in results_of(verifier):
        assert result == copy.copy(result)
        assert result != "review"
        text = str(result.decision)
        assert result.decision == text
        assert (result.decision != text) is False
        assert result.decision != "another"
        assert {result.decision: 1}[text] == 1


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("threshhold", "threshold"),
        ("timeout", "deadline_s"),
        # What is inside of a call, and no argument of it.
        ("prefix", "known: "),
        # deepface's, which resembles `retention` a little.
        ("enforce_detection", "known: "),
    ],
)
def test_unknown_option_names_the_closest_one(backend, verifier, name, hint):
    says = rf"\(\) has no option '{name}'.*{hint}"
    with pytest.raises(TypeError, match="verify" + says):
        verifier.verify(PROBE, REFERENCE, **{name: 5})
    with pytest.raises(TypeError, match="verify_live" + says):
        verifier.verify_live(PROBE, REFERENCE, **{name: 5})
    with pytest.raises(TypeError, match="check_liveness" + says):
        verifier.check_liveness(PROBE, **{name: 5})
    with pytest.raises(fm.InvalidRequest, match=hint):
        verifier.verify_many([], **{name: 5})
    assert backend.calls == []


@pytest.mark.parametrize(
    ("threshold", "profile", "value", "source"),
    [
        (60, 55, 60, models.ThresholdSource.CALLER),
        (None, 55, 55, models.ThresholdSource.PROFILE),
        (None, None, 50, models.ThresholdSource.DEFAULT),
        (0, 55, 0, models.ThresholdSource.CALLER),
    ],
)
def test_threshold_precedence_is_caller_profile_default(backend, threshold, profile, value, source):
    result = fm.FaceVerifier(backend, threshold=profile).verify(
        PROBE, REFERENCE, threshold=threshold
    )
    assert result.threshold == fm.Threshold(value, models.ThresholdRule.AT_LEAST, source)


def test_stricter_caller_threshold_overrides_profile_review_threshold(backend):
    verifier = fm.FaceVerifier(backend, review_threshold=60)
    result = verifier.verify(PROBE, REFERENCE, threshold=70)
    assert (result.is_match, result.review_threshold) == (True, None)
    for options, value, source in (
        ({}, 60, models.ThresholdSource.PROFILE),
        ({"review_threshold": 90}, 90, models.ThresholdSource.CALLER),
    ):
        limit = verifier.verify(PROBE, REFERENCE, **options).review_threshold
        assert limit == fm.Threshold(value, models.ThresholdRule.ABOVE, source)
    with pytest.raises(fm.InvalidRequest):
        verifier.verify(PROBE, REFERENCE, threshold=70, review_threshold=65)


ODD = {
    "threshold": (math.nan, True, "50", -1, 100.1, 10**400),
    "review_threshold": (50, math.inf, 10**400),
    "retention": ("for ever", None),
    "caller_ref": ("", 7, "\ud800"),
    "metadata": ([], {"a": b"x"}, {"a": math.nan}, {1: "a"}, {"a": "\ud800"}),
    "deadline_s": (0, -1, math.inf, True, 10**400),
}


@pytest.mark.parametrize("name", ODD)
def test_invalid_options_are_refused_before_sending(backend, verifier, name):
    for value in ODD[name]:
        with pytest.raises(fm.InvalidRequest):
            verifier.verify(PROBE, REFERENCE, **{name: value})
    assert backend.calls == []


@pytest.mark.parametrize(
    ("can", "options"),
    [
        ({"retention": frozenset({fm.Retention.MINIMAL})}, {"retention": fm.Retention.KEEP}),
        ({"options": None}, {"options": FakeOptions()}),
        ({}, {"options": {"level": 1}}),
    ],
)
def test_options_the_backend_does_not_support_are_refused(can, options):
    backend = FakeBackend(**can)
    with pytest.raises(fm.Unsupported) as caught:
        fm.FaceVerifier(backend).verify(PROBE, REFERENCE, **options)
    assert caught.value.what == next(iter(options))
    assert backend.calls == []


def test_error_in_verify_live_includes_the_paid_liveness_result():
    backend = FakeBackend(script=[None, fm.RateLimited("slow down")])
    with pytest.raises(fm.RateLimited) as caught:
        fm.FaceVerifier(backend).verify_live(PROBE, REFERENCE)
    assert caught.value.liveness.is_live
    assert pickle.loads(pickle.dumps(caught.value)).liveness == caught.value.liveness


def test_verifier_can_be_closed_twice_and_then_refuses_calls(backend):
    verifier = fm.FaceVerifier(backend)
    verifier.close()
    verifier.close()
    with pytest.raises(fm.ConfigurationError):
        verifier.verify(PROBE, REFERENCE)


@pytest.mark.parametrize(
    "settings",
    [
        {"require_environment": "nowhere"},
        {"retry": 3},
        {"on_event": 5},
        {"policies": None},
        {"policies": [5]},
        {"clock": 3},
        {"threshold": 101},
        {"threshold": 70, "review_threshold": 60},
        {"liveness_threshold": 70, "liveness_review_threshold": 70},
    ],
    ids=str,
)
def test_invalid_verifier_settings_are_refused(settings):
    with pytest.raises(fm.ConfigurationError):
        fm.FaceVerifier(FakeBackend(), **settings)


def test_async_hook_is_refused():
    async def hear(event):
        pass

    with pytest.raises(fm.ConfigurationError, match="async"):
        fm.FaceVerifier(FakeBackend(), on_event=hear)


def test_exception_in_a_hook_does_not_lose_the_result(backend, caplog):
    def hook(event):
        raise RuntimeError("secret-in-the-hook")

    assert fm.FaceVerifier(backend, on_event=hook).verify(PROBE, REFERENCE).is_match
    assert "RuntimeError" in caplog.text
    assert "secret-in-the-hook" not in caplog.text


SpecialResult = type("SpecialResult", (fm.MatchResult,), {})
BUGS = {
    "error": KeyError("score"),
    # It says that nothing was sent, which is no longer true.
    "refusal": lambda call: fm.Score(100.4, SCALE),
    "text": lambda call: "match",
    "number": lambda call: 5,
    "subclass": SpecialResult(decision=fm.Decision.MATCH, backend="fake"),
}


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_plug_in_bug_after_the_first_byte_is_an_unknown_outcome(bug):
    events = []
    with pytest.raises(fm.OutcomeUnknown) as caught:
        fm.FaceVerifier(FakeBackend(script=[bug]), on_event=events.append).verify(PROBE, REFERENCE)
    assert caught.value.__context__ is None
    assert [event.kind.value for event in events] == ["started", "sent", "unknown"]


@pytest.mark.parametrize(
    ("grounds", "error_class"),
    [
        ({}, fm.OutcomeUnknown),
        ({"status_code": 503}, fm.VendorUnavailable),
        ({"billing": fm.Billing(fm.Charged.NO, "the vendor says so")}, fm.VendorUnavailable),
    ],
    ids=str,
)
def test_vendor_unavailable_after_the_first_byte_needs_evidence(grounds, error_class):
    class Hasty(FakeBackend):
        def match(self, request):
            request.on_sent()
            raise fm.VendorUnavailable("gone", **grounds)

    with pytest.raises(fm.VendorError) as caught:
        fm.FaceVerifier(Hasty()).verify(PROBE, REFERENCE)
    error = caught.value
    assert type(error) is error_class
    assert (error.call is None) is (error.billing.charged is fm.Charged.NO)
    assert error.__context__ is None


@pytest.mark.parametrize("decision", ["not_live", "inconclusive"])
def test_verify_live_skips_the_comparison_if_liveness_fails(decision):
    backend = FakeBackend(script=[liveness_result(fm.LivenessDecision(decision))])
    result = fm.FaceVerifier(backend).verify_live(PROBE, REFERENCE)
    assert (result.match, len(backend.calls), result.decision) == (None, 1, decision)
