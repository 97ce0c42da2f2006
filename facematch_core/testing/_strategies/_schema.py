"""Documents from a JSON Schema: the words that vendors' OpenAPI documents use, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from hypothesis import strategies as st

from ._json import json_values
from ._kinds import KINDS, Schema, refused

#: Read by people, and no condition.
_TOLD = frozenset(
    {
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "components"),
        *("title", "description", "default", "example", "examples", "deprecated"),
        *("readOnly", "writeOnly", "externalDocs", "discriminator", "xml"),
    }
)
_APPLIED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "nullable"})


def bodies(
    schema: Mapping[str, Any], *, document: Mapping[str, Any] | None = None
) -> st.SearchStrategy[Any]:
    """JSON documents that a JSON Schema or an OpenAPI schema allows.

    Known are `type`, `properties`, `required`, `additionalProperties`, `enum`, `const`, `items`,
    `anyOf`, `oneOf` (one of its schemas is taken; that no other one fits as well is not looked at),
    `allOf`, `nullable`, `$ref` within the document, the least and most of numbers, lengths and
    items, `uniqueItems`, `pattern`, and the formats date-time, date, uuid, uri, email, byte,
    password, int32, int64, float and double.

    Args:
        schema: The schema of one document.
        document: The document that a ``$ref`` leads into, say an OpenAPI document; None for
            `schema` itself.

    Raises:
        ValueError: the schema says something else. The sentence names the word and its place.
    """
    return _Reader(schema if document is None else document).strategy(schema, "#")


class _Reader:
    """Turns the schemas of one document into strategies, each once: a schema may hold itself."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.made: dict[str, st.SearchStrategy[Any]] = {}

    def strategy(self, schema: Any, place: str) -> st.SearchStrategy[Any]:
        if not isinstance(schema, Mapping | bool):
            raise refused(f"a {type(schema).__name__} instead of a schema", place)
        key = json.dumps(schema, sort_keys=True)
        if key not in self.made:
            found: list[st.SearchStrategy[Any]] = []
            self.made[key] = st.deferred(lambda: found[0])
            found.append(self._any_of(schema, place))
        return self.made[key]

    def _any_of(self, schema: Any, place: str) -> st.SearchStrategy[Any]:
        if schema is False:
            raise refused("false, which allows nothing", place)
        flat = [{}] if schema is True else list(self._flat(schema, place, ()))
        if not flat:
            raise refused("conditions that contradict each other", place)
        return st.one_of(*(self._plain(one, place) for one in flat))

    def _flat(self, schema: Schema, place: str, within: tuple[str, ...]) -> Iterator[Schema]:
        """The schema as alternatives that refer to nothing, each with all that holds for it."""
        if schema.get("nullable") is True:
            yield {"type": "null"}
        own = {
            word: value
            for word, value in schema.items()
            if word not in _TOLD and word not in _APPLIED and not word.startswith("x-")
        }
        if "const" in own:
            own["enum"] = [own.pop("const")]
        groups: list[list[Schema]] = [[own]]
        if "$ref" in schema:
            to = schema["$ref"]
            if to in within:
                raise refused(f"a reference to itself, {to}", place)
            groups.append(list(self._flat(self._found(to, place), to, (*within, to))))
        for word in ("anyOf", "oneOf"):
            parts = enumerate(schema.get(word, ()))
            flat = [self._flat(part, f"{place}/{word}/{at}", within) for at, part in parts]
            groups += [[one for several in flat for one in several]] if word in schema else []
        for at, part in enumerate(schema.get("allOf", ())):
            groups.append(list(self._flat(part, f"{place}/allOf/{at}", within)))
        yield from _joined(groups, place)

    def _found(self, reference: Any, place: str) -> Schema:
        """What a ``$ref`` leads to."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise refused("a $ref that leads out of the document", place)
        found: Any = self.document
        for step in unquote(reference).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise refused(f"the $ref {reference}, which leads nowhere", place)
            found = found[name]
        if not isinstance(found, Mapping):
            raise refused(f"the $ref {reference}, which leads to no schema", place)
        return found

    def _plain(self, schema: Schema, place: str) -> st.SearchStrategy[Any]:
        """Of a schema that refers to nothing."""
        if not schema:
            return json_values()
        told = schema.get("type")
        names = [told] if isinstance(told, str) else told
        if names is None:
            # Without a type, words about one kind of value mean that kind; a format means a text.
            said = set(schema) - {"format"}
            names = [name for name, kind in KINDS.items() if kind.words & said]
            names = names or (["string"] if "format" in schema else [])
        for name in names:
            if name not in KINDS:
                raise refused(f"the type {name}", place)
        words = frozenset({"type", "enum"}).union(*(KINDS[name].words for name in names))
        for word in schema:
            if word not in words:
                raise refused(f"the word {word}", place)
        kinds = [KINDS[name] for name in names]
        if "enum" in schema:
            if len(schema) > 1 + ("type" in schema):
                raise refused("an enum beside other conditions", place)
            values = [v for v in schema["enum"] if not kinds or any(k.has(v) for k in kinds)]
            if not values:
                raise refused("an enum without a value of its type", place)
            return st.sampled_from(values)
        return st.one_of(*(kind.made(schema, place, self.strategy) for kind in kinds))


def _joined(groups: list[list[Schema]], place: str) -> Iterator[Schema]:
    """One alternative of each group with one of each other, where they can hold together."""
    joined: list[Schema] = [{}]
    for group in groups:
        pairs = [(one, other) for one in joined for other in group]
        joined = [both for one, other in pairs if (both := _both(one, other, place)) is not None]
    yield from joined


def _both(one: Schema, other: Schema, place: str) -> Schema | None:
    """Both at once; None if nothing can be both."""
    both = {**one, **other}
    for mine, theirs in ((one, other), (other, one)):
        strange = set(theirs.get("properties", {})) - set(mine.get("properties", {}))
        if mine.get("additionalProperties", True) is not True and strange:
            raise refused("additionalProperties beside properties of another schema", place)
    for word in set(one) & set(other):
        if one[word] == other[word]:
            continue
        if word not in _BOTH:
            raise refused(f"two of {word} that hold together", place)
        both[word] = _BOTH[word](one[word], other[word])
        if word in ("type", "enum") and not both[word]:
            return None
    return both


def _both_types(one: Any, other: Any) -> list[str]:
    first, second = ({told} if isinstance(told, str) else set(told) for told in (one, other))
    found = first & second
    for mine, theirs in ((first, second), (second, first)):
        if "number" in mine and "integer" in theirs:
            found.add("integer")
    return sorted(found)


def _both_properties(one: Schema, other: Schema) -> Schema:
    shared = {name: {"allOf": [one[name], other[name]]} for name in one if name in other}
    return {**one, **other, **shared}


_BOTH: dict[str, Any] = {
    "type": _both_types,
    "enum": lambda one, other: [v for v in one if json.dumps(v) in map(json.dumps, other)],
    "properties": _both_properties,
    "required": lambda one, other: [*one, *(name for name in other if name not in one)],
    **dict.fromkeys(("minimum", "minLength", "minItems", "exclusiveMinimum"), max),
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "exclusiveMaximum"), min),
}
