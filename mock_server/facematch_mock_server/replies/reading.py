"""Read own replies from a file, a folder, or the values of a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from facematch_core.base.files import read_text
from facematch_core.base.nesting import load_json
from facematch_core.errors import InvalidRequest

from .node import Node
from .own_reply import OwnReply

#: Maximum bytes of a file; a recording of a thousand calls has about one megabyte.
#: The folder of bodies.
_BODIES = "__files"
_MAX_FILE_BYTES = 64 * 1024 * 1024


def read_replies(path: str | Path) -> list[OwnReply]:
    """Read the own replies in a file, or in all ``*.json`` files of a folder and its folders.

    A file has ``{"mappings": [...]}``, or one mapping; see the package.

    Raises:
        ValueError: a file cannot be read or is no JSON, or has what this mock does not know. The
            message names the file, and the line or the mapping.

    Example:
        ``[reply.source for reply in read_replies("own.json")]`` is ``["own.json #1", ...]``.
    """
    path = Path(path)
    if not path.is_dir():
        return _read_file(path, path.name)
    # A file in __files is a body.
    files = []
    for file in sorted(path.glob("**/*.json")):
        if _BODIES not in file.relative_to(path).parts:
            files.append(file)
    if not files:
        raise ValueError(f"the folder {str(path)!r} has no file with own replies: NAME.json")
    replies = []
    for file in files:
        replies += _read_file(file, file.relative_to(path).as_posix())
    return replies


def _read_file(path: Path, name: str) -> list[OwnReply]:
    """Return the replies of a file.

    Raise ValueError, with the line where it is known, if it is no JSON. A name that stands twice in
    an object is refused.
    """
    try:
        text = read_text(path, "file with replies", InvalidRequest, max_bytes=_MAX_FILE_BYTES)
    except InvalidRequest as error:
        raise ValueError(str(error)) from None
    try:
        document = load_json(
            text, object_pairs_hook=_refuse_second_name, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"{name} line {error.lineno}: this is no JSON: {error.msg}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return read_document(document, name, folders=_folders_of(path))


def _folders_of(file: Path) -> list[Path]:
    """Return the folders of the files that a file with replies may name, as at WireMock."""
    folders = [parent.parent / _BODIES for parent in file.parents if parent.name == "mappings"]
    return [*folders, file.parent / _BODIES, file.parent]


def _refuse_second_name(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a name that stands in it twice would hide a condition."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!a:.60} stands in one object twice")
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def read_mappings(document: object, source: str, first_number: int = 1) -> list[OwnReply]:
    """Read the mappings that a program gives as dicts and lists; see `read_document`."""
    try:
        # Fractions in a request to the control API are Decimal.
        copied = json.loads(json.dumps(document, allow_nan=False, default=_as_number))
    except (TypeError, ValueError, RecursionError):
        raise ValueError(f"{source}: own replies must be JSON, not {document!r:.40}") from None
    return read_document(copied, source, first_number)


def _as_number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError


def read_document(
    document: Any, source: str, first_number: int = 1, folders: Sequence[Path] = ()
) -> list[OwnReply]:
    """Read ``{"mappings": [...]}``, or one mapping. Raises ValueError.

    Args:
        document: JSON values.
        source: Where it stands, for messages and the journal: ``own.json``.
        first_number: The number of the first mapping in the source.
        folders: The folders of the files that a mapping may name.
    """
    mappings = [document]
    if isinstance(document, Mapping) and "mappings" in document:
        # WireMock's exports say in "meta" how many mappings there are.
        parts = Node(document, source).object(("mappings", "meta"))
        mappings = [item.value for item in parts["mappings"].items()]
    replies = []
    for number, mapping in enumerate(mappings, first_number):
        try:
            replies.append(OwnReply.read(mapping, f"{source} #{number}", folders))
        except RecursionError:
            raise ValueError(f"{source} #{number}: it is nested too deeply") from None
    return replies
