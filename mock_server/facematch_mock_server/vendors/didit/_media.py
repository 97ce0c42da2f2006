"""Addresses of pictures that expire, and the pictures at those addresses."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping

from facematch_mock_server._messages import Request, Response
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told
from facematch_mock_server.claims._reply import response
from facematch_mock_server.world import World

from ._records import records_of

#: What the paths of pictures begin with: no path of Didit's, and none of the control API.
MEDIA = "/__media__/"
_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)


def keep(world: World, session: Session, pictures: Mapping[str, bytes]) -> None:
    """Keep the pictures of a session in memory, by their names in `Session.pictures`."""
    for name, content in pictures.items():
        records_of(world).pictures.keep(_kept_as(session, name), content)


def addresses(told: Told, session: Session, origin: str, now: dt.datetime) -> dict[str, str]:
    """The address of every picture of a session, by name. Whoever has one can read the picture.

    Args:
        told: Says how long an address lives.
        session: The session.
        origin: Scheme and host to begin with.
        now: From when on it lives.
    """
    expires = int(now.timestamp()) + told["media.ttl_s"]
    template: str = told["media.address"]
    return {
        name: template.format(
            origin=origin,
            path=f"{session.id}/{name}",
            expires=expires,
            signature=_signature(session, name, expires),
        )
        for name in session.pictures
    }


def serve(world: World, told: Told, request: Request) -> Response:
    """The picture at an address, or why it is not there."""
    if request.method not in ("GET", "HEAD"):
        return told.answer("media.method", headers=(("Allow", "GET, HEAD"),))
    session_id, _, name = request.path.removeprefix(MEDIA).partition("/")
    session = world.sessions.find(session_id)
    if session is None or name not in session.pictures:
        return told.answer("media.unknown")
    query = dict(request.query)
    expires = _whole(query.get("expires", ""))
    wanted = _signature(session, name, expires)
    if not hmac.compare_digest(wanted.encode(), query.get("signature", "").encode()):
        return told.answer("media.unsigned")
    if world.clock.timestamp() >= expires:
        told.note("media.ttl_s")
        return told.answer("media.expired")
    content = records_of(world).pictures.find(_kept_as(session, name))
    if content is None:
        return told.answer("media.forgotten")
    kind = _kind(content) or told["media.type"]
    return response(told["media.picture"].status, kind, content)


def _kept_as(session: Session, name: str) -> str:
    # Where digests are off, a picture that is sent twice is kept twice.
    return session.pictures.get(name) or f"{session.id}/{name}"


def _signature(session: Session, name: str, expires: int) -> str:
    # No secret of its own is needed, or could be written down: the id is random and little known.
    signed = f"{session.id}/{name}/{expires}"
    return hmac.new(session.internal_id.encode(), signed.encode(), hashlib.sha256).hexdigest()


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _kind(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _KINDS if content.startswith(start)), None)
