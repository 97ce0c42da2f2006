"""`HttpBackend`: from a call to a result or an error; `build` and `parse` are all it is told."""

import copy
import pickle

import attrs
import pytest
from kit.fakes import picture
from kit.rawserver import RawServer, answer, close, hold, read_request, send

import facematch_core as fm
from facematch_core.backend import Capabilities, LivenessCall, MatchCall
from facematch_core.errors import ConfigurationError, DeadlineExceeded
from facematch_core.http import MOCK_HEADER, HttpReply


def match_call(**more):
    return MatchCall(probe=picture(), reference=picture((1, 2, 3)), **more)


@pytest.fixture
def asked(acme):
    """Asks the vendor of the tests once, with a given answer."""

    def ask(status, body=b"", *headers, call=None, **settings):
        script = [read_request, send(answer(status, body, *headers)), close]
        with RawServer(script) as server:
            backend = acme(server.url, **settings)
            call = call or match_call()
            if isinstance(call, LivenessCall):
                return backend.check_liveness(call)
            return backend.match(call)

    return ask


def test_a_match(asked):
    """A result, marked as what the backend says; what was not declared is not known."""
    result = asked(200, b'{"same": true}')
    assert (result.decision, result.billing.charged) == (fm.Decision.MATCH, fm.Charged.YES)
    assert result.environment is None


def test_a_liveness_check(asked):
    """The same way, with another kind of call."""
    assert asked(200, b'{"live": false}', call=LivenessCall(probe=picture())).is_live is False


def test_a_backend_without_liveness(acme):
    """What is not declared is refused, and `build` is not asked."""

    @attrs.frozen(kw_only=True)
    class MatchOnly(type(acme("http://127.0.0.1:1"))):
        capabilities = Capabilities()

    backend = acme("http://127.0.0.1:1", cls=MatchOnly)
    with pytest.raises(fm.Unsupported):
        backend.check_liveness(LivenessCall(probe=picture()))


def test_a_mock_s_answer_says_so(asked):
    """By a header, whatever its value."""
    result = asked(200, b'{"same": true}', f"{MOCK_HEADER.lower()}: yes")
    assert result.environment is fm.Environment.MOCK


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "ValueError"),
        (b"<html>", "ValueError"),
        (b'{"same": NaN}', "ValueError"),
        (b"[]", "TypeError"),
        (b"{}", "KeyError"),
        (b'{"same": "yes-canary"}', "KeyError"),
        (b'{"same": []}', "TypeError"),
        (b"null", "TypeError"),
    ],
)
def test_a_200_that_cannot_be_read_is_charged(asked, body, what):
    """The message names the class and the line of the problem, never the body."""
    with pytest.raises(fm.UnexpectedResponse, match=what) as caught:
        asked(200, body, call=match_call(call_id="a-1"))
    error = caught.value
    assert (error.billing.charged, error.status_code, error.ids.call) == (
        fm.Charged.YES,
        200,
        "a-1",
    )
    assert (error.__context__, error.__cause__) == (None, None)
    assert "canary" not in error.message
    assert ".py, line " in error.message


def test_a_200_that_cannot_be_read_of_a_free_call_is_not(acme, asked):
    """Of the operations that are not declared as billed, and of no other."""

    class HalfFree(type(acme("http://127.0.0.1:1"))):
        capabilities = attrs.evolve(
            type(acme("http://127.0.0.1:1")).capabilities,
            billed_operations=frozenset({fm.Operation.MATCH}),
        )

    with pytest.raises(fm.UnexpectedResponse, match="not charged") as caught:
        asked(200, b"{}", cls=HalfFree, call=LivenessCall(probe=picture()))
    error = caught.value
    assert (error.billing.charged, error.retryable) == (fm.Charged.NO, False)
    assert error.billing.ground == "the vendor charges nothing for it"
    with pytest.raises(fm.UnexpectedResponse, match="counts as charged") as caught:
        asked(200, b"{}", cls=HalfFree)
    assert caught.value.billing.charged is fm.Charged.YES


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
    ],
)
def test_whatever_parse_trips_over_is_charged(acme, asked, problem):
    """Also an error of ours that says "nothing was sent": here it would be a lie."""

    class Odd(type(acme("http://127.0.0.1:1"))):
        def parse(self, call, reply):
            return problem()

    with pytest.raises(fm.UnexpectedResponse) as caught:
        asked(200, b"{}", cls=Odd)
    assert caught.value.billing.charged is fm.Charged.YES
    assert not isinstance(caught.value, (fm.InvalidRequest, ConfigurationError))


def test_a_parse_that_gives_something_else_is_charged(acme, asked):
    """A forgotten `return`, or a result of the other kind."""

    class Forgetful(type(acme("http://127.0.0.1:1"))):
        def parse(self, call, reply):
            return None

    with pytest.raises(fm.UnexpectedResponse, match="gives NoneType, not MatchResult"):
        asked(200, b"{}", cls=Forgetful)


def test_a_vendor_error_of_parse_is_handed_on(acme, asked):
    """A vendor that says "no" with status 200; what it leaves open is filled in."""

    class Polite(type(acme("http://127.0.0.1:1"))):
        def parse(self, call, reply):
            try:
                return {}["same"]
            except KeyError as error:
                raise fm.RequestRejected("Refused.", billing=fm.Billing(fm.Charged.YES)) from error

    with pytest.raises(fm.RequestRejected, match=r"^Refused\.$") as caught:
        asked(200, b"{}", cls=Polite, call=match_call(call_id="a-1"))
    error = caught.value
    assert (error.billing.charged, error.backend, error.status_code) == (
        fm.Charged.YES,
        "acme",
        200,
    )
    assert (error.ids.call, error.__cause__, error.__context__) == ("a-1", None, None)


def test_another_status_is_an_error_of_the_table(asked):
    """With the vendor's words, its status, and our id."""
    call = match_call(call_id="a-1")
    with pytest.raises(fm.AuthenticationFailed, match="Who are you") as caught:
        asked(401, b'{"detail": "Who are you?"}', call=call)
    error = caught.value
    assert (error.status_code, error.ids.call, error.billing.charged) == (401, "a-1", fm.Charged.NO)
    assert (error.__context__, error.__cause__) == (None, None)


@pytest.mark.parametrize("retention", fm.Retention)
def test_only_what_was_kept_can_be_looked_up(asked, retention):
    """`reconcilable` follows the retention that was asked for."""
    with pytest.raises(fm.OutcomeUnknown) as caught:
        asked(502, b"<html>", call=match_call(retention=retention))
    assert caught.value.reconcilable is (retention is fm.Retention.KEEP)


@pytest.mark.parametrize("broken", [False, True], ids=["a plain 503", "no answer"])
def test_an_unknown_outcome_says_why_it_is_not_repeated_and_what_to_set(acme, broken):
    """What to set only where it helps: not if it is set, nor if nobody keeps."""

    class Forgetful(type(acme("http://127.0.0.1:1"))):
        capabilities = Capabilities(billed_operations=frozenset({fm.Operation.MATCH}))

    class Sandboxed(type(acme("http://127.0.0.1:1"))):
        def reconcilable(self, call):
            return False

    def told(retention=fm.Retention.MINIMAL, **settings):
        script = [read_request, close] if broken else [read_request, send(answer(503)), close]
        with RawServer(script) as server, pytest.raises(fm.OutcomeUnknown) as caught:
            acme(server.url, **settings).match(match_call(retention=retention))
        assert caught.value.retryable is False
        assert str(caught.value) == caught.value.message
        return caught.value.message

    why = (
        " It is not repeated, for that might be charged twice. The vendor was asked to "
        "keep nothing, so its records cannot say what happened"
    )
    hint = " With retention=KEEP they could (see FaceVerifier.reconcile)."
    assert told().endswith(f"{why}.{hint}")
    assert told(cls=Forgetful).endswith(f"{why}.")
    assert told(cls=Sandboxed).endswith(f"{why}.")
    assert told(fm.Retention.KEEP).endswith("asked to keep the call: look for it in its records.")


def test_an_error_that_trips_over_the_body_falls_back(acme, asked):
    """A plug-in's reading of an odd body never hides the status."""

    class Careless(type(acme("http://127.0.0.1:1"))):
        def error(self, reply, call):
            return fm.RequestRejected(reply.json()["words"]["of"]["acme"])

    with pytest.raises(fm.OutcomeUnknown) as caught:
        asked(500, b"[]", cls=Careless)
    assert caught.value.status_code == 500


def test_what_the_vendor_echoes_is_masked_everywhere(acme, asked, key):
    """Also in a message and in field errors that a plug-in puts together."""

    class Echoing(type(acme("http://127.0.0.1:1"))):
        def error(self, reply, call):
            said = reply.json()["said"]
            return fm.RequestRejected(f"It says {said}.", field_errors={"key": [said, "wrong"]})

    with pytest.raises(fm.RequestRejected) as caught:
        asked(400, b'{"said": "' + key.encode() + b'"}', cls=Echoing)
    assert caught.value.message == "It says ***."
    assert str(caught.value) == "It says ***."
    assert caught.value.field_errors == {"key": ("***", "wrong")}


def test_the_deadline_of_the_call_counts(acme):
    """`deadline_s` is handed to the client, and `on_sent` is called once."""
    sent = []
    call = match_call(deadline_s=0.3, on_sent=lambda: sent.append(1))
    with RawServer([read_request, hold]) as server, pytest.raises(DeadlineExceeded):
        acme(server.url).match(call)
    assert sent == [1]


def test_build_and_parse_are_pure(acme):
    """They need no network: what a twin for asyncio would call."""
    backend = acme("http://127.0.0.1:1")
    call = match_call(caller_ref="r-1")
    request = backend.build(call)
    assert [part.filename for part in request.files] == ["probe.jpg", "reference.jpg"]
    assert request.files[0].data == call.probe.data
    assert backend.parse(call, HttpReply(status=200, body=b'{"same": false}')) == fm.MatchResult(
        decision=fm.Decision.NO_MATCH, backend="acme", billing=fm.Billing(fm.Charged.YES)
    )


def test_a_closed_backend(acme):
    """Also one that was never used."""
    backend = acme("http://127.0.0.1:1")
    backend.close()
    with pytest.raises(ConfigurationError, match="closed"):
        backend.match(match_call())


def test_it_is_neither_pickled_nor_copied(acme):
    """It holds connections."""
    backend = acme("http://127.0.0.1:1")
    for wrong in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="open one in each process"):
            wrong(backend)


def test_through_a_verifier(acme):
    """The rules of the core around it: ids, environment, events in order."""
    events = []
    script = [read_request, send(answer(200, b'{"same": true}', f"{MOCK_HEADER}: 1"))]
    with RawServer(script) as server:
        backend = acme(server.url)
        with fm.FaceVerifier(backend, on_event=lambda e: events.append(e.kind.value)) as verifier:
            result = verifier.verify(picture(), picture(), caller_ref="r-1")
    assert result.is_match
    assert (result.environment, result.ids.caller) == (fm.Environment.MOCK, "r-1")
    assert events == ["started", "sent", "answered", "charged"]
    assert b'name="ref"\r\n\r\nr-1\r\n' in server.received
