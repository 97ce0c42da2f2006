"""Addresses of pictures that expire, and the pictures at those addresses."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from facematch_mock_server._messages import Request, Response
from facematch_mock_server._sessions import Session
from facematch_mock_server.claims import Told
from facematch_mock_server.claims._reply import response
from facematch_mock_server.world import World

from ._records import records_of
from ._visit import is_ours

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
    kept = {_kept_as(session, name): content for name, content in pictures.items()}
    records_of(world).pictures.keep(session.id, kept)


def addresses(world: World, told: Told, session: Session, origin: str) -> dict[str, str]:
    """The address of every picture of a session, by name. Whoever has one can read the picture.

    Args:
        world: Whose secret signs it, and whose clock says from when on it lives.
        told: Says how long that is.
        session: The session.
        origin: Scheme and host to begin with.
    """
    expires = int(world.clock.timestamp()) + told["media.ttl_s"]
    template: str = told["media.address"]
    return {
        name: template.format(
            origin=origin,
            path=f"{session.id}/{name}",
            expires=expires,
            signature=_signature(world, session, name, expires),
        )
        for name in session.pictures
    }


def serve(world: World, told: Told, request: Request) -> Response:
    """The picture at an address, or why it is not there."""
    if not is_ours(world, request):
        return told.answer("media.host")
    if request.method not in ("GET", "HEAD"):
        return told.answer("media.method", headers=(("Allow", "GET, HEAD"),))
    content = _found(world, told, request)
    if isinstance(content, str):
        return told.answer(content)
    kind = _kind(content) or told["media.type"]
    return response(told["media.picture"].status, kind, content, told["page.headers"])


def _found(world: World, told: Told, request: Request) -> bytes | str:
    """The picture, or the behaviour that says why it is not there."""
    session_id, _, name = request.path.removeprefix(MEDIA).partition("/")
    session = world.sessions.find(session_id)
    if session is None or name not in session.pictures:
        return "media.unknown"
    query = dict(request.query)
    expires = _whole(query.get("expires", ""))
    wanted = _signature(world, session, name, expires)
    if not hmac.compare_digest(wanted.encode(), query.get("signature", "").encode()):
        return "media.unsigned"
    if world.clock.timestamp() >= expires:
        told.note("media.ttl_s")
        return "media.expired"
    return records_of(world).pictures.find(_kept_as(session, name)) or "media.forgotten"


def _kept_as(session: Session, name: str) -> str:
    # Where digests are off, a picture that is sent twice is kept twice.
    return session.pictures.get(name) or f"{session.id}/{name}"


def _signature(world: World, session: Session, name: str, expires: int) -> str:
    # The secret is that of one run, and so an address dies with it: as the pictures do.
    signed = f"{session.id}/{name}/{expires}"
    return hmac.new(world.ids.secret, signed.encode(), hashlib.sha256).hexdigest()


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _kind(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _KINDS if content.startswith(start)), None)
