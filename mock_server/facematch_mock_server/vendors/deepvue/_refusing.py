"""Refusals: an error's words in the shape that is in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facematch_mock_server._messages import Headers, Response
from facematch_mock_server.claims import Reply, Told

from ._call import Call


def refused(call: Call, key: str, headers: Headers = ()) -> Response:
    """The refusal of that name, in its own words."""
    return worded(call, key, call.told[f"{key}.text"], headers)


def worded(call: Call, key: str, words: Any, headers: Headers = ()) -> Response:
    """The refusal of that name in these words: a text, or the list of a 422."""
    told = call.told
    reply: Reply = told.peek(key)
    keys = _envelope(told, reply.status)
    if not keys:
        return told.answer(key, {told["error.key"]: words}, headers)
    text = words if isinstance(words, str) else "; ".join(_line(entry) for entry in words)
    return told.answer(key, envelope(call, keys, text, told["error.sub_code"]), headers)


def envelope(call: Call, keys: tuple[str, ...], message: str, sub_code: str) -> dict[str, Any]:
    """The body of an error with these keys, each one made only if it is among them."""
    made: dict[str, Callable[[], Any]] = {
        "transaction_id": lambda: call.transaction_id.replace("-", ""),
        "timestamp": lambda: call.timestamp,
        "sub_code": lambda: sub_code,
        "message": lambda: message,
    }
    return {key: made[key]() for key in keys}


def _envelope(told: Told, status: int) -> tuple[str, ...]:
    if told["error.shape"] == "detail":
        return ()
    known = {**told["error.envelope"], **told["error.envelope_bare"]}
    keys: tuple[str, ...] = known.get(status, ())
    return keys


def _line(entry: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in entry.get("loc", ()))
    return f"{place}: {entry['msg']}"
