"""Calls of the console: rows of the list, and one call in full."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.masking import presentable
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.journal import Entry

#: Most fields of a call in the list.
_FIELDS = 30
#: A longer answer is not parsed.
_LONGEST = 64 * 1024
#: Names of scores, verdicts and reasons in answers; the one nearest to the top is shown. A
#: confidence is a score only beside such a verdict; otherwise it is that of a detection.
_SCORES = ("score", "similarity", "Similarity")
_VERDICTS = ("status", "match", "is_live", "isIdentical")
_REASONS = ("mock", "detail", "message", "Message")


def list_rows(entries: Iterable[Entry], worlds: Iterable[World]) -> list[dict[str, Any]]:
    """Return the rows of the list for these entries of the journal."""
    worlds = tuple(worlds)
    return [_make_row(entry, worlds) for entry in entries]


def _make_row(entry: Entry, worlds: tuple[World, ...]) -> dict[str, Any]:
    answer, charge, files = _read_answer(entry), entry.charge, entry.files
    is_refused = entry.status is not None and entry.status >= 400
    judges = bool(files) or (isinstance(answer, dict) and "isIdentical" in answer)
    judged = answer if judges and not is_refused else None
    return {
        "number": entry.number,
        "at": entry.at.isoformat(timespec="milliseconds"),
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "vendor": entry.vendor,
        "key": entry.key,
        "note": entry.note,
        "ms": None if entry.ms is None else round(entry.ms, 2),
        "verdict": _find_nearest(judged, _VERDICTS, (str, bool)),
        "score": _find_score(judged),
        "reason": _find_reason(answer) if is_refused else None,
        "charged": None if charge is None else f"{charge.amount:.4f}",
        "left": None if charge is None else f"{charge.balance:.4f}",
        "pictures": [
            {"field": file.field, "digest": file.digest, "card": _card_of(worlds, file.digest)}
            for file in files
        ],
        "fields": dict(itertools.islice(entry.fields.items(), _FIELDS)),
    }


def show_call(entry: Entry, worlds: Iterable[World]) -> dict[str, Any]:
    """Return one call with the headers and the body of its answer, secrets masked."""
    (row,) = list_rows([entry], worlds)
    response, answer, whole = entry.answer, _read_answer(entry), entry.to_dict()
    headers = {} if response is None else presentable(response.headers)
    shown: Any = None if answer is None else _mask("", answer)
    if response is not None and answer is None:
        shown = f"<{len(response.body):,} bytes of {response.header('content-type') or 'nothing'}>"
    return {
        **row,
        **{name: whole[name] for name in ("fields", "files", "claims")},
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


def _read_answer(entry: Entry) -> Any:
    response = entry.answer
    if response is None or "json" not in (response.header("content-type") or ""):
        return None
    try:
        text = response.body if len(response.body) <= _LONGEST else b""
        # A browser does not read infinities in JSON.
        return load_json(
            text, parse_constant=str, parse_float=lambda x: float(x) if float(x) < math.inf else x
        )
    except ValueError:
        return None


def _walk_objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in `value`, those nearest to the top first."""
    level = [value]
    while level:
        objects = [inner for inner in level if isinstance(inner, dict)]
        yield from objects
        lists = [inner for inner in level if isinstance(inner, list)]
        inside = (*(each.values() for each in objects), *lists)
        level = [*itertools.chain.from_iterable(inside)]


def _find_nearest(value: Any, names: tuple[str, ...], kinds: tuple[type, ...]) -> Any:
    """Return the value of these names and types nearest to the top, or None."""
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
        # An object of fields with their errors.
        answer = next(iter(answer.values() if isinstance(answer, dict) else answer))
        reason = answer if isinstance(answer, str) else None
    return None if reason is None else presentable((("reason", reason),))["reason"]


def _mask(name: str, value: Any) -> Any:
    """Shorten the texts of JSON as the journal does; long ones without spaces are pictures."""
    if isinstance(value, dict):
        return {str(key)[:80]: _mask(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mask(name, inner) for inner in value[:100]]
    if not isinstance(value, str):
        return value
    if (len(value) > 400 and " " not in value) or "\ufffd" in value:
        return f"<picture of {len(value):,} characters>"
    return presentable(((name, value),)).popitem()[1]
