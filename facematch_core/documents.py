"""The JSON form of results and records, and the converter that reads and writes it."""

from __future__ import annotations

import contextlib
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

#: The member that is read for a word of a later version, by enum, if the word has no say in the
#: verdict. Enums that are in none of the two tables refuse an unknown word.
HARMLESS_WORDS: dict[type[enum.Enum], enum.Enum | None] = {}
#: The same for enums that decide: a document with such a word is never a yes.
DECISIVE_WORDS: dict[type[enum.Enum], enum.Enum | None] = {}

#: Metadata of a field that the JSON form omits.
UNWRITTEN = {"is_written": False}


class UnknownWords(enum.Enum):
    """How a converter reads a text that is no member of an enum."""

    REFUSED = "refused"
    #: As `HARMLESS_WORDS` says; the others are refused.
    HARMLESS = "harmless"
    #: As `HARMLESS_WORDS` and `DECISIVE_WORDS` say.
    READ = "read"


class Document:
    """An object with a JSON form; see ``docs/reference/verifier.md``.

    A field type of pydantic, and a response of FastAPI; both use `to_dict` and `from_dict`.
    """

    # With a `__dict__`, which is empty in a slotted subclass, FastAPI would answer ``{}``.
    __slots__ = ()

    #: The document's `kind` in JSON.
    kind: ClassVar[str] = ""

    def to_dict(self, *, minimal: bool = False) -> dict[str, Any]:
        """Return the JSON form (``"schema": 1``): ``json.dumps(result.to_dict())``.

        ``facematch_core/result.schema.json`` is its JSON Schema.

        Args:
            minimal: Only decision, score, threshold, environment, backend and ids.
        """
        document = written(self)
        if minimal:
            document = _minimal(document)
        # The decision stands before the details, for a person who reads the JSON.
        head: dict[str, Any] = {"schema": SCHEMA, "kind": self.kind}
        if "decision" in document:
            head["decision"] = document["decision"]
        return head | document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read a document from `to_dict`, perhaps of a later version.

        Ignores unknown keys. Reads an unknown word as unknown: a warning as OTHER, a decision as
        REVIEW, a state as UNKNOWN, an environment as None. Unless the word has no say in the
        verdict, as that of a warning has not, a pass becomes REVIEW.

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
        with contextlib.suppress(ValueError):
            return read_document(cls, document, UnknownWords.HARMLESS)
        return read_document(cls, document, UnknownWords.READ).without_pass()

    def without_pass(self) -> Self:
        """Return the document as one that is never a yes; `ValueError` if its class has no such."""
        raise ValueError(f"A {type(self).__name__} has a word of a later version.")

    def _repr_html_(self) -> str:
        """Return `str(self)` for a notebook, instead of the long repr; called by Jupyter.

        IPython would find the `__repr__` of a subclass before an inherited `_repr_pretty_`.
        """
        # Imported late, so that `import facematch_core` stays fast.
        import html

        return f"<pre>{html.escape(str(self))}</pre>"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        """Return how pydantic reads and writes the document; called by pydantic."""
        from pydantic_core import core_schema

        def read(value: Any) -> Any:
            return value if isinstance(value, cls) else cls.from_dict(value)

        return core_schema.no_info_plain_validator_function(
            read,
            ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
            serialization=core_schema.plain_serializer_function_ser_schema(cls.to_dict),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _core_schema: object, _handler: object) -> dict[str, Any]:
        """Return the JSON Schema of the document, without references; called by pydantic."""
        definitions = json_schema()["$defs"]
        schema = _inlined(definitions[cls.kind], definitions)
        added_by_to_dict = {"schema": {"const": SCHEMA}, "kind": {"const": cls.kind}}
        return {
            **schema,
            "title": cls.__name__,
            "properties": added_by_to_dict | schema["properties"],
            "required": [*added_by_to_dict, *schema["required"]],
        }


@functools.cache
def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of all kinds of documents."""
    # Imported late, so that `import facematch_core` stays fast.
    import json
    from importlib import resources

    file = resources.files(__package__).joinpath("result.schema.json")
    schema: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return schema


def _inlined(schema: object, definitions: Mapping[str, Any]) -> Any:
    """Return a JSON Schema for OpenAPI: without ``$ref``, as ``#/$defs`` does not exist there."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    inlined = {name: _inlined(value, definitions) for name, value in schema.items()}
    if isinstance(inlined.get("type"), list):
        # FastAPI 0.116 and older read no list of types.
        inlined["anyOf"] = [{"type": name} for name in inlined.pop("type")]
    return inlined


@functools.cache
def converter(unknown_words: UnknownWords = UnknownWords.REFUSED) -> Converter:
    """Return the converter of documents and settings, which only accepts values of the type.

    A plain `cattrs.Converter` reads "false" as True and "3" as 3.
    """
    # Imported late, so that `import facematch_core` stays fast.
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

    strict = Converter()

    def omitted_fields(cls: type) -> dict[str, Any]:
        fields = attrs.fields(cls) if attrs.has(cls) else ()
        return {field.name: override(omit=True) for field in fields if field.metadata == UNWRITTEN}

    def has_omitted_fields(kind: type) -> bool:
        return bool(omitted_fields(kind))

    strict.register_unstructure_hook_factory(
        has_omitted_fields,
        lambda cls: make_dict_unstructure_fn(cls, strict, **omitted_fields(cls)),
    )
    strict.register_structure_hook_factory(
        has_omitted_fields,
        lambda cls: make_dict_structure_fn(cls, strict, **omitted_fields(cls)),
    )
    strict.register_unstructure_hook(enum.StrEnum, lambda member: member.value)
    strict.register_unstructure_hook(dt.datetime, lambda time: time.isoformat())
    strict.register_structure_hook(dt.datetime, lambda text, _: _read_time(text))
    read_word = functools.partial(_read_word, unknown_words)
    strict.register_structure_hook(enum.Enum, read_word)
    for kind in (bool, int):
        strict.register_structure_hook(kind, functools.partial(_read_plain, (kind,)))
    # cattrs finds the hook of `str` for a StrEnum.
    strict.register_structure_hook(
        str,
        lambda value, kind: (
            _read_plain((str,), value, kind) if kind is str else read_word(value, kind)
        ),
    )
    strict.register_structure_hook(float, functools.partial(_read_plain, (int, float)))
    # No float: 0.1 as a float is not exactly 0.1.
    strict.register_structure_hook(Decimal, functools.partial(_read_plain, (int, str)))
    # `Mapping[str, Any]` is not a class, so it needs a predicate.
    strict.register_structure_hook_func(
        lambda kind: kind == Mapping[str, Any], functools.partial(_read_plain, (Mapping,))
    )
    return strict


def _read_word(unknown_words: UnknownWords, value: Any, kind: Any) -> Any:
    """Return the member of an enum, or the one that stands for an unknown word."""
    try:
        return kind(value)
    except ValueError:
        if not isinstance(value, str) or unknown_words is UnknownWords.REFUSED:
            raise
        if kind in HARMLESS_WORDS:
            return HARMLESS_WORDS[kind]
        if kind in DECISIVE_WORDS and unknown_words is UnknownWords.READ:
            return DECISIVE_WORDS[kind]
        raise


def _read_plain(accepted: Any, value: Any, kind: Any) -> Any:
    """Return a number, a text or a mapping as a `kind`; raise if its type is not `accepted`."""
    if not isinstance(value, accepted):
        raise TypeError("a value of another type")
    if isinstance(value, bool) and kind is not bool:  # a bool is an int in Python
        raise TypeError("a value of another type")
    if kind is float and not abs(value) < 1e300:  # also rejects nan and infinity
        raise ValueError("no finite number")
    return kind(value) if kind in (float, Decimal) else value


def _read_time(text: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without an offset")
    return time.astimezone(dt.UTC)


def written(value: object) -> dict[str, Any]:
    """Return an attrs object as plain JSON values."""
    document: dict[str, Any] = converter().unstructure(value)
    return document


def read_document(
    cls: type[A],
    document: Mapping[str, Any],
    unknown_words: UnknownWords = UnknownWords.REFUSED,
) -> A:
    """Read a document from `written`; `ValueError` names the wrong or missing fields."""
    try:
        return converter(unknown_words).structure(document, cls)
    except Exception as error:  # noqa: BLE001 - cattrs groups any kind of exception
        from cattrs import transform_error

        # Only field names: values may be personal data. A validator's message contains the names.
        field_names = [field.name for field in attrs.fields(cast(Any, cls))]
        wrong_fields: set[str] = set()
        # Each line is "message @ path", and the path of the whole document is "$".
        for line in transform_error(error, format_exception=lambda failure, _: str(failure)):
            message, _, path = line.rpartition(" @ ")
            words = re.findall(r"\w+", message) if path == "$" else []
            named = [f"$.{name}" for name in field_names if name in words]
            wrong_fields.update(named or [path])
    raise ValueError(
        f"Not a {cls.__name__} document: wrong or missing: {', '.join(sorted(wrong_fields)[:5])}."
    )


#: The fields of `to_dict(minimal=True)`. A score means little without its threshold, and a mock's
#: answer looks real without its environment.
_MINIMAL = ("decision", "score", "threshold", "environment", "backend", "ids")
_MINIMAL_OF_SESSION = ("decision", "record", "state", "compared_with", "environment")


def _minimal(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a result for `to_dict(minimal=True)`; any other document unchanged."""
    if "liveness" in document:  # the result of a session
        minimal = {name: document[name] for name in _MINIMAL_OF_SESSION if name in document}
        for check in ("liveness", "match"):
            result = document[check]
            minimal[check] = None if result is None else _minimal(result)
        return minimal
    if "decision" not in document:
        return document
    return {key: document[key] for key in _MINIMAL} | {
        "ids": {name: document["ids"][name] for name in ("call", "vendor", "session")}
    }
