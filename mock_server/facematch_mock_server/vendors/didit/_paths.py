"""The paths that Didit has: imitated, known and left out, unknown."""

from __future__ import annotations

import functools
import re

#: Both hosts; one port serves them, told apart by path or by the Host header.
HOSTS = frozenset({"verification.didit.me", "apx.didit.me"})
HEALTHCHECK = "/system/healthcheck"

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SESSION = re.compile(
    r"/v3/session/([^/]*)/(decision|delete|update-status|generate-pdf|sandbox/arm)/"
)

#: What the documents name and this mock does not imitate; {} is one segment.
LEFT_OUT = (
    "/v3/session/{}/generate-pdf/",
    "/v3/session/{}/sandbox/arm/",
    "/v3/session/",
    "/v3/lists/",
    "/v3/workflows/",
    "/v3/questionnaires/",
    "/v3/users/",
    "/v3/businesses/",
    "/v3/id-verification/",
    "/v3/poa/",
    "/v3/aml/",
    "/v3/database-validation/",
    "/v3/email/send/",
    "/v3/email/check/",
    "/v3/phone/send/",
    "/v3/phone/check/",
    "/v3/transactions/",
    "/v3/customization/",
    "/v3/wallet-screening/",
)


# Not compiled above: the paths that are imitated are found without it.
@functools.cache
def _left_out() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(path).replace(r"\{\}", "[^/]+") for path in LEFT_OUT))


def is_left_out(path: str) -> bool:
    """Whether Didit has this path and the mock does not imitate it."""
    return _left_out().fullmatch(path) is not None


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID, in either case."""
    return _UUID.fullmatch(text) is not None


def lacks_uuid(path: str) -> bool:
    """Whether it is the path of one session, and what stands for the session is no UUID."""
    found = _SESSION.fullmatch(path)
    return found is not None and _UUID.fullmatch(found[1]) is None


def nearest(path: str, known: tuple[str, ...]) -> str | None:
    """The known path that was probably meant, or None."""
    from difflib import get_close_matches  # not above: few requests need a hint

    close = get_close_matches(path, known, n=1, cutoff=0.6)
    return close[0] if close else None
