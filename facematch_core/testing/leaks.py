"""Find a key or a picture in what a program printed, however it was written down."""

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
    """Return the names of the forms in which `secret` is in any of `texts`; () if it is in none.

    Looked for: as it is, also where `repr`, `ascii`, JSON or a URL escapes it (bytes, and bytes
    that were read as text; also inside of a text that was written so again), in hexadecimal, and in
    base64 of both alphabets wherever it begins in a longer text.

    Raises:
        ValueError: the secret has fewer than 6 bytes, which may be found by chance.
    """
    raw = secret.encode() if isinstance(secret, str) else secret
    if len(raw) < 6:  # fewer occur by chance, in base64 above all
        raise ValueError(f"A secret of {len(raw)} bytes is too short: take 6 or more.")
    return find_forms(raw, [layer for text in texts for layer in layers(text)])


def find_forms(raw: bytes, hay: Iterable[bytes]) -> tuple[str, ...]:
    """Return the forms of a secret in the `layers` of texts, made once for many secrets."""
    hay, forms = tuple(hay), _forms(raw).items()
    return tuple(name for name, some in forms if any(w in text for w in some for text in hay))


def layers(text: bytes | str) -> Iterator[bytes]:
    """Yield a text as bytes, and without the escapes that are in it, up to four deep."""
    try:
        # Surrogates stand for bytes that were no text, as in file names and arguments.
        layer = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        layer = str(text).encode(errors="surrogatepass")
    for _ in range(5):  # `repr` of a `repr` of JSON is escaped three times, and the text once
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


@functools.lru_cache(maxsize=256)  # the same few are looked for again and again
def _forms(raw: bytes) -> dict[str, set[bytes]]:
    plain = {raw, raw.decode("latin-1").encode()}
    digits = (raw.hex(), raw.hex(" "), raw.hex().upper(), raw.hex(" ").upper())
    return {
        # A form of a web page has "+" for a space.
        "as it is": plain | {text.replace(b" ", b"+") for text in plain},
        "hexadecimal": {text.encode() for text in digits},
        "base64": set(base64_parts(raw)),
    }


def picture_samples(image: Image) -> tuple[bytes, ...]:
    """A few short pieces of a picture's own data, spread over it, to look for with `find_leaks`.

    The head of a file is left out: it is the same in many pictures and identifies nothing.
    """
    data = image.data
    step = max(1, len(data) // 6)
    pieces = (data[at : at + 12] for at in range(step, len(data) - 12, step))
    # A run of one byte is padding or a plain area, and would be found anywhere.
    return tuple(piece for piece in pieces if len(set(piece)) > 6)


def told_by(error: BaseException) -> str:
    """Everything an error tracker could collect of `error`: texts, attributes, frames, locals.

    Causes and contexts count, hidden ones too, and so do the members of a group.
    """
    texts = []
    for link in chain(error):
        texts += [show(link, str), show(link), show(vars(link))]
        texts += [text for _, text in frames(link)]
    return "\n".join(texts)


def chain(error: BaseException) -> tuple[BaseException, ...]:
    """Return `error`, its causes and contexts (hidden ones too), and members of groups."""
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
    """Every frame of its own traceback: the file, and place, line and local variables as text."""
    lines, walk = traceback.extract_tb(error.__traceback__), traceback.walk_tb(error.__traceback__)
    for at, (frame, _) in zip(lines, walk, strict=True):
        values = [f"    {name} = {show(value)}" for name, value in frame.f_locals.items()]
        yield at.filename, "\n".join([f"  {at}", f"    {at.line}", *values])


def show(value: Any, how: Callable[[Any], str] = repr) -> str:
    """Show a value as a crash reporter does; an object that is not whole yet cannot be shown."""
    try:
        return how(value)
    except Exception as error:  # noqa: BLE001 - whatever a `repr` raises
        return f"<{type(error).__name__}>"


@contextmanager
def capture_log() -> Iterator[io.StringIO]:
    """All that any logger writes meanwhile, from DEBUG up, with everything that a record has."""
    text = io.StringIO()
    is_enabled, hand_on = logging.Logger.isEnabledFor, logging.Logger.callHandlers

    def hear(logger: logging.Logger, record: logging.LogRecord) -> None:
        text.write(f"{show(record, logging.Formatter().format)} {show(vars(record))}\n")
        # Other handlers get only the records that they would get anyway.
        if is_enabled(logger, record.levelno):
            hand_on(logger, record)

    # Every record that passes a logger's own filters comes by `callHandlers`, even if the logger
    # does not propagate.
    with mock.patch.multiple(logging.Logger, isEnabledFor=lambda *_: True, callHandlers=hear):
        yield text


#: Flags of `open` that write.
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND
#: The lists of the running `files_written`.
_watches: list[list[str]] = []
#: Added once and for good: an audit hook cannot be removed.
_add_hook = functools.cache(sys.addaudithook)


@contextmanager
def files_written() -> Iterator[list[str]]:
    """Collect the files that a method of a backend opens for writing meanwhile, in any thread."""
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
            return  # Python writes what it has compiled.
        if (author := author_of(frame)) is not None:
            if issubclass(type(author), Backend):
                _watches[-1].append(f"{os.fsdecode(path)} ({frame.f_code.co_qualname})")
            return
