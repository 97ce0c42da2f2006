"""The console: a page at ``/`` that shows the calls, sessions and webhooks of a running mock.

The page contains no data. It reads the control API and the paths below, which need the same access.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import resources
from operator import attrgetter
from typing import Any

import attrs

from facematch_core import __version__
from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.base.nesting import load_json
from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.claims import JSON, response
from facematch_mock_server.control import Control
from facematch_mock_server.control.api import GUARDS, PREFIX, ControlApi, reply, reply_words
from facematch_mock_server.control.table import to_json_types
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.world.accounts import Accounts
from facematch_mock_server.world.hosted import is_open, page_path
from facematch_mock_server.world.journal import Entry

#: The prefix of the console's own paths.
PATH = f"{PREFIX}console/"
_SCRIPT = "text/javascript; charset=utf-8"
#: The page and its files, which contain no data.
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
_QUIET = 150
#: Maximum number of calls in one event; more would block the event loop.
_BATCH = 500
#: Maximum number of sessions and deliveries on a page.
_ROWS = 200


class Console:
    """The console of one server. Thread-safe."""

    def __init__(self, accounts: Accounts, *, show_pictures: bool = False) -> None:
        self._accounts = accounts
        self._guard = ControlApi(accounts)
        #: If False, each picture is replaced by a drawing of its test card or digest.
        self._shows_pictures = show_pictures

    def handle(self, request: Request) -> Response | None:
        """Handle a request to the console. Return None for other paths."""
        path, method = request.path, request.method
        if path in _FILES and method in ("GET", "HEAD"):
            file_name, kind = _FILES[path]
            file = resources.files(__package__).joinpath(file_name)
            return self._run_guarded(
                request, lambda: response(200, kind, file.read_bytes()), has_data=False
            )
        name, _, rest = path.removeprefix(PATH).partition("/")
        is_mine = path.startswith(PATH) and method in ("GET", "HEAD")
        verb = getattr(self, f"_get_{name}", None) if is_mine else None
        if verb is None:
            return None
        return self._run_guarded(request, lambda: verb(request, rest))

    def _run_guarded(
        self, request: Request, work: Callable[[], Response], *, has_data: bool = True
    ) -> Response:
        """Return the response of `work` if the request may use the console, else a refusal."""
        refusal = None
        # The page needs no token, because the user enters the token there.
        if has_data or self._accounts.control_token is None:
            refusal = self._guard.refuse(request)
        if refusal is None and has_data and _is_from_another_page(request):
            refusal = reply_words(403, "The console accepts requests from its own page only.")
        answer = refusal or reply(work)
        kept = [(name, text) for name, text in answer.headers if name not in dict(HEADERS)]
        answer.headers = (*kept, *HEADERS)
        return answer

    def _get_about(self, request: Request, _: str) -> Response:
        about = {
            "version": __version__,
            "show_pictures": self._shows_pictures,
            "account": self._guard.account(request).name,
            "vendors": [
                {"name": kind.name, "title": kind.title, "extensions": sorted(kind.extensions)}
                for kind in self._accounts.vendors.values()
            ],
        }
        return _reply_json(about)

    def _get_events(self, request: Request, _: str) -> Response:
        """Stream the calls after the page's last one, and then new calls, as server-sent events."""
        # An event's id is the journal's run and the event's last call number. `cleared` contains
        # the newest number so far, because the page announces only later calls.
        run, _, number = (request.header("last-event-id") or "").partition(":")
        at = _read_number(number) if number else 0
        ref, quiet = self._guard.account(request).ref, 0

        def more() -> bytes:
            nonlocal run, at, quiet
            events, account = "", ref.account
            if account is not None:
                now, last, calls = account.journal.since(
                    at if run == account.journal.run else 0, _BATCH
                )
                if now != run:
                    run, at = now, 0
                    events += f'event: cleared\nid: {run}:0\ndata: {{"last": {last}}}\n\n'
                if calls:
                    at = calls[-1].number
                    rows = [make_row(entry, self._accounts.recognizer) for entry in calls]
                    events += f"event: calls\nid: {run}:{at}\ndata: {json.dumps(rows)}\n\n"
            quiet = 0 if events or quiet == _QUIET else quiet + 1
            return (events or ("" if quiet else ": alive\n\n")).encode()

        stream = response(200, "text/event-stream", b"retry: 1000\n\n" + more())
        return attrs.evolve(stream, more=more)

    def _get_calls(self, request: Request, number: str) -> Response:
        account, wanted = self._guard.account(request), _read_number(number)
        _, _, entries = account.journal.since(wanted - 1, 1)
        if not entries or entries[0].number != wanted:
            raise LookupError("there is no such call")
        return _reply_json(show_call(entries[0], self._accounts.recognizer))

    def _get_state(self, request: Request, path: str) -> Response:
        """Return a view's data: the newest rows that match the search."""
        control, view = self._control(request, path)
        clock = control.account.clock
        state: dict[str, Any] = {"now": clock.now(), "stands": not clock.running}
        words = dict(request.query).get("search", "").lower().split()
        return _reply_json(to_json_types(state | _STATES[view](control, words)))

    def _get_delivery(self, request: Request, path: str) -> Response:
        path, _, number = path.rpartition("/")
        delivery = self._control(request, f"{path}/webhooks")[0].webhooks.delivery(number)
        # The body is ASCII. It is shown exactly as sent, because its bytes are signed.
        return _reply_json({"headers": dict(delivery.headers), "body": delivery.body.decode()})

    def _control(self, request: Request, path: str) -> tuple[Control, str]:
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


def _find_newest(
    rows: Iterable[Any], show: attrgetter[Any], words: Sequence[str]
) -> dict[str, Any]:
    """Return the newest rows that contain all words, and the number of all such rows."""
    texts = ((row, " ".join(map(str, show(row))).lower() if words else "") for row in rows)
    fitting = [row for row, text in texts if all(word in text for word in words)]
    return {"total": len(fitting), "newest": fitting[-_ROWS:]}


def _sessions_state(control: Control, words: Sequence[str]) -> dict[str, Any]:
    state, world = _find_newest(control.sessions.all(), _OF_SESSION, words), control.world
    # The URLs of the pages on which a tester plays the person.
    pages = {each.id: page_path(world, each) for each in state["newest"] if is_open(world, each)}
    # The charge of a session has the session's id; a free session has no charge.
    charges = {charge.request_id: charge for charge in world.ledger.charges.all()}
    charged = {
        each.id: f"{charges[each.id].amount:.4f}" for each in state["newest"] if each.id in charges
    }
    return {**state, "pages": pages, "charged": charged}


def _webhooks_state(control: Control, words: Sequence[str]) -> dict[str, Any]:
    destinations, due = control.webhooks.destinations(), control.webhooks.due()
    state = _find_newest(control.webhooks.deliveries(), _OF_DELIVERY, words)
    return {"destinations": destinations, "due": due, **state}


#: The attributes that a search covers.
_OF_SESSION = attrgetter("number", "id", "status", "service", "vendor_data")
_OF_DELIVERY = attrgetter(*("event", "state", "session_id", "status", "url", "session.vendor_data"))
#: The functions that return each view's data.
_STATES = {"sessions": _sessions_state, "webhooks": _webhooks_state}


def _is_from_another_page(request: Request) -> bool:
    origin, site = request.header("origin"), request.header("sec-fetch-site")
    is_other = origin is not None and origin.partition("://")[2] != request.header("host")
    return is_other or site in ("cross-site", "same-site")


def _reply_json(value: Any) -> Response:
    return response(200, JSON, json.dumps(value).encode())


def _read_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise LookupError("there is no such call")
    return int(text)


#: Attributes that are copied from an entry to its row.
_ENTRY = ("method", "path", "status", "vendor", "key", "note")
#: Maximum number of fields that the list shows for a call.
_FIELDS = 30
#: Maximum length of a response to parse.
_LONGEST = 64 * 1024
#: Names of scores, verdicts and reasons in responses; the outermost field is shown. A confidence
#: next to a verdict is a score; any other belongs to a detection.
_SCORES = ("score", "similarity", "Similarity")
_VERDICTS = ("status", "match", "is_live", "isIdentical")
_REASONS = ("mock", "detail", "message", "Message")


def make_row(entry: Entry, recognizer: Recognizer) -> dict[str, Any]:
    """Return the row that the list shows for a journal entry."""
    answer, charge, files = _read_answer(entry), entry.charge, entry.files
    cards = [recognizer.card_of(file.digest or "") for file in files]
    is_refused = entry.status is not None and entry.status >= 400
    judges = bool(files) or (isinstance(answer, dict) and "isIdentical" in answer)
    judged = answer if judges and not is_refused else None
    return {
        "number": entry.number,
        "at": entry.at.isoformat(timespec="milliseconds"),
        **{name: getattr(entry, name) for name in _ENTRY},
        "ms": None if entry.ms is None else round(entry.ms, 2),
        "verdict": _find_nearest(judged, _VERDICTS, (str, bool)),
        "score": _find_score(judged),
        "reason": _find_reason(answer) if is_refused else None,
        "charged": None if charge is None else f"{charge.amount:.4f}",
        "left": None if charge is None else f"{charge.balance:.4f}",
        "pictures": [
            {"field": file.field, "digest": file.digest, "card": card and attrs.asdict(card)}
            for file, card in zip(files, cards, strict=True)
        ],
        "fields": dict(itertools.islice(entry.fields.items(), _FIELDS)),
    }


def show_call(entry: Entry, recognizer: Recognizer) -> dict[str, Any]:
    """Return a call with the headers and body of its response. Secrets are masked."""
    response, answer, whole = entry.answer, _read_answer(entry), entry.to_dict()
    headers = {} if response is None else mask_and_shorten(response.headers)
    shown: Any = None if answer is None else _shorten_for_console("", answer)
    if response is not None and answer is None:
        shown = f"<{len(response.body):,} bytes of {response.header('content-type') or 'nothing'}>"
    return {
        **make_row(entry, recognizer),
        **{name: whole[name] for name in ("fields", "files", "claims")},
        "answer": shown,
        "answered": response
        and {name: "***" if "cookie" in name.lower() else headers[name] for name in headers},
    }


def _read_answer(entry: Entry) -> Any:
    response = entry.answer
    if response is None or "json" not in (response.header("content-type") or ""):
        return None
    try:
        text = response.body if len(response.body) <= _LONGEST else b""
        # Browsers cannot parse infinities in JSON.
        return load_json(
            text, parse_constant=str, parse_float=lambda x: float(x) if float(x) < math.inf else x
        )
    except ValueError:
        return None


def _walk_objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in `value`, outermost first."""
    level = [value]
    while level:
        objects = [inner for inner in level if isinstance(inner, dict)]
        yield from objects
        lists = [inner for inner in level if isinstance(inner, list)]
        inside = (*(each.values() for each in objects), *lists)
        level = [*itertools.chain.from_iterable(inside)]


def _find_nearest(value: Any, names: tuple[str, ...], kinds: tuple[type, ...]) -> Any:
    """Return the outermost value that has one of these names and types, or None."""
    for values, name in ((values, name) for values in _walk_objects(value) for name in names):
        if name in values and (values[name] is None or isinstance(values[name], kinds)):
            return values[name]
    return None


def _find_score(answer: Any) -> Any:
    score = _find_nearest(answer, _SCORES, (int, float))
    judged = (values for values in _walk_objects(answer) if {*_VERDICTS} & {*values})
    confidences = (values.get("confidence") for values in judged)
    beside = (number for number in confidences if isinstance(number, (int, float)))
    return next(beside, None) if score is None else score


def _find_reason(answer: Any) -> str | None:
    reason = _find_nearest(answer, _REASONS, (str,))
    while reason is None and isinstance(answer, (dict, list)) and answer:
        # The object may map fields to errors.
        answer = next(iter(answer.values() if isinstance(answer, dict) else answer))
        reason = answer if isinstance(answer, str) else None
    return None if reason is None else mask_and_shorten((("reason", reason),))["reason"]


def _shorten_for_console(name: str, value: Any) -> Any:
    """Shorten texts in JSON as the journal does. Treat long texts without spaces as pictures."""
    if isinstance(value, dict):
        return {
            str(key)[:80]: _shorten_for_console(str(key), inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_shorten_for_console(name, inner) for inner in value[:100]]
    if not isinstance(value, str):
        return value
    if (len(value) > 400 and " " not in value) or "\ufffd" in value:
        return f"<picture of {len(value):,} characters>"
    return mask_and_shorten(((name, value),)).popitem()[1]
