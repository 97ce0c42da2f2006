"""What a call sent, whole, but for secrets and the bytes of pictures."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

from facematch_mock_server.base.forms import MULTIPART, URLENCODED, media_type
from facematch_mock_server.base.masking import SECRET
from facematch_mock_server.base.messages import Headers

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


def show_request(target: str, headers: Headers, body: bytes) -> dict[str, Any]:
    """A request for the page; its text has sizes for pictures, and is None where it is too long."""
    content_type = dict(headers).get("content-type", "")
    boundary = re.search(r'boundary="?([^";,]+)', content_type)
    is_form, form, text = media_type(content_type) == URLENCODED, None, None
    if media_type(content_type) == MULTIPART and boundary:
        parts = body.split(b"--" + boundary[1].encode())[1:]
        form = [_show_part(part) for part in parts if not part.startswith(b"--")]
    else:
        text = _show_text(body, is_form=is_form)
    shown = [(name, _show_header(name, value)) for name, value in headers]
    content = {"form": form, "is_form": is_form, "size": len(body), "text": text}
    return {"target": _hide_pairs(target), "headers": shown, **content}


def _show_part(part: bytes) -> dict[str, Any]:
    start, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    head, content = start.decode(errors="replace"), content.removesuffix(b"\r\n")
    name = re.search('[; ]name="([^"]*)"', head)
    text = None if "filename=" in head else _show_text(content, name=name[1] if name else "")
    return {"head": head, "size": len(content), "text": text}


def _show_text(content: bytes, *, name: str = "", is_form: bool = False) -> list[str | int] | None:
    if SECRET.search(name):
        return [_MASK]
    try:
        text = content.decode() if len(content) <= _LOOKED_AT else "\0"
    except UnicodeDecodeError:
        return None
    # A form is written as a query is.
    text = _hide_pairs(f"?{text}")[1:] if is_form else _hide_secrets(text)
    pieces = _PICTURE.split(text)
    if "\0" in text or sum(map(len, pieces[::2])) > _LONGEST:
        return None
    return [len(text) * 3 // 4 if at % 2 else text for at, text in enumerate(pieces)]


def _show_header(name: str, value: str) -> str:
    scheme, space, _ = value.partition(" ")
    if "cookie" in name or SECRET.search(name):
        return f"{scheme} {_MASK}" if space else _MASK
    # Headers are read as Latin-1, whatever bytes they were.
    return _hide_secrets(value.encode("latin-1", "replace").decode(errors="surrogateescape"))


def _hide_pairs(query: str) -> str:
    def hide(pair: re.Match[str]) -> str:
        return pair[1] + _MASK if SECRET.search(unquote_plus(pair[2])) else pair[0]

    return _PAIR.sub(hide, query)


def _hide_secrets(text: str) -> str:
    def hide(member: re.Match[str]) -> str:
        return f'{member[1]}"{_MASK}"' if SECRET.search(member[2]) else member[0]

    def shorten(address: re.Match[str]) -> str:
        return (_MASK if address[1] else "") + _hide_pairs(address[2])

    return _ADDRESS.sub(shorten, _MEMBER.sub(hide, text))
