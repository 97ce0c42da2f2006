"""Results as JSON documents and back.

The form is described by ``docs/reference/result.schema.json``; a test holds the two together.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ._age import AgeResult
from ._reconcile import Attempt
from ._results import LiveMatchResult, LivenessResult, MatchResult, Result
from ._search import SearchResult
from .errors import FaceMatchError, InvalidRequest

if TYPE_CHECKING:
    from cattrs import Converter

#: Version of the JSON form; 0 until facematch 1.0: it may change with a minor release.
SCHEMA = 0

#: The word that tells what a document holds.
KINDS: dict[type, str] = {
    MatchResult: "match",
    LivenessResult: "liveness",
    LiveMatchResult: "live_match",
    SearchResult: "search",
    AgeResult: "age",
    Attempt: "attempt",
}

#: What `to_dict(minimal=True)` keeps of one answer. Without its threshold a score says little, and
#: without its environment an answer of a mock looks like a real one.
MINIMAL = (
    "decision",
    "score",
    "threshold",
    "environment",
    "backend",
    "attempt_id",
    "request_id",
    "session_id",
)

A = TypeVar("A")
T = TypeVar("T", MatchResult, LivenessResult, LiveMatchResult, SearchResult, AgeResult, Attempt)


@functools.cache
def _converter() -> Converter:
    # Loaded late: reading and writing JSON is not part of `import facematch_core`.
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn

    converter = Converter(forbid_extra_keys=False)
    converter.register_unstructure_hook(enum.StrEnum, lambda word: word.value)
    converter.register_unstructure_hook(dt.datetime, lambda at: at.isoformat())
    converter.register_structure_hook(dt.datetime, lambda text, _: _utc(text))
    converter.register_structure_hook(float, lambda number, _: _number(number))
    converter.register_structure_hook(int, lambda number, _: _integer(number))
    converter.register_structure_hook(str, lambda text, _: _text(text))
    converter.register_structure_hook(enum.StrEnum, lambda word, wanted: wanted(word))
    # A generic type is no class, so it is found by asking.
    converter.register_structure_hook_func(
        lambda wanted: wanted == Mapping[str, Any], lambda document, _: _object(document)
    )
    converter.register_structure_hook(bool, lambda flag, _: _flag(flag))
    for cls in KINDS:
        converter.register_structure_hook(cls, make_dict_structure_fn(cls, converter))
    return converter


def _utc(text: object) -> dt.datetime:
    at = dt.datetime.fromisoformat(_text(text))
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at.astimezone(dt.UTC)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("not a number")
    return float(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return dict(value)


def to_dict(result: Result | LiveMatchResult | Attempt, *, minimal: bool = False) -> dict[str, Any]:
    """`result` as a document of plain JSON values, its schema version, kind and decision first."""
    document = written(result)
    if minimal:
        document = _minimal(document)
    first: dict[str, Any] = {"schema": SCHEMA, "kind": KINDS[type(result)]}
    if "decision" in document:
        first["decision"] = document["decision"]
    return first | document


def _minimal(document: dict[str, Any]) -> dict[str, Any]:
    if "liveness" in document:
        return {
            "decision": document["decision"],
            "liveness": _minimal(document["liveness"]),
            "match": None if document["match"] is None else _minimal(document["match"]),
        }
    return {key: document[key] for key in MINIMAL}


def from_dict(cls: type[T], document: Mapping[str, Any]) -> T:
    """Read what `to_dict` wrote. Unknown keys are passed over: a later version may have added them.

    Raises:
        InvalidRequest: another schema or kind, a missing key, or a value out of its range.
    """
    if not isinstance(document, Mapping):
        raise InvalidRequest(f"A result document must be an object, not {type(document).__name__}.")
    if document.get("schema") != SCHEMA:
        raise InvalidRequest(
            f"This version reads result documents of schema {SCHEMA}, not "
            f"{document.get('schema')!r:.40}: use the version of facematch that wrote it."
        )
    if document.get("kind") != KINDS[cls]:
        raise InvalidRequest(
            f"A document of kind {document.get('kind')!r:.40} is no {cls.__name__}: read it with "
            "the class that its kind names."
        )
    return read_as(cls, document)


def written(thing: Any) -> dict[str, Any]:
    """An attrs object of ours as plain JSON values."""
    document: dict[str, Any] = _converter().unstructure(thing)
    return document


def read_as(cls: type[A], document: Mapping[str, Any]) -> A:
    """Read what `written` wrote; `InvalidRequest` names the fields that are wrong or missing."""
    try:
        return _converter().structure(document, cls)
    except FaceMatchError:
        raise
    except Exception as error:  # noqa: BLE001 - cattrs groups any kind of exception
        # cattrs raises a group that names every faulty field; values may be personal data.
        raise InvalidRequest(f"Not a {cls.__name__} document: {_fields(error)}.") from None


def _fields(error: BaseException) -> str:
    from cattrs import transform_error

    paths = sorted({line.rsplit("@ ", 1)[-1] for line in transform_error(error)})
    return "wrong or missing: " + ", ".join(paths[:5])
