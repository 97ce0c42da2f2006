"""A page of a list.

Source: docs.withpersona.com, pagination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.persona.access import PersonaCall
from facematch_mock_server.vendors.persona.wire import show_inquiry
from facematch_mock_server.world.sessions import Session


def _read_size(call: PersonaCall) -> int:
    """Return the number of resources on a page."""
    text = call.query.get("page[size]")
    if text is None:
        size: int = call.claims["list.size"]
        return size
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        call.refuse("body.wrong", name="page[size]", kind="an integer")
    return min(max(int(text), 1), 100)


def answer_page(
    call: PersonaCall,
    items: Sequence[Session],
    filters: Mapping[str, str],
) -> Response:
    """Answer with the page of these items that the query names."""
    ids = [item.id for item in items]
    after = call.query.get("page[after]")
    start = ids.index(after) + 1 if after in ids else 0
    size = _read_size(call)
    page = items[start : start + size]
    following = None
    if len(items) > start + size:
        query = {**filters, "page[size]": size, "page[after]": page[-1].id}
        following = f"{call.request.path}?{urlencode(query)}"
    body = {
        "data": [show_inquiry(item) for item in page],
        "links": {"prev": None, "next": following},
    }
    return call.answer("inquiry.listed", body)
