"""`HttpBackend`: from a call to a result or an error; a backend adds `build` and `parse`."""

import copy
import pickle

import pytest
from kit.acme import NOWHERE, AcmeBackend, match_call
from kit.fakes import picture
from kit.rawserver import RawServer, hold, http_reply, one_each, read_request

import facematch_core as fm
from facematch_core.backend import Capabilities, LivenessCall
from facematch_core.errors import ConfigurationError, DeadlineExceeded

YES, NO, UNKNOWN = fm.Charged.YES, fm.Charged.NO, fm.Charged.UNKNOWN
LIVENESS = LivenessCall(probe=picture(), call_id="a-1")
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


def test_a_backend_without_liveness_refuses_it(acme):
    with pytest.raises(fm.Unsupported):
        acme(NOWHERE, cls=acme_with(capabilities=Capabilities())).check_liveness(LIVENESS)


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


def test_the_deadline_of_the_call_counts(acme, clock):
    with RawServer([read_request, hold]) as server:
        backend = acme(server.url)
        backend.client.clock = clock
        call = match_call(deadline_s=60.0, on_sent=lambda: clock.advance(60), clock=clock)
        with pytest.raises(DeadlineExceeded):
            backend.match(call)


def test_it_is_neither_pickled_nor_copied(acme):
    backend = acme(NOWHERE)
    for wrong in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="open one in each process"):
            wrong(backend)
