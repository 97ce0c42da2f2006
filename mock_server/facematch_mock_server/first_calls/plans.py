"""The first calls to each vendor, as its file has them."""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import Any, BinaryIO

from facematch_mock_server.base.sent import NO_PICTURE
from facematch_mock_server.recognition.cards import READY
from facematch_mock_server.replies.json_path import parse_json_path

_FOLDER = Path(__file__).parent


class _Text(Template):
    """A text with names such as ``${no-face}``."""

    braceidpattern = r"[A-Za-z][\w-]*"


def plan_names() -> list[str]:
    """Return the names of the vendors that have first calls."""
    return sorted(file.stem for file in _FOLDER.glob("*.toml"))


def read_plan(vendor: str) -> dict[str, Any]:
    """Return the first calls to one of `plan_names`."""
    return tomllib.loads((_FOLDER / f"{vendor}.toml").read_text("utf-8"))


def pictures_of(plan: Mapping[str, Any], files: Iterable[BinaryIO]) -> dict[str, bytes]:
    """Return the pictures to send, by the names in the plan.

    `files` are two pictures of one person and one of another, or none for test cards.
    """
    pictures = {name: card.data for name, card in READY.items()}
    for name, file in zip(("p1", "p1-again", "p2"), files, strict=False):
        pictures[name] = file.read()
    pictures["text"] = NO_PICTURE
    for name, size in plan["sizes"].items():
        # Decoders ignore bytes after the end of a picture.
        pictures[name] = pictures["p1"].ljust(size, b"\0")
    return pictures


def values_of(pictures: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the values of the names in a plan, but those that answers add."""
    values: dict[str, Any] = {**os.environ, "run": time.time_ns()}
    for name, picture in pictures.items():
        values[name] = base64.b64encode(picture).decode()
    return values


def fill_call(
    plan: Mapping[str, Any], call: Mapping[str, Any], values: Mapping[str, object]
) -> dict[str, Any]:
    """Return a whole call, with times and values in its texts.

    Raises KeyError for a name without a value.
    """
    whole = {**plan["each"], **call}
    whole["url"] = os.environ.get("FIRST_CALLS_URL", whole["url"])
    for name in ("headers", "form"):
        if name in whole:
            whole[name] = {**plan["each"].get(name, {}), **call.get(name, {})}
    # The times come first, because a key may contain a percent sign.
    template = time.strftime(json.dumps(whole), time.gmtime())
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
