"""AWS's signature of a request: read it, and make it again.

Follows AWS, IAM User Guide, "Create a signed AWS API request", read 2026-11-21.
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
    r"AWS4-HMAC-SHA256 Credential=(?P<access_key>[^/,\s]+)/"
    r"(?P<scope>(?P<day>\d{8})/[^/,\s]+/(?P<service>[^/,\s]+)/aws4_request),\s*"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_ACCESS_KEY = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")
#: The format of ``X-Amz-Date``.
STAMP = "%Y%m%dT%H%M%SZ"


@attrs.frozen(kw_only=True)
class Signature:
    """The parts of a signed request's headers.

    Attributes:
        access_key: The id of the key.
        scope: Day, region, service and ``aws4_request``, separated by slashes.
        service: The service in the scope.
        header_names: The names of the signed headers, separated by semicolons.
        hexdigest: The signature itself.
        signed_at: The date in ``X-Amz-Date``.
    """

    access_key: str
    scope: str
    service: str
    header_names: str
    hexdigest: str
    signed_at: dt.datetime

    def sign(self, request: Request, secret: str) -> str:
        """Return the signature that this secret makes of a request."""
        scope_and_request = self.scope.split("/")
        scope_and_request.append(self._string_to_sign(request))
        key = f"AWS4{secret}".encode()
        for part in scope_and_request:
            key = hmac.digest(key, part.encode(), "sha256")
        return key.hex()

    def _string_to_sign(self, request: Request) -> str:
        canonical = hashlib.sha256(self._canonical_request(request).encode()).hexdigest()
        date = request.header("x-amz-date")
        return f"AWS4-HMAC-SHA256\n{date}\n{self.scope}\n{canonical}"

    def _canonical_request(self, request: Request) -> str:
        # Sorted by name, and not as texts with "=".
        query = sorted((quote(name, safe=""), quote(text, safe="")) for name, text in request.query)
        query_text = "&".join(f"{name}={text}" for name, text in query)
        lines = [request.method, quote(request.path), query_text]
        for name in self.header_names.split(";"):
            lines.append(f"{name}:{_header_value(request, name)}")
        lines += ["", self.header_names, hashlib.sha256(request.body).hexdigest()]
        return "\n".join(lines)


def _header_value(request: Request, name: str) -> str:
    """Return a header's values, joined by commas, with single blanks."""
    values = [" ".join(value.split()) for header, value in request.headers if header == name]
    return ",".join(values)


def read_access_key(request: Request) -> str | None:
    """Return a request's access key id, without checking the signature; None without one."""
    match = _ACCESS_KEY.match(request.header("authorization", ""))
    return None if match is None else match[1]


def read_signature(request: Request) -> Signature | None:
    """Return a request's signature; None if it or the date is malformed or of another day."""
    match = _HEADER.fullmatch(request.header("authorization", ""))
    date = request.header("x-amz-date", "")
    if match is None or date[:8] != match["day"]:
        return None
    try:
        signed_at = dt.datetime.strptime(date, STAMP).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return Signature(
        access_key=match["access_key"],
        scope=match["scope"],
        service=match["service"],
        header_names=match["headers"],
        hexdigest=match["signature"],
        signed_at=signed_at,
    )


def sign_again(request: Request, *, client: str, secret: str) -> Request:
    """Return a signed request with another access key and its signature.

    A request without a readable signature is returned unchanged.
    """
    signature = read_signature(request)
    if signature is None:
        return request
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={client}/{signature.scope}, "
        f"SignedHeaders={signature.header_names}, "
        f"Signature={signature.sign(request, secret)}"
    )
    return request.with_headers({"authorization": authorization})
