"""Programs that wait until the mock runs: which URLs answer, to whom, and at no cost."""

import shutil
import subprocess

import pytest
import requests

from facematch_mock_server import MockServer
from facematch_mock_server.base.messages import HEALTH
from facematch_mock_server.vendors import vendor_names
from facematch_mock_server.world.faults import Fault

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(params=[(name, is_on) for name in vendor_names() for is_on in (True, False)])
def mock(request):
    vendor, has_control = request.param
    with MockServer(vendor=vendor, control=has_control) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", HEALTH])
def test_every_client_can_wait_for_the_printed_url_and_for_the_health(mock, path):
    accepted = [{}, {"Accept": "*/*"}, {"Accept": "application/json, text/plain, */*"}, BROWSER]
    with requests.Session() as session:
        for headers in accepted:
            got = session.get(mock.url + path, headers=headers, timeout=10)
            head = session.head(mock.url + path, headers=headers, timeout=10)
            assert (got.status_code, head.status_code) == (200, 200)
            assert head.content == b""
            for name in ("Content-Type", "Content-Length"):
                assert head.headers[name] == got.headers[name]
        health = session.get(mock.url + path, timeout=10).json()
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
    "path",
    ["", "console/about", "console/pure.mjs", "clock", "cards/p1.png", "didit/ledger"],
)
def test_paths_that_answer_get_also_answer_head(path):
    with MockServer() as server:
        url = server.control_url + path
        got = requests.get(url, timeout=10)
        head = requests.head(url, timeout=10)
        assert (got.status_code, head.status_code, head.content) == (200, 200, b"")


def test_head_of_an_endless_response_ends():
    with MockServer() as server:
        head = requests.head(f"{server.control_url}console/events", timeout=10)
        assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream")


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi/deepvue.json"])
def test_openapi_documents_answer_head(path):
    with MockServer(vendor="deepvue") as server:
        assert requests.head(server.url + path, timeout=10).status_code == 200


@pytest.mark.parametrize(
    "command", [["curl", "-fsS"], ["curl", "-fsSI"], ["wget", "-q", "--spider", "--tries=1"]]
)
@pytest.mark.parametrize("has_control", [True, False])
def test_common_commands_can_wait(has_control, command):
    """Any vendor's mock: that it answers such requests is tested with every vendor above."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    with MockServer(control=has_control) as mock:
        for path in ("/", HEALTH):
            ended = subprocess.run(
                [*command, mock.url + path], check=False, capture_output=True, env={"no_proxy": "*"}
            )
            assert ended.returncode == 0, ended.stderr
