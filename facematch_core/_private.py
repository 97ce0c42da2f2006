"""Take out of a vendor's body what a result must not carry."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

#: What stands in place of an address that leads to a picture.
MASKED = "(address removed)"

_DEMOGRAPHIC = frozenset({"age", "gender", "race"})


def without_private(
    body: Any,
    *,
    demographic_keys: Collection[str] = _DEMOGRAPHIC,
    media_keys: Collection[str] = (),
) -> Any:
    """A copy of a decoded JSON body without demographics and with media addresses masked.

    Args:
        body: Any decoded JSON value; it is not changed.
        demographic_keys: Keys to leave out, at any depth.
        media_keys: Keys whose text is replaced, at any depth.
    """
    if isinstance(body, Mapping):
        return {
            key: MASKED
            if key in media_keys and isinstance(value, str)
            else without_private(value, demographic_keys=demographic_keys, media_keys=media_keys)
            for key, value in body.items()
            if key not in demographic_keys
        }
    if isinstance(body, (list, tuple)):
        return [
            without_private(item, demographic_keys=demographic_keys, media_keys=media_keys)
            for item in body
        ]
    return body
