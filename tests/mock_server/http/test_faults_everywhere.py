"""Every fault that is possible, over a socket and by the front without one: the same."""

import itertools
import logging

import pytest
import requests
from kit.front import MockAdapter

from facematch_mock_server.world.faults import CARRIED_OUT, POSSIBLE, Kind

URL = "http://vendor.example"
IN_TIME_S = 0
TOO_LATE_S = 3600


def every_fault():
    """Yield each combination: place, seconds, and whether the call is carried out all the same."""
    for stage, kinds in POSSIBLE.items():
        executions = [CARRIED_OUT[stage]] if stage in CARRIED_OUT else [False, True]
        for kind, executed in itertools.product(sorted(kinds), executions):
            place = f"{stage}.{kind}"
            yield pytest.param(place, IN_TIME_S, executed, "post")
            if kind in (Kind.DELAY, Kind.DRIBBLE):
                # What comes too late is a race on a busy machine.
                yield pytest.param(place, TOO_LATE_S, executed, "post", marks=pytest.mark.slow)


FAULTS = list(every_fault())

#: Headers that are the connection's.
FRONTS = {"date", "server", "connection", "keep-alive", "transfer-encoding"}

#: Each made anew, for a body in pieces can be sent once.
SENT = {
    "post": lambda: {"method": "POST", "data": b"x" * 200_000},
    "chunked": lambda: {"method": "PUT", "data": iter([b"a" * 70_000, b"b"])},
    "get": lambda: {"method": "GET"},
    "head": lambda: {"method": "HEAD"},
}
#: How the others are carried is tried by three faults.
THREE = {"mid_upload.reset": False, "after_upload.reset": True, "mid_body.truncate": True}
FAULTS += [
    (place, 0, executed, name)
    for place, executed in THREE.items()
    for name in ("chunked", "get", "head")
]


def outcome(session, url, sent):
    try:
        answer = session.request(url=f"{url}/x", **sent)
    except requests.RequestException as error:
        return type(error)
    headers = [(k.lower(), v) for k, v in answer.headers.items() if k.lower() not in FRONTS]
    # Of the echo only that it is there: it has the Host header, which differs.
    return answer.status_code, answer.reason, [name for name, _ in headers], bool(answer.content)


@pytest.mark.parametrize(("place", "seconds", "executed", "name"), FAULTS)
def test_every_fault_has_the_same_effect_over_a_socket_and_in_process(  # noqa: PLR0917 - fixtures and parameters
    make_engine, make_fault, serve, caplog, place, seconds, executed, name
):
    caplog.set_level(logging.ERROR, "urllib3")
    seen = []
    for url in (None, URL):
        engine = make_engine(make_fault(place, seconds=seconds, executed=executed, status=503))
        sent = {**SENT[name](), "timeout": (30, 0.5 if seconds == TOO_LATE_S else 30)}
        with requests.Session() as session:
            session.mount(URL, MockAdapter(engine))
            result = outcome(session, url or serve(engine).url, sent)
        seen.append((result, len(engine.handled), engine.notes))
        assert engine.faults.all == ()
    assert seen[1] == seen[0]
