"""The console: a page at ``/`` that shows the calls, sessions and webhooks of a running mock.

The page contains no data. It reads the control API and the paths below, which need the same access.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from operator import attrgetter
from typing import Any

import attrs

from facematch_core import __version__
from facematch_core.base.addresses import MOCK_HEADER
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.claims import JSON, response
from facematch_mock_server.control import Control
from facematch_mock_server.control.api import GUARDS, PREFIX, ControlApi, reply, reply_words
from facematch_mock_server.control.table import to_json_types
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.world.accounts import AccountRef, Accounts
from facematch_mock_server.world.hosted import is_open, page_path

from .copying import copy_as_reply
from .rows import make_row, show_call

#: The prefix of the console's own paths.
PATH = f"{PREFIX}console/"
_SCRIPT = "text/javascript; charset=utf-8"
#: The page and its files, which contain no data: file name and media type by path.
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    f"{PATH}console.mjs": ("console.mjs", _SCRIPT),
    f"{PATH}pure.mjs": ("pure.mjs", _SCRIPT),
    f"{PATH}style.css": ("console.css", "text/css; charset=utf-8"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("Referrer-Policy", "no-referrer"),
    *GUARDS,
    (MOCK_HEADER, __version__),
)
#: Number of polls without events after which a stream sends a comment: about 15 seconds.
_MAX_QUIET_POLLS = 150
#: Maximum number of calls in one event; more would block the event loop.
_MAX_CALLS = 500
#: Maximum number of sessions and deliveries on a page.
_MAX_ROWS = 200
#: Maximum number of digits of a call's number.
_MAX_DIGITS = 15


class Console:
    """The console of one server. Thread-safe."""

    def __init__(self, accounts: Accounts, *, show_pictures: bool = False) -> None:
        self._accounts = accounts
        self._guard = ControlApi(accounts)
        #: If False, each picture is replaced by a drawing of its test card or digest.
        self._shows_pictures = show_pictures

    def handle(self, request: Request) -> Response | None:
        """Handle a request to the console. Return None for other paths."""
        if request.method not in ("GET", "HEAD"):
            return None
        if request.path in _FILES:
            return self._run_guarded(request, lambda: _serve_file(request.path), has_data=False)
        if not request.path.startswith(PATH):
            return None
        # The first part of the path names the method, and the method reads the rest.
        name, _, argument = request.path.removeprefix(PATH).partition("/")
        get = getattr(self, f"_get_{name}", None)
        if get is None:
            return None
        return self._run_guarded(request, lambda: get(request, argument), has_data=True)

    def _run_guarded(
        self, request: Request, work: Callable[[], Response], *, has_data: bool
    ) -> Response:
        """Return the response of `work` if the request may use the console, else a refusal."""
        answer = self._refuse(request, has_data=has_data) or reply(work)
        ours = dict(HEADERS)
        other_headers = [(name, value) for name, value in answer.headers if name not in ours]
        answer.headers = (*other_headers, *HEADERS)
        return answer

    def _refuse(self, request: Request, *, has_data: bool) -> Response | None:
        """Return the refusal of a request that may not use the console, else None."""
        # The page itself needs no token, because the user enters the token there.
        if has_data or self._accounts.control_token is None:
            refusal = self._guard.find_refusal(request)
            if refusal is not None:
                return refusal
        if has_data and _is_from_another_page(request):
            return reply_words(403, "The console accepts requests from its own page only.")
        return None

    def _get_about(self, request: Request, _: str) -> Response:
        """Return the mock's version, the account, and the vendors with their own extensions."""
        about = {
            "version": __version__,
            "show_pictures": self._shows_pictures,
            "account": self._guard.account(request).name,
            "vendors": [
                {
                    "name": vendor.name,
                    "title": vendor.title,
                    "extensions": sorted(vendor.extensions),
                }
                for vendor in self._accounts.vendors.values()
            ],
        }
        return _reply_json(about)

    def _get_events(self, request: Request, _: str) -> Response:
        """Stream the calls after the page's last one, and then new calls, as server-sent events."""
        events = _CallEvents(
            account_ref=self._guard.account(request).ref,
            recognizer=self._accounts.recognizer,
            last_event_id=request.header("last-event-id", ""),
        )
        stream = response(200, "text/event-stream", b"retry: 1000\n\n" + events.poll())
        return attrs.evolve(stream, more=events.poll)

    def _get_calls(self, request: Request, text: str) -> Response:
        """Return one call with its own reply to copy.

        Raise LookupError if the journal does not have it.
        """
        account = self._guard.account(request)
        number = _read_number(text)
        _, _, entries = account.journal.since(number - 1, 1)
        if not entries or entries[0].number != number:
            raise LookupError("there is no such call")
        (entry,) = entries
        call = show_call(entry, self._accounts.recognizer)
        if entry.vendor is not None and entry.status is not None:
            vendor = account.worlds[entry.vendor].behaviour
            call["own_reply"] = copy_as_reply(entry, vendor, call["answer"])
        return _reply_json(call)

    def _get_state(self, request: Request, path: str) -> Response:
        """Return a view's data: the newest rows that match the search."""
        control, view = self._control(request, path)
        clock = control.account.clock
        state: dict[str, Any] = {"now": clock.now(), "stands": not clock.running}
        search_words = dict(request.query).get("search", "").lower().split()
        return _reply_json(to_json_types(state | _STATES[view](control, search_words)))

    def _get_delivery(self, request: Request, path: str) -> Response:
        path, _, number = path.rpartition("/")
        control, _ = self._control(request, f"{path}/webhooks")
        delivery = control.webhooks.delivery(number)
        # The body is ASCII. It is shown exactly as sent, because its bytes are signed.
        return _reply_json({"headers": dict(delivery.headers), "body": delivery.body.decode()})

    def _control(self, request: Request, path: str) -> tuple[Control, str]:
        """Return the control of the vendor, and the name of the view, in ``VENDOR/VIEW``."""
        vendor, _, view = path.partition("/")
        if vendor not in self._accounts.vendors or view not in _STATES:
            raise LookupError("there is no such vendor or view")
        if view not in self._accounts.vendors[vendor].extensions:
            raise LookupError(f"this vendor has no {view}")
        return self._guard.control(request, vendor), view

    def _get_pictures(self, _: Request, digest: str) -> Response:
        content = self._accounts.pictures.find(digest) if self._shows_pictures else None
        if content is None:
            raise LookupError("there is no such picture, or the console shows none")
        # Sent as a download, so that a browser that opens the URL does not render it.
        return response(200, "application/octet-stream", content)


class _CallEvents:
    """The server-sent events of one stream: an account's calls, from the page's last one on.

    An event's id is the journal's run and the number of the event's last call.
    """

    def __init__(
        self, *, account_ref: AccountRef, recognizer: Recognizer, last_event_id: str
    ) -> None:
        """Go on after the event that a page has seen last; an empty id is a new page."""
        self._account_ref = account_ref
        self._recognizer = recognizer
        run, _, number = last_event_id.partition(":")
        #: The journal that the page shows; another one is new, or was cleared.
        self._run = run
        #: The number of the last call that the page has.
        self._last_number = _read_number(number) if number else 0
        #: The number of polls since the last event or comment.
        self._quiet_polls = 0

    def poll(self) -> bytes:
        """Return the new events, or a comment after a long silence, or else nothing."""
        events = self._encode_new_events()
        if events:
            self._quiet_polls = 0
            return events.encode()
        self._quiet_polls += 1
        if self._quiet_polls <= _MAX_QUIET_POLLS:
            return b""
        self._quiet_polls = 0
        return b": alive\n\n"

    def _encode_new_events(self) -> str:
        """Return the events since the last poll; an empty text if there are none.

        A cleared journal is an event of its own, after which numbers begin anew.
        """
        account = self._account_ref.account
        # The account was removed.
        if account is None:
            return ""
        number = self._last_number if account.journal.run == self._run else 0
        run, newest, calls = account.journal.since(number, _MAX_CALLS)
        events = ""
        if run != self._run:
            self._run = run
            self._last_number = 0
            # The page announces only calls after the newest one so far.
            events += f'event: cleared\nid: {run}:0\ndata: {{"last": {newest}}}\n\n'
        if calls:
            self._last_number = calls[-1].number
            rows = json.dumps([make_row(call, self._recognizer) for call in calls])
            events += f"event: calls\nid: {run}:{self._last_number}\ndata: {rows}\n\n"
        return events


def _serve_file(path: str) -> Response:
    file_name, media_type = _FILES[path]
    content = resources.files(__package__).joinpath(file_name).read_bytes()
    return response(200, media_type, content)


def _find_newest(
    rows: Iterable[Any], searched: attrgetter[Any], search_words: Sequence[str]
) -> dict[str, Any]:
    """Return the newest rows whose searched attributes contain all words, and the total number."""
    matches = list(rows)
    if search_words:
        matches = [row for row in matches if _contains_all(searched(row), search_words)]
    return {"total": len(matches), "newest": matches[-_MAX_ROWS:]}


def _contains_all(values: Iterable[object], search_words: Sequence[str]) -> bool:
    text = " ".join(map(str, values)).lower()
    return all(search_word in text for search_word in search_words)


def _sessions_state(control: Control, search_words: Sequence[str]) -> dict[str, Any]:
    """Return the newest sessions with the page of each open one and what each was charged."""
    state = _find_newest(control.sessions.all(), _SEARCHED_IN_SESSION, search_words)
    world = control.world
    # The charge of a session has the session's id; a free session has no charge.
    charges = {charge.request_id: charge for charge in world.ledger.charges.all()}
    # The paths of the pages on which a tester plays the person.
    pages = {}
    charged = {}
    for session in state["newest"]:
        if is_open(world, session):
            pages[session.id] = page_path(world, session)
        if session.id in charges:
            charged[session.id] = f"{charges[session.id].amount:.4f}"
    return {**state, "pages": pages, "charged": charged}


def _webhooks_state(control: Control, search_words: Sequence[str]) -> dict[str, Any]:
    destinations = control.webhooks.destinations()
    due_deliveries = control.webhooks.due()
    state = _find_newest(control.webhooks.deliveries(), _SEARCHED_IN_DELIVERY, search_words)
    return {"destinations": destinations, "due": due_deliveries, **state}


_SEARCHED_IN_SESSION = attrgetter("number", "id", "status", "service", "vendor_data")
_SEARCHED_IN_DELIVERY = attrgetter(
    "event", "state", "session_id", "status", "url", "session.vendor_data"
)
#: The functions that return each view's data.
_STATES = {"sessions": _sessions_state, "webhooks": _webhooks_state}


def _is_from_another_page(request: Request) -> bool:
    origin = request.header("origin")
    if origin is not None and origin.partition("://")[2] != request.header("host"):
        return True
    return request.header("sec-fetch-site") in ("cross-site", "same-site")


def _reply_json(value: object) -> Response:
    return response(200, JSON, json.dumps(value).encode())


def _read_number(text: str) -> int:
    """Return a call's number. Raises LookupError for a text that is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise LookupError("there is no such call")
    return int(text)
