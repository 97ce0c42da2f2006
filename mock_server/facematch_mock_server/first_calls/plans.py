"""The first calls to each vendor, as its file has them."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import time
import tomllib
from collections.abc import Mapping, Sequence
from string import Template
from typing import Any, BinaryIO

from PIL import Image, ImageOps

from facematch_mock_server.base.sent import NO_PICTURE
from facematch_mock_server.recognition.ready import READY
from facematch_mock_server.replies.json_path import parse_json_path
from facematch_mock_server.vendors import find_file, vendor_names

_PLAN = "first_calls.toml"


class _Text(Template):
    """A text with names such as ``${no-face}``."""

    braceidpattern = r"[A-Za-z][\w-]*"


def plan_names() -> list[str]:
    """Return the names of the vendors that have first calls."""
    return [name for name in vendor_names() if find_file(name, _PLAN)]


def read_plan(vendor: str) -> dict[str, Any]:
    """Return the first calls to one of `plan_names`. Raises ValueError for another vendor."""
    file = find_file(vendor, _PLAN)
    if file is None:
        raise ValueError(f"{vendor:.60} has no {_PLAN}")
    return tomllib.loads(file.read_text("utf-8"))


def pictures_of(plan: Mapping[str, Any], files: Sequence[BinaryIO]) -> dict[str, bytes]:
    """Return the pictures to send, by the names in the plan.

    `files` are two pictures of one person and one of another, or none for test cards. Beside them
    there is no attack, because a real engine sees no face on the drawn one.
    """
    pictures = {name: card.data for name, card in READY.items()}
    if files:
        del pictures["spoof"]
        for name, file in zip(("p1", "p1-again", "p2"), files, strict=True):
            pictures[name] = file.read()
        pictures["two-faces"] = _join(pictures["p1"], pictures["p2"])
    pictures["text"] = NO_PICTURE
    for name, size in plan.get("sizes", {}).items():
        # Decoders ignore bytes after the end of a picture.
        pictures[name] = pictures["p1"].ljust(size, b"\0")
    return pictures


def _join(left: bytes, right: bytes) -> bytes:
    """Return a JPEG with two pictures side by side."""
    with Image.open(io.BytesIO(left)) as first, Image.open(io.BytesIO(right)) as second:
        height = min(first.height, second.height)
        halves = [
            ImageOps.contain(half.convert("RGB"), (height, height)) for half in (first, second)
        ]
    joined = Image.new("RGB", (2 * height, height), "white")
    for number, half in enumerate(halves):
        joined.paste(half, (number * height, 0))
    content = io.BytesIO()
    joined.save(content, "JPEG", quality=95)
    return content.getvalue()


def values_of(pictures: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the values of the names in a plan, but those that answers add."""
    values: dict[str, Any] = {**os.environ, "run": time.time_ns()}
    for name, picture in pictures.items():
        values[name] = base64.b64encode(picture).decode()
    return values


def fill_call(
    plan: Mapping[str, Any], call: Mapping[str, Any], values: Mapping[str, object]
) -> dict[str, Any]:
    """Return a whole call, with times and values in its texts, and lists in the place of texts.

    Raises KeyError for a name without a value.
    """
    whole = {**plan["each"], **call}
    whole["url"] = os.environ.get("FIRST_CALLS_URL", whole["url"])
    for name in ("headers", "form"):
        if name in whole:
            whole[name] = {**plan["each"].get(name, {}), **call.get(name, {})}
    # The times come first, because a key may contain a percent sign.
    template = time.strftime(json.dumps(whole), time.gmtime())
    for name, value in values.items():
        if isinstance(value, list):
            template = template.replace(f'"${{{name}}}"', json.dumps(value))
    text = _Text(template).substitute(values, seconds=int(time.time()), nonce=secrets.token_hex(16))
    filled: dict[str, Any] = json.loads(text)
    filled["headers"] = {name: value for name, value in filled["headers"].items() if value}
    return filled


def kept_values(call: Mapping[str, Any], body: str) -> dict[str, Any]:
    """Return the values that a call keeps of its answer; none if the answer is no JSON."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    values = {}
    for name, path in call.get("keep", {}).items():
        for match in parse_json_path(path).find(answer):
            values[name] = match.value
    return values
