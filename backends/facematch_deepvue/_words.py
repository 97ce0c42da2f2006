"""Deepvue's words and numbers, and ours for what it leaves open; each with the page that says so.

All pages were read on 2026-11-20.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from facematch_core.backend import RateWindow

NAME = "deepvue"


class ApiVersion(enum.StrEnum):
    """Which face match is asked."""

    #: Deepvue docs, Face Match v1, /reference/forensics/face/face-match: documented completely.
    V1 = "v1"
    #: Deepvue docs, Face Match v2, /reference/forensics/face/face-match-v2: sold as better, and
    #: documented in part.
    V2 = "v2"


class Scale(enum.StrEnum):
    """On which scale a number of Deepvue's is. No page says."""

    #: 0 to 100.
    PERCENT = "percent"
    #: 0 to 1.
    FRACTION = "fraction"
    #: Not known: there is no score then.
    UNKNOWN = "unknown"


class Meaning(enum.StrEnum):
    """What `confidence` is the confidence in. It matters where Deepvue says "no match"."""

    #: That the faces are alike: higher is more alike, whatever the verdict.
    SIMILARITY = "similarity"
    #: That the verdict is right: 97 beside "no match" means that they surely differ.
    DECISION = "decision"
    #: Not known; read as DECISION, which lets nobody in.
    UNKNOWN = "unknown"


class ImageForm(enum.StrEnum):
    """How a liveness check writes a picture into its JSON. The page says only that it is text."""

    BASE64 = "base64"
    DATA_URI = "data_uri"


class Plan(enum.StrEnum):
    """What the account has booked: Deepvue docs, /rate-limits."""

    STARTER = "starter"
    BUSINESS = "business"
    GROWTH = "growth"
    ENTERPRISE = "enterprise"


def _windows(second: int, minute: int, day: int) -> tuple[RateWindow, ...]:
    return RateWindow(second, 1.0), RateWindow(minute, 60.0), RateWindow(day, 86_400.0)


#: Calls that a plan lets through, of one key. Each window counts for itself, and any of them may
#: refuse. Deepvue docs, /rate-limits.
RATES: Mapping[Plan, tuple[RateWindow, ...]] = MappingProxyType(
    {
        Plan.STARTER: _windows(1, 30, 1_000),
        Plan.BUSINESS: _windows(2, 100, 10_000),
        Plan.GROWTH: _windows(5, 500, 20_000),
        Plan.ENTERPRISE: _windows(17, 1_000, 50_000),
    }
)

#: What the scores are called here. Whether v1 and v2 mean the same is not documented, so they do
#: not compare.
SCALES: Mapping[ApiVersion, str] = MappingProxyType(
    {version: f"deepvue/{version}" for version in ApiVersion}
)
LIVENESS_SCALE = "deepvue/liveness-check"

#: The one word that is documented for a face call that succeeded.
SUCCESS = "SUCCESS"

#: No page gives a price, or what is charged.
CHARGED = "Deepvue does not say what it charges for; an answer 200 is taken as charged"
NOT_A_FACE_CALL = "a call for a token or for the balance; no price is documented for it"

#: Deepvue's texts about key, token and client (Deepvue docs, /errors and the pages of each call).
#: They are compared in small letters, and no other text is looked into for its meaning.
ABOUT_CREDENTIALS = frozenset(
    {
        "inactive client_id",
        "not authenticated",
        "could not validate credentials",
        "invalid client_id",
        "invalid client_id or client_secret, access denied",
        "authorization failure",
        "incorrect client_id or client_secret",
        "not a valid token",
    }
)
