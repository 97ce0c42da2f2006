"""The facts of a vendor with sessions."""

from __future__ import annotations

from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.vendor import Vendor


def facts_of(vendor: Vendor) -> DrillFacts:
    """Return the facts by which an application of a vendor is judged."""
    facts = vendor.drilled
    assert facts is not None  # noqa: S101 - the command takes no other vendor
    return facts
