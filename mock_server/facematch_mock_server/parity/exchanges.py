"""The exchanges of a recording: its requests, as they can be sent again, with their replies."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import attrs

from facematch_mock_server.base.messages import ACTION_HEADERS, Request, Response
from facematch_mock_server.base.sent import NO_PICTURE, make_request
from facematch_mock_server.replies import OwnReply
from facematch_mock_server.replies.face_templates import is_encoded_template, is_face_template
from facematch_mock_server.replies.node import Node
from facematch_mock_server.replies.templates import Filling, fill_templates
from facematch_mock_server.replies.vocabulary import FieldName
from facematch_mock_server.vendors import vendor_named

from .aspects import STAND_IN

#: Matches a key in a header, of which a recording has only a number.
_KEY = re.compile(r"\*\*\*(\d*)")
_KEY_OR_STAND_IN = re.compile(rf"{_KEY.pattern}|{STAND_IN.pattern}")
#: Matches what a later request may repeat of a reply: a stand-in, or a score as its threshold.
_REPLACED = re.compile(rf"{STAND_IN.pattern}|(?<![\w.])\d+\.\d+(?![\w.])")
#: Most bytes of a picture that is made.
_MOST_BYTES = 1 << 27
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
_CARD = re.compile(r"\{\{card '([\w-]+)'\}\}")


@attrs.frozen
class PictureFile:
    """What a recording says about the file of a picture.

    Attributes:
        format: The format, as Pillow names it.
        size: The number of bytes.
    """

    format: str
    size: int


@attrs.frozen(kw_only=True)
class RecordedExchange:
    """A recorded request with the vendor's reply.

    Attributes:
        number: Its number among the exchanges, from 1.
        position: Its index among the mappings of the file.
        vendor, host: The vendor, and the host that answered.
        has_own_host: Whether the host is one of the vendor's own.
        day: The day of the call, ISO 8601.
        call: The call without private values: ``POST /v3/face-match/``.
        method: The method of the request.
        sent: The request, with stand-ins for private values.
        pictures: The names of the pictures in the request, ``r2`` before ``r10``.
        picture_files: The format and the size of the pictures, by name.
        first_picture: The one that is compared with the others; None if it is another exchange's.
        keys: The stand-ins for the keys in the request.
        body: The body of the reply, if it is JSON.
        reply: The reply, filled in for the request as it is in the recording.
    """

    number: int
    position: int
    vendor: str
    host: str
    has_own_host: bool
    day: str
    call: str
    method: str
    sent: Mapping[str, Any]
    pictures: Sequence[str]
    picture_files: Mapping[str, PictureFile]
    first_picture: str | None
    keys: frozenset[str]
    body: Any
    reply: Response


def exchanges_in(replies: Iterable[OwnReply]) -> list[RecordedExchange]:
    """Return the exchanges of those replies that were recorded with their requests.

    Raises ValueError for a request that cannot be sent, and for an unknown vendor.
    """
    exchanges: list[RecordedExchange] = []
    numbers: set[int] = set()
    for position, own_reply in enumerate(replies):
        recording = own_reply.recording
        if recording is None or recording.sent is None or own_reply.vendor is None:
            continue
        vendor = vendor_named(own_reply.vendor)
        sent = recording.sent
        host = recording.host or ""
        method = own_reply.request.method or "ANY"
        try:
            own_numbers = _picture_numbers(sent)
            keys = frozenset(_keys_in(sent))
            picture_files = _read_picture_files(sent)
            request = make_recorded_request(sent, {}, method=method, host=host)
            if own_reply.request.match_path(request) is None:
                raise ValueError  # noqa: TRY301 - the reply is to another request
            reply = own_reply.answer(_filling(request))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ValueError(
                f"{own_reply.source} metadata.sent is not what facematch mock --record writes"
            ) from None
        numbers.update(own_numbers)
        is_first = len(own_numbers) > 1 or own_numbers[:1] == sorted(numbers)[:1]
        pictures = [f"r{number}" for number in own_numbers]
        exchanges.append(
            RecordedExchange(
                number=len(exchanges) + 1,
                position=position,
                vendor=vendor.name,
                host=host,
                has_own_host=vendor.has_host(host),
                day=recording.day.isoformat(),
                call=f"{method} {own_reply.request.shown_path}{_action_in(sent)}",
                method=method,
                sent=sent,
                pictures=pictures,
                picture_files=picture_files,
                first_picture=pictures[0] if pictures and is_first else None,
                keys=keys,
                body=reply.json() if "jsonBody" in own_reply.mapping["response"] else None,
                reply=reply,
            )
        )
    return exchanges


def _read_picture_files(sent: Mapping[str, Any]) -> dict[str, PictureFile]:
    files = {}
    for name, facts in sent.get("pictures", {}).items():
        size = min(int(facts["bytes"]), _MOST_BYTES)
        # Pillow writes no HEIC, for example.
        picture_format = facts["format"] if facts["format"] in _FORMATS else "PNG"
        files[name] = PictureFile(picture_format, size)
    return files


def _picture_numbers(sent: Mapping[str, Any]) -> list[int]:
    names = [card for _, card, _ in sent.get("files", ())]
    names += [sent.get("card"), *_CARD.findall(json.dumps(sent))]
    return sorted({int(name[1:]) for name in names if re.fullmatch(r"r\d+", str(name))})


def _keys_in(sent: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys, or what stands for them, in what was sent.

    Signatures and digests are none.
    """
    for name, header in sent["headers"].items():
        # A signature and a body's digest differ from call to call.
        if "sig" not in name and "sha256" not in name:
            for found in _KEY_OR_STAND_IN.finditer(header):
                yield found[0]
    _, _, query = sent["target"].partition("?")
    for name, text in (*sent.get("form", {}).items(), *parse_qsl(query)):
        if FieldName(name).has_key:
            yield str(text)


def _action_in(sent: Mapping[str, Any]) -> str:
    """Return the action that a header names, after a blank; "" if none does."""
    for name in ACTION_HEADERS:
        action = sent["headers"].get(name)
        if action:
            return f" {action}"
    return ""


def make_recorded_request(
    sent: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    *,
    method: str,
    host: str,
    values: Mapping[str, str] | None = None,
    templates: Mapping[str, Any] | None = None,
    key_form: str = "{}",
) -> Request:
    """Return the request that a recording describes.

    Args:
        sent: The description.
        pictures: The pictures by name. What has another name is no picture.
        method, host: The method, and the host for the header.
        values: What stands in place of texts of the recording.
        templates: What stands in place of its face templates, by their JSON.
        key_form: The form of the keys, with a place for their number.
    """

    def encode(found: re.Match[str]) -> str:
        return base64.b64encode(pictures.get(found[1], NO_PICTURE)).decode()

    known_values = values or {}
    text = json.dumps(_replace_templates(sent, templates) if templates else sent)
    text = _REPLACED.sub(lambda found: known_values.get(found[0], found[0]), text)
    text = _CARD.sub(encode, text)
    filled = fill_templates(
        Node(json.loads(text), "recording"), _filling(Request(method="GET", target="/"))
    )
    for name, header in filled["headers"].items():
        filled["headers"][name] = _fill_key(str(header), key_form)
    return make_request(filled, method=method, host=host, pictures=pictures)


def is_recorded_template(value: Any) -> bool:
    """Return whether a value of a recording is the stand-in of a face template."""
    return is_face_template(value) or (isinstance(value, str) and is_encoded_template(value))


def _replace_templates(value: Any, templates: Mapping[str, Any]) -> Any:
    if is_recorded_template(value):
        return templates.get(json.dumps(value), value)
    if isinstance(value, dict):
        return {name: _replace_templates(inner, templates) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replace_templates(inner, templates) for inner in value]
    return value


def _fill_key(header: str, key_form: str) -> str:
    """Put a key, a signature of the usual length, and the day of today into a header."""
    now = dt.datetime.now(dt.UTC)
    header = header.replace("Signature=***", f"Signature={'0' * 64}")
    header = re.sub(r"(?<=/)\d{4}-\d\d-\d\d(?=/)", f"{now:%Y-%m-%d}", header)
    header = re.sub(r"(?<=/)\d{8}(?=/)", f"{now:%Y%m%d}", header)
    return _KEY.sub(lambda found: key_form.format(int(found[1] or 0)), header)


def _filling(request: Request) -> Filling:
    now = dt.datetime.now(dt.UTC)
    return Filling(request=request, path_values={}, now=now, new_id=lambda: str(uuid.uuid4()))
