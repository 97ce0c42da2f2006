"""What is given by mistake instead of a picture, and what to do then."""

from __future__ import annotations

import codecs

_PLAIN_SAVE = "save it as JPEG or PNG"

#: First bytes of files that are no pictures, or pictures that no vendor reads.
_MAGICS = (
    (b"PK\x03\x04", "a ZIP archive or office document", "take the picture out of it"),
    (b"\x1f\x8b", "a gzip file", "unpack it"),
    (b"8BPS", "a Photoshop file", _PLAIN_SAVE),
    (b"\x00\x00\x01\x00", "an icon", _PLAIN_SAVE),
    (b"\xff\x0a", "a JPEG XL file", _PLAIN_SAVE),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL file", _PLAIN_SAVE),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file", _PLAIN_SAVE),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 file", _PLAIN_SAVE),
    (b"II+\x00", "a BigTIFF file", _PLAIN_SAVE),
    (b"MM\x00+", "a BigTIFF file", _PLAIN_SAVE),
    (b"\x1a\x45\xdf\xa3", "a video", "take one still picture out of it"),
)
#: Beginnings of texts, in lower case, behind white space.
_TEXTS = (
    (b"<svg", "an SVG drawing", "render it to a JPEG or PNG"),
    (b"<!doctype html", "an HTML page", "check whether the download was answered by an error page"),
    (b"<html", "an HTML page", "check whether the download was answered by an error page"),
    (b"{", "JSON", "give the picture alone, decoded if it is a base64 field of it"),
    (b"[", "JSON", "give the picture alone, decoded if it is a base64 field of it"),
    (b"http://", "a URL", "download it yourself, because facematch fetches none"),
    (b"https://", "a URL", "download it yourself, because facematch fetches none"),
    (b"data:", "a data URI", "use Image.from_base64"),
    (b"/9j/", "base64 text", "use Image.from_base64"),
    (b"ivborw0kggo", "base64 text", "use Image.from_base64"),
    (b"uklgr", "base64 text", "use Image.from_base64"),
)
#: How much of a file is looked at, in bytes.
_LOOK = 1024


def looks_like(data: bytes) -> str:
    """What `data` is likely to be and what to do, to follow the words "The picture"."""
    head = data[:_LOOK]
    found = _binary(head) or _text(head.removeprefix(b"\xef\xbb\xbf").lstrip().lower())
    if found is None and _is_text(head):
        found = "plain text", "give the bytes of the picture itself"
    if found is None:
        return (
            "is of no known kind, judged by its first bytes; "
            "give a JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF or BMP"
        )
    what, advice = found
    return f"looks like {what}, which is not taken; {advice}"


def _binary(head: bytes) -> tuple[str, str] | None:
    for magic, what, advice in _MAGICS:
        if head.startswith(magic):
            return what, advice
    # Other bytes may come before the mark of a PDF.
    if b"%PDF-" in head:
        return "a PDF document", "render its page to a JPEG or PNG"
    if head[4:8] == b"ftyp":
        return "a video", "take one still picture out of it"
    return None


def _text(text: bytes) -> tuple[str, str] | None:
    for start, what, advice in _TEXTS:
        if text.startswith(start):
            return what, advice
    if not text.startswith((b"<?xml", b"<!--", b"<!doctype svg")):
        return None
    if b"<svg" in text or b"doctype svg" in text:
        return "an SVG drawing", "render it to a JPEG or PNG"
    return "XML", "give the picture itself"


def _is_text(head: bytes) -> bool:
    try:
        # Not `bytes.decode`: a character may be cut in two at the end of what is looked at.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\r\n\t" for character in text)
