"""A call to the vendor with its reply, in memory, and without its pictures."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.messages import (
    MULTIPART,
    URLENCODED,
    FormError,
    Headers,
    Request,
    Response,
    media_type,
    read_form,
)

from .face_templates import is_encoded_template

#: Matches the first bytes of a picture, in a group of its format, as Pillow names it.
_PICTURE = re.compile(
    rb"(?P<PNG>\x89PNG)|(?P<JPEG>\xff\xd8\xff)|(?P<GIF>GIF8)|(?P<WEBP>RIFF....WEBP)|"
    rb"(?P<BMP>BM....\0\0)|(?P<another>....ftyp)",
    re.DOTALL,
)
_BASE64 = re.compile(r"(?:data:(image/[^;,]*)[^,]*;base64,)?([\w+/=\s-]{60,})", re.ASCII)
#: The media types that are kept of a data URI.
_IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif"})
#: The card of a file, or of a text in base64, that is no picture.
NO_PICTURE = "no-picture"
#: The usual letters of base64, by those that are safe in addresses.
_USUAL_BASE64 = str.maketrans("-_", "+/")
_EXTENSION = re.compile(r"\.(png|jpe?g|webp|gif|bmp|tiff?|heic|pdf)$", re.IGNORECASE)
#: Most characters of a text that is kept as it is until it is reduced.
_LONGEST_TEXT = 2000
#: How many bytes of a picture are looked for in what is written, from each of several places.
_SAMPLE_BYTES = 24


@attrs.frozen
class CapturedPicture:
    """A picture: its card, and the part of a data URI before it."""

    card: str
    prefix: str = ""


@attrs.frozen
class JsonBody:
    """A JSON body, with a `CapturedPicture` in place of each text that was one."""

    value: Any = attrs.field(repr=False)


@attrs.frozen
class JsonText(JsonBody):
    """JSON within a text, such as Sumsub's ``metadata`` in a form."""


@attrs.frozen
class File:
    """A file of a form. `card` is None if it is no picture."""

    field: str = attrs.field(repr=False)
    extension: str
    card: str | None


@attrs.frozen
class FormBody:
    """The texts of a form by name, and its files."""

    fields: dict[str, Any] = attrs.field(repr=False)
    files: list[File]


#: A body; a `str` is another text, and None is no body.
Body: TypeAlias = JsonBody | FormBody | CapturedPicture | str | None
#: Returns the card of a picture.
AddPicture: TypeAlias = Callable[[bytes], str]


@attrs.frozen(kw_only=True)
class CapturedExchange:
    """A call to the vendor and its reply. Its values are private, so none is in `repr`.

    Attributes:
        vendor, host: The vendor's name, and the host that was really called.
        at: When the reply came.
        path, query: The target as sent, with the query decoded.
        pictures: Digests of the pictures in the request; the recording's salt is in them.
        picture_files: The format and the size of the pictures in the request, by card.
    """

    vendor: str
    host: str = attrs.field(repr=False)
    at: dt.datetime
    method: str = attrs.field(repr=False)
    path: str = attrs.field(repr=False)
    query: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    headers: Headers = attrs.field(repr=False)
    body: Body = attrs.field(repr=False)
    pictures: tuple[str, ...] = ()
    picture_files: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    status: int
    reply_headers: Headers = attrs.field(repr=False)
    reply_body: Body = attrs.field(repr=False)


class Album:
    """The cards of the pictures in a run: ``r1``, ``r2``, the same one for the same picture."""

    def __init__(self) -> None:
        self._cards: dict[bytes, str] = {}
        #: Some bytes of each picture, to look for in what is written.
        self.samples: list[bytes] = []

    def add(self, picture: bytes) -> str:
        """Return the picture's card."""
        digest = hashlib.sha256(picture).digest()
        if digest not in self._cards:
            self._cards[digest] = f"r{len(self._cards) + 1}"
            step = max(_SAMPLE_BYTES, len(picture) // 8)
            for start in range(0, len(picture) - _SAMPLE_BYTES, step):
                sample = picture[start : start + _SAMPLE_BYTES]
                # A plain area of one picture may be in any file.
                if len(set(sample)) > _SAMPLE_BYTES // 3:
                    self.samples.append(sample)
        return self._cards[digest]


def capture_exchange(
    vendor: str,
    host: str,
    request: Request,
    response: Response,
    *,
    album: Album,
    pictures: tuple[str, ...] = (),
) -> CapturedExchange:
    """Take the pictures out of a request and its reply, and keep the rest."""
    path, _, _ = request.target.partition("?")
    files: dict[str, dict[str, Any]] = {}

    def add_sent(picture: bytes) -> str:
        card = album.add(picture)
        files[card] = {"format": _format_of(picture), "bytes": len(picture)}
        return card

    return CapturedExchange(
        vendor=vendor,
        host=host,
        at=dt.datetime.now(dt.UTC),
        method=request.method,
        path=path,
        query=request.query,
        headers=request.headers,
        body=_read_body(request.header("content-type", ""), bytes(request.body), add_sent),
        pictures=pictures,
        picture_files=files,
        status=response.status,
        reply_headers=response.headers,
        reply_body=_read_body(response.header("content-type") or "", response.body, album.add),
    )


def _format_of(picture: bytes) -> str:
    found = _PICTURE.match(picture)
    return "another" if found is None else str(found.lastgroup)


def _read_body(content_type: str, body: bytes, add_picture: AddPicture) -> Body:
    """Return a body with the cards of its pictures; `add_picture` returns each one's card."""
    if not body:
        return None
    if _PICTURE.match(body):
        return CapturedPicture(add_picture(body))
    if media_type(content_type) in (MULTIPART, URLENCODED):
        try:
            form = read_form(content_type, body)
        except FormError:
            return _decode(body)
        files = []
        for field, uploads in form.files.items():
            for upload in uploads:
                extension = _EXTENSION.search(upload.name)
                is_picture = _PICTURE.match(upload.content) is not None
                card = add_picture(bytes(upload.content)) if is_picture else None
                files.append(File(field, extension[0] if extension else "", card))
        return FormBody(_without_pictures(_single_values(form.fields), add_picture), files)
    try:
        return JsonBody(_without_pictures(load_json(body), add_picture))
    except (ValueError, RecursionError):
        return _decode(body)


def _decode(body: bytes) -> str:
    """Return the beginning of a text that is neither JSON nor a form; "" for other bytes."""
    try:
        return body.decode()[:_LONGEST_TEXT]
    except UnicodeDecodeError:
        return ""


def _single_values(fields: dict[str, list[str]]) -> dict[str, Any]:
    """Return the fields with a list for those alone that were sent several times."""
    return {name: texts[0] if len(texts) == 1 else texts for name, texts in fields.items()}


def _prefix_of(image_type: str | None) -> str:
    """Return the start of a data URI of a type; an empty text if there is none."""
    if image_type is None:
        return ""
    return f"data:{image_type if image_type in _IMAGE_TYPES else 'image/png'};base64,"


def _without_pictures(value: Any, add_picture: AddPicture) -> Any:
    """Return a JSON value with a `CapturedPicture` for each picture in base64.

    JSON in a text is read, too.
    """
    if isinstance(value, dict):
        return {name: _without_pictures(inner, add_picture) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_pictures(inner, add_picture) for inner in value]
    if not isinstance(value, str):
        return value
    if value.startswith(("{", "[")):
        try:
            return JsonText(_without_pictures(load_json(value), add_picture))
        except (ValueError, RecursionError):
            return value
    encoded = _BASE64.fullmatch(value)
    if encoded is not None:
        prefix = _prefix_of(encoded[1])
        with contextlib.suppress(ValueError):
            content = base64.b64decode(encoded[2].translate(_USUAL_BASE64) + "==")
            if _PICTURE.match(content):
                return CapturedPicture(add_picture(content), prefix)
            # Text in place of a picture; an id or a token has other bytes, too.
            if content.isascii():
                return CapturedPicture(NO_PICTURE, prefix)
    if len(value) > _LONGEST_TEXT and not is_encoded_template(value):
        # It is hidden as a whole; its digest is the same for the same text.
        return hashlib.sha256(value.encode(errors="replace")).hexdigest()
    return value
