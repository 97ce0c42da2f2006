"""What a call sent, whole, but for secrets and the bytes of pictures."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from facematch_mock_server.base.forms import MULTIPART, URLENCODED, media_type
from facematch_mock_server.base.masking import SECRET
from facematch_mock_server.base.messages import Headers

#: Of a longer text only the length is shown, as of bytes.
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


def show_request(method: str, target: str, headers: Headers, body: bytes) -> str:
    """A request as text for the page, with sizes in place of pictures and of what is too long."""
    content_type = dict(headers).get("content-type", "")
    boundary = re.search(r'boundary="?([^";,]+)', content_type)
    if media_type(content_type) == MULTIPART and boundary:
        parts = body.split(b"--" + boundary[1].encode())[1:]
        text = "\n--\n".join(_show_part(part) for part in parts if not part.startswith(b"--"))
    else:
        text = _show_text(body, is_form=media_type(content_type) == URLENCODED)
    head = [f"{method} {_hide_pairs(target)}"]
    head += [f"{name}: {_show_header(name, value)}" for name, value in headers]
    return "\n".join([*head, "", text]).replace("\r\n", "\n")


def _show_part(part: bytes) -> str:
    start, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    head, content = start.decode(errors="replace"), content.removesuffix(b"\r\n")
    name = re.search('[; ]name="([^"]*)"', head)
    is_file = "filename=" in head
    text = _show_size(content) if is_file else _show_text(content, name=name[1] if name else "")
    return f"{head}\n\n{text}"


def _show_text(content: bytes, *, name: str = "", is_form: bool = False) -> str:
    if SECRET.search(name):
        return _MASK
    try:
        text = content.decode() if len(content) <= _LOOKED_AT else "\0"
    except UnicodeDecodeError:
        text = "\0"
    # A form is written as a query is.
    text = _hide_pairs(f"?{text}")[1:] if is_form else _hide_secrets(text)
    text = _PICTURE.sub(lambda long: f"<a picture of some {len(long[0]) * 3 // 4:,} bytes>", text)
    return _show_size(content) if "\0" in text or len(text) > _LONGEST else text


def _show_size(content: bytes) -> str:
    return f"<{len(content):,} bytes>"


def _show_header(name: str, value: str) -> str:
    scheme, space, _ = value.partition(" ")
    if "cookie" in name or SECRET.search(name):
        return f"{scheme} {_MASK}" if space else _MASK
    # Headers are read as Latin-1, whatever bytes they were.
    return _hide_secrets(value.encode("latin-1", "replace").decode(errors="replace"))


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
