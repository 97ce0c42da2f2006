"""Programs that wait until the mock runs: which URLs answer, to whom, and at no cost."""

import pytest
import requests

from facematch_mock_server import MockServer
from facematch_mock_server.base.messages import HEALTH
from facematch_mock_server.vendors import vendor_names
from facematch_mock_server.world.faults import Fault

BROWSER = "text/html,application/xhtml+xml"


@pytest.fixture(params=[True, False], ids=["control", "no control"])
def mock(request):
    """A mock of every vendor."""
    with MockServer(vendor=vendor_names(), control=request.param) as server:
        yield server


@pytest.mark.parametrize("path", ["/", HEALTH])
def test_every_client_can_wait_for_the_printed_url_and_for_the_health(mock, path):
    for accepted in ("*/*", "application/json, text/plain, */*", BROWSER):
        headers = {"Accept": accepted}
        got = requests.get(mock.url + path, headers=headers, timeout=10)
        head = requests.head(mock.url + path, headers=headers, timeout=10)
        assert (got.status_code, head.status_code, head.content) == (200, 200, b"")
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == got.headers[name]
    health = requests.get(mock.url + path, timeout=10).json()
    assert health["status"] == "ok"
    assert health["vendors"] == list(mock.vendors)


def test_waiting_uses_up_no_fault_and_is_not_recorded(mock):
    mock.app.account.faults.add(Fault(stage="mid_upload", kind="reset"))
    for path in ("/", HEALTH):
        requests.head(mock.url + path, timeout=10).raise_for_status()
    assert len(mock.app.account.faults) == 1
    assert mock.app.account.journal.entries == ()


def test_health_needs_no_token():
    with MockServer(control_token="a token of a test") as server:
        assert requests.get(server.url + HEALTH, timeout=10).status_code == 200
        assert requests.get(server.control_url, timeout=10).status_code == 403


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/__mock__/console/pure.mjs", "text/javascript; charset=utf-8"),
        ("/__mock__/cards/p1.png", "image/png"),
        ("/__mock__/didit/ledger", "application/json"),
        # Endless, for a GET.
        ("/__mock__/console/events", "text/event-stream"),
    ],
)
def test_paths_that_answer_get_also_answer_head(path, media_type):
    with MockServer() as server:
        head = requests.head(server.url + path, timeout=10)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Type"] == media_type
