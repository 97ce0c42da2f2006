"""The console: a page on which people watch a running mock and drive it, at ``/``.

The page itself holds no data. What it shows comes from the control API, and from the paths here,
which are guarded like it.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from facematch_core import __version__
from facematch_mock_server.account import Accounts, World
from facematch_mock_server.control_http import PREFIX, ControlApi
from facematch_mock_server.faults import POSSIBLE, is_ours
from facematch_mock_server.journal import KEPT, Entry, presentable
from facematch_mock_server.messages import MOCK_HEADER, Request, Response
from facematch_mock_server.vendors import vendor_named

if TYPE_CHECKING:
    from facematch_mock_server.control import Control

#: Where the console's own paths begin.
PATH = f"{PREFIX}console/"
#: The page and what it loads: they hold no data, and are the same for everybody.
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    f"{PATH}app.js": ("console.js", "text/javascript; charset=utf-8"),
    f"{PATH}style.css": ("console.css", "text/css; charset=utf-8"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
    (MOCK_HEADER, __version__),
)

#: So many bytes of answers, and of pictures where they are shown, are kept; the oldest go first.
_ANSWER_BYTES, _PICTURE_BYTES = 16 * 1024 * 1024, 64 * 1024 * 1024
#: A longer answer is not kept.
_LONGEST_ANSWER = 64 * 1024
#: Calls in one event, so that the loop, which makes them, is never held up for long.
_BATCH = 500
#: An event stream without news says that it is alive after so many looks, some 15 seconds.
_QUIET = 150
#: Sessions, and deliveries, that the page shows at once.
_ROWS, _DELIVERIES = 200, 100
#: What answers call a score and a verdict: ours, for the list. The nearest to the top is shown.
_SCORES = ("score", "confidence", "similarity", "Similarity")
_VERDICTS = ("status", "match", "is_live")
#: Pictures that a browser may be given, by how they begin.
_KINDS = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


@attrs.define(eq=False)
class _Call:
    """One entry of the journal, with what was answered."""

    number: int
    entry: Entry
    body: bytes | None
    #: As the list has it, in JSON: made when it is first looked at.
    row: str | None = None


class _Feed:
    """The calls since the journal was last emptied, numbered from 1. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._calls: deque[_Call] = deque(maxlen=KEPT)
            self._with_body: deque[_Call] = deque()
            self._bytes = 0
            #: Another one after each time, so that a page knows that its calls are gone.
            self.run = secrets.token_hex(4)

    def add(self, entry: Entry, body: bytes | None) -> None:
        with self._lock:
            call = _Call(next(self._numbers), entry, body)
            self._calls.append(call)
            if body is not None:
                self._with_body.append(call)
                self._bytes += len(body)
            while self._bytes > _ANSWER_BYTES or len(self._with_body) > KEPT:
                old = self._with_body.popleft()
                self._bytes -= len(old.body or b"")
                old.body = None

    @property
    def last(self) -> int:
        """The number of the newest call; 0 for none."""
        with self._lock:
            return self._calls[-1].number if self._calls else 0

    def since(self, number: int) -> tuple[str, list[_Call]]:
        """The run, and the first calls after `number`, at most a batch of them."""
        with self._lock:
            last = self._calls[-1].number if self._calls else 0
            seen = max(0, len(self._calls) - max(0, last - number))
            return self.run, list(itertools.islice(self._calls, seen, seen + _BATCH))

    def find(self, number: int) -> _Call | None:
        _, calls = self.since(number - 1)
        return calls[0] if calls and calls[0].number == number else None


class _Pictures:
    """Pictures that may be shown, by SHA-256: in memory alone. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def remembering(self, digest: Callable[[bytes], str]) -> Callable[[bytes], str]:
        """What digests as `digest`, and keeps what it is given."""

        def of(content: bytes) -> str:
            name = digest(content)
            with self._lock:
                if name not in self._kept:
                    self._kept[name] = content
                    self._bytes += len(content)
                while self._bytes > _PICTURE_BYTES:
                    self._bytes -= len(self._kept.popitem(last=False)[1])
            return name

        return of

    def find(self, digest: str) -> bytes | None:
        return self._kept.get(digest)


class Console:
    """The console of one server. Safe across threads.

    Args:
        accounts: Those of the server; the first one is shown.
        show_pictures: Whether the pictures that are sent may be looked at: the newest 64 MiB of
            them, in memory alone. Else only a drawing of what a test card says, or of the digest.
    """

    def __init__(self, accounts: Accounts, *, show_pictures: bool = False) -> None:
        self._accounts = accounts
        self._guard = ControlApi(accounts)
        self._feed = _Feed()
        self._pictures = _Pictures() if show_pictures else None
        self._handling = threading.local()
        accounts.heard = self._noted
        if self._pictures is not None and accounts.digest is not None:
            accounts.digest = self._pictures.remembering(accounts.digest)

    def handle(self, request: Request, answer: Callable[[Request], Response]) -> Response:
        """The console's own answer, or that of `answer`, which is put beside its entry."""
        if is_ours(request):
            own = self._own(request)
            return answer(request) if own is None else own
        here, body = self._handling, None
        entries: list[Entry] = []
        here.entries = entries
        try:
            response = answer(request)
            told = response.instead_of or response
            is_json = "json" in (told.header("content-type") or "")
            body = told.body if is_json and len(told.body) <= _LONGEST_ANSWER else None
            return response
        finally:
            here.entries = None
            for entry in entries:
                self._feed.add(entry, body)

    def _noted(self, account: str, entry: Entry | None) -> None:
        """Called by the journal: what this thread is answering waits for its answer."""
        entries = getattr(self._handling, "entries", None)
        if entry is None:
            self._feed.clear()
        elif entries is not None:
            entries.append(entry)
        else:
            self._feed.add(entry, None)

    # What is answered

    def _own(self, request: Request) -> Response | None:
        """The answer of a path of the console; None for other paths."""
        place, method = request.path, request.method
        if place in _FILES and method in ("GET", "HEAD"):
            # Beyond the loopback the page asks for the token itself: it cannot be opened with one.
            if self._accounts.control_token is None:
                refusal = self._guard.refuse(request)
                if refusal is not None:
                    return _sealed(refusal)
            from importlib import resources  # not above: 2 ms of a start

            name, kind = _FILES[place]
            return _given(kind, resources.files(__package__).joinpath(name).read_bytes())
        name, _, rest = place.removeprefix(PATH).partition("/")
        verb = _VERBS.get((method, name)) if place.startswith(PATH) else None
        if verb is None:
            return None
        refusal = self._guard.refuse(request)
        if refusal is None and _is_of_another_page(request):
            refusal = _json({"mock": "The console answers its own page only."}, 403)
        if refusal is None:
            try:
                return verb(self, request, rest)
            except (ValueError, TypeError, LookupError, RecursionError) as error:
                status = 404 if isinstance(error, LookupError) else 400
                refusal = _json({"mock": str(error.args[0] if error.args else error)}, status)
        return _sealed(refusal)

    def _about(self, _: Request, __: str) -> Response:
        worlds = self._accounts.main.worlds
        return _json(
            {
                "version": __version__,
                "show_pictures": self._pictures is not None,
                "faults": {stage: sorted(kinds) for stage, kinds in POSSIBLE.items()},
                "vendors": [_vendor(world) for world in worlds],
            }
        )

    def _events(self, request: Request, _: str) -> Response:
        """Calls as server-sent events: those after the last one that the page has, then new ones.

        An event's id is the run and the number of its last call. `cleared` says that the calls of
        the page are gone, and the number of the last call that was made before.
        """
        run, _, number = (request.header("last-event-id") or "").partition(":")
        at = int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0
        quiet = 0

        def more() -> bytes:
            nonlocal run, at, quiet
            now, calls = self._feed.since(at if run == self._feed.run else 0)
            told = ""
            if now != run:
                run, at = now, 0
                told = f'event: cleared\nid: {run}:0\ndata: {{"last": {self._feed.last}}}\n\n'
            if calls:
                at = calls[-1].number
                rows = ",".join(self._rows(calls))
                told += f"event: calls\nid: {run}:{at}\ndata: [{rows}]\n\n"
            quiet = 0 if told or quiet == _QUIET else quiet + 1
            return (told or ("" if quiet else ": alive\n\n")).encode()

        return _given("text/event-stream", b"retry: 1000\n\n" + more(), more)

    def _rows(self, calls: list[_Call]) -> Iterator[str]:
        """Calls as the list has them, in JSON."""
        fresh = [call for call in calls if call.row is None]
        worlds = {world.vendor: world for world in self._accounts.main.worlds} if fresh else {}
        charges = {
            (vendor, charge.request_id): charge
            for vendor, world in worlds.items()
            for charge in world.ledger.entries
            if charge.request_id is not None
        }
        for call in fresh:
            entry, answer = call.entry, _decoded(call.body)
            told = list(answer.values()) if isinstance(answer, dict) else []
            # An answer that names what a charge was for is the one that was charged.
            ids = ((entry.vendor, one) for one in told if isinstance(one, str))
            paid = next((charges[one] for one in ids if one in charges), None)
            pictures = [
                {"field": file.field, "digest": file.digest, "card": self._card(file.digest)}
                for file in entry.files
            ]
            row = {
                "number": call.number,
                "at": entry.at.isoformat(timespec="milliseconds"),
                **{name: getattr(entry, name) for name in ("method", "path", "status", "vendor")},
                **{name: getattr(entry, name) for name in ("key", "note")},
                "verdict": _nearest(answer, _VERDICTS, (str, bool)) if pictures else None,
                "score": _nearest(answer, _SCORES, (int, float)) if pictures else None,
                "charged": None if paid is None else f"{paid.amount:.4f}",
                "left": None if paid is None else f"{paid.balance:.4f}",
                "pictures": pictures,
                "text": " ".join(f"{name}={value}" for name, value in entry.fields.items())[:300],
            }
            call.row = json.dumps(row)
        return (call.row or "" for call in calls)

    def _card(self, digest: str | None) -> dict[str, Any] | None:
        """What the test card of that digest says; None for another picture."""
        for world in self._accounts.main.worlds if digest else ():
            card_of = getattr(world.recognizer, "card_of", None)
            card = None if card_of is None else card_of(digest)
            if card is not None:
                return attrs.asdict(card)
        return None

    def _call(self, _: Request, number: str) -> Response:
        known = number.isascii() and number.isdigit() and len(number) < 16
        call = self._feed.find(int(number)) if known else None
        if call is None:
            raise LookupError("there is no such call any more")
        (row,) = self._rows([call])
        told = call.entry.to_dict()
        shown = {name: told[name] for name in ("fields", "files", "claims")}
        answer = None if call.body is None else _masked("", _decoded(call.body))
        return _json({**json.loads(row), **shown, "answer": answer})

    def _view(self, _: Request, asked: str) -> Response:
        """What a view shows of a vendor: of what may be long, the newest, made in milliseconds."""
        from facematch_mock_server.control import Control  # not above: few servers are looked at
        from facematch_mock_server.operations import plain  # not above: as `Control`

        vendor, _slash, view = asked.partition("/")
        world = next((one for one in self._accounts.main.worlds if one.vendor == vendor), None)
        if world is None or view not in _STATES:
            raise LookupError("there is no such vendor or view")
        if view != "control" and view not in vendor_named(vendor).extensions:
            raise LookupError(f"this vendor has no {view}")
        return _json(plain(_STATES[view](Control(self._accounts, world.account.name, vendor))))

    def _picture(self, _: Request, digest: str) -> Response:
        content = None if self._pictures is None else self._pictures.find(digest)
        kinds = (kind for begin, kind in _KINDS.items() if (content or b"").startswith(begin))
        kind = next(kinds, None)
        if content is None or kind is None:
            raise LookupError("this picture is not shown")
        return _given(kind, content)

    def _cards(self, _: Request, name: str) -> Response:
        """The sheet as a list, one card of it, or all of it in a ZIP file."""
        from facematch_mock_server.recognition.sheet import card_sheet  # it loads Pillow

        sheet = card_sheet()
        if name == "sheet.zip":
            import zipfile  # not above: 5 ms of a start

            file = io.BytesIO()
            with zipfile.ZipFile(file, "w") as packed:
                for one in sheet.values():
                    packed.writestr(f"{one.name}.png", one.data)
            return _given("application/zip", file.getvalue())
        if name:
            return _given("image/png", sheet[name.removesuffix(".png")].data)
        return _json(
            {
                "cards": [
                    {"name": o.name, "says": o.says, **attrs.asdict(o.card)} for o in sheet.values()
                ]
            }
        )

    def _made_card(self, request: Request, _: str) -> Response:
        from facematch_mock_server.recognition.sheet import make_card  # it loads Pillow

        facts = json.loads(request.body or b"null")
        if not isinstance(facts, dict):
            raise ValueError("the body is not a JSON object")  # noqa: TRY004 - one error for bad bodies
        known = {"person", "faces", "quality", "luminance", "liveness", "attack", "age", "gender"}
        unknown = sorted(set(facts) - known - {"review", "score", "turned"})
        if unknown:
            raise ValueError(f"a card has no {unknown[0]:.40}")
        return _given("image/png", make_card(**facts))


#: By method and first word of the path below `PATH`.
_VERBS: dict[tuple[str, str], Callable[[Console, Request, str], Response]] = {
    ("GET", "about"): Console._about,  # noqa: SLF001 - this module's own, as the others
    ("GET", "events"): Console._events,  # noqa: SLF001
    ("GET", "calls"): Console._call,  # noqa: SLF001
    ("GET", "state"): Console._view,  # noqa: SLF001
    ("GET", "pictures"): Console._picture,  # noqa: SLF001
    ("GET", "cards"): Console._cards,  # noqa: SLF001
    ("POST", "cards"): Console._made_card,  # noqa: SLF001
}


def _control_state(control: Control) -> dict[str, Any]:
    return {
        "now": control.now(),
        "balance": control.balance(),
        "charges": control.charges()[-6:],
        "outcomes": control.outcomes(),
        "faults": control.faults(),
        "limits": control.limits(),
        "latency": control.latency(),
    }


def _sessions_state(control: Control) -> dict[str, Any]:
    sessions = control.sessions
    every, waiting = sessions.all(), sessions.waiting()
    shown = {"total": len(every), "waiting": waiting[-_ROWS:], "newest": every[-_ROWS:]}
    return {**shown, "choices": sessions.CHOICES}


def _webhooks_state(control: Control) -> dict[str, Any]:
    # A body is ASCII, and is there as it is sent: what is signed are its bytes.
    newest = control.webhooks.deliveries(newest=_DELIVERIES)
    return {"newest": [attrs.evolve(one, body=one.body.decode()) for one in newest]}


#: By view: what it shows.
_STATES: dict[str, Callable[[Control], dict[str, Any]]] = {
    "control": _control_state,
    "sessions": _sessions_state,
    "webhooks": _webhooks_state,
}


def _vendor(world: World) -> dict[str, Any]:
    """A vendor as the page needs it; the keys are the well-known ones."""
    kind = vendor_named(world.vendor)
    key, first = next(iter(kind.first_keys.items()))
    return {
        "name": kind.name,
        "title": kind.title,
        "edition": world.edition,
        "extensions": sorted(kind.extensions),
        "operations": list(kind.operations),
        "limited": {scope: _per(world, scope) for scope in kind.rate_limits},
        "key": key,
        "client": first.client,
        "examples": [attrs.asdict(one) for one in kind.examples],
    }


_UNITS = {1: "second", 60: "minute", 3600: "hour", 86_400: "day"}


def _per(world: World, scope: str) -> str:
    """A rate limit with its unit, for a label; without one where no claim has its window."""
    if scope in _UNITS.values():
        return f"requests per {scope}"
    keys = (f"rate.{scope}.window_s", "rate.window_s")
    window = next((world.claims[key] for key in keys if key in world.claims), None)
    return f"{scope} per {_UNITS[window]}" if window in _UNITS else scope


def _is_of_another_page(request: Request) -> bool:
    """Whether a browser asks on behalf of a page that is not the console."""
    origin = request.header("origin")
    if origin is not None and origin.partition("://")[2] != request.header("host"):
        return True
    return request.header("sec-fetch-site") in ("cross-site", "same-site")


def _given(kind: str, body: bytes, more: Callable[[], bytes] | None = None) -> Response:
    return Response(status=200, headers=(("Content-Type", kind), *HEADERS), body=body, more=more)


def _json(value: Any, status: int = 200) -> Response:
    return attrs.evolve(_given("application/json", json.dumps(value).encode()), status=status)


def _sealed(refusal: Response) -> Response:
    """An answer of the control API with the headers of the console."""
    kept = [(n, v) for n, v in refusal.headers if n not in dict(HEADERS)]
    return attrs.evolve(refusal, headers=(*kept, *HEADERS))


def _decoded(body: bytes | None) -> Any:
    try:
        return json.loads(body or b"null", parse_constant=str, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | str:
    # Python would write the others as JSON that no browser reads.
    return float(text) if math.isfinite(float(text)) else text


def _nearest(value: Any, names: tuple[str, ...], kinds: tuple[type, ...]) -> Any:
    """What is under one of `names` nearest to the top, if it is of these kinds."""
    level = [value]
    while level:
        objects = [one for one in level if isinstance(one, dict)]
        for one in objects:
            for name in names:
                if name in one and (one[name] is None or isinstance(one[name], kinds)):
                    return one[name]
        below = [inner for one in objects for inner in one.values()]
        level = below + [inner for one in level if isinstance(one, list) for inner in one]
    return None


def _masked(name: str, value: Any) -> Any:
    """An answer as the journal shows texts: short, without secrets and signed addresses."""
    if isinstance(value, dict):
        return {str(inner)[:80]: _masked(str(inner), one) for inner, one in value.items()}
    if isinstance(value, list):
        return [_masked(name, one) for one in value[:100]]
    return presentable(((name, value),)).popitem()[1] if isinstance(value, str) else value
