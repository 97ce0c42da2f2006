import logging
import threading
from types import SimpleNamespace
from typing import ClassVar

import attrs
import pytest
from kit.fakes import PROBE, REFERENCE, begin_before_the_deadline

import facematch_core as fm
from facematch_core import backend as spi
from facematch_core import models
from facematch_core.backend.engine import Compared, EngineBackend
from facematch_core.testing import told_by
from facematch_core.verifier.verifier import MAX_HELPER_THREADS

KEY = "key-of-a-library-7d10"


@attrs.frozen(kw_only=True)
class Engine(EngineBackend):
    name = "engine"
    capabilities = spi.Capabilities(score_scale="engine/v1", default_threshold=50.0)
    finds: object = None

    def compare(self, call):
        return self.finds() if callable(self.finds) else self.finds


CROWD = {"probe_faces": [models.Face()], "reference_faces": [models.Face()] * 2}


@pytest.mark.parametrize(
    ("compared", "decision", "codes"),
    [
        (Compared(score=50.0), fm.Decision.MATCH, []),
        (Compared(score=49.9), fm.Decision.NO_MATCH, []),
        (Compared(score=None), fm.Decision.INCONCLUSIVE, [fm.WarningCode.SCORE_UNAVAILABLE]),
        (Compared(score=80, probe_faces=[]), fm.Decision.INCONCLUSIVE, [fm.WarningCode.NO_FACE]),
        (Compared(score=80, **CROWD), fm.Decision.MATCH, [fm.WarningCode.MULTIPLE_FACES]),
    ],
)
def test_engine_result_has_decision_and_warnings(compared, decision, codes):
    result = fm.FaceVerifier(Engine(finds=compared)).verify(PROBE, REFERENCE)
    assert result.decision is decision
    assert [warning.code for warning in result.warnings] == codes
    assert result.environment is fm.Environment.LOCAL
    assert result.billing.charged is fm.Charged.NO
    assert (result.score is None) == (compared.score is None or codes == [fm.WarningCode.NO_FACE])


def test_engine_crash_names_the_line_and_invalid_image_propagates():
    def crash():
        raise RuntimeError(PROBE.data)

    def refuse():
        raise fm.InvalidImage("it is upside down")

    line = r"RuntimeError in test_kinds.*, line"
    with pytest.raises(fm.BackendUnavailable, match=line) as caught:
        fm.FaceVerifier(Engine(finds=crash)).verify(PROBE, REFERENCE)
    assert "charged" not in str(caught.value)
    with pytest.raises(fm.InvalidImage):
        fm.FaceVerifier(Engine(finds=refuse)).verify(PROBE, REFERENCE)


@attrs.frozen(kw_only=True)
class Licensed(Engine):
    """Needs a pass phrase, which no header carries."""

    licence: fm.Secret
    environment_variables: ClassVar = {"licence": "ENGINE_LICENCE"}


@pytest.mark.parametrize(
    "phrase", ["to whom it may concern", '"quoted"', " blanks ", "Gr\u00fc\u00dfe"]
)
def test_secret_of_an_engine_is_kept_as_given_unless_it_is_empty(phrase):
    assert Licensed(licence=phrase).licence.reveal() == phrase
    with pytest.raises(fm.ConfigurationError, match="ENGINE_LICENCE"):
        Licensed(licence=" ")


@attrs.frozen(kw_only=True)
class OnItsOwn(spi.Backend):
    """Sends by itself and minds no deadline."""

    name = "on-its-own"
    capabilities = spi.Capabilities(billed_operations=frozenset({fm.Operation.MATCH}))
    reports_sent = True
    ready: threading.Event
    begun: threading.Event = attrs.field(factory=threading.Event)
    over: threading.Event = attrs.field(factory=threading.Event)
    heard: list = attrs.field(factory=list)

    def match(self, request):
        self.begun.set()
        self.ready.wait(60)
        try:
            request.on_sent()
        except BaseException as error:
            self.heard.append(type(error).__name__)
            raise
        finally:
            self.over.set()
        self.heard.append("sent")
        return fm.MatchResult(decision=fm.Decision.MATCH, backend=self.name)


def test_backend_cannot_send_after_the_deadline(monkeypatch, clock):
    backend = OnItsOwn(ready=threading.Event())
    begin_before_the_deadline(monkeypatch, backend.begun)
    events = []
    verifier = fm.FaceVerifier(backend, on_event=events.append, clock=clock)
    with pytest.raises(fm.VendorUnavailable) as caught:
        verifier.verify(PROBE, REFERENCE, deadline_s=0.1)
    assert caught.value.billing.charged is fm.Charged.NO
    backend.ready.set()
    assert backend.over.wait(30)
    assert backend.heard == ["CallCancelled"]
    assert fm.EventKind.SENT not in [event.kind for event in events]


def test_timeout_is_unknown_if_the_backend_does_not_report_sending(monkeypatch, clock):
    class Unsaid(OnItsOwn):
        reports_sent = False

    backend = Unsaid(ready=threading.Event())
    begin_before_the_deadline(monkeypatch, backend.begun)
    with pytest.raises(fm.DeadlineExceeded):
        fm.FaceVerifier(backend, clock=clock).verify(PROBE, REFERENCE, deadline_s=0.1)
    backend.ready.set()
    assert backend.over.wait(30)


@pytest.mark.slow
def test_hanging_backend_uses_no_more_than_the_allowed_threads(monkeypatch, clock):
    release = threading.Event()
    has_begun = threading.Event()
    begin_before_the_deadline(monkeypatch, has_begun)
    calls = []

    class Hanging(spi.RemoteBackend):
        name = "hanging"
        reports_sent = True
        capabilities = spi.Capabilities(billed_operations=frozenset({fm.Operation.MATCH}))

        def match(self, request):
            request.on_sent()
            calls.append(request)
            has_begun.set()
            release.wait(60)

    verifier = fm.FaceVerifier(Hanging(), clock=clock)
    ends = []
    for _ in range(20):
        has_begun.clear()
        with pytest.raises(fm.VendorError) as caught:
            verifier.verify(PROBE, REFERENCE, deadline_s=0.05)
        ends.append((type(caught.value), caught.value.billing.charged))
    assert len(calls) == MAX_HELPER_THREADS
    assert ends[:8] == [(fm.DeadlineExceeded, fm.Charged.UNKNOWN)] * 8
    assert ends[8:] == [(fm.VendorUnavailable, fm.Charged.NO)] * 12
    release.set()


@pytest.mark.parametrize("name", ["start_session", "read_session", "delete_session"])
def test_backend_without_sessions_refuses_session_calls(name):
    with pytest.raises(fm.Unsupported):
        getattr(OnItsOwn(ready=threading.Event()), name)(
            SimpleNamespace(operation=fm.Operation.SESSION)
        )


def test_only_type_and_line_of_a_plug_in_exception_are_shown():
    """Exceptions of a vendor's library hold requests."""

    class Failing(OnItsOwn):
        def match(self, request):
            request.on_sent()
            raise ValueError(request.probe.data, KEY)

    with pytest.raises(fm.OutcomeUnknown, match=r"ValueError in test_kinds.*, line") as caught:
        fm.FaceVerifier(Failing(ready=threading.Event())).verify(PROBE, REFERENCE)
    assert caught.value.__context__ is None
    texts = told_by(caught.value)
    assert KEY not in texts
    assert repr(PROBE.data[40:60])[2:-1] not in texts


def test_muted_silences_the_loggers_of_a_library_and_no_others(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("talkative.wire")  # `muted` silences the loggers that exist
    with spi.muted("talkative"):
        logging.getLogger("talkative.wire").debug("key %s", KEY)
        logging.getLogger("other").debug("heard")
    logging.getLogger("talkative.wire").debug("afterwards")
    assert {"heard", "afterwards"} <= set(caplog.messages)
    assert not any(KEY in message for message in caplog.messages)
