"""What the mock claims about the vendors, how that is known, and the answers resting on it."""

from __future__ import annotations

from ._behaviours import Behaviours, Told
from ._book import claims_page, explain
from ._claim import OURS, READ, Claim, Known, Origin, fact, says
from ._reply import JSON, Reply, encode, response

__all__ = [
    "JSON",
    "OURS",
    "READ",
    "Behaviours",
    "Claim",
    "Known",
    "Origin",
    "Reply",
    "Told",
    "claims_page",
    "encode",
    "explain",
    "fact",
    "response",
    "says",
]
