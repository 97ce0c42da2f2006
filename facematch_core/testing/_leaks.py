"""Find a key or a picture in what a program printed, however it was written down."""

from __future__ import annotations

import base64
import io
import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote, quote_plus

from facematch_core import Image

#: Fewer bytes than this occur by chance, in base64 above all.
SHORTEST = 6

#: Bytes per sample of a picture, and how many samples are taken from it.
_SAMPLE, _SAMPLES = 12, 5


def find_leaks(secret: bytes | str, *texts: bytes | str) -> tuple[str, ...]:
    """Tell in which form `secret` stands in any of `texts`.

    Looked for: as it is, as `repr` and JSON write it, in hexadecimal, in base64 of both alphabets
    wherever it begins in a longer text, and escaped for a URL.

    Args:
        secret: At least 6 bytes.
        *texts: What was printed, logged, pickled or sent.

    Returns:
        The names of the forms that were found, never the secret; () if it is in none.

    Raises:
        ValueError: the secret is too short to be told from chance.
    """
    raw = secret.encode() if isinstance(secret, str) else secret
    if len(raw) < SHORTEST:
        raise ValueError(f"A secret of {len(raw)} bytes is too short: take {SHORTEST} or more.")
    forms = _forms(raw)
    # As bytes: surrogates stand for bytes that were no text, as in file names and arguments.
    hay = [text.encode(errors="surrogatepass") if isinstance(text, str) else text for text in texts]
    return tuple(
        name for name, written in forms.items() if any(w in text for w in written for text in hay)
    )


def _forms(raw: bytes) -> dict[str, set[bytes]]:
    as_latin = raw.decode("latin-1")
    texts = {as_latin}
    with suppress(UnicodeDecodeError):
        texts.add(raw.decode())
    hexadecimal, spaced = raw.hex(), raw.hex(" ")
    forms = {
        "as it is": {raw, *(text.encode() for text in texts)},
        # The quotation mark is escaped or not, as the rest of the longer text has it.
        "repr": {
            form
            for text in (repr(raw)[2:-1], *(ascii(text)[1:-1] for text in texts))
            for form in (text.encode(), text.replace("\\'", "'").replace("'", "\\'").encode())
        },
        "JSON": {
            json.dumps(text, ensure_ascii=plain)[1:-1].encode()
            for text in texts
            for plain in (True, False)
        },
        "hexadecimal": {
            text.encode() for form in (hexadecimal, spaced) for text in (form, form.upper())
        },
        "base64": set(_base64(raw)),
        "URL": {
            text.encode()
            for escaped in (quote(raw, safe=""), quote(raw), quote_plus(raw))
            for text in (escaped, _lower_escapes(escaped))
        },
    }
    # Text without anything to escape looks the same in several forms; it is named once.
    for name in ("repr", "JSON", "URL"):
        forms[name] -= forms["as it is"]
    return forms


def _lower_escapes(escaped: str) -> str:
    parts = escaped.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that `raw` alone decides, for each place it can have in a group of three."""
    for before in range(3):
        padded = bytes(before) + raw
        first = (before * 8 + 5) // 6
        last = len(padded) * 8 // 6
        yield base64.b64encode(padded)[first:last]
        yield base64.urlsafe_b64encode(padded)[first:last]


def picture_samples(image: Image) -> tuple[bytes, ...]:
    """A few short pieces of a picture's own data, spread over it, to look for with `find_leaks`.

    The head of a file is left out: it is the same in many pictures and tells nothing.
    """
    data = image.data
    step = max(1, len(data) // (_SAMPLES + 1))
    pieces = (data[at : at + _SAMPLE] for at in range(step, len(data) - _SAMPLE, step))
    # A run of one byte is padding or a plain area, and would be found anywhere.
    return tuple(piece for piece in pieces if len(set(piece)) > _SAMPLE // 2)


def told_by(error: BaseException) -> str:
    """Everything an error tracker could collect of `error`: texts, attributes, frames, locals."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join([str(error), repr(error), repr(vars(error)), *frames.format()])


@contextmanager
def captured_log() -> Iterator[io.StringIO]:
    """Everything that any logger writes meanwhile, from DEBUG up, as one text."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(args)s"))
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in list(root.manager.loggerDict))]
    levels = [logger.level for logger in loggers]
    root.addHandler(handler)
    try:
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
        yield text
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        root.removeHandler(handler)
