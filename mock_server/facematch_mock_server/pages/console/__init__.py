"""The console: a page at ``/`` on which people watch a running mock.

The page holds no data: the control API, and the paths here, guarded like it, give what it shows."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from facematch_core import __version__
from facematch_core.base.addresses import MOCK_HEADER
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.http.control import GUARDS, MISTAKES, PREFIX, ControlApi, reply_mistake
from facematch_mock_server.world.accounts import Account, Accounts, Place
from facematch_mock_server.world.hosted import is_open, page_path
from facematch_mock_server.world.journal import Entry

from .calls import ANSWER_BYTES, SENT_BYTES, Feed, Newest, list_rows, show_call

if TYPE_CHECKING:
    from facematch_mock_server.control import Control

_T = TypeVar("_T")

#: Where the console's own paths begin.
PATH = f"{PREFIX}console/"
_SCRIPT = "text/javascript; charset=utf-8"
#: The page and what it loads: they hold no data, and are the same for everybody.
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
#: An event stream without news says that it is alive after so many looks, some 15 seconds.
_QUIET = 150
#: Accounts, sessions and deliveries that the page shows at once.
_ROWS = 200


class Console:
    """The console of one server. Safe across threads."""

    def __init__(self, accounts: Accounts, *, show_pictures: bool = False) -> None:
        self._accounts = accounts
        self._guard = ControlApi(accounts)
        # Of all accounts together.
        self._sent = Newest(SENT_BYTES, "body")
        self._answered = Newest(ANSWER_BYTES, "headers", "response")
        self._lock = threading.Lock()
        self._feeds: dict[Place, Feed] = {}
        #: Else a drawing of what a test card says, or of the digest, stands for a picture.
        self._shows_pictures = show_pictures
        self._handling = threading.local()
        accounts.on_entry = self._hear

    def handle(self, request: Request, answer: Callable[[Request], Response]) -> Response:
        """The console's own answer, or that of `answer`, which is put beside its entry."""
        if request.is_for_mock:
            response = self._answer(request)
            return answer(request) if response is None else response
        handling, executed, entries = self._handling, None, list[tuple[Place, Entry]]()
        handling.entries, start = entries, time.perf_counter()
        try:
            response = answer(request)
            # Where a fault sent another answer, that of the call is beside its entry.
            executed = response.instead_of or response
            return response
        finally:
            ms, handling.entries = (time.perf_counter() - start) * 1000, None
            for place, entry in entries:
                self._feed_of(place).add(entry, request, executed, ms)

    def _hear(self, place: Place, entry: Entry | None) -> None:
        """Called by a journal: what this thread is answering waits for its answer."""
        entries = getattr(self._handling, "entries", None)
        if entry is None:
            if (feed := self._feeds.get(place)) is not None:
                feed.clear()
        elif entries is not None:
            entries.append((place, entry))
        else:
            self._feed_of(place).add(entry)

    def _feed_of(self, place: Place) -> Feed:
        """The calls of an account; those of accounts that nobody can look at are forgotten."""
        with self._lock:
            if place not in self._feeds:
                accounts = (*self._accounts.all, *self._accounts.closed)
                for gone in {*self._feeds} - {account.place for account in accounts}:
                    self._feeds.pop(gone).clear()
                self._feeds[place] = Feed(self._sent, self._answered)
            return self._feeds[place]

    def _find_account(self, request: Request) -> tuple[Account, Feed]:
        account = self._guard.account(request)
        return account, self._feed_of(account.place)

    def _answer(self, request: Request) -> Response | None:
        """The answer of a path of the console; None for other paths."""
        path, method = request.path, request.method
        if path in _FILES and method in ("GET", "HEAD"):
            from importlib import resources  # not above: 2 ms of a start

            file_name, kind = _FILES[path]
            file = resources.files(__package__).joinpath(file_name)
            return self._run_guarded(
                request, lambda: _reply_page(kind, file.read_bytes()), has_data=False
            )
        name, _, rest = path.removeprefix(PATH).partition("/")
        is_mine = path.startswith(PATH) and method in ("GET", "HEAD" if name == "cards" else "GET")
        verb = getattr(self, f"_get_{name}", None) if is_mine else None
        if verb is None:
            return None
        is_card = name == "cards" and rest != ""
        return self._run_guarded(request, lambda: verb(request, rest), has_data=not is_card)

    def _run_guarded(
        self, request: Request, work: Callable[[], _T], *, has_data: bool = True
    ) -> _T | Response:
        """What `work` gives to whoever may use the console; else, or if it fails, a refusal."""
        refusal = None
        # What has no data is for everybody beyond the loopback, where the page asks for the token.
        if has_data or self._accounts.control_token is None:
            refusal = self._guard.refuse(request)
        if refusal is None and has_data and _is_of_another_page(request):
            refusal = _reply_json({"mock": "The console answers its own page only."}, 403)
        if refusal is None:
            try:
                return work()
            except MISTAKES as error:
                refusal = reply_mistake(error)
        kept = [(name, text) for name, text in refusal.headers if name not in dict(HEADERS)]
        refusal.headers = (*kept, *HEADERS)
        return refusal

    def _get_about(self, request: Request, _: str) -> Response:
        account = self._find_account(request)[0]
        about = {
            "version": __version__,
            "show_pictures": self._shows_pictures,
            "account": self._account_row(account),
            "vendors": [
                {"name": kind.name, "title": kind.title, "edition": account.world(name).edition,
                    "extensions": sorted(kind.extensions)}
                for name, kind in self._accounts.kinds.items()
            ],
        }  # fmt: skip
        return _reply_json(about)

    def _get_accounts(self, request: Request, _: str) -> Response:
        """The accounts whose name has what is searched for: those with the newest calls."""
        text = dict(request.query).get("search", "").lower()
        # An address leads to the newest one of a name.
        accounts = (*self._accounts.closed, *self._accounts.all)
        named = {account.name: account for account in accounts if text in account.name.lower()}
        rows = [self._account_row(account) for account in named.values()]
        rows.sort(key=lambda row: row["last"] or row["opened"], reverse=True)
        return _reply_json({"accounts": rows[:_ROWS], "total": len(rows)})

    def _account_row(self, account: Account) -> dict[str, Any]:
        feed, closed = self._feeds.get(account.place), account.closed_at
        return {
            "name": account.name,
            "opened": account.opened_at.isoformat(),
            "closed": closed and closed.isoformat(),
            # Of its calls; nobody has called one without a feed.
            "calls": feed.calls if feed else 0,
            "failures": feed.failures if feed else 0,
            "last": feed.last.isoformat() if feed and feed.last else None,
        }

    def _get_events(self, request: Request, _: str) -> Response:
        """Calls as server-sent events: those after the last one that the page has, and new ones."""
        # An event's id is the run and the number of its last call. `cleared` says that the calls of
        # the page are gone, and the number of the last call that was made before.
        run, _, number = (request.header("last-event-id") or "").partition(":")
        at = _read_number(number) if number else 0
        quiet = 0
        account, feed = self._find_account(request)
        closed_at = account.closed_at

        def more() -> bytes:
            nonlocal run, at, quiet, closed_at
            now, last, calls = feed.since(at if run == feed.run else 0)
            # A reset has put another one in its place.
            current = account.place.account or account
            events = ""
            if closed_at != current.closed_at:
                closed_at = current.closed_at
                events = f"event: account\ndata: {json.dumps(self._account_row(current))}\n\n"
            if now != run:
                run, at = now, 0
                events += f'event: cleared\nid: {run}:0\ndata: {{"last": {last}}}\n\n'
            if calls:
                at = calls[-1].place
                data = ",".join(list_rows(calls, current.worlds))
                events += f"event: calls\nid: {run}:{at}\ndata: [{data}]\n\n"
            quiet = 0 if events or quiet == _QUIET else quiet + 1
            return (events or ("" if quiet else ": alive\n\n")).encode()

        return _reply_page("text/event-stream", b"retry: 1000\n\n" + more(), more)

    def _get_calls(self, request: Request, number: str) -> Response:
        account, feed = self._find_account(request)
        return _reply_json(show_call(feed.find(_read_number(number)), account.worlds))

    def _get_state(self, request: Request, path: str) -> Response:
        """What a view shows of a vendor: of what may be long, the newest that fit a search."""
        # Not above: few servers are looked at.
        from facematch_mock_server.base.operations import plain

        account, control, view = self._control(request, path)
        clock = {"now": account.clock.now(), "stands": not account.clock.running}
        words = dict(request.query).get("search", "").lower().split()
        return _reply_json(plain({**clock, **_STATES[view](control, words)}))

    def _get_delivery(self, request: Request, path: str) -> Response:
        path, _, number = path.rpartition("/")
        delivery = self._control(request, f"{path}/webhooks")[1].webhooks.delivery(number)
        # A body is ASCII, and is there as it is sent: what is signed are its bytes.
        return _reply_json({"headers": dict(delivery.headers), "body": delivery.body.decode()})

    def _control(self, request: Request, path: str) -> tuple[Account, Control, str]:
        from facematch_mock_server.control import Control  # not above: as `plain`

        vendor, _, view = path.partition("/")
        account = self._find_account(request)[0]
        if vendor not in self._accounts.kinds or view not in _STATES:
            raise LookupError("there is no such vendor or view")
        if view not in self._accounts.kinds[vendor].extensions:
            raise LookupError(f"this vendor has no {view}")
        return account, Control(self._accounts, account, vendor), view

    def _get_pictures(self, _: Request, digest: str) -> Response:
        content = self._accounts.sent_pictures.find(digest) if self._shows_pictures else None
        if content is None:
            raise LookupError("this picture is not shown")
        # The page shows it as a picture, and a browser that is led here saves it.
        return _reply_page("application/octet-stream", content)

    def _get_cards(self, _: Request, name: str) -> Response:
        """The sheet as a list, one card of it, or all of it in a ZIP file."""
        from facematch_mock_server.recognition.sheet import card_sheet  # it loads Pillow

        sheet = card_sheet()
        if name == "sheet.zip":
            import zipfile  # not above: 5 ms of a start

            file = io.BytesIO()
            with zipfile.ZipFile(file, "w") as packed:
                for card in sheet.values():
                    packed.writestr(f"{card.name}.png", card.data)
            return _reply_page("application/zip", file.getvalue())
        picture = sheet.get(name.removesuffix(".png"))
        if picture is not None:
            return _reply_page("image/png", picture.data)
        if name:
            raise LookupError("there is no such card")
        cards = [
            {"name": ready.name, "says": ready.says, **attrs.asdict(ready.card)}
            for ready in sheet.values()
        ]
        return _reply_json({"cards": cards})


def _sessions_state(control: Control, words: Sequence[str]) -> dict[str, Any]:
    fitting = [
        session for session in control.sessions.all() if _has_words(words, _OF_SESSION(session))
    ]
    newest, world = fitting[-_ROWS:], control.world
    # Where somebody plays the person; whoever reads this may do so by the control API, too.
    pages = {each.id: page_path(world, each) for each in newest if is_open(world, each)}
    return {"total": len(fitting), "newest": newest, "pages": pages}


def _webhooks_state(control: Control, words: Sequence[str]) -> dict[str, Any]:
    destinations, due = control.webhooks.destinations(), control.webhooks.due()
    deliveries = control.world.records.outbox.deliveries.all()
    data = {delivery.id: delivery.session.vendor_data for delivery in deliveries}
    fitting = [
        delivery
        for delivery in control.webhooks.deliveries()
        if _has_words(words, (*_OF_DELIVERY(delivery), data.get(delivery.id)))
    ]
    newest = fitting[-_ROWS:]
    return {"destinations": destinations, "due": due, "total": len(fitting), "newest": newest}


def _has_words(words: Sequence[str], values: Iterable[Any]) -> bool:
    text = " ".join(map(str, values)).lower() if words else ""
    return all(word in text for word in words)


#: What a search looks at.
_OF_SESSION = attrgetter("number", "id", "status", "service", "vendor_data")
_OF_DELIVERY = attrgetter("event", "state", "session_id", "status", "url")
#: By view: what it shows.
_STATES = {"sessions": _sessions_state, "webhooks": _webhooks_state}


def _is_of_another_page(request: Request) -> bool:
    origin = request.header("origin")
    if origin is not None and origin.partition("://")[2] != request.header("host"):
        return True
    return request.header("sec-fetch-site") in ("cross-site", "same-site")


def _reply_page(kind: str, body: bytes, more: Callable[[], bytes] | None = None) -> Response:
    return Response(status=200, headers=(("Content-Type", kind), *HEADERS), body=body, more=more)


def _reply_json(value: Any, status: int = 200) -> Response:
    return attrs.evolve(_reply_page("application/json", json.dumps(value).encode()), status=status)


def _read_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise LookupError("there is no such call")
    return int(text)
