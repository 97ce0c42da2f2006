"""Find a key or a picture in the output of a program, in any encoding."""

from __future__ import annotations

import functools
import io
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from facematch_core import Image
from facematch_core.backend import Backend
from facematch_core.base.masking import base64_parts

from .simulator import author_of

#: Escapes of one character in Python and JSON, and of one byte in a URL.
_ESCAPED = re.compile(rb"""\\(?:([\\'"/])|([bfnrt])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))""")
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")


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
    return find_forms(raw, {layer for text in texts for layer in layers(text)})


def find_forms(raw: bytes, hay: Iterable[bytes]) -> tuple[str, ...]:
    """Return the encodings of a secret found in the `layers` of texts."""
    hay, forms = tuple(hay), _forms(raw).items()
    return tuple(name for name, some in forms if any(w in text for w in some for text in hay))


def layers(text: bytes | str) -> Iterator[bytes]:
    """Yield a text as bytes, and unescaped up to four times."""
    try:
        # Surrogates represent undecodable bytes, as in file names and arguments.
        layer = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        layer = str(text).encode(errors="surrogatepass")
    for _ in range(5):  # `repr` of `repr` of JSON has three levels, and the text may add one
        yield layer
        yield _PERCENT.sub(lambda escape: bytes.fromhex(escape[1].decode()), layer)
        inner = _ESCAPED.sub(functools.partial(_unescape, encoding="utf-8"), layer)
        if inner == layer:
            return
        yield _ESCAPED.sub(functools.partial(_unescape, encoding="latin-1"), layer)
        layer = inner


def _unescape(escape: re.Match[bytes], encoding: str) -> bytes:
    itself, control, short, long = escape.groups()
    if itself or control:
        return itself or b"\b\f\n\r\t"[b"bfnrt".index(control)].to_bytes()
    letter = chr(int(short or long, 16))
    return letter.encode("utf-8" if letter > "\xff" else encoding, errors="surrogatepass")


@functools.lru_cache(maxsize=256)  # the same few secrets are searched repeatedly
def _forms(raw: bytes) -> dict[str, set[bytes]]:
    plain = {raw, raw.decode("latin-1").encode()}
    digits = (raw.hex(), raw.hex(" "), raw.hex().upper(), raw.hex(" ").upper())
    return {
        # An HTML form encodes a space as "+".
        "as it is": plain | {text.replace(b" ", b"+") for text in plain},
        "hexadecimal": {text.encode() for text in digits},
        "base64": set(base64_parts(raw)),
    }


def picture_samples(image: Image) -> tuple[bytes, ...]:
    """Return a few short samples of a picture's data, spread over it, for `find_leaks`.

    The file header is left out, because it is the same in many pictures.
    """
    data = image.data
    step = max(1, len(data) // 6)
    pieces = (data[at : at + 12] for at in range(step, len(data) - 12, step))
    # A piece with few distinct bytes is padding or a plain area, and occurs everywhere.
    return tuple(piece for piece in pieces if len(set(piece)) > 6)


def told_by(error: BaseException) -> str:
    """Return what an error tracker could collect from `error`: texts, attributes, frames, locals.

    Includes causes and contexts, even suppressed ones, and the members of exception groups.
    """
    texts = []
    for link in chain(error):
        texts += [show(link, str), show(link), show(vars(link))]
        texts += [text for _, text in frames(link)]
    return "\n".join(texts)


def chain(error: BaseException) -> tuple[BaseException, ...]:
    """Return `error`, its causes and contexts (even suppressed ones), and members of groups."""
    links: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and id(link) not in links:
            links[id(link)] = link
            members = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
            waiting += [link.__cause__, link.__context__, *members]
    return tuple(links.values())


def frames(error: BaseException) -> Iterator[tuple[str, str]]:
    """For each traceback frame, yield its file, and its location, line and locals as text."""
    lines, walk = traceback.extract_tb(error.__traceback__), traceback.walk_tb(error.__traceback__)
    for at, (frame, _) in zip(lines, walk, strict=True):
        values = [f"    {name} = {show(value)}" for name, value in frame.f_locals.items()]
        yield at.filename, "\n".join([f"  {at}", f"    {at.line}", *values])


def show(value: Any, how: Callable[[Any], str] = repr) -> str:
    """Return a value's `repr`; if it raises (for a half-initialised object), the error's class."""
    try:
        return how(value)
    except Exception as error:  # noqa: BLE001 - whatever a `repr` raises
        return f"<{type(error).__name__}>"


@contextmanager
def capture_log() -> Iterator[io.StringIO]:
    """Capture all log records in the block, from DEBUG up, with all their attributes."""
    text = io.StringIO()
    is_enabled, hand_on = logging.Logger.isEnabledFor, logging.Logger.callHandlers

    def hear(logger: logging.Logger, record: logging.LogRecord) -> None:
        text.write(f"{show(record, logging.Formatter().format)} {show(vars(record))}\n")
        # Other handlers still get only their usual records.
        if is_enabled(logger, record.levelno):
            hand_on(logger, record)

    # `callHandlers` gets every record that passes its logger's filters, even if the logger does
    # not propagate.
    with mock.patch.multiple(logging.Logger, isEnabledFor=lambda *_: True, callHandlers=hear):
        yield text


#: Flags of `open` for writing.
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND
#: Lists of the active `files_written` contexts.
_watches: list[list[str]] = []
#: Added only once: an audit hook cannot be removed.
_add_hook = functools.cache(sys.addaudithook)


@contextmanager
def files_written() -> Iterator[list[str]]:
    """Collect the files that a backend opens for writing in the block, in any thread."""
    _add_hook(_hear_open)
    _watches.append([])
    try:
        yield _watches[-1]
    finally:
        _watches.pop()


def _hear_open(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _watches or not (arguments[2] or 0) & _WRITES:
        return
    path = arguments[0]
    is_named = isinstance(path, (str, bytes, os.PathLike)) and path != os.devnull
    for frame, _ in traceback.walk_stack(None) if is_named else ():
        if str(frame.f_globals.get("__name__")).startswith(("importlib.", "_frozen_importlib")):
            return  # Python itself writes bytecode files.
        if (author := author_of(frame)) is not None:
            if issubclass(type(author), Backend):
                _watches[-1].append(f"{os.fsdecode(path)} ({frame.f_code.co_qualname})")
            return
