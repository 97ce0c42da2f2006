"""`HttpBackend`: from a call to a result or an error; a backend adds `build` and `parse`."""

import copy
import pickle

import attrs
import pytest
from kit.acme import ACME_KEY, NOWHERE, AcmeBackend, match_call
from kit.fakes import picture
from kit.rawserver import RawServer, hold, http_reply, one_each, read_request

import facematch_core as fm
from facematch_core.backend import Capabilities, LivenessCall
from facematch_core.errors import ConfigurationError, DeadlineExceeded, EnvironmentMismatch
from facematch_core.http import MOCK_HEADER, HttpReply

YES, NO, UNKNOWN = fm.Charged.YES, fm.Charged.NO, fm.Charged.UNKNOWN
LIVENESS = LivenessCall(probe=picture(), call_id="a-1")
SAME = b'{"same": true}'
A_1 = match_call(call_id="a-1")


@pytest.fixture
def ask_acme(acme):
    """Asks the vendor of the tests once, with a given answer."""

    def ask(status, body=b"", *headers, call=A_1, **settings):
        with one_each(http_reply(status, body, *headers)) as server:
            backend = acme(server.url, **settings)
            if isinstance(call, LivenessCall):
                return backend.check_liveness(call)
            return backend.match(call)

    return ask


def acme_with(**members):
    """The vendor of the tests, with methods or attributes of this test."""
    return type("Own", (AcmeBackend,), members)


@pytest.mark.parametrize(
    ("call", "body", "decision"),
    [(A_1, SAME, fm.Decision.MATCH), (LIVENESS, b'{"live": false}', fm.LivenessDecision.NOT_LIVE)],
    ids=["match", "liveness"],
)
def test_a_reply_means_the_same_asked_for_or_given(acme, ask_acme, call, body, decision):
    for result in (
        ask_acme(200, body, call=call),
        acme(NOWHERE).read_reply(call, HttpReply(status=200, body=body)),
    ):
        assert (result.decision, result.billing.charged) == (decision, YES)
        assert result.environment is None


def test_through_a_verifier(acme):
    events = []
    with one_each(http_reply(200, SAME, f"{MOCK_HEADER.lower()}: yes")) as server:
        backend = acme(server.url)
        with fm.FaceVerifier(backend, on_event=lambda e: events.append(e.kind.value)) as verifier:
            result = verifier.verify(picture(), picture(), caller_ref="r-1")
    assert result.is_match
    assert (result.environment, result.ids.caller) == (fm.Environment.MOCK, "r-1")
    assert events == ["started", "sent", "answered", "charged"]
    assert b'name="ref"\r\n\r\nr-1\r\n' in server.received


def test_a_backend_without_liveness_refuses_it(acme):
    with pytest.raises(fm.Unsupported):
        acme(NOWHERE, cls=acme_with(capabilities=Capabilities())).check_liveness(LIVENESS)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "ValueError"),
        (b"<html>", "page of HTML"),
        (b'{"same": NaN}', "ValueError"),
        (b"[]", "TypeError"),
        (b"{}", "KeyError"),
        (b'{"same": "yes-canary"}', "KeyError"),
        (b'{"same": []}', "TypeError"),
        (b"null", "TypeError"),
        (b'{"live": true}', "KeyError"),
    ],
)
def test_a_200_that_cannot_be_read_is_charged(acme, ask_acme, body, what):
    with pytest.raises(fm.UnexpectedResponse) as caught:
        ask_acme(200, body)
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    error_read = acme(NOWHERE).read_reply(A_1, HttpReply(status=200, body=body))
    assert error_read.__traceback__ is None
    for error in (caught.value, error_read):
        assert (error.billing.charged, error.status_code, error.ids.call) == (YES, 200, "a-1")
        assert what in error.message
        assert body == b"<html>" or ".py, line " in error.message
        assert "canary" not in error.message


def test_a_200_that_cannot_be_read_costs_what_the_operation_does(ask_acme):
    billed = frozenset({fm.Operation.MATCH})
    half_free = acme_with(
        capabilities=attrs.evolve(AcmeBackend.capabilities, billed_operations=billed)
    )
    for call, charged, words in ((LIVENESS, NO, "not charged"), (A_1, YES, "counts as charged")):
        with pytest.raises(fm.UnexpectedResponse, match=words) as caught:
            ask_acme(200, b"{}", cls=half_free, call=call)
        assert (caught.value.billing.charged, caught.value.retryable) == (charged, False)


@pytest.mark.parametrize(
    "problem",
    [
        lambda: fm.Score(150, "acme/v1"),
        [].pop,
        lambda: 1 / 0,
        lambda: int(float("inf")),
        lambda: fm.Score(1, "a/1") < fm.Score(1, "b/1"),
        lambda: (_ for _ in ()).throw(ConfigurationError("a wrong word")),
        lambda: None.text,
        lambda: None,
    ],
)
def test_whatever_parse_trips_over_is_charged(ask_acme, problem):
    with pytest.raises(fm.UnexpectedResponse) as caught:
        ask_acme(200, b"{}", cls=acme_with(parse=lambda *_: problem()))
    assert caught.value.billing.charged is YES
    assert not isinstance(caught.value, (fm.InvalidRequest, ConfigurationError))


def test_a_vendor_error_of_parse_is_handed_on(ask_acme):
    def parse(self, call, reply):
        try:
            return {}["same"]
        except KeyError as error:
            fields = {"field_errors": {"key": [ACME_KEY]}, "billing": fm.Billing(YES)}
            raise fm.RequestRejected(f"Not {ACME_KEY}.", **fields) from error

    with pytest.raises(fm.RequestRejected, match=r"^Not \*\*\*\.$") as caught:
        ask_acme(200, b"{}", cls=acme_with(parse=parse))
    error = caught.value
    assert (error.billing.charged, error.backend, error.status_code) == (YES, "acme", 200)
    assert (error.ids.call, error.__cause__, error.__context__) == ("a-1", None, None)
    assert error.field_errors == {"key": ("***",)}


@pytest.mark.parametrize("lost", [False, True], ids=["a plain 503", "no answer"])
def test_an_unknown_outcome_says_whether_the_vendor_can_be_asked(acme, lost):
    def message_of(retention=fm.Retention.MINIMAL, **more):
        cls = acme_with(reconcile=lambda *_, **__: None, **more)
        with (
            one_each(b"" if lost else http_reply(503)) as server,
            pytest.raises(fm.OutcomeUnknown) as caught,
        ):
            acme(server.url, cls=cls).match(match_call(retention=retention))
        assert (caught.value.retryable, caught.value.billing.charged) == (False, UNKNOWN)
        assert caught.value.reconcilable is (retention is fm.Retention.KEEP)
        return str(caught.value)

    assert message_of().endswith("keep nothing, so its records cannot say what happened.")
    assert message_of(fm.Retention.KEEP).endswith(
        "asked to keep the call: look for it in its records."
    )


def test_the_deadline_of_the_call_counts(acme, clock):
    with RawServer([read_request, hold]) as server:
        backend = acme(server.url)
        backend.client.clock = clock
        call = match_call(deadline_s=60.0, on_sent=lambda: clock.advance(60), clock=clock)
        with pytest.raises(DeadlineExceeded):
            backend.match(call)


def test_who_is_set_to_mock_believes_a_mock_alone(acme):
    backend = acme(NOWHERE, cls=acme_with(environment=fm.Environment.MOCK))
    unmarked = HttpReply(status=200, body=SAME)
    assert isinstance(backend.read_reply(A_1, unmarked), EnvironmentMismatch)
    marked = attrs.evolve(unmarked, headers={MOCK_HEADER: "1"})
    assert backend.read_reply(A_1, marked).environment is fm.Environment.MOCK


def test_it_is_neither_pickled_nor_copied(acme):
    backend = acme(NOWHERE)
    for wrong in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="open one in each process"):
            wrong(backend)


def test_a_failing_parse_non_200_leaves_the_error_to_the_tables(acme):
    def fail(self, call, reply):
        raise KeyError("code")

    backend = acme(NOWHERE, cls=acme_with(parse_non_200=fail))
    error = backend.read_reply(A_1, HttpReply(status=402, body=b"{}"))
    assert (type(error), error.billing.charged) == (fm.InsufficientCredit, NO)
    assert "failed to read that" in str(error)
