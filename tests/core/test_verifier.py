"""`FaceVerifier`: the order of a call, what is refused before it, what comes out of it."""

import contextlib
import copy
import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import SCALE, FakeBackend, FakeOptions, liveness_result, match_result, picture
from kit.strategies import json_objects, percentages

import facematch_core as fm
from facematch_core.backend import CALL_ID_KEY, ImageLimits
from facematch_core.errors import BackendUnavailable
from facematch_core.testing import ManualClock

A, B = picture(), picture((10, 20, 30))


def test_a_match_with_everything_in_it(backend, verifier):
    """The result carries the call's own data and ours."""
    result = verifier.verify(A, B, caller_ref="emp-1", metadata={"gate": ["n"]})
    assert result.is_match
    assert result.threshold == fm.Threshold(
        50, fm.ThresholdRule.AT_LEAST, fm.ThresholdSource.DEFAULT
    )
    assert (result.ids.caller, result.metadata) == ("emp-1", {"gate": ["n"]})
    assert result.billing.charged is fm.Charged.YES
    assert result.ids.call == backend.calls[0].call_id
    assert result.elapsed_s >= 0
    assert backend.calls[0].retention is fm.Retention.MINIMAL


def test_a_result_has_no_truth_value(verifier):
    """`if result:` would let REVIEW in."""
    for result in (verifier.verify(A, B), verifier.check_liveness(A), verifier.verify_live(A, B)):
        with pytest.raises(TypeError, match="no truth value"):
            bool(result)


@pytest.mark.parametrize(
    ("asked", "profile", "value", "source"),
    [
        (60, 55, 60, fm.ThresholdSource.CALLER),
        (None, 55, 55, fm.ThresholdSource.PROFILE),
        (None, None, 50, fm.ThresholdSource.DEFAULT),
        (0, 55, 0, fm.ThresholdSource.CALLER),
    ],
)
def test_who_set_the_threshold(backend, asked, profile, value, source):
    """The caller's, else the profile's, else the backend's; 0 is a threshold, too."""
    result = fm.FaceVerifier(backend, threshold=profile).verify(A, B, threshold=asked)
    assert result.threshold == fm.Threshold(value, fm.ThresholdRule.AT_LEAST, source)


def test_without_any_threshold_the_vendor_decides():
    """A backend without a documented default gets none."""
    backend = FakeBackend(default_threshold=None)
    assert fm.FaceVerifier(backend).verify(A, B).threshold is None
    assert backend.calls[0].threshold is None


@pytest.mark.parametrize(("score", "decision"), [(80, "match"), (60, "review"), (40, "no_match")])
def test_the_review_threshold(score, decision):
    """A pass that is not above it is for a person to look at."""
    result = fm.FaceVerifier(FakeBackend(score)).verify(A, B, review_threshold=70)
    assert result.decision == decision
    assert result.review_threshold.value == 70


def test_a_profiles_review_threshold_yields_to_a_stricter_caller(backend):
    """With a caller's threshold above the profile's review nothing is left to review."""
    verifier = fm.FaceVerifier(backend, review_threshold=60)
    assert verifier.verify(A, B, threshold=70).is_match
    with pytest.raises(fm.InvalidRequest, match="above threshold"):
        verifier.verify(A, B, threshold=70, review_threshold=65)


ODD_OPTIONS = [
    {"threshold": math.nan},
    {"threshold": True},
    {"threshold": "50"},
    {"threshold": -1},
    {"threshold": 100.1},
    {"review_threshold": 50},
    {"review_threshold": math.inf},
    {"rotate": 1},
    {"retention": "for ever"},
    {"retention": None},
    {"caller_ref": ""},
    {"caller_ref": 7},
    {"caller_ref": "\ud800"},
    {"metadata": []},
    {"metadata": {"a": b"x"}},
    {"metadata": {"a": math.nan}},
    {"metadata": {1: "a"}},
    {"metadata": {"a": "\ud800"}},
    {"deadline_s": 0},
    {"deadline_s": -1},
    {"deadline_s": math.inf},
    {"deadline_s": True},
]


@pytest.mark.parametrize("options", ODD_OPTIONS, ids=str)
def test_odd_options_are_refused_before_anything_is_sent(backend, verifier, options):
    """One sentence, and no call."""
    with pytest.raises(fm.InvalidRequest):
        verifier.verify(A, B, **options)
    assert backend.calls == []


@pytest.mark.parametrize(
    ("can", "options"),
    [
        ({"rotate": False}, {"rotate": True}),
        ({"retention": frozenset({fm.Retention.MINIMAL})}, {"retention": fm.Retention.KEEP}),
        ({"options": None}, {"options": FakeOptions()}),
        ({}, {"options": {"level": 1}}),
    ],
)
def test_what_the_backend_cannot_pass_on_is_refused(can, options):
    """Never dropped: the caller would believe it was honoured."""
    backend = FakeBackend(**can)
    with pytest.raises(fm.Unsupported) as caught:
        fm.FaceVerifier(backend).verify(A, B, **options)
    assert caught.value.what == next(iter(options))
    assert backend.calls == []


def test_a_missing_capability_is_refused():
    """Both calls of `verify_live` are checked before the first is paid."""
    backend = FakeBackend(operations=frozenset({"liveness"}))
    with pytest.raises(fm.Unsupported):
        fm.FaceVerifier(backend).verify_live(A, B)
    assert backend.calls == []


def test_text_is_never_a_file_name(backend, verifier):
    """A web form's text must not open a file, and an address is not fetched."""
    for text in ("selfie.jpg", "/etc/passwd", "https://example.org/a.jpg", ""):
        with pytest.raises(fm.InvalidImage, match=r"Image\.read"):
            verifier.verify(text, B)
    assert backend.calls == []


def test_a_refused_picture_is_named(backend):
    """A page that asks for two photographs must know which one to ask for again."""
    for pictures, name in (((b"", B), "probe"), ((A, b"x"), "reference")):
        with pytest.raises(fm.InvalidImage, match=rf"^The {name} ") as caught:
            fm.FaceVerifier(backend).verify(*pictures)
        assert caught.value.picture == name
    small = ImageLimits(max_pixels=10)
    strict = fm.FaceVerifier(FakeBackend(image_limits=small), fit_images=False)
    with pytest.raises(fm.InvalidImage, match=r"^The probe has 1200 pixels") as caught:
        strict.verify(A, B)
    assert caught.value.picture == "probe"
    of_reference = FakeBackend(reference_limits=small)
    with pytest.raises(fm.InvalidImage, match=r"^The reference has 1200 pixels"):
        fm.FaceVerifier(of_reference, fit_images=False).verify(A, B)
    fm.FaceVerifier(of_reference).verify(A, B)
    assert [of_reference.calls[0].probe.width, of_reference.calls[0].reference.width] == [40, 3]


def test_verify_live_in_two_calls(backend, verifier):
    """Liveness first, then the comparison."""
    result = verifier.verify_live(A, B, liveness_threshold=20, threshold=60)
    assert result.is_verified
    assert [call.operation for call in backend.calls] == ["liveness", "match"]
    assert (result.liveness.threshold.value, result.match.threshold.value) == (20, 60)
    assert result.liveness.ids.call != result.match.ids.call


@pytest.mark.parametrize(
    "decision", [fm.LivenessDecision.NOT_LIVE, fm.LivenessDecision.INCONCLUSIVE]
)
def test_verify_live_does_not_pay_for_a_lost_cause(decision):
    """Without a live face no comparison can verify anybody."""
    backend = FakeBackend(script=[liveness_result(decision)])
    result = fm.FaceVerifier(backend).verify_live(A, B)
    assert result.match is None
    assert len(backend.calls) == 1
    assert result.decision == fm.LiveMatchDecision(decision.value)


def test_verify_live_keeps_what_was_paid():
    """When the second call fails, the paid liveness result is on the error."""
    backend = FakeBackend(script=[None, fm.RateLimited("slow down")])
    with pytest.raises(fm.RateLimited) as caught:
        fm.FaceVerifier(backend).verify_live(A, B)
    assert caught.value.liveness.is_live
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.liveness == caught.value.liveness


def test_a_verifier_that_is_closed_says_so(backend):
    """Closing twice is harmless; using it afterwards is one sentence."""
    verifier = fm.FaceVerifier(backend)
    verifier.close()
    verifier.close()
    with pytest.raises(fm.ConfigurationError, match="closed"):
        verifier.verify(A, B)


def test_a_verifier_is_not_pickled(verifier):
    """It may hold keys and sockets."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(verifier)
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.deepcopy(verifier)


def test_a_name_is_not_a_backend():
    """The sentence says what to call instead."""
    with pytest.raises(fm.ConfigurationError, match="open_verifier"):
        fm.FaceVerifier("local")


def test_the_events_of_a_paid_call(backend):
    """Started, sent, answered, charged, with one attempt id."""
    events = []
    result = fm.FaceVerifier(backend, on_event=events.append).verify(A, B)
    assert [event.kind for event in events] == [
        fm.EventKind.STARTED,
        fm.EventKind.SENT,
        fm.EventKind.ANSWERED,
        fm.EventKind.CHARGED,
    ]
    assert {event.call_id for event in events} == {result.ids.call}
    assert [event.counts for event in events] == [False, False, True, True]


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (fm.RateLimited("x"), [fm.EventKind.STARTED, fm.EventKind.SENT, fm.EventKind.REFUSED]),
        (
            fm.OutcomeUnknown("x", reconcilable=True),
            [fm.EventKind.STARTED, fm.EventKind.SENT, fm.EventKind.UNKNOWN],
        ),
        (
            fm.UnexpectedResponse("x"),
            [fm.EventKind.STARTED, fm.EventKind.SENT, fm.EventKind.CHARGED],
        ),
        (KeyError("x"), [fm.EventKind.STARTED, fm.EventKind.SENT, fm.EventKind.UNKNOWN]),
    ],
)
def test_the_events_of_a_failure(error, kinds):
    """What is said of money follows the error."""
    events = []
    verifier = fm.FaceVerifier(FakeBackend(script=[error]), on_event=events.append)
    with pytest.raises(fm.FaceMatchError):
        verifier.verify(A, B)
    assert [event.kind for event in events] == kinds


@pytest.mark.parametrize(
    "environment", [fm.Environment.SANDBOX, fm.Environment.MOCK, fm.Environment.LOCAL]
)
def test_only_production_counts(environment):
    """Nothing from a mock, a sandbox or this machine is a verification to count."""
    events = []
    backend = FakeBackend(environment=environment)
    fm.FaceVerifier(backend, on_event=events.append).verify(A, B)
    assert events
    assert not any(event.counts for event in events)


def test_a_broken_hook_loses_no_result(backend, caplog):
    """The result is paid for; the hook's exception is logged by class alone."""

    def hook(event):
        raise RuntimeError("secret-in-the-hook")

    assert fm.FaceVerifier(backend, on_event=hook).verify(A, B).is_match
    assert "RuntimeError" in caplog.text
    assert "secret-in-the-hook" not in caplog.text


def test_vendor_errors_carry_the_attempt():
    """The error, the events and the vendor's records meet in one id."""
    events = []
    verifier = fm.FaceVerifier(FakeBackend(script=[fm.RateLimited("x")]), on_event=events.append)
    with pytest.raises(fm.RateLimited) as caught:
        verifier.verify(A, B)
    assert caught.value.ids.call == events[0].call_id
    assert caught.value.backend == "fake"


def test_a_plug_ins_bug_on_a_billed_call_is_an_unknown_outcome():
    """Not even the kind of exception may suggest that nothing was paid."""
    for bug in (KeyError("score"), lambda call: "match"):
        with pytest.raises(fm.OutcomeUnknown) as caught:
            fm.FaceVerifier(FakeBackend(script=[bug])).verify(A, B)
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("grounds", "kind"),
    [
        ({}, fm.OutcomeUnknown),
        ({"status_code": 503}, fm.VendorUnavailable),
        ({"billing": fm.Billing(fm.Charged.NO, "the vendor says so")}, fm.VendorUnavailable),
    ],
    ids=str,
)
def test_unavailable_after_the_first_byte_needs_a_ground(grounds, kind):
    """Without one the bill is open, so neither a retry nor another member pays a second time."""

    class Hasty(FakeBackend):
        def match(self, call):
            call.on_sent()
            raise fm.VendorUnavailable("gone", **grounds)

    with pytest.raises(fm.VendorError) as caught:
        fm.FaceVerifier(Hasty()).verify(A, B)
    error = caught.value
    assert type(error) is kind
    assert (error.call is None) is (error.billing.charged is fm.Charged.NO)
    assert error.__context__ is None


def test_a_plug_ins_bug_before_anything_left_is_its_own():
    """A backend that bills nothing and sent nothing is simply unusable."""

    class Broken(FakeBackend):
        def match(self, call):
            raise KeyError("x")

    with pytest.raises(BackendUnavailable, match="KeyError"):
        fm.FaceVerifier(Broken(billed_operations=frozenset())).verify(A, B)


def test_required_environment_before_and_after():
    """Set to another one: nothing is sent. Answered from another one: no result comes out."""
    sandbox = FakeBackend(environment=fm.Environment.SANDBOX)
    with pytest.raises(fm.EnvironmentMismatch, match="nothing was sent"):
        fm.FaceVerifier(sandbox, require_environment=fm.Environment.PRODUCTION).verify(A, B)
    assert sandbox.calls == []
    mock = FakeBackend(
        script=[match_result(environment=fm.Environment.MOCK, billing=fm.Billing(fm.Charged.YES))]
    )
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        fm.FaceVerifier(mock, require_environment=fm.Environment.PRODUCTION).verify(A, B)
    assert caught.value.billing.charged is fm.Charged.YES
    assert caught.value.environment is fm.Environment.MOCK
    assert caught.value.call.id == caught.value.ids.call
    assert pickle.loads(pickle.dumps(caught.value)).call == caught.value.call


@pytest.mark.parametrize("billed", list(fm.Charged))
def test_a_backends_own_mismatch_carries_the_attempt_if_it_may_be_charged(billed):
    """So that it can be looked up; without a charge there is nothing to look for."""
    said = fm.EnvironmentMismatch(
        "No mock.", environment=fm.Environment.PRODUCTION, billing=fm.Billing(billed)
    )
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        fm.FaceVerifier(FakeBackend(script=[said])).verify(A, B)
    assert (caught.value.call is None) is (billed is fm.Charged.NO)


def test_demographics_only_if_asked_for():
    """Guesses of age and gender are dropped unless the verifier was told to keep them."""
    result = match_result(
        probe_faces=(fm.Face(demographics=fm.Demographics(age=31)),), raw={"age": 31, "id": 1}
    )
    kept = fm.FaceVerifier(FakeBackend(script=[result]), keep_demographics=True).verify(A, B)
    dropped = fm.FaceVerifier(FakeBackend(script=[result])).verify(A, B)
    assert kept.probe_faces[0].demographics.age == 31
    assert dropped.probe_faces[0].demographics is None
    assert dropped.raw == {"id": 1}


def test_the_deadline_counts_from_the_call():
    """The backend gets what is left; `verify_live` shares one deadline between two calls."""
    clock = ManualClock()

    def slow(call):
        clock.advance(3)
        return liveness_result(score=fm.Score(90, SCALE))

    backend = FakeBackend(script=[slow])
    verifier = fm.FaceVerifier(backend, clock=clock)
    verifier.verify_live(A, B, deadline_s=10)
    assert [call.deadline_s for call in backend.calls] == [10, 7]

    def slower(call):
        clock.advance(30)
        return liveness_result(score=fm.Score(90, SCALE))

    backend.script.append(slower)
    with pytest.raises(fm.VendorUnavailable, match="before anything was sent") as caught:
        verifier.verify_live(A, B, deadline_s=10)
    assert caught.value.billing.charged is fm.Charged.NO
    assert caught.value.liveness.is_live
    assert len(backend.calls) == 3


def test_metadata_is_copied(verifier):
    """What the caller changes later does not change the result."""
    metadata = {"a": [1]}
    result = verifier.verify(A, B, metadata=metadata)
    metadata["a"].append(2)
    assert result.metadata == {"a": [1]}


@given(json_objects.filter(lambda given: CALL_ID_KEY not in given))
def test_any_json_object_is_metadata(metadata):
    """And the result stays JSON."""
    result = fm.FaceVerifier(FakeBackend()).verify(A, B, metadata=metadata)
    assert json.loads(json.dumps(result.to_dict()))["metadata"] == metadata


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=6,
)


@pytest.mark.filterwarnings("ignore::facematch_core.ScaleWarning")
@given(
    probe=anything | st.just(A),
    reference=anything | st.just(B),
    options=st.fixed_dictionaries(
        {},
        optional={
            name: anything | good
            for name, good in {
                "threshold": percentages,
                "review_threshold": percentages,
                "rotate": st.booleans(),
                "retention": st.sampled_from(fm.Retention),
                "caller_ref": st.text(),
                "metadata": json_objects,
                "options": st.just(FakeOptions()),
                "deadline_s": st.floats(1, 100),
            }.items()
        },
    ),
)
def test_any_input_gives_a_result_or_an_error_of_our_tree(probe, reference, options):
    """Whatever a caller hands over."""
    verifier = fm.FaceVerifier(FakeBackend())
    with contextlib.suppress(fm.FaceMatchError):
        assert verifier.verify(probe, reference, **options).decision in fm.Decision
