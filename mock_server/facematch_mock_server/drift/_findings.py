"""What differs, and which claims say so: plain data."""

from __future__ import annotations

import attrs

from ._model import Turn

#: More claims than this are no answer to "which one".
MOST_NAMED = 5
#: What is there where nothing is.
ABSENT = "absent"


@attrs.frozen(order=True, cache_hash=True)
class Place:
    """One place in one answer.

    Attributes:
        chain, step: Which answer.
        path: Where in it.
    """

    chain: str
    step: str
    path: str


@attrs.frozen(kw_only=True)
class Difference:
    """A place where the target is another one than the model.

    Attributes:
        place: Where.
        expected: What the model has there.
        seen: What the target has there.
    """

    place: Place
    expected: str
    seen: str


@attrs.frozen(kw_only=True)
class Finding:
    """Differences with what explains them.

    Attributes:
        turns: Claims that are false: one of them, if there are several. Empty if none speaks of
            these places.
        is_exact: Whether what was seen is what their contrary says, throughout.
        differences: In order.
    """

    turns: tuple[Turn, ...]
    is_exact: bool
    differences: tuple[Difference, ...]
