"""What is sent to one vendor: stripped of private data, and encoded anew only where it must be."""

from __future__ import annotations

import attrs

from ._decode import decode
from ._fit import fit as fitted
from ._header import Header
from ._limits import ImageLimits
from ._refusal import Refusal
from ._strip import can_strip, strip


def prepare(
    data: bytes, header: Header, limits: ImageLimits, *, fit: bool
) -> tuple[bytes, Header | None]:
    """The bytes to send for a picture whose header was read before, and theirs; None: unknown.

    The very same bytes come back if nothing had to change.

    Raises:
        Refusal: it is too small, cannot be decoded or brought within the limits, or had to be
            encoded anew with `fit` False.
    """
    too_small = limits.too_small(header)
    if too_small:
        raise Refusal(too_small)
    if can_strip(header.format):
        # First: what is taken out may be what was too much.
        stripped = strip(data, header)
        if stripped is not data:
            data, header = stripped, attrs.evolve(header, parts=())
        obstacle = limits.obstacle(header, len(data))
        if obstacle is None:
            return data, header
    else:
        obstacle = limits.obstacle(header, len(data)) or (
            f"is {header.format.noun}, whose metadata goes only by encoding it anew"
        )
    if not fit:
        raise Refusal(f"{obstacle}; change it first, or allow it to be fitted")
    return fitted(decode(data, header), limits), None
