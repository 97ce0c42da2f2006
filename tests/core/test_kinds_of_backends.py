"""Engines, vendors behind a library of their own, and the deadline that all of them have."""

import logging
import threading
import time

import attrs
import pytest
from kit.fakes import picture

import facematch_core as fm
from facematch_core import backend as spi
from facematch_core.testing import told_by

KEY = "key-of-a-library-7d10"
A, B = picture(), picture((9, 8, 7))


@attrs.frozen(kw_only=True)
class Engine(spi.EngineBackend):
    """Finds what it is told to find."""

    name = "engine"
    capabilities = spi.Capabilities(score_scale="engine/v1", default_threshold=50.0)
    finds: object = None

    def compare(self, call):
        return self.finds() if callable(self.finds) else self.finds


@pytest.mark.parametrize(
    ("found", "decision", "codes"),
    [
        (spi.Compared(score=50.0), fm.Decision.MATCH, []),
        (spi.Compared(score=49.9), fm.Decision.NO_MATCH, []),
        (spi.Compared(score=None), fm.Decision.INCONCLUSIVE, []),
        (
            spi.Compared(score=80, probe_faces=[]),
            fm.Decision.INCONCLUSIVE,
            [fm.WarningCode.NO_FACE],
        ),
        (
            spi.Compared(score=80, probe_faces=[fm.Face()], reference_faces=[fm.Face(), fm.Face()]),
            fm.Decision.MATCH,
            [fm.WarningCode.MULTIPLE_FACES],
        ),
    ],
)
def test_an_engine_says_what_it_found(found, decision, codes):
    result = fm.FaceVerifier(Engine(finds=found)).verify(A, B)
    assert result.decision is decision
    assert [warning.code for warning in result.warnings] == codes
    assert result.environment is fm.Environment.LOCAL
    assert result.billing.charged is fm.Charged.NO
    assert (result.score is None) == (found.score is None or codes == [fm.WarningCode.NO_FACE])


def test_a_crash_of_an_engine_is_a_fault_and_no_bill():
    def crash():
        raise RuntimeError(A.data)

    with pytest.raises(
        fm.BackendUnavailable, match=r"RuntimeError in test_kinds.*, line"
    ) as caught:
        fm.FaceVerifier(Engine(finds=crash)).verify(A, B)
    assert "charged" not in str(caught.value)


def test_an_engine_may_refuse_a_picture():
    def refuse():
        raise fm.InvalidImage("it is upside down")

    with pytest.raises(fm.InvalidImage):
        fm.FaceVerifier(Engine(finds=refuse)).verify(A, B)


def test_an_engine_ends_with_its_deadline():
    """However long it takes, and the next call is whole."""
    release = threading.Event()

    def slow():
        release.wait(20)
        return spi.Compared(score=1.0)

    backend = Engine(finds=slow)
    verifier = fm.FaceVerifier(backend)
    began = time.monotonic()
    with pytest.raises(fm.VendorUnavailable, match="had not finished") as caught:
        verifier.verify(A, B, deadline_s=0.1)
    assert time.monotonic() - began < 10
    assert caught.value.billing.charged is fm.Charged.NO
    assert not caught.value.retryable
    release.set()
    assert verifier.verify(A, B, deadline_s=20).decision is fm.Decision.NO_MATCH


@attrs.frozen(kw_only=True)
class Library(spi.SdkBackend):
    """A vendor whose library sends by itself."""

    name = "library"
    mute = ("talkative",)
    capabilities = spi.Capabilities(
        score_scale="library/v1",
        default_threshold=50.0,
        billed_operations=frozenset({fm.Operation.MATCH}),
    )
    api_key: fm.Secret
    asks: object
    knows: object = None

    def ask(self, call):
        return self.asks(call)

    def parse(self, call, answer):
        found = fm.Score(answer, "library/v1")
        return fm.MatchResult(
            decision=spi.decide_by_threshold(found, call.threshold),
            score=found,
            backend=self.name,
            billing=fm.Billing(fm.Charged.YES, "of the test"),
        )

    def translate(self, error):
        return self.knows and self.knows(error)


@attrs.frozen(kw_only=True)
class Echoing(Library):
    """Its vendor repeats who asks."""

    def parse(self, call, answer):
        return fm.MatchResult(
            decision=fm.Decision.REVIEW,
            vendor_status=answer,
            warnings=(fm.ResultWarning(code=fm.WarningCode.OTHER, text=answer),),
            backend=self.name,
            probe_faces=(
                fm.Face(
                    landmarks={answer: (1.0, 2.0)},
                    quality={answer: 0.5},
                    demographics=fm.Demographics(age=41, gender=answer),
                ),
            ),
            raw={"trace": answer, "at": [answer, 7]},
        )


def test_a_library_answers():
    events = []
    backend = Library(api_key=KEY, asks=lambda _: 60.0)
    result = fm.FaceVerifier(backend, on_event=events.append).verify(A, B)
    assert result.is_match
    assert [event.kind for event in events].count(fm.EventKind.SENT) == 1


def test_it_counts_as_sent_before_it_is_asked():
    order = []

    def asked(_):
        order.append("asked")
        return 60.0

    call = spi.MatchCall(probe=A, reference=B, on_sent=lambda: order.append("sent"))
    Library(api_key=KEY, asks=asked).match(call)
    assert order == ["sent", "asked"]


@pytest.mark.parametrize("direct", [True, False], ids=["directly", "by the verifier"])
def test_a_library_that_never_ends_is_left_behind(direct):
    release = threading.Event()
    backend = Library(api_key=KEY, asks=lambda _: release.wait(20) and 60.0)
    began = time.monotonic()
    with pytest.raises(fm.DeadlineExceeded) as caught:
        if direct:
            backend.match(spi.MatchCall(probe=A, reference=B, deadline_s=0.1))
        else:
            fm.FaceVerifier(backend).verify(A, B, deadline_s=0.1)
    release.set()
    assert time.monotonic() - began < 10
    assert caught.value.billing.charged is fm.Charged.UNKNOWN


def test_what_a_library_raises_stays_behind():
    """Its exceptions hold requests; only type and place are told."""

    def fails(call):
        raise ValueError(call.probe.data, KEY)

    with pytest.raises(fm.OutcomeUnknown, match=r"ValueError in test_kinds.*, line") as caught:
        fm.FaceVerifier(Library(api_key=KEY, asks=fails)).verify(A, B)
    assert caught.value.__context__ is None
    told = told_by(caught.value)
    assert KEY not in told
    assert repr(A.data[40:60])[2:-1] not in told


def test_a_library_error_that_is_known_is_translated():
    def translate(error):
        return fm.RateLimited(f"slow down, {KEY}", billing=fm.Billing(fm.Charged.NO, "documented"))

    def fails(_):
        raise KeyError("throttled")

    with pytest.raises(fm.RateLimited) as caught:
        fm.FaceVerifier(Library(api_key=KEY, asks=fails, knows=translate)).verify(A, B)
    assert caught.value.backend == "library"
    assert KEY not in str(caught.value)


def test_an_answer_that_cannot_be_read_is_paid():
    with pytest.raises(fm.UnexpectedResponse, match=r"Error in .*, line \d+") as caught:
        fm.FaceVerifier(Library(api_key=KEY, asks=lambda _: "sixty")).verify(A, B)
    assert caught.value.billing.charged is fm.Charged.YES
    assert caught.value.__context__ is None


def test_the_fields_of_an_error_are_masked_as_those_over_http():
    def translate(error):
        return fm.RequestRejected("no", field_errors={"probe": (f"refused for {KEY}",)})

    def fails(_):
        raise ValueError("probe")

    with pytest.raises(fm.RequestRejected) as caught:
        fm.FaceVerifier(Library(api_key=KEY, asks=fails, knows=translate)).verify(A, B)
    assert caught.value.field_errors == {"probe": ("refused for ***",)}


def test_a_result_of_a_library_is_masked_as_those_over_http_are():
    def echo(_):
        return f"asked by {KEY}"

    backend = Echoing(api_key=fm.Secret(KEY), asks=echo)
    result = fm.FaceVerifier(backend, keep_demographics=True).verify(A, B)
    assert result.vendor_status == "asked by ***"
    (face,) = result.probe_faces
    assert face.landmarks == {"asked by ***": (1.0, 2.0)}
    assert face.quality == {"asked by ***": 0.5}
    assert face.demographics == fm.Demographics(age=41, gender="asked by ***")
    assert KEY not in f"{result!r} {result.to_dict()}"
    assert result.raw == {"trace": "asked by ***", "at": ["asked by ***", 7]}


def test_an_exception_may_be_an_answer():
    """A library that raises where there is no face."""
    nobody = fm.MatchResult(
        decision=fm.Decision.INCONCLUSIVE, backend="library", warnings=(spi.NO_FACE,)
    )

    def fails(_):
        raise LookupError("no face")

    backend = Library(api_key=KEY, asks=fails, knows=lambda error: nobody)
    assert fm.FaceVerifier(backend).verify(A, B).decision is fm.Decision.INCONCLUSIVE


def test_a_fault_of_the_translation_names_its_place():
    def translate(error):
        return {}[error]

    def fails(_):
        raise KeyError("throttled")

    with pytest.raises(fm.OutcomeUnknown, match=r"mapping failed with KeyError in test_kinds"):
        fm.FaceVerifier(Library(api_key=KEY, asks=fails, knows=translate)).verify(A, B)


def test_a_library_is_silent_and_others_are_heard(caplog):
    caplog.set_level(logging.DEBUG)

    def asks(_):
        logging.getLogger("talkative.wire").debug("key %s", KEY)
        logging.getLogger("other").debug("heard")
        return 60.0

    logging.getLogger("talkative.wire")
    fm.FaceVerifier(Library(api_key=KEY, asks=asks)).verify(A, B, deadline_s=30)
    logging.getLogger("talkative.wire").debug("afterwards")
    messages = [record.getMessage() for record in caplog.records]
    assert "heard" in messages
    assert "afterwards" in messages
    assert not any(KEY in message for message in messages)


def test_a_library_is_silent_where_nobody_asks_a_vendor(caplog):
    """`muted` alone: for this block, this thread, and the loggers below a name."""
    caplog.set_level(logging.DEBUG)
    signer = logging.getLogger("noisy.signer")
    with spi.muted("noisy"):
        signer.debug("the key is %s", KEY)
        logging.getLogger("other").debug("heard")
    signer.debug("heard again")
    assert caplog.messages == ["heard", "heard again"]


@attrs.frozen(kw_only=True)
class OnItsOwn(spi.Backend):
    """Sends by itself and minds no deadline."""

    name = "on-its-own"
    capabilities = spi.Capabilities(billed_operations=frozenset({fm.Operation.MATCH}))
    reports_sent = True
    ready: threading.Event
    over: threading.Event = attrs.field(factory=threading.Event)
    told: list = attrs.field(factory=list)

    def match(self, call):
        self.ready.wait(20)
        try:
            call.on_sent()
        except BaseException as error:
            self.told.append(type(error).__name__)
            self.over.set()
            raise
        self.told.append("sent")
        return fm.MatchResult(decision=fm.Decision.MATCH, backend=self.name)


def test_what_was_not_sent_within_the_deadline_is_never_sent():
    backend = OnItsOwn(ready=threading.Event())
    events = []
    with pytest.raises(fm.VendorUnavailable) as caught:
        fm.FaceVerifier(backend, on_event=events.append).verify(A, B, deadline_s=0.1)
    assert caught.value.billing.charged is fm.Charged.NO
    backend.ready.set()
    assert backend.over.wait(20)
    assert backend.told == ["CallCancelled"]
    assert fm.EventKind.SENT not in [event.kind for event in events]


def test_a_billed_backend_that_does_not_say_when_it_sends():
    """It may have sent as soon as it was asked."""

    class Unsaid(OnItsOwn):
        reports_sent = False

    backend = Unsaid(ready=threading.Event())
    with pytest.raises(fm.DeadlineExceeded):
        fm.FaceVerifier(backend).verify(A, B, deadline_s=0.1)
    backend.ready.set()
