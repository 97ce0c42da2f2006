"""The page of a hosted session, where a tester plays the person: plain forms.

As with the vendor's page, anybody with the URL can act as the person. If the vendor's web SDK shows
the page in a frame, a script tells the SDK what happened.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any
from urllib.parse import quote

from facematch_mock_server.base.messages import PERSON, FormError, Request, Response, read_form
from facematch_mock_server.control.api import GUARDS, MISTAKES
from facematch_mock_server.pages import console, web
from facematch_mock_server.recognition.ready import READY
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import Accounts, World
from facematch_mock_server.world.sessions import Session

_POLICY = "Content-Security-Policy"
#: Headers of all responses. Chromium also applies `form-action` to redirects after a form.
_HEADERS = {
    **dict(GUARDS),
    _POLICY: "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self' http: https:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
#: The policy of what a vendor's web SDK may show in a frame, in a page of these origins.
_FRAMED_POLICY = _HEADERS[_POLICY].replace(
    "frame-ancestors 'none'",
    "frame-ancestors {ancestors}; script-src 'self'",
)
#: What has happened when one of these actions ended the session; after any other: ``finished``.
_ENDS = {"abandon": "left", "expire": "expired"}
#: The page's title and the form's fields (by argument of `hosted.act`), by kind of workflow.
_ASKS = {
    "biometric": ("Show your face", {"card": "face"}),
    "kyc": ("Show your face and your document", {"card": "face", "document": "document"}),
}
#: Matches a URL to which the page may redirect; the group is the part that the page shows.
_ADDRESS = re.compile(
    r"(?i)(https?://[^\s/?#\\]+|(?!(?:https?|javascript|data|blob|file|vbscript):)[a-z][a-z0-9+.-]*:)"
    r"[^\x00-\x20\x7f]*"
)
#: The path of a page that a vendor's web SDK has opened: the account, and the vendor.
_WEB_SDK_PATH = re.compile(re.escape(PERSON) + "([^/]+)/web/([a-z]+)/session/[^/]+")
#: The status, title and advice of each refusal.
_REFUSALS = {
    "off": (404, "This page is switched off", "Start the mock with facematch mock --person-page."),
    "unknown": (404, "There is no such session", "Ask the application for a new one."),
    "over": (410, "This session is over", "Ask the application for a new one."),
    "form": (403, "This form is refused", "Use a browser, or POST to /__mock__/sessions/act."),
}


class _Html(str):
    """HTML that is inserted unchanged; other text is escaped."""

    __slots__ = ()


class _Refusal(Exception):
    """Raised with a key of `_REFUSALS`, and with the script of the page, if it has one."""

    def __init__(self, key: str, script: str = "") -> None:
        super().__init__(key)
        self.key = key
        self.script = script


class PersonPage:
    """The pages of all hosted sessions of one server. Thread-safe."""

    def __init__(self, accounts: Accounts, *, is_on: bool) -> None:
        self._accounts = accounts
        self._is_on = is_on
        self._secret = secrets.token_bytes(32)

    def handle(self, request: Request) -> Response:
        """Return the complete response. The request is not recorded in the journal."""
        try:
            return self._answer(request)
        except _Refusal as refusal:
            return self._reply_refusal(request.path, refusal)

    def _reply_refusal(self, path: str, refusal: _Refusal) -> Response:
        """Return the page with a refusal, which a vendor's web SDK is told, too.

        A frame shows it: a blocked one would not say that the session is over.
        """
        account = self._accounts.main
        script = refusal.script
        opened_by_sdk = _WEB_SDK_PATH.fullmatch(path)
        if opened_by_sdk is not None:
            account_name, vendor_name = opened_by_sdk.groups()
            account = self._accounts.find(account_name) or account
            if web.has_script(vendor_name):
                script = script or _fill("refused.html", vendor=vendor_name, moment=refusal.key)
        status, title, advice = _REFUSALS[refusal.key]
        framing = _allow_frames(account.frame_ancestors)
        return _reply_page(status, title, advice, script, **framing)

    def _answer(self, request: Request) -> Response:
        """Return the page on which a tester plays the person, or what an act on it leads to.

        Raise `_Refusal` if the pages are off, or for a link that is unknown or over. Opening the
        page begins the session, unless a web SDK loads it in advance.
        """
        if not self._is_on:
            raise _Refusal("off")
        first_segment, _, path_below_account = request.path.removeprefix(PERSON).partition("/")
        if not path_below_account:
            return _reply_file(first_segment)
        account = self._accounts.find(first_segment)
        if account is None:
            raise _Refusal("unknown")
        token = path_below_account.split("session/")[-1]
        session_with_world = hosted.find_by_page_token(account, token)
        if session_with_world is None:
            raise _Refusal("unknown")
        world, session = session_with_world
        if not hosted.is_open(world, session):
            is_only_link_over = session.status in world.behaviour.session_rules.open_statuses
            raise _Refusal("over", _script(world, session, "expired") if is_only_link_over else "")
        if request.method == "POST":
            return self._act(request, world, session)
        if request.method == "GET" and _WEB_SDK_PATH.fullmatch(request.path) is None:
            # A HEAD request does not start the session, and a web SDK may load the page in advance.
            with contextlib.suppress(*MISTAKES):  # It may have ended meanwhile.
                session = hosted.act(world, session.id, "begin")
        return self._show(world, session, _count_attempts(session), "opened")

    def _act(self, request: Request, world: World, session: Session) -> Response:
        """Perform the action of the button that was pressed."""
        try:
            form = read_form(request.header("content-type", ""), request.body)
        except FormError:
            raise _Refusal("form") from None
        texts = form.texts
        _, _, host = request.header("origin", "").partition("://")
        if host != request.header("host"):
            raise _Refusal("form")
        form_token = texts.get("form_token", "").encode()
        if not hmac.compare_digest(form_token, self._form_token(session).encode()):
            raise _Refusal("form")
        action = texts.get("do", "")
        pictures: dict[str, Any] = {}
        if action == "card":
            _, fields = _ASKS[hosted.hosted_of(session).kind]
            # Use the picture that the tester uploaded, or else the name of a card.
            for name, field in fields.items():
                uploads = form.files.get(f"{field}_picture")
                pictures[name] = uploads[-1].content if uploads else texts.get(field)
        try:
            session = hosted.act(world, session.id, action, **pictures)
        except MISTAKES as error:
            return self._show(world, session, str(error), "refused", 400)
        # Browsers send the header to loopback and over TLS. The field needs the script, which may
        # not have run when a test presses a button.
        is_framed = "iframe" in (request.header("sec-fetch-dest"), texts.get("framed"))
        return self._reply_to_action(request, world, session, action, is_framed=is_framed)

    def _reply_to_action(
        self, request: Request, world: World, session: Session, action: str, *, is_framed: bool
    ) -> Response:
        """Return what the browser shows after an action."""
        if action == "abandon" and hosted.is_open(world, session):
            # At some vendors the session goes on; `on_open` must not act in it again at once.
            if is_framed:
                return _end_in_frame(world, session, "left")
            message = "The session is still open: open its page again to continue."
            return _reply_page(200, "You walked away", message)
        if not hosted.is_open(world, session):
            if is_framed:
                return _end_in_frame(world, session, _ENDS.get(action, "finished"))
            return _leave(world, session)
        if is_framed:
            return self._show(world, session, _count_attempts(session), "tried")
        # Redirect to the page, so that a reload does not repeat the action.
        _, mark, query = request.target.partition("?")
        return _reply(303, Location=f"{quote(request.path)}{mark}{query}")

    def _show(
        self, world: World, session: Session, message: str, moment: str, status: int = 200
    ) -> Response:
        """Return the page with the form for a session, and a message above it.

        `moment` is what has just happened: ``opened``, ``tried`` or ``refused``.
        """
        facts = hosted.hosted_of(session)
        title, fields = _ASKS[facts.kind]
        kind = facts.kind
        if facts.scenario:
            kind = f"{facts.kind}, decided by {facts.scenario}"
        callback = _ADDRESS.fullmatch(facts.callback or "")
        choices = [_choose(field) for field in fields.values()]
        message = message or hosted.find_other_name(world, session) or ""
        content = _fill(
            "form.html",
            kind=kind,
            vendor=world.vendor.title,
            session=session.id,
            reference=session.vendor_data or "none",
            back=callback[1] if callback else "nowhere",
            until=f"{facts.expires_at:%Y-%m-%d %H:%M} UTC",
            form_token=self._form_token(session),
            choices=_Html("".join(choices)),
        )
        # With no-referrer, browsers would send the form without its origin.
        headers = {"Referrer-Policy": "same-origin", **_framing(world)}
        content = _Html(content + _script(world, session, moment))
        act = _act_on_open(world, session)
        if act and moment != "refused":
            content = _Html(content + act)
            headers.setdefault(_POLICY, f"{_HEADERS[_POLICY]}; script-src 'self'")
        return _reply_page(status, title, message, content, **headers)

    def _form_token(self, session: Session) -> str:
        return hmac.digest(self._secret, session.id.encode(), "sha256").hex()


def _count_attempts(session: Session) -> str:
    attempts = hosted.hosted_of(session).attempts
    return f"Attempt {attempts} failed. You can try again." if attempts else ""


def _framing(world: World) -> dict[str, str]:
    """Return the header that lets the vendor's web SDK show the page, if the vendor has one."""
    if not web.has_script(world.vendor.name):
        return {}
    return _allow_frames(world.account.frame_ancestors)


def _allow_frames(origins: Sequence[str]) -> dict[str, str]:
    """Return the header that lets pages of these origins show the page in a frame."""
    ancestors = " ".join(origins) or "'none'"
    return {_POLICY: _FRAMED_POLICY.format(ancestors=ancestors)}


def _act_on_open(world: World, session: Session) -> str:
    """Return the element of the script that acts by itself; empty if a click is waited for."""
    rule = world.acts_on_open.get(session.id) or world.acts_on_open.get(None)
    if rule is None:
        return ""
    outcome = rule.at_attempt(hosted.hosted_of(session).attempts)
    if outcome not in READY:
        return _fill("act.html", outcome=outcome, face="", document="")
    return _fill("act.html", outcome="card", face=outcome, document=rule.document or outcome)


def _script(world: World, session: Session, moment: str) -> _Html:
    """Return the element of the script that speaks to the vendor's web SDK, if it has one."""
    if not web.has_script(world.vendor.name):
        return _Html()
    facts = world.behaviour.session_rules.facts_for_web_sdk(session)
    return _fill(
        "script.html",
        vendor=world.vendor.name,
        moment=moment,
        session=session.id,
        status=session.status,
        attempts=hosted.hosted_of(session).attempts,
        workflow=hosted.hosted_of(session).workflow or "",
        facts=json.dumps(facts),
    )


def _end_in_frame(world: World, session: Session, moment: str) -> Response:
    """Return the last page of a frame; `moment` is ``finished``, ``left`` or ``expired``."""
    script = _script(world, session, moment)
    message = "The page around this one goes on."
    return _reply_page(200, f"Finished: {session.status}", message, script, **_framing(world))


def _leave(world: World, session: Session) -> Response:
    """Redirect the person to the callback, as the vendor does."""
    address = world.behaviour.session_rules.return_url(session) or ""
    link = _ADDRESS.fullmatch(address)
    title = f"Finished: {session.status}"
    # Headers must be ASCII.
    address = quote(address, safe="%/:?#[]@!$&'()*+,;=~|")
    if link is None:
        return _reply_page(200, title, "There is no callback: return to the application yourself.")
    if link[1].lower().startswith(("http:", "https:")):
        return _reply(303, Location=address)
    # If no app opens the link, the browser stays on this page.
    content = _Html(f'<p><a href="{escape(address)}">Back to the app</a></p>')
    return _reply_page(200, title, "", content, Refresh=f"0; url={address}")


def _choose(field: str) -> str:
    """Return the form's inputs for the face or the document: a card or an uploaded picture."""
    rows: list[str] = []
    for card in READY.values():
        # The first card is chosen until the tester chooses another one.
        mark = "" if rows else "checked"
        rows.append(_fill("card.html", field=field, name=card.name, says=card.says, mark=mark))
    return _fill("choice.html", field=field, cards=_Html("".join(rows)))


@functools.cache
def _read(file_name: str) -> str:
    return resources.files(__package__).joinpath(file_name).read_text("utf-8")


def _fill(file_name: str, **values: object) -> _Html:
    texts: dict[str, str] = {}
    for name, value in values.items():
        texts[name] = value if isinstance(value, _Html) else escape(str(value))
    return _Html(Template(_read(file_name)).substitute(texts))


def _reply_file(file_name: str) -> Response:
    """Serve the pages' style sheet and test cards."""
    if file_name == "style.css":
        styles = resources.files(console).joinpath("console.css").read_text("utf-8")
        return _reply(200, "text/css", f"{styles}{_read('person.css')}".encode())
    script = web.read_script(file_name)
    if script is not None:
        return _reply(200, "text/javascript", script)
    card = READY.get(file_name.removesuffix(".png"))
    if card is None:
        raise _Refusal("unknown")
    return _reply(200, "image/png", card.data)


def _reply_page(
    status: int, title: str, message: str, content: str = "", **headers: str
) -> Response:
    page = _fill("page.html", title=title, words=message, content=content)
    return _reply(status, "text/html; charset=utf-8", page.encode(), **headers)


def _reply(
    status: int, media_type: str = "text/html", body: bytes = b"", **headers: str
) -> Response:
    all_headers = {"Content-Type": media_type, **_HEADERS, **headers}
    return Response(status=status, headers=tuple(all_headers.items()), body=body)
