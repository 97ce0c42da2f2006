"""A mock at a vendor's own address, by adapter and by `responses`."""

import contextlib

import pytest
import requests
import responses
from vendors.didit import post_match

from facematch_mock_server import Fault, MockServer
from facematch_mock_server.http.adapter import register

URL = "https://verification.didit.me"


@pytest.fixture(params=["adapter", "responses"])
def asking(request):
    """A mock that nobody has started, and a session whose calls of Didit go there."""
    mock = MockServer()
    session = requests.Session()
    with contextlib.ExitStack() as stack:
        stack.callback(mock.stop)
        stack.enter_context(session)
        if request.param == "adapter":
            session.mount(URL, mock.adapter())
        else:
            register(stack.enter_context(responses.RequestsMock()), mock.app, [URL])
        yield mock, session


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(stage="after_upload", kind="delay", seconds=9), requests.ReadTimeout),
        (Fault(stage="mid_body", kind="truncate"), requests.exceptions.ChunkedEncodingError),
    ],
    ids=str,
)
def test_in_process_faults_raise_the_same_errors_as_a_network(asking, fault, error):
    mock, session = asking
    mock.control.add_fault(fault)
    read_timeout_s = 0.05 if error is requests.ReadTimeout else 10
    with pytest.raises(error):
        post_match(URL, mock.live_key, session=session, timeout=(10, read_timeout_s))
    assert len(mock.control.charges()) == (fault.stage == "mid_body")
    assert mock.control.faults() == ()


def test_response_names_the_vendors_address_and_the_request_that_was_made(asking):
    _, session = asking
    response = session.get(f"{URL}/v3/nothing/?q=1", timeout=10)
    assert response.url == response.request.url == f"{URL}/v3/nothing/?q=1"
    assert response.text


def test_stopped_mock_refuses_connections_until_started_again(asking):
    mock, session = asking
    mock.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        post_match(URL, mock.live_key, session=session)
    assert not mock.control.charges()
    assert not mock.control.journal()
    with mock:
        assert session.get(f"{URL}/system/healthcheck", timeout=10).status_code == 200


def test_responses_serves_registered_urls_and_keeps_the_users_own_mocks():
    with MockServer() as mock, responses.RequestsMock() as rsps:
        rsps.get("https://other.example/", body="theirs")
        answered = register(rsps, mock.app, [URL, "http://localhost:1/v3/"])
        assert requests.get("https://other.example/", timeout=1).text == "theirs"
        assert requests.get(f"{URL}?q=1", timeout=9).status_code == 404
        assert requests.delete(f"{URL}/v3/x/", timeout=9).status_code == 404
        assert requests.get("http://localhost:1/v3/sessions/", timeout=9).status_code == 403
        for other in (f"{URL}.example/", "http://localhost:1/other", "http://localhost:12/v3/"):
            with pytest.raises(requests.ConnectionError):
                requests.get(other, timeout=1)
        assert answered.call_count == len(mock.control.journal()) == 3
