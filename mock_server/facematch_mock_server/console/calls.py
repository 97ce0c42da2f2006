"""The calls that the console keeps: what was sent and answered, and how the page shows it."""

from __future__ import annotations

import itertools
import json
import math
import re
import secrets
import shlex
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qsl, urlencode

import attrs

from facematch_mock_server.account import World
from facematch_mock_server.http.forms import MULTIPART, URLENCODED, media_type
from facematch_mock_server.journal import KEPT, Entry, SentFile, presentable
from facematch_mock_server.messages import Headers, Request, Response

#: So many bytes of requests, and of answers, are kept in memory; the oldest go first.
SENT_BYTES = ANSWER_BYTES = 16 * 1024 * 1024
#: Of a longer body the page has only the length.
_LONGEST = 64 * 1024
#: What the headers of a call take beside its bodies, roughly.
_HEADS = 4096
#: Calls in one event, so that the loop, which makes them, is never held up for long.
_BATCH = 500
#: What answers call a score, a verdict and a reason: ours, for the list. The nearest to the top is
#: shown. A confidence is a score beside such a verdict only; else it is that of a detection.
_SCORES = ("score", "similarity", "Similarity")
_VERDICTS = ("status", "match", "is_live", "isIdentical")
_REASONS = ("mock", "detail", "message", "Message")
#: What the list has of an entry as it is.
_TOLD = ("method", "path", "status", "vendor", "key", "note")
#: Headers that the front of the next client writes itself, or that are the page's own.
_OF_THE_FRONT = re.compile(
    "host|content-length|connection|accept(-encoding|-language)?|user-agent|expect|origin|referer"
    "|sec-.*|transfer-encoding|cache-control|pragma|x-facematch-.*|x-mock-token"
)


@attrs.define(eq=False)
class Call:
    """One entry of the journal; of an old one the bytes are gone."""

    #: In the order of the answers; the entries' numbers are in that of the journal.
    place: int
    entry: Entry
    ms: float | None = None
    target: str = ""
    headers: Headers | None = None
    body: bytes | bytearray | None = None
    response: Response | None = None
    #: As the list has it, in JSON: made when it is first looked at.
    row: str | None = None


class Newest:
    """Lets go of parts of the oldest calls once these take more than so many bytes."""

    def __init__(self, most: int, *parts: str) -> None:
        self._most, self._parts, self._bytes = most, parts, 0
        self._lock = threading.Lock()
        self._kept: deque[tuple[Call, int]] = deque()

    def keep(self, call: Call, size: int) -> None:
        with self._lock:
            self._kept.append((call, size))
            self._bytes += size
            while self._bytes > self._most:
                old, size = self._kept.popleft()
                self._bytes -= size
                for part in self._parts:
                    setattr(old, part, None)


class Feed:
    """The calls of an account since its journal was last emptied. Safe across threads."""

    def __init__(self, sent: Newest, answered: Newest) -> None:
        self._sent, self._answered = sent, answered
        self._lock = threading.Lock()
        self._places = itertools.count(1)
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self.clear()

    def clear(self) -> None:
        with self._lock:
            for call in self._calls:
                call.headers = call.body = call.response = None
            self._calls.clear()
            #: Another one after each time, so that a page knows that its calls are gone.
            self.run = secrets.token_hex(4)

    def add(
        self,
        entry: Entry,
        request: Request | None = None,
        response: Response | None = None,
        ms: float | None = None,
    ) -> None:
        with self._lock:
            call = Call(next(self._places), entry, ms)
            if request is not None:
                call.target, call.headers, call.body = request.target, request.headers, request.body
                call.response = response
                self._sent.keep(call, len(request.body))
                self._answered.keep(call, _HEADS + len(response.body if response else b""))
            self._calls.append(call)

    def remove(self, number: int) -> Call:
        """Take one out; LookupError if it is not there."""
        call = self.find(number)
        with self._lock:
            self._calls.remove(call)
        return call

    def since(self, place: int) -> tuple[str, int, list[Call]]:
        """The run, the place of its newest call, and the calls after `place`, at most a batch."""
        with self._lock:
            seen = bisect_right(self._calls, place, key=attrgetter("place"))
            last = self._calls[-1].place if self._calls else 0
            return self.run, last, list(itertools.islice(self._calls, seen, seen + _BATCH))

    def find(self, number: int) -> Call:
        """The call of that number; LookupError if it is not there."""
        with self._lock:
            found = next((one for one in self._calls if one.entry.number == number), None)
        if found is None:
            raise LookupError("there is no such call any more")
        return found


# What the page shows


def rows(calls: list[Call], worlds: Iterable[World]) -> Iterator[str]:
    """Calls as the list has them, in JSON."""
    fresh = [call for call in calls if call.row is None]
    known = {world.vendor: world for world in worlds} if fresh else {}
    charges = {
        (vendor, charge.request_id): charge
        for vendor, world in known.items()
        for charge in world.ledger.entries
        if charge.request_id is not None
    }
    for call in fresh:
        entry, answer = call.entry, _answer(call)
        # An answer that names what a charge was for is the one that was charged.
        named = answer.values() if isinstance(answer, dict) else ()
        ids = ((entry.vendor, one) for one in named if isinstance(one, str))
        paid = next((charges[one] for one in ids if one in charges), None)
        is_refused = entry.status is not None and entry.status >= 400
        judges = bool(entry.files) or (isinstance(answer, dict) and "isIdentical" in answer)
        judged = answer if judges and not is_refused else None
        row = {
            "number": entry.number,
            "place": call.place,
            "at": entry.at.isoformat(timespec="milliseconds"),
            **{name: getattr(entry, name) for name in _TOLD},
            "ms": None if call.ms is None else round(call.ms, 2),
            "verdict": _nearest(judged, _VERDICTS, (str, bool)),
            "score": _score(judged),
            "reason": _reason(answer) if is_refused else None,
            "charged": None if paid is None else f"{paid.amount:.4f}",
            "left": None if paid is None else f"{paid.balance:.4f}",
            "pictures": [
                {"field": one.field, "digest": one.digest, "card": _card(known, one.digest)}
                for one in entry.files
            ],
            "text": " ".join(f"{name}={value}" for name, value in entry.fields.items())[:300],
        }
        call.row = json.dumps(row)
    return (call.row or "" for call in calls)


def detail(call: Call, worlds: Iterable[World]) -> dict[str, Any]:
    """One call, with its headers and bodies: secrets masked, pictures named."""
    (row,) = rows([call], worlds)
    told = call.entry.to_dict()
    shown = {name: told[name] for name in ("fields", "files", "claims")}
    response, answer = call.response, _answer(call)
    body: Any = None if answer is None else _masked("", answer)
    if response is not None and answer is None:
        body = f"<{len(response.body):,} bytes of {response.header('content-type') or 'nothing'}>"
    headers = None if call.headers is None else _shown(call.headers)
    parts = None if call.body is None or headers is None else _parts(call)
    raw = None if parts is None else "\n".join(text for text, _ in parts)
    return {
        **json.loads(row),
        **shown,
        "sent": None if headers is None else {"headers": headers, "body": raw},
        "answer": body,
        "answered": None if response is None else _shown(response.headers),
        "curl": None if parts is None or headers is None else _curl(call, headers, parts),
    }


def _shown(headers: Headers) -> dict[str, str]:
    """Headers without secrets, and without those of the page itself."""
    told = presentable(one for one in headers if not one[0].startswith("x-facematch-a"))
    return {name: "***" if "cookie" in name.lower() else value for name, value in told.items()}


#: A piece of a body: as it is shown, and as curl is given it.
_Part = tuple[str, tuple[str, ...]]


def _parts(call: Call) -> list[_Part]:
    """The body, taken apart for the eye: texts masked, pictures by size and digest."""
    body, files = bytes(call.body or b""), list(call.entry.files)
    content_type = dict(call.headers or ()).get("content-type", "")
    kind, boundary = media_type(content_type), re.search(r'boundary="?([^";,]+)', content_type)
    if not body:
        return []
    if kind == MULTIPART and boundary:
        pieces = body.split(b"--" + boundary[1].encode())[1:]
        return [_form_part(piece, boundary[1], files) for piece in pieces]
    if kind == URLENCODED and len(body) <= _LONGEST:
        text = _pairs(body.decode(errors="replace"))
        return [(text, ("--data-raw", _placed(text)))]
    value = _decoded(body) if "json" in kind else None
    if value is not None:
        text = json.dumps(_masked("", value), indent=2, ensure_ascii=False)
        return [(text, ("--data-raw", _placed(text)))]
    return [(_named(len(body), files), ("--data-binary", "@picture.png"))]


def _form_part(piece: bytes, boundary: str, files: list[SentFile]) -> _Part:
    if piece.startswith(b"--"):
        return f"--{boundary}--", ()
    head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    content, words = content.removesuffix(b"\r\n"), head.decode(errors="replace")
    name, filename = (re.search(rf'[; ]{what}="([^"]*)"', words) for what in ("name", "filename"))
    field = name[1] if name else ""
    if filename:
        text = _named(len(content), [one for one in files if one.field == field])
        curl = ("-F", f"{field}=@{filename[1] or 'picture.png'}")
    else:
        text = _masked(field, content.decode(errors="replace"))
        curl = ("--form-string", f"{field}={_placed(text)}")
    lines = words.replace("\r\n", "\n")
    return f"--{boundary}\n{lines}\n\n{text}", curl


def _named(size: int, files: list[SentFile]) -> str:
    digest = f", SHA-256 {files[0].digest}" if files and files[0].digest else ""
    return f"<{size:,} bytes{digest}>"


def _pairs(query: str) -> str:
    told = presentable(parse_qsl(query, keep_blank_values=True))
    return urlencode(told, safe="*…")


def _placed(text: str) -> str:
    """Text for curl: a mask is what whoever pastes it fills in."""
    return text.replace("***", "YOUR-KEY")


def _curl(call: Call, headers: dict[str, str], parts: list[_Part]) -> str:
    """A command that makes the call again; ``{url}`` stands for the address of the mock."""
    method = call.entry.method
    words = [] if method == ("POST" if parts else "GET") else ["-X", method]
    for name, value in headers.items():
        is_form = name == "content-type" and value.startswith(MULTIPART)
        if not is_form and not _OF_THE_FRONT.fullmatch(name):
            scheme = "Bearer " if name == "authorization" else ""
            words += ["-H", f"{name}: {scheme}{_placed(value)}"]
    words += [word for _, curl in parts for word in curl]
    path, mark, query = call.target.partition("?")
    address = f"{{url}}{path}{mark}{_placed(_pairs(query))}"
    quoted = " ".join(map(shlex.quote, ["curl", *words, address]))
    # A picture within JSON is read by the shell.
    return re.sub("<picture of [0-9,]+ characters>", """'"$(base64 -w0 picture.png)"'""", quoted)


def _card(worlds: dict[str, World], digest: str | None) -> dict[str, Any] | None:
    """What the test card of that digest says; None for another picture."""
    for world in worlds.values():
        card = None if digest is None else world.recognizer.card_of(digest)
        if card is not None:
            return attrs.asdict(card)
    return None


def _answer(call: Call) -> Any:
    """The answer, if it is JSON and not too long; else None."""
    response = call.response
    if response is None or "json" not in (response.header("content-type") or ""):
        return None
    return _decoded(response.body) if len(response.body) <= _LONGEST else None


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=str, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | str:
    # Python would write the others as JSON that no browser reads.
    return float(text) if math.isfinite(float(text)) else text


def _levels(value: Any) -> Iterator[list[dict[str, Any]]]:
    """The objects in `value`, those nearest to the top first."""
    level = [value]
    while level:
        objects = [one for one in level if isinstance(one, dict)]
        yield objects
        below = [inner for one in objects for inner in one.values()]
        level = below + [inner for one in level if isinstance(one, list) for inner in one]


def _nearest(value: Any, names: tuple[str, ...], kinds: tuple[type, ...]) -> Any:
    """What is under one of `names` nearest to the top, if it is of these kinds."""
    for one, name in ((one, name) for level in _levels(value) for one in level for name in names):
        if name in one and (one[name] is None or isinstance(one[name], kinds)):
            return one[name]
    return None


def _score(answer: Any) -> Any:
    score = _nearest(answer, _SCORES, (int, float))
    judged = (one for level in _levels(answer) for one in level if {*_VERDICTS} & {*one})
    beside = (
        one["confidence"] for one in judged if isinstance(one.get("confidence"), (int, float))
    )
    return next(beside, None) if score is None else score


def _reason(answer: Any) -> str | None:
    """Why a call was refused, in the words of the answer."""
    said = _nearest(answer, _REASONS, (str,))
    while said is None and isinstance(answer, (dict, list)) and answer:
        # Fields by name, each with what is wrong with it.
        answer = next(iter(answer.values() if isinstance(answer, dict) else answer))
        said = answer if isinstance(answer, str) else None
    return None if said is None else presentable((("reason", said),))["reason"]


def _masked(name: str, value: Any) -> Any:
    """JSON as the journal shows texts: short, without secrets and signed addresses; a long text
    without a space is a picture, and so is what was no text."""
    if isinstance(value, dict):
        return {str(inner)[:80]: _masked(str(inner), one) for inner, one in value.items()}
    if isinstance(value, list):
        return [_masked(name, one) for one in value[:100]]
    if not isinstance(value, str):
        return value
    if (len(value) > 400 and " " not in value) or "\ufffd" in value:
        return f"<picture of {len(value):,} characters>"
    return presentable(((name, value),)).popitem()[1]
