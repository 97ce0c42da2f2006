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

from facematch_mock_server.base.messages import Request

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/"
    r"(?P<scope>(?P<day>\d{8})/[^/,\s]+/(?P<service>[^/,\s]+)/aws4_request),\s*"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_ACCESS_KEY = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")
#: The format of ``X-Amz-Date``.
STAMP = "%Y%m%dT%H%M%SZ"


def access_key(head: Request) -> str | None:
    """The id of the access key that a request names, whether or not it is signed well."""
    match = _ACCESS_KEY.match(head.header("authorization") or "")
    return match and match[1]


@attrs.frozen
class Signature:
    key: str
    #: The date as sent, ``20261121T140000Z``, and as a time, UTC.
    date: str
    signed: dt.datetime
    #: Day, region, service and ``aws4_request``.
    scope: str
    service: str
    #: The names of the signed headers, in lower case.
    headers: tuple[str, ...]
    signature: str = attrs.field(repr=False)

    @classmethod
    def of(cls, request: Request) -> Signature | None:
        match = _HEADER.fullmatch(request.header("authorization") or "")
        date = request.header("x-amz-date") or ""
        if match is None or date[:8] != match["day"]:
            return None
        try:
            signed = dt.datetime.strptime(date, STAMP).replace(tzinfo=dt.UTC)
        except ValueError:
            return None
        scope, headers = match["scope"], tuple(match["headers"].split(";"))
        return cls(match["key"], date, signed, scope, match["service"], headers, match["signature"])

    def is_of(self, request: Request, secret: str) -> bool:
        query = sorted(
            (quote(name, safe="-_.~"), quote(text, safe="-_.~")) for name, text in request.query
        )
        canonical = "\n".join(
            (
                request.method,
                quote(request.path, safe="/-_.~"),
                "&".join(f"{name}={text}" for name, text in query),
                *(f"{name}:{_value(request, name)}" for name in self.headers),
                "",
                ";".join(self.headers),
                hashlib.sha256(request.body).hexdigest(),
            )
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.date}\n{self.scope}\n{digest}"
        key = f"AWS4{secret}".encode()
        for part in (*self.scope.split("/"), text):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.compare_digest(key.hex(), self.signature)


def _value(request: Request, name: str) -> str:
    values = (value for header, value in request.headers if header == name)
    return ",".join(" ".join(value.split()) for value in values)
