"""A vendor that the mock does not know: its calls are recorded, and own replies answer them."""

from __future__ import annotations

from facematch_mock_server.claims import OURS, Reply, row, table

from . import base

NAME = "unknown"


class Unknown(base.MockVendor):
    """The mock of a vendor that it does not know: it has no route."""

    not_found_claim = "path"


VENDOR = base.Vendor(
    name=NAME,
    title="Unknown vendor",
    claims=table(
        NAME,
        row("path", Reply(404, {"mock": "No own reply answers this call."}), OURS, "Own replies."),
    ),
    first_keys={},
    behaviour=Unknown,
)
