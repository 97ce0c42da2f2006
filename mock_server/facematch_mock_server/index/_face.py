"""One face of the index, without what could be recognised in it."""

from __future__ import annotations

import datetime as dt
import enum

import attrs


class Listing(enum.StrEnum):
    """The list that a face stands on."""

    BLOCK = "block"
    ALLOW = "allow"


@attrs.frozen(kw_only=True)
class IndexedFace:
    """One face. No picture and no embedding is in it: it may be written down.

    Attributes:
        id: Of this entry.
        owner: Whose index it is in.
        name: Who it is: the person of a test card, else ``sha256:`` and the digest of the picture.
        also: Another name of the same face, as the library would send the picture; None for none.
        score: The exact score of a test card, 0-100; None without one.
        source: Where it comes from, in the vendor's word.
        session_id, session_number: The session that it was enrolled with; None without one.
        service: Of that session, as the vendor calls it; None without one.
        status: Of a face without a session, in the vendor's word; None if it has none.
        vendor_data: As sent; None if it was not.
        full_name: Of the person; None if nobody knows.
        comment: Of whoever put it on a list; None without one.
        at: When it was enrolled, UTC.
        hidden: Whether it is enrolled and never found.
        listing: The list that it stands on; None for none.
        deleted: Whether its session was deleted since.
    """

    id: str
    owner: str
    name: str
    also: str | None = None
    score: float | None = None
    source: str = "session"
    session_id: str | None = None
    session_number: int | None = None
    service: str | None = None
    status: str | None = None
    vendor_data: str | None = attrs.field(default=None, repr=False)
    full_name: str | None = attrs.field(default=None, repr=False)
    comment: str | None = attrs.field(default=None, repr=False)
    at: dt.datetime
    hidden: bool = False
    listing: Listing | None = None
    deleted: bool = False
