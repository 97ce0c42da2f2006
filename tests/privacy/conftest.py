import logging

import pytest
from kit import canaries, traces, watched

from facematch_mock_server import MockServer


@pytest.fixture(scope="session", autouse=True)
def _drawn():
    """The pictures are made before anything is watched: Pillow logs what the tests write."""
    canaries.probe()
    canaries.reference()


@pytest.fixture(params=watched.VENDORS.values(), ids=watched.VENDORS)
def each_vendor(request):
    return request.param


@pytest.fixture(scope="module")
def server():
    with MockServer(vendor=["didit", "deepvue"], seed=5) as opened:
        yield opened


@pytest.fixture
def world(server):
    """The server with nothing set, where the canaries are good keys."""
    server.control.reset()
    server.of("didit").control.add_key(key=canaries.API_KEY)
    deepvue = server.of("deepvue").control
    deepvue.add_key(key=canaries.CLIENT_SECRET, client=canaries.CLIENT_ID)
    return server


@pytest.fixture
def watch_call(caplog, capfd):
    """Makes a call as `watched.watch` does; its texts include the log and what was printed."""

    def call(verifier, events, *arguments, **options):
        # Set in the call: for each phase of a test pytest sets its own level anew.
        caplog.set_level(logging.DEBUG)
        ended, texts = watched.watch(verifier, events, *arguments, **options)
        out = capfd.readouterr()
        texts |= traces.of_text("output", out.out + out.err)
        return ended, texts | traces.of_log(caplog.records)

    return call
