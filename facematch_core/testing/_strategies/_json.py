"""JSON: any value, and documents with one thing wrong."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hypothesis import strategies as st

#: Whole numbers beyond these are others in programs that read JSON numbers as doubles.
EXACT = 2**53

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)

#: The way to a value: names and numbers of what is around it, from the outside.
Path = tuple[str | int, ...]


@functools.cache
def json_values(max_leaves: int = 8) -> st.SearchStrategy[Any]:
    """Any JSON value, small: null, true, numbers, texts, arrays and objects of them.

    Args:
        max_leaves: Most values in one document, about.
    """
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-EXACT, EXACT)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=max_leaves,
    )


def mutated(body: Any) -> st.SearchStrategy[Any]:
    """Documents that differ from `body` in one place, as a vendor may get it wrong one day.

    A name is missing or new, a value is null, empty, of another type, beyond its range, doubled or
    wrapped; the rest is as it was. What is to be seen then: the call ends in a result that keeps
    its promises, or in one error::

        @given(mutated(ANSWER))
        def test_any_answer_is_a_result_or_one_error(body): ...

    Args:
        body: A JSON document, or a strategy for them.

    Returns:
        Documents with another JSON text than `body`. None is the object that was given, though
        they may share parts of it: do not change them.

    Raises:
        TypeError: it is no JSON document.
    """
    if isinstance(body, st.SearchStrategy):
        return body.flatmap(mutated)
    text = _text(body)
    return (
        st.sampled_from([*_places(body)])
        .flatmap(lambda way: _wrong(way[1]).map(lambda new: _replaced(body, way[0], new)))
        .filter(lambda changed: _text(changed) != text)
    )


def _text(body: Any) -> str:
    try:
        return json.dumps(body, sort_keys=True)
    except (TypeError, ValueError):
        raise TypeError(
            f"mutated() takes a JSON document or a strategy for them, not {type(body).__name__}"
            " with something in it that JSON does not have."
        ) from None


def _places(document: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The way to every value, and the value."""
    yield path, document
    for key, value in _inside(document):
        yield from _places(value, (*path, key))


def _inside(document: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(document, dict):
        return document.items()
    return enumerate(document) if isinstance(document, list) else ()


def _replaced(document: Any, path: Path, value: Any) -> Any:
    """A copy with `value` at the end of `path`."""
    if not path:
        return value
    copy: Any = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = _replaced(document[path[0]], path[1:], value)
    return copy


def _wrong(value: Any) -> st.SearchStrategy[Any]:
    """What may stand where `value` should."""
    anything = st.sampled_from([None, True, False, 0, 1, -1, "", [], {}, [value], {"value": value}])
    own = [_WRONG[type(value)](value)] if type(value) in _WRONG else []
    return st.one_of(anything, json_values(), *own)


def _wrong_number(value: float) -> st.SearchStrategy[Any]:
    near = [value + 1, value - 1, -value, value * 100, value / 100]
    return st.sampled_from([*near, -0.01, 100.01, 2**70, 10**400, -1e300, str(value), f"{value}%"])


def _wrong_text(value: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(
        [value + " ", value.upper(), value.lower(), value.title(), value * 2, value[:-1], "null"]
    )


def _wrong_list(value: list[Any]) -> st.SearchStrategy[Any]:
    missing = [value[:at] + value[at + 1 :] for at in range(len(value))]
    return st.sampled_from([*missing, value * 2, [*value, None], value[::-1]])


def _wrong_object(value: dict[str, Any]) -> st.SearchStrategy[Any]:
    missing = [{key: kept for key, kept in value.items() if key != gone} for gone in value]
    renamed = [{key.upper(): kept for key, kept in value.items()}, {**value, "unknown": 1}]
    return st.sampled_from([*missing, *renamed, [*value.values()], [*value]])


_WRONG: dict[type, Callable[[Any], st.SearchStrategy[Any]]] = {
    bool: lambda value: st.sampled_from([not value, int(value), str(value), str(value).lower()]),
    int: _wrong_number,
    float: _wrong_number,
    str: _wrong_text,
    list: _wrong_list,
    dict: _wrong_object,
}
