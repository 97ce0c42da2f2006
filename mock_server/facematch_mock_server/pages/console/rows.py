"""The console's rows: what the list and the details show of a call."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.masking import mask_and_shorten, mask_and_shorten_value
from facematch_mock_server.base.messages import Response, hide_token
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.world.journal import Entry

#: Maximum number of fields that the list shows for a call.
_MAX_FIELDS = 30
#: Maximum length of a response to parse, in bytes.
_MAX_PARSED_BYTES = 64 * 1024
#: Maximum number of items of a JSON list that the details show.
_MAX_ITEMS = 100
#: Minimum length of a text without spaces that is treated as a picture.
_MIN_PICTURE_LENGTH = 400
#: Names of scores, verdicts and reasons in responses; the outermost field is shown. A confidence
#: next to a verdict is a score; any other belongs to a detection.
_SCORES = ("score", "similarity", "Similarity")
_VERDICTS = ("status", "match", "is_live", "isIdentical")
_REASONS = ("mock", "detail", "message", "Message")


def make_row(entry: Entry, recognizer: Recognizer) -> dict[str, Any]:
    """Return the row that the list shows for a journal entry."""
    answer = _read_short_json(entry.answer)
    is_refused = entry.status is not None and entry.status >= 400
    verdict = score = reason = None
    if is_refused:
        reason = _find_reason(answer)
    elif _has_judged_pictures(entry, answer):
        verdict = _find_outermost_or_null(answer, _VERDICTS, (str, bool))
        score = _find_score(answer)
    charged = balance = None
    if entry.charge is not None:
        charged = f"{entry.charge.amount:.4f}"
        balance = f"{entry.charge.balance:.4f}"
    return {
        "number": entry.number,
        "at": entry.at.isoformat(timespec="milliseconds"),
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "vendor": entry.vendor,
        "key": entry.key,
        "note": entry.note,
        "reply": None if entry.reply is None else entry.reply.source,
        "recorded": None if entry.reply is None else entry.reply.recorded,
        "ms": None if entry.ms is None else round(entry.ms, 2),
        "verdict": verdict,
        "score": score,
        "reason": reason,
        "charged": charged,
        "left": balance,
        "pictures": _list_pictures(entry, recognizer),
        "fields": dict(itertools.islice(entry.fields.items(), _MAX_FIELDS)),
    }


def _list_pictures(entry: Entry, recognizer: Recognizer) -> list[dict[str, Any]]:
    pictures = []
    for file in entry.files:
        card = recognizer.card_of(file.digest or "")
        facts = None if card is None else attrs.asdict(card)
        pictures.append({"field": file.field, "digest": file.digest, "card": facts})
    return pictures


def show_call(entry: Entry, recognizer: Recognizer) -> dict[str, Any]:
    """Return a call with the headers and body of its response. Secrets are masked."""
    details = entry.to_dict()
    call = make_row(entry, recognizer)
    call["fields"] = details["fields"]
    call["files"] = details["files"]
    call["claims"] = details["claims"]
    call["answer"] = _show_body(entry.answer)
    call["answered"] = None if entry.answer is None else _show_headers(entry.answer)
    return call


def _show_headers(response: Response) -> dict[str, str]:
    headers = mask_and_shorten(response.headers)
    for name, value in response.headers:
        if "cookie" in name.lower():
            headers[name] = "***"
        elif name.lower() == "location":
            # A web SDK is led to the page of a session, with the session's token in the query.
            headers[name] = hide_token(value.partition("?")[0])
    return headers


def _show_body(response: Response | None) -> Any:
    """Return a response's JSON, shortened, or a sentence about any other body."""
    if response is None:
        return None
    answer = _read_short_json(response)
    if answer is not None:
        return _shorten("", answer)
    media_type = response.header("content-type") or "nothing"
    return f"<{len(response.body):,} bytes of {media_type}>"


def _read_short_json(response: Response | None) -> Any:
    """Return a response's JSON; None for a long or invalid one, and for other media types."""
    if response is None or "json" not in (response.header("content-type") or ""):
        return None
    if len(response.body) > _MAX_PARSED_BYTES:
        return None
    try:
        return load_json(response.body, parse_constant=str, parse_float=_parse_float)
    except ValueError:
        return None


def _parse_float(text: str) -> float | str:
    """Return an infinity, such as 1e999, as text: browsers cannot parse it in JSON."""
    number = float(text)
    return number if number < math.inf else text


def _walk_objects(value: object) -> Iterator[dict[str, Any]]:
    """Yield the objects in `value`, outermost first."""
    level = [value]
    while level:
        objects = [item for item in level if isinstance(item, dict)]
        lists = [item for item in level if isinstance(item, list)]
        yield from objects
        level = []
        for values in objects:
            level.extend(values.values())
        for items in lists:
            level.extend(items)


def _find_outermost_or_null(value: object, names: tuple[str, ...], types: tuple[type, ...]) -> Any:
    """Return the outermost value with one of these names that is null or has one of the types."""
    for values in _walk_objects(value):
        for name in names:
            if name in values and (values[name] is None or isinstance(values[name], types)):
                return values[name]
    return None


def _has_judged_pictures(entry: Entry, answer: object) -> bool:
    """Return whether a call judged pictures, which it sent itself or (Azure's verify) by id."""
    return bool(entry.files) or (isinstance(answer, dict) and "isIdentical" in answer)


def _find_score(answer: object) -> Any:
    """Return the outermost score, or else the first confidence next to a verdict, or None."""
    # An outermost null hides deeper scores.
    score = _find_outermost_or_null(answer, _SCORES, (int, float))
    if score is not None:
        return score
    for values in _walk_objects(answer):
        has_verdict = any(name in values for name in _VERDICTS)
        if has_verdict and isinstance(values.get("confidence"), (int, float)):
            return values["confidence"]
    return None


def _find_reason(answer: object) -> str | None:
    """Return the reason that a refusal gives, with secrets masked, or None."""
    reason = _find_outermost_or_null(answer, _REASONS, (str,))
    while reason is None and isinstance(answer, (dict, list)) and answer:
        # The object may map fields to errors.
        items = answer.values() if isinstance(answer, dict) else answer
        answer = next(iter(items))
        if isinstance(answer, str):
            reason = answer
    if reason is None:
        return None
    return mask_and_shorten_value("reason", reason)


def _shorten(name: str, value: object) -> Any:
    """Mask and shorten the texts in JSON as the journal does, with pictures left out."""
    if isinstance(value, dict):
        return {str(key)[:80]: _shorten(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shorten(name, item) for item in value[:_MAX_ITEMS]]
    if not isinstance(value, str):
        return value
    is_long_word = len(value) > _MIN_PICTURE_LENGTH and " " not in value
    if is_long_word or "\ufffd" in value:
        return f"<picture of {len(value):,} characters>"
    return mask_and_shorten_value(name, value)
