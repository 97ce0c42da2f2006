"""Addresses of pictures in decisions. Only that they expire is Didit's: where, and in which words,
is ours."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import OPENAPI, OURS


def _said(status: int, sentence: str) -> Reply:
    # A name of our own, so that no client takes it for a vendor's words.
    return Reply(status, {"mock": sentence})


CLAIMS = table(
    "didit",
    row("media.ttl_s", 3600, "The address of a picture lives 3600 seconds.", OPENAPI, turned=60),
    row(
        "media.address",
        "{origin}/__media__/{path}?expires={expires}&signature={signature}",
        "Pictures are served by the mock itself, at an address that carries its signature.",
        OURS,
    ),
    row("media.picture", Reply(200), "A picture is served as it was sent.", OURS),
    row(
        "page.headers",
        (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")),
        "Pictures and payment pages are not to be kept, nor taken for anything else.",
        OURS,
        turned=(),
    ),
    row(
        "media.host",
        _said(403, "Pictures are read under a name of this server: 127.0.0.1, say."),
        "While the mock is bound to the loopback, pictures are not served under a host name that "
        "is neither the loopback's nor Didit's.",
        OURS,
    ),
    row(
        "media.type",
        "application/octet-stream",
        "What is no JPEG, PNG, WebP or TIFF is served as bytes.",
        OURS,
    ),
    row(
        "media.method",
        _said(405, "A picture is read with GET."),
        "Another method than GET or HEAD is refused.",
        OURS,
    ),
    row(
        "media.unknown",
        _said(404, "There is no such picture: no such session, or it was deleted."),
        "The address of a picture that there is not, or whose session was deleted, is 404.",
        OURS,
    ),
    row(
        "media.unsigned",
        _said(403, "The signature of this address does not fit. Ask for the decision again."),
        "An address whose signature does not fit is 403.",
        OURS,
    ),
    row(
        "media.expired",
        _said(403, "This address has expired. Ask for the decision again."),
        "An address that has expired is 403.",
        OURS,
    ),
    row(
        "media.forgotten",
        _said(404, "The mock no longer has this picture: it keeps pictures in memory only."),
        "A picture that was pushed out of memory is 404; one of before a restart has no good "
        "address any more.",
        OURS,
    ),
)
