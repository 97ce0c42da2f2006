"""Bodies: forms with files, and the JSON of a liveness check, refused as the framework does."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from facematch_mock_server._messages import Response
from facematch_mock_server.claims import Told
from facematch_mock_server.forms import (
    MULTIPART,
    URLENCODED,
    Form,
    FormError,
    Upload,
    media_type,
    read_form,
)
from facematch_mock_server.journal import SentFile

from ._call import Call
from ._refusing import refused, worded

Fault = dict[str, Any]


def read_texts(call: Call) -> Response | None:
    """The pair of an authorize call."""
    told = call.told
    form = _form(call, urlencoded=told["token.urlencoded"], multipart=told["token.multipart"])
    if isinstance(form, Response):
        return form
    call.texts += [(name, _last(told, many)) for name, many in form.fields.items()]
    faults = []
    for name in told["token.fields"]:
        if name in form.fields:
            call.values[name] = _last(told, form.fields[name])
        else:
            faults.append(_fault(told, "body.missing", "body", name))
    return _all(call, faults)


def read_files(call: Call) -> Response | None:
    """The two files of a comparison."""
    told = call.told
    form = _form(call)
    if isinstance(form, Response):
        return form
    # A text in the place of a file may be a picture all the same: only its length is told.
    call.texts += [
        (name, f"{len(text)} characters") for name, many in form.fields.items() for text in many
    ]
    call.sent += [_sent(name, one) for name, many in form.files.items() for one in many]
    faults = []
    for name in told["match.fields"]:
        if name in form.files:
            upload = _last(told, form.files[name])
            call.values[name] = upload
            if not _is_taken(call, upload):
                faults.append(_fault(told, "body.format", "body", name))
        else:
            there = name in form.fields
            key = "body.not_a_file" if there else "body.missing"
            faults.append(_fault(told, key, "body", name))
    return _all(call, faults)


def read_image(call: Call) -> Response | None:
    """The picture of a liveness check."""
    told, request = call.told, call.request
    if not request.body:
        return _all(call, [_fault(told, "body.missing", "body")])
    kind = media_type(request.header("content-type") or "application/json")
    if kind != "application/json" and not kind.endswith("+json"):
        return _all(call, [_fault(told, "liveness.no_object", "body")])
    try:
        sent = json.loads(request.body)
    except json.JSONDecodeError as error:
        words = f"{error.msg}: line {error.lineno} column {error.colno} (char {error.pos})"
        kept = {"msg": words, "type": told["liveness.no_json"]}
        return _all(call, [_shaped(told, kept, "body", error.pos)])
    except (ValueError, RecursionError):
        return refused(call, "body.unreadable")
    if not isinstance(sent, dict):
        return _all(call, [_fault(told, "liveness.no_object", "body")])
    call.texts += [(str(name), type(value).__name__) for name, value in sent.items()]
    faults = []
    for name in told["liveness.fields"]:
        if name not in sent:
            faults.append(_fault(told, "body.missing", "body", name))
        elif not isinstance(sent[name], str):
            faults.append(_fault(told, "liveness.no_text", "body", name))
        else:
            content = _decoded(told, sent[name])
            if content is None:
                faults.append(_fault(told, "liveness.no_base64", "body", name))
            else:
                _keep(call, name, content)
    return _all(call, faults)


def _keep(call: Call, name: str, content: bytes) -> None:
    digest = None if call.world.digest is None else call.world.digest(content)
    upload = call.values[name] = Upload("", content, digest)
    call.sent.append(_sent(name, upload))


def _form(call: Call, *, urlencoded: bool = True, multipart: bool = True) -> Form | Response:
    kind = call.request.header("content-type") or ""
    taken = {MULTIPART: multipart, URLENCODED: urlencoded}
    if not call.request.body or not taken.get(media_type(kind)):
        return Form()
    try:
        form = read_form(kind, call.request.body, digest=call.world.digest, decodes=lambda: False)
    except FormError:
        return refused(call, "body.unreadable")
    return form if form.problem is None else refused(call, "body.unreadable")


def _is_taken(call: Call, upload: Upload) -> bool:
    told = call.told
    allowed: tuple[str, ...] = told[f"{call.route.version}.extensions"]
    ending = upload.name.rpartition(".")[2]
    if ending != ending.lower() and told["file.any_case"]:
        ending = ending.lower()
    begins: dict[str, bytes] = told["file.magic"]
    starts = tuple(start for kind, start in begins.items() if kind in allowed)
    return ending in allowed and upload.content.startswith(starts)


def _decoded(told: Told, text: str) -> bytes | None:
    if text.startswith("data:"):
        if not told["liveness.data_uri"]:
            return None
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _last(told: Told, sent: list[Any]) -> Any:
    if len(sent) == 1:
        return sent[0]
    return sent[-1] if told["form.last_wins"] else sent[0]


def _sent(field: str, upload: Upload) -> SentFile:
    size = len(upload.content)
    return SentFile(field=field, name=upload.name, size=size, digest=upload.digest)


def _fault(told: Told, key: str, *place: str | int) -> Fault:
    return _shaped(told, told[key], *place)


def _shaped(told: Told, words: dict[str, str], *place: str | int) -> Fault:
    known: dict[str, Callable[[], Any]] = {
        "loc": lambda: list(place),
        "msg": lambda: words["msg"],
        "type": lambda: words["type"],
    }
    return {name: known[name]() for name in told["body.keys"]}


def _all(call: Call, faults: list[Fault]) -> Response | None:
    if not faults:
        return None
    if len(faults) > 1 and not call.told["body.together"]:
        faults = faults[:1]
    return worded(call, "body.refused", faults)
