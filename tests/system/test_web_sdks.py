"""The web SDKs of Veriff, Didit, Sumsub and Persona, unmodified from npm, in the page of a shop.

And the scripts of the mock's own in place of Stripe's and Onfido's, which come from a door.
"""

import base64
import contextlib
import datetime as dt
import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from system.browser import Browser, until
from system.shop import open_shop

from facematch_core import Person, open_sessions
from facematch_mock_server import MockServer

ADA = Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
#: The package of each vendor, its file for a page, and how a page opens it with a link.
SDKS = {
    "veriff": ("@veriff/incontext-sdk@2.5.0", "dist/index.umd.js"),
    "didit": ("@didit-protocol/sdk-web@0.4.0", "dist/didit-sdk.umd.min.js"),
    "sumsub": ("@sumsub/websdk@2.9.0", "dist/index.js"),
    "sumsub-react": ("@sumsub/websdk-react@2.9.0", "dist/index.js"),
    "persona": ("persona@5.9.0", "dist/persona.js"),
    "veriff-older": ("veriff-older@npm:@veriff/incontext-sdk@2.3.1", "dist/index.umd.js"),
    "sumsub-older": ("sumsub-older@npm:@sumsub/websdk@2.3.4", "dist/index.js"),
    "persona-older": ("persona-older@npm:persona@5.1.2", "dist/persona.js"),
    "didit-older": ("didit-older@npm:@didit-protocol/sdk-web@0.1.5", "dist/didit-sdk.umd.min.js"),
}
#: The oldest version that public pages load from Persona's CDN, which has these packages in it.
OLDEST_PERSONA = (
    "persona@3.10.0",
    "react@17.0.2",
    "react-dom@17.0.2",
    "styled-components@5.3.11",
    "esbuild@0.25.12",
)
#: What the page with React loads before its SDK.
REACT = ("react@18.3.1", "umd/react.production.min.js")
REACT_DOM = ("react-dom@18.3.1", "umd/react-dom.production.min.js")
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
    "sumsub": """
        const newToken = () => fetch("/token").then((answer) => answer.text());
        snsWebSdk.init({token}, () => (note("new token"), newToken()))
          .onMessage((type, payload) => type === "idCheck.onResize" || note([type, payload]))
          .build().launch(document.body.appendChild(document.createElement("div")));
    """,
    "sumsub-react": """
        ReactDOM.createRoot(document.body.appendChild(document.createElement("div"))).render(
          React.createElement(snsWebSdkReact, {{
            accessToken: {token},
            expirationHandler: () => fetch("/token").then((answer) => answer.text()),
            onMessage: (type, payload) => type === "idCheck.onResize" || note([type, payload]),
          }}),
        );
    """,
    "persona": """
        const client = new Persona.Client({{
          host: {host}, inquiryId: {id}, sessionToken: {token},
          onReady: () => {opens} && client.open(), messageTargetOrigin: {target},
          onEvent: (name, metadata) => note([name, metadata ?? null]),
          onComplete: (result) => note(["onComplete", result]),
          onCancel: (result) => note(["onCancel", result]),
          onError: (error) => note(["onError", error]),
        }});
    """,
}
OPENS["persona-oldest"] = """
    const client = new Persona.Client({{
      inquiryId: {id}, accessToken: {token}, environment: "sandbox",
      onReady: () => client.open(), onEvent: (name, metadata) => note([name, metadata ?? null]),
      onComplete: (id) => note(["onComplete", id]), onFail: (id) => note(["onFail", id]),
      onExit: () => note(["onExit"]),
    }});
"""
#: A page that is built with React, its packages, and how it opens a component.
REACT_PAGE = Path(__file__).with_name("react_page.jsx")
REACT_PACKAGES = ("esbuild@0.25.12", "react@19.2.0", "react-dom@19.2.0", "persona-react@6.7.0")
REACT_PACKAGES += ("persona@5.9.0", "@veriff/incontext-sdk@2.5.0", "@veriff/js-sdk@2.0.0")
OF_PERSONA = """
    host: {host}, inquiryId: {id}, sessionToken: {token}, onEvent: (name) => note(name),
    onComplete: ({{ status }}) => note(status),
"""
REACT_COMPONENTS = {
    "persona-component": f"show('PersonaReact', {{{{ {OF_PERSONA} }}}})",
    "persona-effect": f"show('PersonaModal', {{{{ {OF_PERSONA} }}}})",
    "veriff-effect": "show('VeriffModal', {{ url: {link}, onEvent: note }})",
    "veriff-form": "show('VeriffForm', {{ host: {url}, apiKey: {key}, onEvent: note }})",
}
OPENS |= REACT_COMPONENTS
#: Versions that public pages still load, opened as the newest.
OLDER = ("veriff-older", "sumsub-older", "persona-older", "didit-older")
OPENS |= {name: OPENS[name.partition("-")[0]] for name in OLDER}
#: The events that the shop's server hears of.
HEARS = {
    "veriff": ["decision", "event"],
    "persona": [f"inquiry.{name}" for name in ("started", "approved", "declined", "expired")],
}
#: Didit compares without a review by default.
SWITCHES = {"didit": {"in_review": True}}
#: What a page says last when it was opened.
OPENED = {
    "veriff": "STARTED",
    "didit": "didit:step_started",
    "persona": "ready",
    "persona-component": "ready",
    "persona-effect": "ready",
    "veriff-effect": "STARTED",
    "sumsub": "onApplicantLoaded",
    "sumsub-react": "onApplicantLoaded",
}
OPENED |= {name: OPENED[name.partition("-")[0]] for name in OLDER}


@pytest.fixture(scope="session")
def sdks(install_from_npm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("npm")
    install_from_npm(folder, *(package for package, _ in (*SDKS.values(), REACT, REACT_DOM)))

    def read(package, file):
        name = package.partition("@npm:")[0] if "@npm:" in package else package.rpartition("@")[0]
        return (folder / "node_modules" / name / file).read_bytes()

    contents = {vendor: read(*sdk) for vendor, sdk in SDKS.items()}
    parts = (read(*REACT), read(*REACT_DOM), contents["sumsub-react"])
    contents["sumsub-react"] = b"\n".join(parts)
    return contents


@pytest.fixture
def vendor():
    return "veriff"


@pytest.fixture(scope="session")
def react_page(install_from_npm, run_command, tmp_path_factory):
    """The script of a page with React, built by esbuild."""
    folder = tmp_path_factory.mktemp("react")
    shutil.copy(REACT_PAGE, folder)
    install_from_npm(folder, *REACT_PACKAGES)
    esbuild = folder / "node_modules" / ".bin" / "esbuild"
    options = ("--bundle", "--jsx=automatic", "--outfile=page.js", "--log-level=warning")
    run_command(esbuild, REACT_PAGE.name, *options, cwd=folder)
    return (folder / "page.js").read_bytes()


@pytest.fixture(scope="session")
def oldest_persona(install_from_npm, run_command, tmp_path_factory):
    """Persona's oldest script with its packages, as its CDN has it."""
    folder = tmp_path_factory.mktemp("oldest")
    install_from_npm(folder, *OLDEST_PERSONA)
    (folder / "page.js").write_text('window.Persona = require("persona");')
    esbuild = folder / "node_modules" / ".bin" / "esbuild"
    options = ("--bundle", "--outfile=bundle.js", "--log-level=warning")
    run_command(esbuild, "page.js", *options, cwd=folder)
    return (folder / "bundle.js").read_bytes()


@pytest.fixture
def shop(request, vendor):
    if vendor == "persona-oldest":
        content = request.getfixturevalue("oldest_persona")
    elif vendor in REACT_COMPONENTS:
        content = request.getfixturevalue("react_page")
    else:
        content = request.getfixturevalue("sdks")[vendor]
    with open_shop(content) as running:
        yield running


@pytest.fixture
def mock(vendor, shop):
    name, _, _ = vendor.partition("-")
    with MockServer(vendor=name, switches=SWITCHES.get(vendor)) as running:
        hook = f"{shop.url}/hook"
        running.control.webhooks.add(hook, events=HEARS.get(name), secret=running.live_key)
        yield running


class Check:
    """A session of the shop: started by its server, done in its page, read by its server."""

    def __init__(self, vendor, mock, shop, browser):
        self.vendor, self.mock, self.shop, self.browser = vendor, mock, shop, browser
        #: The vendor's name; `vendor` also says how the page opens the SDK.
        self.name, _, _ = vendor.partition("-")
        settings = {"api_key": mock.live_key, "webhook_secrets": mock.live_key}
        settings["workflow_id"] = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"
        if self.name == "veriff":
            settings = {"api_key": mock.client_id, "shared_secret": mock.live_key}
            settings |= {"solution": "document_selfie", "environment": "mock"}
        if self.name == "persona":
            del settings["workflow_id"]
            settings["template_id"] = "itmpl_p8ANAJy9iqadm2buF2xcVgqH"
        if self.name == "sumsub":
            settings = {"app_token": mock.client_id, "secret_key": mock.live_key}
            settings |= {"level_name": "id-and-liveness", "webhook_secrets": mock.live_key}
        settings |= {"compared_with": "document", "require_environment": "mock"}
        self.sessions = open_sessions(self.name, base_url=mock.url, **settings)
        started = self.sessions.start(self.sessions.plan("customer-17", purpose="signup"))
        self.record = started.record
        self.link = started.access.link.reveal()
        self.token = started.access.token and started.access.token.reveal()
        shop.answers["/token"] = self.new_token
        known = {"full_name": ADA.name, "date_of_birth": ADA.date_of_birth}
        mock.control.sessions.document(self.record.session_id, **known)

    def new_token(self):
        return self.sessions.read(self.record, with_access=True).access.token.reveal()

    def open(self, **changes):
        """Show the shop's page, and wait for what the SDK says first."""
        self.show(**changes)
        self.browser.wait(f"said.some(what => String(what).includes('{OPENED[self.vendor]}'))")

    def show(self, **changes):
        # Persona's SDK has no http for an address of numbers.
        host = "localhost" if self.name == "persona" else "127.0.0.1"
        values = {
            "link": self.link,
            "url": self.mock.url,
            "key": self.mock.client_id,
            "host": f"localhost:{urlsplit(self.mock.url).port}",
            "id": self.record.session_id,
            "token": self.token,
            "opens": True,
            "target": None,
        }
        texts = {name: json.dumps(value) for name, value in (values | changes).items()}
        self.shop.open(self.browser, OPENS[self.vendor].format(**texts), host=host)

    def press(self, name, **cards):
        for field, card in cards.items():
            radio = f"[name={field}][value={card}]"
            self.browser.value_in_frame(f"document.querySelector('{radio}').click()")
        buttons = "[...document.querySelectorAll('button')]"
        find = f"{buttons}.find(one => one.textContent === {json.dumps(name)})"
        self.browser.value_in_frame(f"{find}.click()")

    def wait_in_frame(self, condition):
        def is_met():
            try:
                return self.browser.value_in_frame(condition)
            except AssertionError:
                return False  # The frame is between two pages.

        until(is_met, condition)

    def said(self, count):
        """Return what the SDK said, once it has said so much."""
        self.browser.wait(f"said.length >= {count}")
        return self.browser.value("said")

    def wait_for_the_end(self, press):
        """Wait until the session is as the press of a button leaves it, and the SDK has spoken."""
        at_end = {"Walk away": "abandon", "Let it expire": "expire"}
        if press in at_end and self.name == "sumsub":
            # Neither changes an applicant.
            self.wait_in_frame("!document.querySelector('.acts')")
            return
        self.heard(2 if self.name == "veriff" else 1)

    def heard(self, count):
        """Return the statuses of the webhooks, once so many came, each of them signed.

        Of Sumsub's, those of the reviews.
        """

        def decided():
            letters = [json.loads(body) for body, _ in list(self.shop.webhooks)]
            return [each for each in letters if each.get("type") in (None, "applicantReviewed")]

        until(lambda: len(decided()) >= count, "no webhook")
        for body, headers in list(self.shop.webhooks):
            hints = self.sessions.receive(body, headers)
            assert [hint.session_id for hint in hints] == [self.record.session_id]
        heard = []
        for letter in decided():
            if self.name == "sumsub":
                heard.append(letter["reviewResult"]["reviewAnswer"])
            elif self.name == "persona":
                heard.append(letter["data"]["attributes"]["name"])
            else:
                heard.append(letter.get("action") or letter.get("verification", letter)["status"])
        return heard

    def is_verified(self):
        result = self.sessions.read(self.record, document=ADA)
        return result.is_verified_for("customer-17", purpose="signup", about=None, max_age_s=600)


@pytest.fixture
def unopened(vendor, mock, shop, browser):
    created = Check(vendor, mock, shop, browser)
    yield created
    created.sessions.close()


@pytest.fixture
def check(unopened):
    unopened.open()
    return unopened


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


# Sumsub


@pytest.fixture
def applicant(check):
    """What most messages say of the applicant."""
    return {"applicantId": check.record.session_id, "levelName": "id-and-liveness"}


@pytest.fixture
def sumsub_begins(applicant):
    """What Sumsub's SDK says when the page is open; onResize is left out."""
    begins = [["onReady", {}], ["onInitialized", {}], ["onApplicantLoaded", applicant]]
    return [[f"idCheck.{event}", payload] for event, payload in begins]


def sumsub_submits(applicant, result, *, again=False):
    """What the SDK says of an attempt, with the answer and, if it is red, the type of rejection."""
    names = ("reviewAnswer", "reviewRejectType")
    status = {
        **applicant,
        "reprocessing": False,
        "reviewStatus": "completed",
        "autoChecked": False,
        "reviewResult": dict(zip(names, result.split(), strict=False)),
    }
    submitted = "onApplicantResubmitted" if again else "onApplicantSubmitted"
    return [[f"idCheck.{submitted}", applicant], ["idCheck.onApplicantStatusChanged", status]]


@pytest.mark.parametrize("vendor", ["sumsub", "sumsub-react"])
@pytest.mark.parametrize(("document", "result"), [("p1", "GREEN"), ("p2", "RED FINAL")])
def test_sumsub_submits_and_says_the_status(check, sumsub_begins, applicant, document, result):
    check.press("Show this face", face="p1", document=document)
    assert check.said(5) == [*sumsub_begins, *sumsub_submits(applicant, result)]
    assert check.heard(1) == [result.split()[0]]
    assert check.is_verified() is (result == "GREEN")


@pytest.mark.parametrize("vendor", ["sumsub"])
def test_sumsub_says_nothing_when_the_person_leaves(check, sumsub_begins):
    check.press("Walk away")
    # The last page is low.
    check.browser.wait("document.querySelector('iframe').offsetHeight < 400")
    assert check.said(3) == sumsub_begins
    assert check.heard(0) == []
    assert not check.is_verified()


@pytest.mark.parametrize("vendor", ["sumsub"])
def test_sumsub_lets_the_person_try_again_in_the_frame(check, sumsub_begins, applicant):
    check.press("Fail this attempt")
    failed = sumsub_submits(applicant, "RED RETRY")
    assert check.said(5) == [*sumsub_begins, *failed]
    assert check.heard(1) == ["RED"]
    assert not check.is_verified()
    check.press("Show this face")
    again = sumsub_submits(applicant, "GREEN", again=True)
    assert check.said(7) == [*sumsub_begins, *failed, *again]
    assert check.heard(2) == ["RED", "GREEN"]
    assert check.is_verified()


@pytest.mark.parametrize("vendor", ["sumsub"])
def test_sumsubs_token_opens_again_after_a_failed_attempt(check, sumsub_begins, applicant):
    check.press("Fail this attempt")
    check.said(5)
    check.open()
    assert check.said(3) == sumsub_begins
    check.press("Show this face", face="p1", document="p2")
    again = sumsub_submits(applicant, "RED FINAL", again=True)
    assert check.said(5) == [*sumsub_begins, *again]
    assert check.heard(2) == ["RED", "RED"]
    assert not check.is_verified()


@pytest.mark.parametrize("vendor", ["sumsub"])
def test_sumsub_asks_for_a_token_when_it_expires_and_goes_on(check, sumsub_begins, applicant):
    check.press("Let it expire")
    assert check.said(7) == [*sumsub_begins, "new token", *sumsub_begins]
    check.press("Show this face")
    assert check.said(9)[7:] == sumsub_submits(applicant, "GREEN")
    assert check.is_verified()


@pytest.mark.parametrize("vendor", ["sumsub"])
def test_sumsub_asks_for_a_token_when_it_is_opened_with_an_expired_one(
    check, mock, sumsub_begins, applicant
):
    mock.control.sessions.expire(check.record.session_id)
    mock.control.sessions.on_open(outcome="p1")
    check.browser.open(f"{check.shop.url}/")
    submits = sumsub_submits(applicant, "GREEN")
    assert check.said(6) == ["new token", *sumsub_begins, *submits]
    assert check.is_verified()


@pytest.mark.parametrize("vendor", ["sumsub"])
def test_sumsubs_page_acts_without_a_click(check, mock, sumsub_begins, applicant):
    mock.control.sessions.on_open(outcome=["fail_attempt", "p1"])
    check.browser.open(f"{check.shop.url}/")
    failed = sumsub_submits(applicant, "RED RETRY")
    again = sumsub_submits(applicant, "GREEN", again=True)
    assert check.said(7) == [*sumsub_begins, *failed, *again]
    assert check.is_verified()


@pytest.mark.parametrize("vendor", ["sumsub"])
def test_sumsubs_page_expires_once_without_a_click(check, mock, sumsub_begins):
    mock.control.sessions.on_open(outcome="expire")
    check.browser.open(f"{check.shop.url}/")
    assert check.said(7) == [*sumsub_begins, "new token", *sumsub_begins]
    assert not check.is_verified()


@pytest.mark.parametrize("vendor", ["sumsub"])
def test_sumsubs_frame_is_as_high_as_its_page(check):
    check.browser.wait("document.querySelector('iframe').offsetHeight > 400")


# Persona

PERSONA = pytest.mark.parametrize("vendor", ["persona"])
UNAUTHENTICATED = {"status": 409, "code": "unauthenticated"}


@pytest.fixture
def persona_begins(check):
    """What Persona's SDK says until the person's first action has ended."""
    inquiry = {"inquiryId": check.record.session_id, "sessionToken": check.token}
    return [["load", None], ["ready", None], ["start", inquiry]]


#: The fields of Persona that a document of only a name and a birth date does not have.
UNKNOWN_FIELDS = (
    "address-street-1",
    "address-city",
    "address-postal-code",
    "address-country-code",
    "identification-number",
)


def persona_ends(check, name, status):
    fields = {
        "name-first": {"type": "string", "value": "Ada"},
        "name-last": {"type": "string", "value": "Lovelace"},
        "birthdate": {"type": "date", "value": "1980-01-01"},
        **{field: {"type": "string", "value": None} for field in UNKNOWN_FIELDS},
    }
    result = {"inquiryId": check.record.session_id, "status": status, "fields": fields}
    return [[name, result], ["onComplete", result]]


@PERSONA
@pytest.mark.parametrize(
    ("document", "event", "status"), [("p1", "complete", "approved"), ("p2", "fail", "declined")]
)
def test_persona_completes_with_the_status(check, persona_begins, document, event, status):
    assert check.said(2) == persona_begins[:2]
    assert not check.shop.webhooks
    check.press("Show this face", face="p1", document=document)
    assert check.said(5) == [*persona_begins, *persona_ends(check, event, status)]
    assert check.heard(2) == ["inquiry.started", f"inquiry.{status}"]
    assert check.is_verified() is (status == "approved")


def persona_cancels(check):
    inquiry = {"inquiryId": check.record.session_id, "sessionToken": check.token}
    return [["exit", inquiry], ["onCancel", inquiry]]


@PERSONA
def test_persona_is_cancelled_when_the_person_leaves_and_goes_on_when_opened_again(
    check, persona_begins
):
    check.press("Walk away")
    assert check.said(5) == [*persona_begins, *persona_cancels(check)]
    assert check.heard(1) == ["inquiry.started"]
    assert not check.is_verified()
    check.browser.value("client.open()")
    assert check.said(7)[5:] == persona_begins[:2]
    check.press("Show this face")
    assert check.said(9)[7:] == persona_ends(check, "complete", "approved")
    assert check.is_verified()


@PERSONA
def test_page_of_the_shop_cancels_persona(check, persona_begins):
    check.browser.value("client.cancel(true)")
    assert check.said(5) == [*persona_begins, *persona_cancels(check)]
    assert not check.is_verified()


@PERSONA
def test_persona_lets_the_person_try_again_in_the_frame(check, persona_begins):
    check.press("Fail this attempt")
    check.wait_in_frame("document.body.innerText.includes('Attempt 1 failed')")
    assert not check.is_verified()
    check.press("Show this face")
    assert check.said(5) == [*persona_begins, *persona_ends(check, "complete", "approved")]
    assert check.heard(2) == ["inquiry.started", "inquiry.approved"]
    assert check.is_verified()


@PERSONA
def test_persona_reports_an_expired_inquiry(check, persona_begins):
    check.press("Let it expire")
    expired = [["error", None], ["onError", UNAUTHENTICATED]]
    assert check.said(4) == [*persona_begins[:2], *expired]
    assert check.heard(1) == ["inquiry.expired"]
    assert not check.is_verified()
    check.show()
    assert check.said(2) == expired
    assert not check.is_verified()


@PERSONA
def test_persona_opens_an_inquiry_that_has_begun_by_its_session_token_alone(check):
    check.press("Fail this attempt")
    check.said(3)
    for token in (None, "other"):
        check.show(token=token)
        assert check.said(2) == [["error", None], ["onError", UNAUTHENTICATED]]
    check.open()
    check.press("Show this face", face="p1", document="p2")
    assert check.said(4)[3][1]["status"] == "declined"
    assert not check.is_verified()


@PERSONA
def test_persona_acts_when_it_is_opened_not_when_it_is_loaded(check, mock, persona_begins):
    mock.control.sessions.on_open(check.record.session_id, outcome=["fail_attempt", "p1"])
    check.open(opens=False)
    loaded = "performance.getEntriesByName(document.querySelector('[data-outcome]').src).length"
    check.wait_in_frame(loaded)
    check.browser.value("note('open')")
    check.browser.value("client.open()")
    begins = [*persona_begins[:2], "open", *persona_begins[2:]]
    assert check.said(6) == [*begins, *persona_ends(check, "complete", "approved")]
    assert check.is_verified()


@PERSONA
def test_persona_sends_its_messages_to_the_target_that_the_page_names(check):
    check.show(target="https://elsewhere.test")

    def was_refused():
        # Chromium logs that a message was not for this page.
        said = check.said(0)
        return said == [] and "https://elsewhere.test" in json.dumps(check.browser.messages())

    until(was_refused, "no message was refused")


@PERSONA
def test_persona_reports_a_start_without_an_inquiry(check, mock):
    starts = OPENS["persona"].replace("inquiryId: {id}, sessionToken: {token}", "templateId: {id}")
    host = json.dumps(f"localhost:{mock.port}")
    starts = starts.format(host=host, id='"itmpl_mock"', opens="true", target="null")
    check.shop.open(check.browser, starts, host="localhost")
    assert check.said(2) == [
        ["error", None],
        ["onError", {"status": 400, "code": "invalid_config"}],
    ]


# React


@pytest.mark.parametrize(
    ("vendor", "ends"),
    [
        ("persona-component", ["start", "complete", "approved"]),
        ("persona-effect", ["start", "complete", "approved"]),
        ("veriff-effect", ["STARTED", "SUBMITTED", "FINISHED"]),
    ],
)
def test_react_page_shows_the_frame_and_hears_the_end(check, ends):
    # The first of two effects has removed its frame again.
    check.wait_in_frame("document.readyState === 'complete' && !!document.querySelector('.acts')")
    check.press("Show this face")
    check.browser.wait(f"said.at(-1) === '{ends[-1]}'")
    assert check.browser.value("said")[-3:] == ends
    assert check.is_verified()


@pytest.mark.parametrize("vendor", ["veriff-form"])
def test_session_that_the_page_starts_finishes_in_its_frame(unopened, vendor, mock):
    mock.control.sessions.on_open(outcome="p1")
    # The form asks for a font of another machine.
    unopened.browser.send("Network.setBlockedURLs", urls=["*googleapis.com*"])
    unopened.show()
    unopened.browser.wait("document.querySelector('.veriff-submit')")
    unopened.browser.value("document.querySelector('.veriff-submit').click()")
    assert unopened.said(3) == ["STARTED", "SUBMITTED", "FINISHED"]
    by_server, by_page = mock.control.sessions.all()
    assert (by_server.status, by_page.status) == ("created", "approved")
    assert (by_page.vendor_data, by_page.id != unopened.record.session_id) == ("customer-17", True)


# Behind the door

#: The host of the frame, and how the SDK's last message ends.
BEHIND_DOOR = {
    "didit": ("verification.didit.me", ["completed", "Approved"]),
    "persona": ("inquiry.withpersona.com", ["onComplete", "approved"]),
    "sumsub": ("in.sumsub.com", ["onApplicantStatusChanged", "GREEN"]),
    "veriff": ("stationapi.veriff.com", ["FINISHED"]),
}


@pytest.fixture
def browser_behind_door(mock_door, find_program, tmp_path):
    # Chromium goes past a proxy for pages of this machine.
    options = (
        f"--proxy-server={os.environ['HTTPS_PROXY']}",
        f"--ignore-certificate-errors-spki-list={os.environ['FACEMATCH_DOOR_SPKI']}",
    )
    with contextlib.closing(Browser(find_program("chromium"), tmp_path, *options)) as browser:
        yield browser


@pytest.fixture
def check_behind_door(vendor, shop, mock_door, browser_behind_door):
    """A session in a browser behind the door, whose page acts without a click."""
    name, _, _ = vendor.partition("-")
    mock = mock_door.of(name)
    mock.control.webhooks.add(f"{shop.url}/hook", events=HEARS.get(name), secret=mock.live_key)
    opened = Check(vendor, mock, shop, browser_behind_door)
    yield opened
    opened.sessions.close()


@pytest.mark.parametrize("vendor", BEHIND_DOOR)
def test_unchanged_page_finishes_behind_the_door(vendor, check_behind_door):
    host, ends = BEHIND_DOOR[vendor]
    check = check_behind_door
    check.mock.control.sessions.on_open(outcome="p1")
    # The server calls the mock itself; behind the door it would get the link at the vendor's host,
    # and Sumsub's access token with this address in it.
    link = check.link.replace(check.mock.url, f"https://{host}")
    token = check.token
    if vendor == "sumsub":
        addresses = [{"url": check.mock.url}, {"url": f"https://{host}"}]
        parts = [base64.b64encode(json.dumps(each).encode()).decode() for each in addresses]
        token = token.replace(*parts)
    check.show(link=link, token=token, host=None)
    frame = check.browser.value("document.querySelector('iframe').src")
    assert frame.startswith(f"https://{host}/")
    for text in ends:
        check.browser.wait(f"JSON.stringify(said).includes('{text}')")
    assert check.heard(1)
    assert check.is_verified()


# Older versions


@pytest.mark.parametrize("vendor", ["veriff-older", "sumsub-older"])
@pytest.mark.parametrize(
    ("press", "document", "is_verified"),
    [
        ("Show this face", "p1", True),
        ("Show this face", "p2", False),
        ("Walk away", "p1", False),
        ("Let it expire", "p1", False),
    ],
)
def test_older_sdk_ends_as_the_newest(check, press, document, is_verified):
    check.press(press, face="p1", document=document)
    check.wait_for_the_end(press)
    assert check.is_verified() is is_verified


@pytest.mark.parametrize("vendor", ["sumsub-older"])
def test_older_sumsub_is_ready_before_it_asks_for_a_new_token(check, mock):
    mock.control.sessions.expire(check.record.session_id)
    mock.control.sessions.on_open(outcome="p1")
    check.browser.open(f"{check.shop.url}/")
    check.browser.wait("JSON.stringify(said).includes('GREEN')")
    assert check.said(2)[:2] == [["idCheck.onReady", {}], "new token"]
    assert check.is_verified()


#: The host of the frame, and how each ends: the person shows a face, another's, leaves or waits.
HOST_OF_FRAME = {
    "persona-older": "https://inquiry.withpersona.com",
    "persona-oldest": "https://withpersona.com",
    "didit-older": "https://verification.didit.me",
}
OUTCOMES = ("p1", "spoof", "abandon", "expire")
ENDS = {
    "persona-older": ("complete", "fail", "onCancel", "onError"),
    "persona-oldest": ("onComplete", "onFail", "onExit", "error"),
    "didit-older": ("Approved", "Declined", "cancelled", "didit:step_started"),
}


@pytest.mark.parametrize("vendor", ENDS)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_older_sdk_that_hears_its_vendors_host_alone_runs_behind_the_door(
    vendor, check_behind_door, outcome
):
    check = check_behind_door
    check.mock.control.sessions.on_open(outcome=outcome)
    host = HOST_OF_FRAME[vendor]
    check.show(host=None, link=check.link.replace(check.mock.url, host))
    end = ENDS[vendor][OUTCOMES.index(outcome)]
    check.browser.wait(f"JSON.stringify(said).includes('{end}')")
    loaded = check.browser.value("performance.getEntriesByType('resource').map(each => each.name)")
    assert any(name.startswith(f"{host}/") for name in loaded)
    assert check.heard(1)
    assert check.is_verified() is (outcome == "p1")


# Stripe's script comes from the door.

OF_MOCK = {"compared_with": "document", "require_environment": "mock"}

STRIPE_PAGE = """
    const script = document.createElement("script");
    script.src = "{source}";
    script.onload = async () => {{
      const stripe = await Stripe("pk_test_of-the-shop");
      note((await stripe.verifyIdentity({secret})));
      try {{ stripe.elements(); }} catch (error) {{ note(error.message); }}
    }};
    document.head.append(script);
"""


@pytest.mark.parametrize(
    ("source", "outcome", "status"),
    [
        ("https://js.stripe.com/v3/", "p1", "verified"),
        ("https://js.stripe.com/v3", "spoof", "requires_input"),
        ("https://js.stripe.com/dahlia/stripe.js", "fail_attempt", "requires_input"),
        ("https://js.stripe.com/v3/", "abandon", "requires_input"),
        ("https://js.stripe.com/v3/", "expire", "requires_input"),
    ],
)
def test_stripes_modal_resolves_behind_the_door(
    mock_door, browser_behind_door, source, outcome, status
):
    mock = mock_door.of("stripe")
    mock.control.sessions.on_open(outcome=outcome)
    with open_sessions(
        "stripe", api_key=mock.live_key, base_url=mock.url, expects=["match"], **OF_MOCK
    ) as sessions:
        started = sessions.start(sessions.plan("customer-17", purpose="signup"))
        secret = started.access.token.reveal()
        session_id = started.record.session_id
        known = {"full_name": ADA.name, "date_of_birth": ADA.date_of_birth}
        mock.control.sessions.document(session_id, **known)
        result = show_stripe(browser_behind_door, source, secret)
        read = sessions.read(started.record, document=ADA)
    assert mock.control.world.sessions.find(session_id).status == status
    if outcome in ("abandon", "expire"):
        assert result["error"]["type"] == "invalid_request_error"
    else:
        assert result == {"verificationSession": {"id": session_id}}
    limits = {"purpose": "signup", "about": None, "max_age_s": 600}
    assert read.is_verified_for("customer-17", **limits) is (status == "verified")


def test_stripes_modal_refuses_a_client_secret_of_nobody(mock_door, browser_behind_door):
    result = show_stripe(browser_behind_door, "https://js.stripe.com/v3/", "vs_1_secret_2")
    assert result["error"]["type"] == "invalid_request_error"


def show_stripe(browser, source, secret):
    """Return what verifyIdentity resolves with, in a page that loads the script from `source`."""
    with open_shop(b"") as shop:
        shop.open(browser, STRIPE_PAGE.format(source=source, secret=json.dumps(secret)))
        browser.wait("said.length >= 2")
        result, refusal = browser.value("said")
    assert "elements" in refusal
    return result


# Onfido's script comes from the door, too. The npm package only loads it.

ONFIDO = "https://api.eu.onfido.com/v3.6"
OF_ONFIDO = """
    token: {token}, {form}, containerId: "onfido-mount",
    onComplete: (data) => note(["onComplete", data]),
    onError: ({{ type }}) => note(["onError", type]),
    onUserExit: (code) => note(["onUserExit", code]),
"""
#: How five public programs open it: by a plain script of three hosts or paths, a module, or npm.
BY_SCRIPT = """
    document.body.innerHTML = '<div id="onfido-mount"></div>';
    const script = document.createElement("script");
    script.src = "{source}";
    script.onload = () => {{ window.handle = Onfido.init({{{parameters}}}); }};
    document.head.append(script);
"""
BY_MODULE = """
    document.body.innerHTML = '<div id="onfido-mount"></div>';
    import("{source}").then(({{ Onfido }}) => {{ window.handle = Onfido.init({{{parameters}}}); }});
"""
BY_NPM = """
    document.body.innerHTML = '<div id="onfido-mount"></div>';
    fetch("/npm").then((answer) => answer.text()).then(async (text) => {{
      const source = URL.createObjectURL(new Blob([text], {{ type: "text/javascript" }}));
      const {{ Onfido }} = await import(source);
      window.handle = Onfido.init({{{parameters}}});
    }});
"""
RUN = "workflowRunId: {run}"
STEPS = 'steps: ["welcome", "document", "face", "complete"]'
STEP_OBJECTS = 'steps: [{ type: "welcome", options: {} }, { type: "document" }, "face"]'
ONFIDO_PAGES = {
    "script": (BY_SCRIPT, "https://sdk.onfido.com/v14.30.0", RUN),
    "iife": (BY_SCRIPT, "https://sdk.onfido.com/capture/core/latest/Onfido.iife.js", STEPS),
    "older": (
        BY_SCRIPT,
        "https://assets.onfido.com/web-sdk-releases/6.14.0/onfido.min.js",
        STEP_OBJECTS,
    ),
    "module": (BY_MODULE, "https://sdk.onfido.com/v14/Onfido.js", RUN),
    "npm": (BY_NPM, "", STEPS),
}


@pytest.fixture(scope="module")
def onfido_loader(install_from_npm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onfido")
    install_from_npm(folder, "onfido-sdk-ui@14.80.0")
    return (folder / "node_modules" / "onfido-sdk-ui" / "Onfido.js").read_text("utf-8")


class OnfidoPage:
    """An applicant of the shop, and the page that asks the person."""

    def __init__(self, mock, browser, page, loader):
        self.mock, self.browser, self.page, self.loader = mock, browser, page, loader
        self.applicant = self.post("applicants", first_name="Ada", last_name="Lovelace")["id"]
        self.token = self.post("sdk_token", applicant_id=self.applicant)["token"]
        self.run = None
        if "workflowRunId" in ONFIDO_PAGES[page][2]:
            workflow = "3c9f1b9e-5a0d-4a3e-8a52-0d9d4a0b7c11"
            body = {"applicant_id": self.applicant, "workflow_id": workflow}
            self.run = self.post("workflow_runs", **body)["id"]

    def post(self, path, **body):
        headers = {"Authorization": f"Token token={self.mock.live_key}"}
        answer = requests.post(f"{ONFIDO}/{path}", json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def show(self):
        """Return what the page is told first."""
        script, source, form = ONFIDO_PAGES[self.page]
        form = form.replace("{run}", json.dumps(self.run))
        parameters = OF_ONFIDO.format(token=json.dumps(self.token), form=form)
        with open_shop(b"") as shop:
            shop.answers["/npm"] = lambda: self.loader
            shop.open(self.browser, script.format(source=source, parameters=parameters))
            self.browser.wait("said.length >= 1")
            return self.browser.value("said[0]")

    def verdict(self):
        """Return the verdict on the server: of the run, or of a check of the uploaded pictures."""
        headers = {"Authorization": f"Token token={self.mock.live_key}"}
        if self.run is not None:
            answer = requests.get(f"{ONFIDO}/workflow_runs/{self.run}", headers=headers, timeout=30)
            return answer.json()["status"]
        names = ["document", "facial_similarity_photo"]
        check = self.post("checks", applicant_id=self.applicant, report_names=names)
        answer = requests.get(f"{ONFIDO}/checks/{check['id']}", headers=headers, timeout=30)
        return answer.json()["result"]


@pytest.fixture
def onfido_page(request, mock_door, browser_behind_door, onfido_loader):
    return OnfidoPage(mock_door.of("onfido"), browser_behind_door, request.param, onfido_loader)


every_onfido_page = pytest.mark.parametrize("onfido_page", ONFIDO_PAGES, indirect=True)


@every_onfido_page
@pytest.mark.parametrize(
    ("document", "of_run", "of_check"),
    [("p1", "approved", "clear"), ("p2", "declined", "consider")],
)
def test_page_with_onfidos_script_completes_and_the_server_has_the_verdict(
    onfido_page, document, of_run, of_check
):
    onfido_page.mock.control.sessions.on_open(outcome="p1", document=document)
    callback, data = onfido_page.show()
    assert callback == "onComplete"
    if onfido_page.run is None:
        assert set(data) == {"document_front", "face"}
        assert onfido_page.verdict() == of_check
    else:
        assert data == {}
        assert onfido_page.verdict() == of_run
    assert onfido_page.browser.result("handle.tearDown().then(() => true)")
    assert onfido_page.browser.value("document.querySelectorAll('iframe').length") == 0


@every_onfido_page
def test_page_with_onfidos_script_hears_that_the_person_left(onfido_page):
    onfido_page.mock.control.sessions.on_open(outcome="abandon")
    assert onfido_page.show() == ["onUserExit", "user_exit"]
    if onfido_page.run is not None:
        assert onfido_page.verdict() == "abandoned"


@every_onfido_page
def test_page_with_onfidos_script_hears_that_its_token_expired(onfido_page):
    onfido_page.mock.control.advance(5_401)
    assert onfido_page.show() == ["onError", "expired_token"]


@every_onfido_page
def test_page_with_onfidos_script_hears_of_a_wrong_token_and_of_failed_attempts(onfido_page):
    onfido_page.mock.control.sessions.on_open(outcome="fail_attempt")
    token, onfido_page.token = onfido_page.token, "a-token"
    assert onfido_page.show() == ["onError", "invalid_token"]
    onfido_page.token = token
    callback, data = onfido_page.show()
    if onfido_page.run is None:
        assert (callback, data) == ("onError", "exception")
    else:
        assert (callback, data) == ("onComplete", {})
        assert onfido_page.verdict() == "declined"
