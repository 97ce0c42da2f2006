"""Find a key or a picture in the output of a program, in any encoding."""

from __future__ import annotations

import functools
import io
import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from facematch_core import Image
from facematch_core.base.masking import base64_parts

#: Escapes of one character in Python and JSON, and of one byte in a URL.
_ESCAPED = re.compile(rb"""\\(?:([\\'"/])|([bfnrt])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))""")
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")
#: The bytes of the control characters, by the letter of their escape.
_CONTROL = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def find_leaks(secret: bytes | str, *texts: bytes | str) -> tuple[str, ...]:
    """Return the names of the encodings in which `texts` contain `secret`; () if there are none.

    Finds the plain text, also as escaped by `repr`, `ascii`, JSON or a URL (bytes, bytes decoded
    as text, and up to four levels of escapes), hexadecimal, and base64 in both alphabets at any
    offset in a longer text.

    Raises:
        ValueError: the secret has fewer than 6 bytes, and could occur by chance.
    """
    raw = secret.encode() if isinstance(secret, str) else secret
    if len(raw) < 6:  # short texts occur by chance, especially in base64
        raise ValueError(f"A secret of {len(raw)} bytes is too short: use 6 or more.")
    haystack = set[bytes]()
    for text in texts:
        haystack.update(unescaped_forms(text))
    return find_encodings(raw, haystack)


def find_encodings(raw: bytes, haystack: Iterable[bytes]) -> tuple[str, ...]:
    """Return the names of a secret's encodings that occur in the `unescaped_forms` of texts."""
    forms = tuple(haystack)
    found = []
    for name, encodings in _encodings_of(raw).items():
        if any(encoding in form for encoding in encodings for form in forms):
            found.append(name)
    return tuple(found)


def unescaped_forms(text: bytes | str) -> Iterator[bytes]:
    """Yield a text as bytes, and with its backslash and percent escapes decoded (four times)."""
    try:
        # Surrogates represent undecodable bytes, as in file names and arguments.
        form = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        form = str(text).encode(errors="surrogatepass")
    for _ in range(5):  # `repr` of `repr` of JSON has three levels, and the text may add one
        yield form
        yield _PERCENT.sub(lambda escape: bytes.fromhex(escape[1].decode()), form)
        unescaped = _ESCAPED.sub(functools.partial(_unescape, encoding="utf-8"), form)
        if unescaped == form:
            return
        yield _ESCAPED.sub(functools.partial(_unescape, encoding="latin-1"), form)
        form = unescaped


def _unescape(escape: re.Match[bytes], encoding: str) -> bytes:
    """Return the bytes of one escape; `encoding` is for letters up to U+00FF."""
    quoted, control, hex2, hex4 = escape.groups()
    if quoted:  # a backslash, a quote or a slash stands for itself
        return quoted
    if control:
        return _CONTROL[control]
    letter = chr(int(hex2 or hex4, 16))
    if letter > "\xff":
        encoding = "utf-8"
    return letter.encode(encoding, errors="surrogatepass")


@functools.lru_cache(maxsize=256)  # the same few secrets are searched repeatedly
def _encodings_of(raw: bytes) -> dict[str, set[bytes]]:
    """Return a secret's encodings as bytes to search for, by the encoding's name."""
    plain = {raw, raw.decode("latin-1").encode()}
    hexadecimal = (raw.hex(), raw.hex(" "), raw.hex().upper(), raw.hex(" ").upper())
    return {
        # An HTML form encodes a space as "+".
        "as it is": plain | {text.replace(b" ", b"+") for text in plain},
        "hexadecimal": {digits.encode() for digits in hexadecimal},
        "base64": set(base64_parts(raw)),
    }


def picture_samples(image: Image) -> tuple[bytes, ...]:
    """Return a few short samples of a picture's data, spread over it, for `find_leaks`.

    The file header is left out, because it is the same in many pictures.
    """
    data = image.data
    step = max(1, len(data) // 6)
    samples = []
    for start in range(step, len(data) - 12, step):
        sample = data[start : start + 12]
        # A sample with few distinct bytes is padding or a plain area, and occurs everywhere.
        if len(set(sample)) > 6:
            samples.append(sample)
    return tuple(samples)


def told_by(error: BaseException) -> str:
    """Return what an error tracker could collect from `error`: texts, attributes, frames, locals.

    Includes causes and contexts, even suppressed ones, and the members of exception groups.
    """
    texts = []
    for linked in linked_errors(error):
        texts += [safe_text(linked, str), safe_text(linked), safe_text(vars(linked))]
        texts += [text for _, text in frame_texts(linked)]
    return "\n".join(texts)


def linked_errors(error: BaseException) -> tuple[BaseException, ...]:
    """Return `error`, its causes and contexts (even suppressed ones), and members of groups."""
    linked_by_id: dict[int, BaseException] = {}
    pending: list[BaseException | None] = [error]
    while pending:
        linked = pending.pop()
        if linked is None or id(linked) in linked_by_id:
            continue
        linked_by_id[id(linked)] = linked
        pending += [linked.__cause__, linked.__context__]
        if isinstance(linked, BaseExceptionGroup):
            pending += linked.exceptions
    return tuple(linked_by_id.values())


def frame_texts(error: BaseException) -> Iterator[tuple[str, str]]:
    """For each traceback frame, yield its file, and its location, line and locals as text."""
    summaries = traceback.extract_tb(error.__traceback__)
    frames = traceback.walk_tb(error.__traceback__)
    for summary, (frame, _) in zip(summaries, frames, strict=True):
        lines = [f"  {summary}", f"    {summary.line}"]
        for name, value in frame.f_locals.items():
            lines.append(f"    {name} = {safe_text(value)}")
        yield summary.filename, "\n".join(lines)


def safe_text(value: object, to_text: Callable[[Any], str] = repr) -> str:
    """Return a value as text; the class of the error if `to_text` raises (half-initialised)."""
    try:
        return to_text(value)
    except Exception as error:  # noqa: BLE001 - whatever a `repr` raises
        return f"<{type(error).__name__}>"


@contextmanager
def capture_log() -> Iterator[io.StringIO]:
    """Capture all log records in the block, from DEBUG up, with all their attributes."""
    text = io.StringIO()
    is_enabled_for = logging.Logger.isEnabledFor
    call_handlers = logging.Logger.callHandlers
    format_record = logging.Formatter().format

    def capture(logger: logging.Logger, record: logging.LogRecord) -> None:
        text.write(f"{safe_text(record, format_record)} {safe_text(vars(record))}\n")
        # Other handlers still get only their usual records.
        if is_enabled_for(logger, record.levelno):
            call_handlers(logger, record)

    # `callHandlers` gets every record that passes its logger's filters, even if the logger does
    # not propagate.
    with mock.patch.multiple(logging.Logger, isEnabledFor=lambda *_: True, callHandlers=capture):
        yield text
