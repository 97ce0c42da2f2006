"""What a call sent, whole, but for secrets and the bytes of pictures."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

from facematch_mock_server.http.forms import MULTIPART, URLENCODED, media_type
from facematch_mock_server.journal import SECRET
from facematch_mock_server.messages import Headers

#: A longer text is left out, as bytes are: no system takes it as an argument of a command.
_LONGEST = 64 * 1024
#: Pictures in a text are looked for in so many bytes.
_LOOKED_AT = 1024 * 1024
_MASK = "YOUR-KEY"
#: Long, of the letters of base64, and of all kinds of them.
_LETTERS = r"[\w+/=%\\-]"
_PICTURE = re.compile(
    f"(?<!{_LETTERS})(?={_LETTERS}*?[0-9])(?={_LETTERS}*?[a-z])(?={_LETTERS}*?[A-Z])"
    f"({_LETTERS}{{401,}})",
    re.ASCII,
)
#: Where secrets are: in a query, in JSON, before and behind the host of an address.
_PAIR = re.compile(r'([?&]([^=?&#\s"]+)=)[^&#\s"]+')
_MEMBER = re.compile(r'("([^"\\]*)"\s*:\s*)(?:"(?:[^"\\]|\\.)*"|-?[0-9.]+|\[[^][]*\])')
_ADDRESS = re.compile(r'(?<=://)([^/?#@\s"]+(?=@))?([^\s"]*)')
#: Headers that the next client writes itself, or that are the console's own.
_OF_THE_CLIENT = re.compile(
    "host|content-length|connection|accept(-encoding|-language)?|user-agent|expect|origin|referer"
    "|sec-.*|transfer-encoding|cache-control|pragma|x-facematch-again|x-mock-token"
)


def sent(target: str, headers: Headers, body: bytes) -> dict[str, Any]:
    """A request for the page: the target, the headers that are no client's own, and the body.

    A part of the body is a text with the sizes of the pictures in it, or None for what is no text
    or too long for a command. A form has several, each with its head.
    """
    content_type = dict(headers).get("content-type", "")
    boundary = re.search(r'boundary="?([^";,]+)', content_type)
    parts: list[dict[str, Any]] | None = None
    if media_type(content_type) == MULTIPART and boundary:
        pieces = body.split(b"--" + boundary[1].encode())[1:]
        parts = [_part(piece) for piece in pieces if not piece.startswith(b"--")]
    is_form = media_type(content_type) == URLENCODED
    return {
        "target": _without_pairs(target),
        "headers": [(n, _header(n, v)) for n, v in headers if not _OF_THE_CLIENT.fullmatch(n)],
        "form": parts,
        "is_form": is_form,
        "size": len(body),
        "text": _text(body, is_form=is_form) if parts is None else None,
    }


def _part(piece: bytes) -> dict[str, Any]:
    start, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    head, content = start.decode(errors="replace"), content.removesuffix(b"\r\n")

    def find(pattern: str) -> str | None:
        match = re.search(pattern, head, re.IGNORECASE | re.MULTILINE)
        return None if match is None else match[1]

    name, filename = find('[; ]name="([^"]*)"') or "", find('[; ]filename="([^"]*)"')
    return {
        "head": head,
        "name": name,
        "filename": filename,
        "type": find(r"^content-type: *([\w.+/-]+)"),
        "size": len(content),
        "text": _text(content, name=name) if filename is None else None,
    }


def _text(content: bytes, *, name: str = "", is_form: bool = False) -> list[str | int] | None:
    if SECRET.search(name):
        return [_MASK]
    try:
        text = content.decode() if len(content) <= _LOOKED_AT else "\0"
    except UnicodeDecodeError:
        return None
    # A form is written as a query is.
    text = _without_pairs(f"?{text}")[1:] if is_form else _without_secrets(text)
    pieces = _PICTURE.split(text)
    if "\0" in text or sum(map(len, pieces[::2])) > _LONGEST:
        return None
    return [len(text) * 3 // 4 if at % 2 else text for at, text in enumerate(pieces)]


def _header(name: str, value: str) -> str:
    scheme, space, _ = value.partition(" ")
    if "cookie" in name or SECRET.search(name):
        return f"{scheme} {_MASK}" if space else _MASK
    # Headers are read as Latin-1, whatever bytes they were.
    return _without_secrets(value.encode("latin-1", "replace").decode(errors="surrogateescape"))


def _without_pairs(query: str) -> str:
    def hide(pair: re.Match[str]) -> str:
        return pair[1] + _MASK if SECRET.search(unquote_plus(pair[2])) else pair[0]

    return _PAIR.sub(hide, query)


def _without_secrets(text: str) -> str:
    def hide(member: re.Match[str]) -> str:
        return f'{member[1]}"{_MASK}"' if SECRET.search(member[2]) else member[0]

    def shorten(address: re.Match[str]) -> str:
        return (_MASK if address[1] else "") + _without_pairs(address[2])

    return _ADDRESS.sub(shorten, _MEMBER.sub(hide, text))
