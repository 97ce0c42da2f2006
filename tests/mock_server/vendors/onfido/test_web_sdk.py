"""The script of the mock in place of Onfido's web SDK, its frame, and what its pages upload."""

import pytest
import requests

from facematch_mock_server import MockServer

WORKFLOW = "3c9f1b9e-5a0d-4a3e-8a52-0d9d4a0b7c11"


class Account:
    """An account of Onfido that the application uses."""

    def __init__(self, server):
        self.server, self.control = server, server.control
        self.key = {"Authorization": f"Token token={server.live_key}"}

    def post(self, path, **body):
        url = f"{self.server.url}/v3.6/{path}"
        answer = requests.post(url, json=body, headers=self.key, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def get(self, path):
        return requests.get(f"{self.server.url}/v3.6/{path}", headers=self.key, timeout=10).json()

    def new_applicant(self):
        return self.post("applicants", first_name="Ada", last_name="Lovelace")["id"]

    def new_token(self, applicant):
        return self.post("sdk_token", applicant_id=applicant)["token"]

    def open_frame(self, **query):
        """Return what the frame shows, and where it leads."""
        url = f"{self.server.url}/mock/web_sdk"
        answer = requests.get(url, params=query, timeout=10, allow_redirects=False)
        assert answer.status_code == 303
        location = answer.headers["Location"]
        return requests.get(self.server.url + location, timeout=10), location

    def capture(self, steps, card="p1", document=None):
        """Let a page with steps ask the person; return the applicant and the capture."""
        applicant = self.new_applicant()
        self.open_frame(token=self.new_token(applicant), steps=steps)
        (opened,) = self.control.sessions.open()
        return applicant, self.control.sessions.finish(opened.id, card, document)


@pytest.fixture
def account():
    with MockServer(vendor="onfido") as server:
        yield Account(server)


@pytest.mark.parametrize(
    ("path", "is_module"),
    [
        ("/v14", False),
        ("/v14.30.0", False),
        ("/v14/Onfido.js", True),
        ("/v14.80/Onfido.js", True),
        ("/capture/core/latest/Onfido.iife.js", False),
        ("/web-sdk-releases/6.14.0/onfido.min.js", False),
    ],
)
def test_script_is_at_each_path_that_pages_load(account, path, is_module):
    answer = requests.get(account.server.url + path, timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/javascript")
    assert ("export " in answer.text) is is_module
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/verify", "/vendor/Onfido.js", "/v14.x"])
def test_path_without_a_version_is_unknown(account, path):
    assert requests.get(account.server.url + path, timeout=10).status_code == 404


def test_frame_of_a_run_shows_its_page_and_the_run_ends(account):
    applicant = account.new_applicant()
    run = account.post("workflow_runs", applicant_id=applicant, workflow_id=WORKFLOW)
    for token in (run["sdk_token"], account.new_token(applicant)):
        page, _ = account.open_frame(token=token, run=run["id"])
        assert run["id"] in page.text
        assert 'data-moment="opened"' in page.text
    account.control.sessions.finish(run["id"])
    assert account.get(f"workflow_runs/{run['id']}")["status"] == "approved"
    page, _ = account.open_frame(token=token, run=run["id"])
    assert 'data-moment="over"' in page.text


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "a.bnVsbA.c", "a.e30.c"])
def test_frame_with_a_token_of_nobody_reports_it(account, token):
    page, location = account.open_frame(token=token, steps="document,face")
    assert 'data-moment="unknown"' in page.text
    assert not location.endswith("#expired")
    assert account.control.sessions.all() == ()


def test_token_opens_only_the_runs_of_its_applicant(account):
    run = account.post("workflow_runs", applicant_id=account.new_applicant(), workflow_id=WORKFLOW)
    page, _ = account.open_frame(token=account.new_token(account.new_applicant()), run=run["id"])
    assert 'data-moment="unknown"' in page.text


def test_check_is_no_run_and_the_journal_keeps_no_token(account):
    applicant, _ = account.capture("document,face")
    names = ["document", "facial_similarity_photo"]
    check = account.post("checks", applicant_id=applicant, report_names=names)
    token = account.new_token(applicant)
    page, _ = account.open_frame(token=token, run=check["id"])
    assert 'data-moment="unknown"' in page.text
    assert token.rpartition(".")[2] not in repr(account.control.journal())


def test_token_expires_after_90_minutes_of_the_mocks_clock(account):
    token = account.new_token(account.new_applicant())
    account.control.advance(5_399)
    _, location = account.open_frame(token=token, steps="face")
    assert not location.endswith("#expired")
    account.control.advance(2)
    page, location = account.open_frame(token=token, steps="face")
    assert location.endswith("#expired")
    assert 'data-moment="unknown"' in page.text


@pytest.mark.parametrize(("document", "result"), [("p1", "clear"), ("p2", "consider")])
def test_pictures_of_a_page_with_steps_are_those_of_the_servers_check(account, document, result):
    account.control.webhooks.add("http://127.0.0.1:9/")
    applicant, capture = account.capture("welcome,document,face,complete", "p1", document)
    (shown,) = account.get(f"documents?applicant_id={applicant}")["documents"]
    (photo,) = account.get(f"live_photos?applicant_id={applicant}")["live_photos"]
    assert capture.result == {
        "document_front": {"id": shown["id"], "type": "passport", "side": "front"},
        "face": {"id": photo["id"], "variant": "standard"},
    }
    assert (shown["type"], shown["side"], shown["file_type"]) == ("passport", "front", "png")
    # A page with steps has no run, no webhook and no charge.
    assert account.get("workflow_runs") == []
    assert (
        requests.get(
            f"{account.server.url}/v3.6/workflow_runs/{capture.id}", headers=account.key, timeout=10
        ).status_code
        == 404
    )
    assert account.control.charges() == ()
    assert account.control.webhooks.deliveries() == ()
    names = ["document", "facial_similarity_photo"]
    check = account.post("checks", applicant_id=applicant, report_names=names)
    assert account.get(f"checks/{check['id']}")["result"] == result


@pytest.mark.parametrize(
    ("steps", "uploaded"), [("face", ["face"]), ("document", ["document_front"])]
)
def test_steps_say_what_is_uploaded(account, steps, uploaded):
    _, capture = account.capture(steps)
    assert list(capture.result) == uploaded


def test_photo_without_one_face_is_refused_and_the_person_tries_again(account):
    applicant = account.new_applicant()
    account.open_frame(token=account.new_token(applicant), steps="document,face")
    (opened,) = account.control.sessions.open()
    for card in ("no-face", "two-faces"):
        with pytest.raises(ValueError, match="one face"):
            account.control.sessions.finish(opened.id, card)
    assert account.get(f"documents?applicant_id={applicant}") == {"documents": []}
    assert account.control.sessions.finish(opened.id, "p1").result


def test_deleted_applicant_opens_no_frame(account):
    applicant = account.new_applicant()
    token = account.new_token(applicant)
    url = f"{account.server.url}/v3.6/applicants/{applicant}"
    assert requests.delete(url, headers=account.key, timeout=10).status_code == 204
    page, _ = account.open_frame(token=token, steps="face")
    assert 'data-moment="unknown"' in page.text


def test_token_of_another_account_opens_its_own_page(account):
    other = Account(account.server.new_account("other"))
    token = other.new_token(other.new_applicant())
    _, location = account.open_frame(token=token, steps="face")
    assert "/other/" in location
    assert len(other.control.sessions.open()) == 1
    assert account.control.sessions.open() == ()
