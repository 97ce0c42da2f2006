"""The calls that the console keeps: what was sent and answered, and how the page shows it."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
import secrets
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.masking import presentable
from facematch_mock_server.base.messages import Headers, Request, Response
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.journal import MAX_ENTRIES, Entry

from .sent import show_request

#: So many bytes of requests, and of answers, are kept in memory; the oldest go first.
SENT_BYTES = ANSWER_BYTES = 16 * 1024 * 1024
#: Fields of a call that the list has.
_FIELDS = 30
#: Of a longer answer the page has only the length.
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
_OF_ENTRY = ("method", "path", "status", "vendor", "key", "note")


@attrs.define(eq=False)
class LoggedCall:
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
        self._kept: deque[tuple[LoggedCall, int]] = deque()

    def keep(self, call: LoggedCall, size: int) -> None:
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
        self._calls: deque[LoggedCall] = deque(maxlen=MAX_ENTRIES)
        self.clear()

    def clear(self) -> None:
        with self._lock:
            for call in self._calls:
                call.headers = call.body = call.response = None
            self._calls.clear()
            #: Another one after each time, so that a page knows that its calls are gone.
            self.run = secrets.token_hex(4)
            #: How many calls there were, how many of them went wrong, and when the last one was.
            self.calls = self.failures = 0
            self.last: dt.datetime | None = None

    def add(
        self,
        entry: Entry,
        request: Request | None = None,
        response: Response | None = None,
        ms: float | None = None,
    ) -> None:
        with self._lock:
            call = LoggedCall(next(self._places), entry, ms)
            if request is not None:
                call.target, call.headers, call.body = request.target, request.headers, request.body
                call.response = response
                self._sent.keep(call, len(request.body))
                self._answered.keep(call, _HEADS + len(response.body if response else b""))
            self._calls.append(call)
            self.calls += 1
            was_struck = (entry.note or "").startswith("fault")
            self.failures += entry.status is None or entry.status >= 400 or was_struck
            self.last = dt.datetime.now(dt.UTC)

    def since(self, place: int) -> tuple[str, int, list[LoggedCall]]:
        """The run, the place of its newest call, and the calls after `place`, at most a batch."""
        with self._lock:
            seen = bisect_right(self._calls, place, key=attrgetter("place"))
            last = self._calls[-1].place if self._calls else 0
            return self.run, last, list(itertools.islice(self._calls, seen, seen + _BATCH))

    def find(self, number: int) -> LoggedCall:
        with self._lock:
            call = next((call for call in self._calls if call.entry.number == number), None)
        if call is None:
            raise LookupError("there is no such call")
        return call


def list_rows(calls: list[LoggedCall], worlds: Iterable[World]) -> Iterator[str]:
    fresh = [call for call in calls if call.row is None]
    worlds = [*worlds] if fresh else []
    charges = {
        (world.vendor, charge.request_id): charge
        for world in worlds
        for charge in world.ledger.entries
        if charge.request_id is not None
    }
    for call in fresh:
        entry, answer = call.entry, _read_answer(call)
        # An answer that names what a charge was for is the one that was charged.
        named = answer.values() if isinstance(answer, dict) else ()
        ids = ((entry.vendor, text) for text in named if isinstance(text, str))
        charge = next((charges[pair] for pair in ids if pair in charges), None)
        is_refused = entry.status is not None and entry.status >= 400
        judges = bool(entry.files) or (isinstance(answer, dict) and "isIdentical" in answer)
        judged = answer if judges and not is_refused else None
        row = {
            "number": entry.number,
            "place": call.place,
            "at": entry.at.isoformat(timespec="milliseconds"),
            **{name: getattr(entry, name) for name in _OF_ENTRY},
            "ms": None if call.ms is None else round(call.ms, 2),
            "verdict": _find_nearest(judged, _VERDICTS, (str, bool)),
            "score": _find_score(judged),
            "reason": _find_reason(answer) if is_refused else None,
            "charged": None if charge is None else f"{charge.amount:.4f}",
            "left": None if charge is None else f"{charge.balance:.4f}",
            "pictures": [
                {"field": file.field, "digest": file.digest, "card": _card_of(worlds, file.digest)}
                for file in entry.files
            ],
            "fields": dict(itertools.islice(entry.fields.items(), _FIELDS)),
        }
        call.row = json.dumps(row)
    return (call.row or "" for call in calls)


def show_call(call: LoggedCall, worlds: Iterable[World]) -> dict[str, Any]:
    """One call, with its headers and bodies: secrets masked, pictures named."""
    (row,) = list_rows([call], worlds)
    response, answer, entry = call.response, _read_answer(call), call.entry.to_dict()
    headers = {} if response is None else presentable(response.headers)
    shown: Any = None if answer is None else _mask("", answer)
    if response is not None and answer is None:
        shown = f"<{len(response.body):,} bytes of {response.header('content-type') or 'nothing'}>"
    sent = None
    if call.headers is not None and call.body is not None:
        sent = show_request(call.entry.method, call.target, call.headers, bytes(call.body))
    return {
        **json.loads(row),
        **{name: entry[name] for name in ("fields", "files", "claims")},
        "sent": sent,
        "answer": shown,
        "answered": response
        and {name: "***" if "cookie" in name.lower() else headers[name] for name in headers},
    }


def _card_of(worlds: Iterable[World], digest: str | None) -> dict[str, Any] | None:
    for world in worlds:
        card = None if digest is None else world.recognizer.card_of(digest)
        if card is not None:
            return attrs.asdict(card)
    return None


def _read_answer(call: LoggedCall) -> Any:
    response = call.response
    if response is None or "json" not in (response.header("content-type") or ""):
        return None
    try:
        text = response.body if len(response.body) <= _LONGEST else b""
        return load_json(text, parse_constant=str, parse_float=_read_float)
    except ValueError:
        return None


def _read_float(text: str) -> float | str:
    # Python would write the others as JSON that no browser reads.
    return float(text) if math.isfinite(float(text)) else text


def _walk_objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects in `value`, those nearest to the top first."""
    level = [value]
    while level:
        objects = [inner for inner in level if isinstance(inner, dict)]
        yield from objects
        lists = [inner for inner in level if isinstance(inner, list)]
        inside = (*(each.values() for each in objects), *lists)
        level = [*itertools.chain.from_iterable(inside)]


def _find_nearest(value: Any, names: tuple[str, ...], kinds: tuple[type, ...]) -> Any:
    """What is under one of `names` nearest to the top, if it is of these kinds."""
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
        # Fields by name, each with what is wrong with it.
        answer = next(iter(answer.values() if isinstance(answer, dict) else answer))
        reason = answer if isinstance(answer, str) else None
    return None if reason is None else presentable((("reason", reason),))["reason"]


def _mask(name: str, value: Any) -> Any:
    """JSON as the journal shows texts: short, without secrets; what is no text is a picture."""
    if isinstance(value, dict):
        return {str(key)[:80]: _mask(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask(name, inner) for inner in value[:100]]
    if not isinstance(value, str):
        return value
    if (len(value) > 400 and " " not in value) or "\ufffd" in value:
        return f"<picture of {len(value):,} characters>"
    return presentable(((name, value),)).popitem()[1]
