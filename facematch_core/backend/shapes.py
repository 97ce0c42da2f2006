"""An answer's shape: the names, types and forms in it, and no word of its values.

A name counts only if the plug-in's own code contains it; any other may be a customer's and is
written ``*``. The shape of ``{"status": "Approved", "user": {"Ada": 1}}`` is
``{status:text user:{*:number}}`` if the code contains ``status`` and ``user``.
"""

from __future__ import annotations

import functools
import re
import sys
import types
from collections.abc import Collection, Iterator
from typing import Any

#: The forms of a text; the first that fits counts, and else it is a ``text``.
_FORMS = {
    "empty": re.compile(r""),
    "digits": re.compile(r"-?\d+(\.\d+)?"),
    "uuid": re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "time": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.{0,20}"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "url": re.compile(r"https?://\S+"),
}
#: Longer shapes are cut, in characters; deeper values are not shown.
_MAX_LENGTH = 4000
_MAX_DEPTH = 20


def shape_of(document: object, known_names: Collection[str]) -> str:
    """Return the shape of a JSON document in one line; names outside `known_names` are ``*``.

    Items of a list, and values under ``*``, are written once a shape. A shape of more than 4,000
    characters is cut, and what is nested more than 20 deep is ``...``.
    """
    return _shape(document, known_names, _MAX_DEPTH)[:_MAX_LENGTH]


def _shape(value: Any, known_names: Collection[str], depth: int) -> str:
    """Return the form of a value, `depth` levels deep.

    An unknown key is ``*``, a text only its form.
    """
    if not depth:
        return "..."
    if isinstance(value, dict):
        fields = dict[str, None]()
        for name, item in value.items():
            shown = name if name in known_names else "*"
            fields[f"{shown}:{_shape(item, known_names, depth - 1)}"] = None
        return f"{{{' '.join(fields)}}}"
    if isinstance(value, list):
        shapes = dict.fromkeys(_shape(item, known_names, depth - 1) for item in value)
        return f"[{'|'.join(shapes)}]"
    if isinstance(value, str):
        return next((form for form, pattern in _FORMS.items() if pattern.fullmatch(value)), "text")
    if value is None:
        return "null"
    return "boolean" if isinstance(value, bool) else "number"


def leaves_of(
    document: Any, known_names: Collection[str], place: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield place, form and text of each value that has no other in it.

    A place is such as ``items[].name``, with ``*`` for a name outside `known_names`, and ``.`` for
    the whole document. The text of what is no text is empty.
    """
    if isinstance(document, dict) and document:
        for name, item in document.items():
            shown = name if name in known_names else "*"
            yield from leaves_of(item, known_names, f"{place}.{shown}".lstrip("."))
    elif isinstance(document, list) and document:
        for item in document:
            yield from leaves_of(item, known_names, f"{place}[]")
    else:
        text = document if isinstance(document, str) else ""
        yield place or ".", shape_of(document, ()), text


def known_names(backend_class: type) -> frozenset[str]:
    """Return the literal texts in the code of a plug-in: in its package, or in its only module."""
    package = backend_class.__module__.rpartition(".")[0] or backend_class.__module__
    inside = f"{package}."
    modules = [name for name in list(sys.modules) if name == package or name.startswith(inside)]
    return frozenset[str]().union(*map(texts_in_code, modules))


@functools.cache
def texts_in_code(module: str) -> frozenset[str]:
    """Return the literal texts in a module's code.

    Empty if there is no code to look into, such as that of an interactive session.
    """
    loader = getattr(sys.modules.get(module), "__loader__", None)
    try:
        constants = [loader.get_code(module)]  # type: ignore[union-attr]
    except (AttributeError, ImportError, OSError, SyntaxError, ValueError):
        return frozenset()
    texts = set()
    for constant in constants:  # grows during the loop
        if isinstance(constant, types.CodeType):
            constants.extend(constant.co_consts)
        elif isinstance(constant, (tuple, frozenset)):
            constants.extend(constant)
        elif isinstance(constant, str):
            texts.add(constant)
    return frozenset(texts)
