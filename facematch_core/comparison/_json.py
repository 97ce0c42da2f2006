"""An evaluation as a JSON document and back.

The form is described by ``docs/reference/comparison.schema.json``; a test holds the two together.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from facematch_core.errors import InvalidRequest

from ._document import Evaluation
from .metrics import Rate

if TYPE_CHECKING:
    from cattrs import Converter

#: Version of the form; 0 until facematch 1.0: it may change with a minor release.
SCHEMA: Final = 0

#: The word that tells what a document holds.
KIND: Final = "comparison"


def to_document(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON knows it: every number of the report, to its last digit."""
    return {"schema": SCHEMA, "kind": KIND, **written(evaluation)}


def written(thing: Any) -> dict[str, Any]:
    """A data object of a comparison as plain JSON values."""
    document: dict[str, Any] = _converter().unstructure(thing)
    return document


def from_document(document: Mapping[str, Any]) -> Evaluation:
    """The evaluation in a document.

    Raises:
        InvalidRequest: it is none, or of another schema.
    """
    if not hasattr(document, "get") or document.get("kind") != KIND:
        raise InvalidRequest("This is no comparison: its kind is another, or missing.")
    if document.get("schema") != SCHEMA:
        raise InvalidRequest(
            f"This comparison has the schema {str(document.get('schema'))[:20]!r}, and this "
            f"facematch reads {SCHEMA}: use the facematch that wrote it."
        )
    try:
        return _converter().structure(document, Evaluation)
    except Exception as error:  # noqa: BLE001 - cattrs raises groups of many kinds
        reason = type(error).__name__
    raise InvalidRequest(f"This comparison cannot be read ({reason}): is it whole?")


@functools.cache
def _converter() -> Converter:
    from cattrs import Converter  # not above: a command that fails early need not load it
    from cattrs.gen import make_dict_unstructure_fn

    converter = Converter(forbid_extra_keys=False, detailed_validation=False)
    converter.register_unstructure_hook(enum.StrEnum, lambda word: word.value)
    converter.register_unstructure_hook(dt.datetime, lambda at: at.isoformat())
    converter.register_unstructure_hook(float, _finite)
    converter.register_structure_hook(dt.datetime, lambda text, _: dt.datetime.fromisoformat(text))
    # Else "5" is a number, and NaN one that the report prints.
    for kind, also in ((float, (float, int)), (int, (int,)), (bool, (bool,)), (str, (str,))):
        converter.register_structure_hook(kind, functools.partial(_strict, also))
    plain = make_dict_unstructure_fn(Rate, converter)
    # Said, so that nobody has to divide.
    converter.register_unstructure_hook(Rate, lambda rate: plain(rate) | {"value": rate.value})
    return converter


def _strict(kinds: tuple[type, ...], value: Any, wanted: type) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and wanted is not bool):
        raise TypeError("another type")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not finite")
    return wanted(value)


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise InvalidRequest("A comparison holds a number that JSON has not: report this.")
    return number
