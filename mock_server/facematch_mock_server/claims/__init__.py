"""What the mock claims about the vendors, how that is known, and the answers resting on it."""

from __future__ import annotations

from ._behaviours import Behaviours, Told
from ._book import claims_page, explain
from ._claim import Claim, Known, Origin
from ._reply import JSON, Reply, encode, response

__all__ = [
    "JSON",
    "Behaviours",
    "Claim",
    "Known",
    "Origin",
    "Reply",
    "Told",
    "claims_page",
    "encode",
    "explain",
    "response",
]
