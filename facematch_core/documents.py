"""The JSON form of results and records, and the converter that reads and writes it."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import attrs

if TYPE_CHECKING:
    from cattrs import Converter

A = TypeVar("A")

#: Version of the JSON form of results and records.
SCHEMA = 1

#: Metadata of a field that the JSON form omits.
UNWRITTEN = {"is_written": False}


class Document:
    """An object with a JSON form; see ``docs/reference/result-json.md``."""

    #: The document's `kind` in JSON.
    kind: ClassVar[str] = ""

    def to_dict(self, *, minimal: bool = False) -> dict[str, Any]:
        """Return the JSON form (``"schema": 1``); see ``docs/reference/result.schema.json``.

        Args:
            minimal: Only decision, score, threshold, environment, backend and ids.
        """
        document = written(self)
        if minimal:
            document = _minimal(document)
        first: dict[str, Any] = {"schema": SCHEMA, "kind": self.kind}
        if "decision" in document:
            first["decision"] = document["decision"]
        return first | document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read a document from `to_dict`. Ignores unknown keys: a later version may add them.

        Raises:
            ValueError: the schema or kind differs, a key is missing, or a value is out of range.
                The message names the fields, never a field's value.
        """
        if not isinstance(document, Mapping):
            raise ValueError(f"A result document must be an object, not {type(document).__name__}.")  # noqa: TRY004 - one kind of error for whatever is in a file
        if document.get("schema") != SCHEMA:
            raise ValueError(
                f"This version reads result documents of schema {SCHEMA}, not "
                f"{document.get('schema')!r:.40}: read it with the version of facematch that wrote "
                "it."
            )
        if document.get("kind") != cls.kind:
            raise ValueError(
                f"A document of kind {document.get('kind')!r:.40} is not a {cls.__name__}: read it "
                "with the class of its kind."
            )
        return read_document(cls, document)


@functools.cache
def converter() -> Converter:
    """Return the converter of documents and settings. It never converts a string to a number."""
    # Imported late, so that `import facematch_core` stays fast.
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

    made = Converter()

    def unwritten(cls: type) -> dict[str, Any]:
        fields = attrs.fields(cls) if attrs.has(cls) else ()
        return {field.name: override(omit=True) for field in fields if field.metadata == UNWRITTEN}

    made.register_unstructure_hook_factory(
        lambda kind: bool(unwritten(kind)),
        lambda cls: make_dict_unstructure_fn(cls, made, **unwritten(cls)),
    )
    made.register_structure_hook_factory(
        lambda kind: bool(unwritten(kind)),
        lambda cls: make_dict_structure_fn(cls, made, **unwritten(cls)),
    )
    made.register_unstructure_hook(enum.StrEnum, lambda word: word.value)
    made.register_unstructure_hook(dt.datetime, lambda at: at.isoformat())
    made.register_structure_hook(dt.datetime, lambda text, _: _utc(text))
    made.register_structure_hook(enum.Enum, lambda value, kind: kind(value))

    def structure(kinds: Any, value: Any, kind: Any) -> Any:
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return kind(value)
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
            raise TypeError("a value of another type")
        if kind is float and not abs(value) < 1e300:
            raise ValueError("no finite number")
        return kind(value) if kind in (float, Decimal) else value

    for kind in (bool, int, str):
        made.register_structure_hook(kind, functools.partial(structure, (kind,)))
    made.register_structure_hook(float, functools.partial(structure, (int, float)))
    # No float: 0.1 as a float is not exactly 0.1.
    made.register_structure_hook(Decimal, functools.partial(structure, (int, str)))
    # `Mapping[str, Any]` is not a class, so it needs a predicate.
    made.register_structure_hook_func(
        lambda kind: kind == Mapping[str, Any], functools.partial(structure, (Mapping,))
    )
    return made


def _utc(text: str) -> dt.datetime:
    at = dt.datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at.astimezone(dt.UTC)


def written(value: Any) -> dict[str, Any]:
    """Return an attrs object as plain JSON values."""
    document: dict[str, Any] = converter().unstructure(value)
    return document


def read_document(cls: type[A], document: Mapping[str, Any]) -> A:
    """Read a document from `written`; `ValueError` names the wrong or missing fields."""
    try:
        return converter().structure(document, cls)
    except Exception as error:  # noqa: BLE001 - cattrs groups any kind of exception
        from cattrs import transform_error

        # Only field names: values may be personal data. A validator's message contains the names.
        names, fields = [field.name for field in attrs.fields(cast(Any, cls))], set[str]()
        for line in transform_error(error, format_exception=lambda failure, _: str(failure)):
            problem, _, place = line.rpartition(" @ ")
            words = re.findall(r"\w+", problem) if place == "$" else []
            fields.update([f"$.{name}" for name in names if name in words] or [place])
    raise ValueError(
        f"Not a {cls.__name__} document: wrong or missing: {', '.join(sorted(fields)[:5])}."
    )


#: The fields of `to_dict(minimal=True)`. A score means little without its threshold, and a mock's
#: answer looks real without its environment.
_MINIMAL = ("decision", "score", "threshold", "environment", "backend", "ids")


def _minimal(document: dict[str, Any]) -> dict[str, Any]:
    if "liveness" in document:
        kept = ("decision", "record", "state", "compared_with", "environment")
        answers = {name: document[name] for name in ("liveness", "match")}
        return {name: document[name] for name in kept if name in document} | {
            name: None if answer is None else _minimal(answer) for name, answer in answers.items()
        }
    if "decision" not in document:
        return document
    return {key: document[key] for key in _MINIMAL} | {
        "ids": {name: document["ids"][name] for name in ("call", "vendor", "session")}
    }
