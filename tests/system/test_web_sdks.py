"""The web SDKs of Veriff and Didit, unmodified from npm, in the page of a shop."""

import datetime as dt
import json

import pytest
from system.browser import until
from system.shop import open_shop

from facematch_core import Person, open_sessions
from facematch_mock_server import MockServer

ADA = Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
#: The package of each vendor, its file for a page, and how a page opens it with a link.
SDKS = {
    "veriff": ("@veriff/incontext-sdk@2.5.0", "dist/index.umd.js"),
    "didit": ("@didit-protocol/sdk-web@0.4.0", "dist/didit-sdk.umd.min.js"),
}
OPENS = {
    "veriff": """
        const open = () => veriffSDK.createVeriffFrame({{
          url: {link}, lang: "fi", onEvent: note, onReload: () => note("onReload"),
        }});
        open();
    """,
    "didit": """
        const sdk = DiditSDK.DiditSdk.shared;
        sdk.onEvent = ({{ type, data }}) => note([type, data]);
        sdk.onComplete = ({{ type, session }}) => note([type, session]);
        const configuration = {{ defaultLivenessCamera: "back" }};
        sdk.startVerification({{ url: {link}, configuration }});
    """,
}
#: Didit compares without a review by default.
IN_REVIEW = {"in_review": True}
#: What a page says last when it was opened.
OPENED = {"veriff": "STARTED", "didit": "didit:step_started"}


@pytest.fixture(scope="session")
def sdks(find_program, run_command, tmp_path_factory):
    folder = tmp_path_factory.mktemp("npm")
    packages = [package for package, _ in SDKS.values()]
    npm = find_program("npm")
    run_command(npm, "install", "--silent", "--no-save", *packages, cwd=folder)
    contents = {}
    for vendor, (package, file) in SDKS.items():
        name = package.rpartition("@")[0]
        contents[vendor] = (folder / "node_modules" / name / file).read_bytes()
    return contents


@pytest.fixture
def vendor():
    return "veriff"


@pytest.fixture
def shop(sdks, vendor):
    with open_shop(sdks[vendor]) as running:
        yield running


@pytest.fixture
def mock(vendor, shop):
    events, switches = (["decision", "event"], None) if vendor == "veriff" else (None, IN_REVIEW)
    with MockServer(vendor=vendor, switches=switches) as running:
        hook = f"{shop.url}/hook"
        running.control.webhooks.add(hook, events=events, secret=running.live_key)
        yield running


class Check:
    """A session of the shop: started by its server, done in its page, read by its server."""

    def __init__(self, vendor, mock, shop, browser):
        self.vendor, self.mock, self.shop, self.browser = vendor, mock, shop, browser
        settings = {"api_key": mock.live_key, "webhook_secrets": mock.live_key}
        settings["workflow_id"] = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"
        if vendor == "veriff":
            settings = {"api_key": mock.client_id, "shared_secret": mock.live_key}
            settings |= {"solution": "document_selfie", "environment": "mock"}
        settings |= {"compared_with": "document", "require_environment": "mock"}
        self.sessions = open_sessions(vendor, base_url=mock.url, **settings)
        started = self.sessions.start(self.sessions.plan("customer-17", purpose="signup"))
        self.record = started.record
        self.link = started.access.link.reveal()
        known = {"full_name": ADA.name, "date_of_birth": ADA.date_of_birth}
        mock.control.sessions.document(self.record.session_id, **known)

    def open(self):
        self.shop.open(self.browser, OPENS[self.vendor].format(link=json.dumps(self.link)))
        self.browser.wait(f"said.some(what => String(what).includes('{OPENED[self.vendor]}'))")

    def press(self, name, **cards):
        for field, card in cards.items():
            radio = f"[name={field}][value={card}]"
            self.browser.value_in_frame(f"document.querySelector('{radio}').click()")
        buttons = "[...document.querySelectorAll('button')]"
        find = f"{buttons}.find(one => one.textContent === {json.dumps(name)})"
        self.browser.value_in_frame(f"{find}.click()")

    def said(self, count):
        """Return what the SDK said, once it has said so much."""
        self.browser.wait(f"said.length >= {count}")
        return self.browser.value("said")

    def heard(self, count):
        """Return the statuses of the webhooks, once so many came, each of them signed."""
        until(lambda: len(self.shop.webhooks) >= count, "no webhook")
        heard = []
        for body, headers in self.shop.webhooks:
            hints = self.sessions.receive(body, headers)
            assert [hint.session_id for hint in hints] == [self.record.session_id]
            letter = json.loads(body)
            heard.append(letter.get("action") or letter.get("verification", letter)["status"])
        return heard

    def is_verified(self):
        result = self.sessions.read(self.record, document=ADA)
        return result.is_verified_for("customer-17", purpose="signup", about=None, max_age_s=600)


@pytest.fixture
def check(vendor, mock, shop, browser):
    opened = Check(vendor, mock, shop, browser)
    opened.open()
    yield opened
    opened.sessions.close()


# Veriff


@pytest.mark.parametrize(
    ("document", "status", "is_verified"), [("p1", "approved", True), ("p2", "declined", False)]
)
def test_veriff_says_finished_for_both_verdicts(check, document, status, is_verified):
    check.press("Show this face", face="p1", document=document)
    assert check.said(3) == ["STARTED", "SUBMITTED", "FINISHED"]
    assert check.heard(3) == ["started", "submitted", status]
    assert check.is_verified() is is_verified
    # The SDK has removed the frame.
    assert check.browser.value("document.querySelector('iframe')") is None


def test_veriff_says_canceled_when_the_person_leaves(check):
    check.press("Walk away")
    assert check.said(2) == ["STARTED", "CANCELED"]
    assert check.heard(2) == ["started", "abandoned"]
    assert not check.is_verified()


def test_veriff_lets_the_person_try_again_in_the_frame(check):
    check.press("Fail this attempt")
    assert check.said(2) == ["STARTED", "SUBMITTED"]
    assert not check.is_verified()
    check.press("Show this face")
    assert check.said(4) == ["STARTED", "SUBMITTED", "SUBMITTED", "FINISHED"]
    assert check.heard(5) == ["started", "submitted", "started", "submitted", "approved"]
    assert check.is_verified()


def test_veriffs_link_opens_again_after_a_failed_attempt(check):
    check.press("Fail this attempt")
    check.said(2)
    check.open()
    assert check.said(1) == ["STARTED"]
    check.press("Show this face", face="p1", document="p2")
    check.said(3)
    assert check.heard(5)[-1] == "declined"
    assert not check.is_verified()


def test_veriff_asks_for_a_reload_when_the_camera_is_denied(check):
    check.press("Deny the camera")
    assert check.said(3) == ["STARTED", "onReload", "RELOAD"]
    assert not check.is_verified()


def test_veriff_says_nothing_of_an_expired_session(check):
    check.press("Let it expire")
    assert check.heard(2) == ["started", "abandoned"]
    assert check.said(1) == ["STARTED"]
    assert not check.is_verified()
    # The link has ended: the frame shows a refusal.
    check.browser.open(f"{check.shop.url}/")
    assert check.browser.value_in_frame("document.title").startswith("This session is over")
    assert check.said(0) == []


def test_a_page_at_localhost_may_show_the_frame_of_a_mock_at_127_0_0_1(check):
    check.browser.open(check.shop.url.replace("127.0.0.1", "localhost"))
    assert check.said(1) == ["STARTED"]


# Didit


@pytest.fixture
def didit_begins(check):
    """What Didit's SDK says of an open session; the first event is its own."""
    session = {"sessionId": check.record.session_id}
    return [
        ["didit:started", {}],
        ["didit:ready", session],
        ["didit:started", session],
        ["didit:step_started", {**session, "step": "face"}],
    ]


def didit_ends(check, status, result):
    session = {"sessionId": check.record.session_id}
    return [
        ["didit:verification_submitted", {**session, "step": "face"}],
        ["didit:status_updated", {**session, "status": status}],
        ["didit:completed", {**session, "status": result}],
        ["completed", {**session, "status": result}],
    ]


@pytest.mark.parametrize("vendor", ["didit"])
@pytest.mark.parametrize(
    ("document", "status", "is_verified"), [("p1", "Approved", True), ("p2", "Declined", False)]
)
def test_didit_completes_with_the_status(check, didit_begins, document, status, is_verified):
    check.press("Show this face", face="p1", document=document)
    assert check.said(8) == [*didit_begins, *didit_ends(check, status, status)]
    assert check.heard(2)[-1] == status
    assert check.is_verified() is is_verified


@pytest.mark.parametrize("vendor", ["didit"])
def test_didit_completes_as_pending_what_a_person_must_review(check, didit_begins, mock):
    mock.control.set_outcome("match", review=True)
    check.press("Show this face", face="p1", document="p1")
    assert check.said(8) == [*didit_begins, *didit_ends(check, "In Review", "Pending")]
    assert check.heard(2)[-1] == "In Review"
    assert not check.is_verified()


@pytest.mark.parametrize("vendor", ["didit"])
def test_didit_is_cancelled_when_the_person_leaves(check, didit_begins):
    check.press("Walk away")
    session = {"sessionId": check.record.session_id}
    cancelled = [["didit:cancelled", session], ["cancelled", {**session, "status": "Pending"}]]
    assert check.said(6) == [*didit_begins, *cancelled]
    assert check.heard(2)[-1] == "Abandoned"
    assert not check.is_verified()


@pytest.mark.parametrize("vendor", ["didit"])
def test_didits_own_button_closes_the_frame_and_leaves_the_session_open(check, didit_begins):
    for selector in ("button[aria-label]", "[data-action=exit]"):
        check.browser.value(f"document.querySelector('{selector}').click()")
    assert check.said(5) == [*didit_begins, ["cancelled", None]]
    assert check.heard(1) == ["In Progress"]
    assert not check.is_verified()


@pytest.mark.parametrize("vendor", ["didit"])
def test_didit_lets_the_person_try_again_in_the_frame(check, didit_begins):
    check.press("Fail this attempt")
    session = {"sessionId": check.record.session_id}
    failed = ["didit:verification_submitted", {**session, "step": "face"}]
    assert check.said(5) == [*didit_begins, failed]
    assert not check.is_verified()
    check.press("Show this face")
    assert check.said(9) == [*didit_begins, failed, *didit_ends(check, "Approved", "Approved")]
    assert check.heard(2)[-1] == "Approved"
    assert check.is_verified()
