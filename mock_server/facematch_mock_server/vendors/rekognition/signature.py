"""Signature Version 4 of AWS, checked as whoever knows the secret checks it.

AWS, IAM User Guide, "Create a signed AWS API request", read 2026-11-21.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from urllib.parse import quote

import attrs

from facematch_mock_server.messages import Head, Request

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/"
    r"(?P<scope>(?P<day>\d{8})/[^/,\s]+/(?P<service>[^/,\s]+)/aws4_request),\s*"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_ACCESS_KEY = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")
#: How a date is written in ``X-Amz-Date``.
STAMP = "%Y%m%dT%H%M%SZ"


def access_key(head: Head) -> str | None:
    """The id of the access key that a request names, whether or not it is signed well."""
    found = _ACCESS_KEY.match(head.header("authorization") or "")
    return found and found[1]


@attrs.frozen
class Signature:
    """What a request says of who signed it."""

    key: str
    #: As sent, ``20261121T140000Z``, and as a time, UTC.
    date: str
    signed: dt.datetime
    #: Day, region, service and ``aws4_request``.
    scope: str
    service: str
    #: The names of those that are signed, in lower case.
    headers: tuple[str, ...]
    signature: str = attrs.field(repr=False)

    @classmethod
    def of(cls, request: Request) -> Signature | None:
        """The signature of a request; None if what is there is none."""
        found = _HEADER.fullmatch(request.header("authorization") or "")
        date = request.header("x-amz-date") or ""
        if found is None or date[:8] != found["day"]:
            return None
        try:
            signed = dt.datetime.strptime(date, STAMP).replace(tzinfo=dt.UTC)
        except ValueError:
            return None
        headers = tuple(found["headers"].split(";"))
        scope = found["scope"], found["service"]
        return cls(found["key"], date, signed, *scope, headers, found["signature"])

    def is_of(self, request: Request, secret: str) -> bool:
        """Whether `secret` and these bytes make this signature."""
        lines = [f"{one}:{_value(request, one)}" for one in self.headers]
        query = sorted(
            (quote(name, safe="-_.~"), quote(text, safe="-_.~")) for name, text in request.query
        )
        parts = (
            request.method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{name}={text}" for name, text in query),
            *lines,
            "",
            ";".join(self.headers),
            hashlib.sha256(request.body).hexdigest(),
        )
        canonical = "\n".join(parts)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        made = f"AWS4-HMAC-SHA256\n{self.date}\n{self.scope}\n{digest}"
        key = f"AWS4{secret}".encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.compare_digest(hmac.digest(key, made.encode(), "sha256").hex(), self.signature)


def _value(request: Request, name: str) -> str:
    every = (" ".join(value.split()) for known, value in request.headers if known == name)
    return ",".join(every)
