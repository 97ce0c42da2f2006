"""The pictures of a report as files, and the short-lived links to them.

Sources: stripe 16.1.0 for Python, `_file.py` and `_file_link.py`; docs.stripe.com/identity,
"Accessing collected images".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.file_types import media_type_of_picture, type_of_file
from facematch_mock_server.base.messages import Response
from facematch_mock_server.world import hosted
from facematch_mock_server.world.accounts import World

from .access import EXPAND, METADATA, TEXT, FileLink, ParameterKind, StripeCall, new_id
from .wire import identity_of

_HOST = "files.stripe.com"
#: The purpose of a file, by the name of its picture in the session.
_PURPOSES = {"document": "identity_document_downloadable", "selfie": "selfie"}
_LINK: Mapping[str, ParameterKind] = {
    **EXPAND,
    "expires_at": TEXT,
    "file": TEXT,
    "metadata": METADATA,
}


@attrs.frozen(kw_only=True)
class IdentityFile:
    """A picture that a report names.

    Attributes:
        id: Its id, ``file_...``.
        purpose: Stripe's word for what it shows.
        created_at: When its report was made, UTC.
        content: Its bytes.
    """

    id: str
    purpose: str
    created_at: dt.datetime
    content: bytes = attrs.field(repr=False)

    @property
    def type(self) -> str:
        """The file type in Stripe's words."""
        return "png" if type_of_file(self.content) == "png" else "jpg"

    def answer(self, call: StripeCall) -> Response:
        """Return the response with the picture itself."""
        return call.answer_file("file.contents", media_type_of_picture(self.content), self.content)


def _find(world: World, file_id: str, *, is_live: bool) -> IdentityFile | None:
    """Return a file of the key's mode, unless its session is redacted."""
    for session in hosted.sessions_of_mode(world, is_live=is_live):
        for report in identity_of(session).reports:
            for name, id_of_picture in report.file_ids.items():
                if id_of_picture != file_id:
                    continue
                content = world.pictures.find(session.pictures.get(name))
                if content is None:
                    return None
                return IdentityFile(
                    id=file_id,
                    purpose=_PURPOSES[name],
                    created_at=report.created_at,
                    content=content,
                )
    return None


def _find_or_refuse(call: StripeCall, file_id: str) -> IdentityFile:
    # OURS: A file has the picture of its session's newest try. Files of other purposes are unknown.
    file = _find(call.world, file_id, is_live=call.is_live)
    if file is None:
        call.refuse("session.unknown", name=file_id)
    return file


def read(call: StripeCall) -> Response:
    """Return the facts of a file."""
    call.read_parameters(EXPAND)
    file = _find_or_refuse(call, call.path_value)
    origin = hosted.page_origin(call.world, call.origin, _HOST)
    links = {"object": "list", "data": [], "has_more": False}
    shown = {
        "id": file.id,
        "object": "file",
        "created": int(file.created_at.timestamp()),
        "expires_at": None,
        "filename": f"{file.id}.{file.type}",
        "links": {**links, "url": f"/v1/file_links?file={file.id}"},
        "purpose": file.purpose,
        "size": len(file.content),
        "title": None,
        "type": file.type,
        "url": f"{origin}/v1/files/{file.id}/contents",
    }
    return call.answer("file.answer", shown)


def _check_restricted(call: StripeCall) -> None:
    if not call.has_restricted_key:
        call.hint = "only a restricted key, rk_..., reads the pictures of a report"
        call.refuse("file.secret_key")


def send_contents(call: StripeCall) -> Response:
    """Send a file itself."""
    file = _find_or_refuse(call, call.path_value)
    _check_restricted(call)
    return file.answer(call)


def create_link(call: StripeCall) -> Response:
    """Create a link to a file, which works for 30 seconds at most."""
    sent = call.read_parameters(_LINK)
    if "file" not in sent:
        call.refuse("parameter.missing", name="file")
    file = _find_or_refuse(call, sent["file"])
    _check_restricted(call)
    lasts_s = call.claims["link.lasts_s"]
    latest = call.now.timestamp() + lasts_s
    # OURS: A link without a time has the longest one.
    expires_at = call.read_number("expires_at", sent.get("expires_at", str(int(latest))))
    if expires_at > latest:
        call.refuse("link.too_long")
    token = hosted.new_token(call.world)
    link = FileLink(
        file_id=file.id,
        is_live=call.is_live,
        expires_at=dt.datetime.fromtimestamp(expires_at, dt.UTC),
    )
    call.world.records.links.put(token, link)
    shown: dict[str, Any] = {
        "id": new_id("link", call.world.ids.uuid()),
        "object": "file_link",
        "created": int(call.now.timestamp()),
        "expired": call.now >= link.expires_at,
        "expires_at": expires_at,
        "file": file.id,
        "livemode": call.is_live,
        "metadata": call.merge_metadata({}, sent.get("metadata", {})),
        "url": f"{hosted.page_origin(call.world, call.origin, _HOST)}/links/{token}",
    }
    return call.answer("link.answer", shown)


def open_link(call: StripeCall) -> Response:
    """Send the file of a link, of any account: it is opened without a key."""
    for world in call.world.of_all_accounts():
        link: FileLink | None = world.records.links.find(call.path_value)
        if link is not None and world.clock.now() < link.expires_at:
            file = _find(world, link.file_id, is_live=link.is_live)
            if file is not None:
                return file.answer(call)
    return call.refuse("link.unknown")
