"""Mask secrets, pictures and private data in texts, results and logs."""

from __future__ import annotations

import base64
import contextlib
import contextvars
import datetime as dt
import decimal
import hmac
import logging
import math
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NoReturn, Protocol, TypeVar
from urllib.parse import quote

import attrs

from facematch_core.errors import ConfigurationError, RequestRejected, VendorError

from .frames import clears_frames

R = TypeVar("R")


#: Quotes that a value may have been pasted with; ``docker run --env-file`` keeps them.
QUOTES = ('"', "'", "`")


class HasSecretValue(Protocol):
    """A secret of another library, such as pydantic's ``SecretStr``."""

    def get_secret_value(self) -> str: ...


class Secret:
    """A secret string, hidden in `repr`, `str`, `format` and logs; it cannot be pickled.

    Attributes:
        origin: Where the value comes from, for messages (``$DIDIT_API_KEY``); never the value.

    Example:
        >>> key = Secret("not-a-real-key")
        >>> print(key)
        Secret(from argument)
        >>> len(key.reveal())
        14
    """

    __slots__ = ("_forms", "_value", "origin")

    @clears_frames
    def __init__(self, value: str | HasSecretValue, *, origin: str = "argument") -> None:
        if hasattr(value, "get_secret_value"):
            value = value.get_secret_value()
        if not isinstance(value, str):
            raise ConfigurationError(f"A secret must be text, not {type(value).__name__}.")
        self._value = value
        #: The forms to mask, computed once because every response is searched for them.
        self._forms = frozenset(filter(None, _echoed_forms(value)))
        self.origin = origin

    @classmethod
    def of(cls, value: Secret | str | HasSecretValue) -> Secret:
        """Return `value` if it is a `Secret`, else a new secret with that text.

        pydantic's ``SecretStr`` is accepted, too, as in every setting for a key.
        """
        return value if isinstance(value, Secret) else cls(value)

    @classmethod
    def from_environment(cls, variable: str) -> Secret:
        """Read an environment variable; raise `ConfigurationError` if it is unset or empty."""
        value = os.environ.get(variable, "")
        if not value:
            raise ConfigurationError(f"The environment variable {variable} is not set or is empty.")
        return cls(value, origin=f"${variable}")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Secret:
        """Read the first line of a file; raise `ConfigurationError` if it is empty.

        The file's owner and permissions are not checked.
        """
        # Imported late: this needs `pathlib`, which would add 4 ms to every import.
        from .files import read_text

        value = read_text(path, "key file").partition("\n")[0].strip()
        if not value:
            raise ConfigurationError(f"The key file {path} is empty: write the key into it.")
        return cls(value, origin=str(path))

    def reveal(self) -> str:
        """Return the secret text."""
        return self._value

    def echoed_forms(self) -> frozenset[str]:
        """Return the forms in which a response may echo the secret, such as base64."""
        return self._forms

    def __repr__(self) -> str:
        return f"Secret(from {self.origin})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret cannot be pickled: read it again where it is needed.")


def key_bytes(key: object, noun: str) -> bytes:
    """Return a caller's key as bytes; raise `ConfigurationError` if it is no text or bytes.

    `noun` is what the error calls its owner.
    """
    if isinstance(key, Secret):
        key = key.reveal()
    if isinstance(key, str):
        key = key.encode("utf-8", "surrogatepass")
    if not isinstance(key, bytes) or not key:
        raise ConfigurationError(f"The key of a {noun} must be a text or bytes, and not empty.")
    return key


#: Secrets of this length or longer are masked anywhere in a text, shorter ones only as words.
_MIN_LENGTH_IN_WORDS = 4


def masker(secrets: tuple[Secret, ...], *, hides_pieces: bool = False) -> Callable[[str], str]:
    """Return a function that masks secrets and, with `hides_pieces`, pieces of pictures."""
    forms: set[str] = set()
    for secret in secrets:
        forms |= secret.echoed_forms()
    # Longest first, because a form may contain another.
    ordered = sorted(forms, key=len, reverse=True)
    shortest_length = min(map(len, forms), default=0)
    long_forms = [form for form in ordered if len(form) >= _MIN_LENGTH_IN_WORDS]
    # Mask a short form only as a whole word, because many longer words contain it.
    short_forms = [re.escape(form) for form in ordered if len(form) < _MIN_LENGTH_IN_WORDS]
    short_words = None
    if short_forms:
        short_words = re.compile(rf"(?<!\w)(?:{'|'.join(short_forms)})(?!\w)")

    def mask(text: str) -> str:
        """Return a text with each secret, and each piece of a picture, as ``***``."""
        if len(text) >= shortest_length:
            for form in long_forms:
                text = text.replace(form, "***")
            if short_words is not None:
                text = short_words.sub("***", text)
        if hides_pieces and len(text) >= _MIN_PIECE_LENGTH:
            # Four or fewer distinct characters are test data, not a piece of a picture.
            return _PICTURE_PIECE.sub(
                lambda word: "***" if len(set(word[0])) > 4 else word[0], text
            )
        return text

    return mask


def _echoed_forms(value: str) -> Iterator[str]:
    """Yield the forms in which a response may echo a secret."""
    yield value
    # The base64 form of a shorter text would match parts of many words.
    if len(value) < 8:
        return
    yield quote(value, safe="", errors="replace")
    data = value.encode("utf-8", "surrogatepass")
    # Base64 of the text alone, and within a longer text such as "user:key".
    for form in (base64.b64encode(data), base64.urlsafe_b64encode(data), *base64_parts(data)):
        yield form.decode()


def base64_parts(data: bytes) -> Iterator[bytes]:
    """Yield the base64 characters that depend only on `data`, for each offset in a longer text."""
    for before in range(3):
        padded = bytes(before) + data
        # A character has 6 bits. The first and the last may have bits of the text around `data`.
        start = (before * 8 + 5) // 6
        end = len(padded) * 8 // 6
        yield base64.b64encode(padded)[start:end]
        yield base64.urlsafe_b64encode(padded)[start:end]


def without_secrets(text: str, secrets: tuple[Secret, ...]) -> str:
    """Return `text` with all `secrets` masked."""
    return masker(secrets)(text)


#: A long word that may be a key, a token or a picture: base64, hex, escapes.
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_.%~\\-]{20,}")
#: Minimum length of a piece of a picture in base64; no id is that long.
_MIN_PIECE_LENGTH = 64
_PICTURE_PIECE = re.compile(rf"[A-Za-z0-9+/=_.%~\\-]{{{_MIN_PIECE_LENGTH},}}")

#: Printed bytes of a picture: many numbers in a row, or three unprintable characters or escapes
#: close together (then the rest of the text is masked).
_PRINTED_NUMBERS = re.compile(r"(?:\b(?:0x)?[0-9A-Fa-f]{1,9}\W+){12,}\w*")
_UNPRINTABLE = r"(?:[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]|\\(?:x|u00)[0-9A-Fa-f]{2}|\\[0-7]{2,3})"
_PRINTED_BYTES = re.compile(rf"{_UNPRINTABLE}(?=(?:.{{0,40}}?{_UNPRINTABLE}){{2}}).*", re.DOTALL)


def quote_text(text: str, mask: Callable[[str], str]) -> str:
    """Return a vendor's text for use in an error: masked, printable, at most 200 characters."""
    text = mask(text)
    text = _PRINTED_NUMBERS.sub("***", text)
    text = _PRINTED_BYTES.sub("***", text)
    text = _LONG_WORD.sub(_mask_word, text)
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())[:200].rstrip()


def _mask_word(word: re.Match[str]) -> str:
    text = word.group()
    if len(text) >= _MIN_PIECE_LENGTH:  # a piece of a picture is longer than any other word
        return "***"
    if any(letter.isdigit() for letter in text):  # keys and tokens contain digits
        return "***"
    return text


def mask_error(error: VendorError, secrets: tuple[Secret, ...]) -> None:
    """Mask secrets and pieces of pictures in the texts of an error, in place."""
    mask = masker(secrets, hides_pieces=True)
    error.message = mask(error.message)
    error.args = (error.message,)
    if error.ids.vendor is not None:
        error.ids = attrs.evolve(error.ids, vendor=mask(error.ids.vendor))
    if isinstance(error, RequestRejected):
        masked_errors: dict[str, tuple[str, ...]] = {}
        for name, texts in error.field_errors.items():
            # Names that become equal when masked share an entry.
            masked_name = quote_text(name, mask)
            masked_texts = tuple(quote_text(text, mask) for text in texts)
            masked_errors[masked_name] = masked_errors.get(masked_name, ()) + masked_texts
        error.field_errors = masked_errors


@attrs.define(kw_only=True, eq=False)
class ResultMasker:
    """Masks secrets and private values in the results of one call."""

    #: Keys in the response body whose values are replaced, in addition to `PERSONAL_KEYS`.
    private_keys: Collection[str] = ()
    #: The last masked `raw`, so that a result is not masked twice.
    _masked_raw: object = None

    def mask(self, result: R, secrets: tuple[Secret, ...] | None, **fields: Any) -> R:
        """Replace `fields` in `result` and mask it, in one pass.

        Secrets and pieces of pictures are masked in the vendor's texts. A session's link and token
        are treated as secrets, and the results of its checks are masked, too. If `secrets` is None
        (local engines), texts are not masked. A masked `raw` is not masked again.
        """
        whole: Any = result
        if secrets is None and getattr(whole, "raw", self) is self._masked_raw:
            masked: R = attrs.evolve(whole, **fields)
            return masked
        access = getattr(whole, "access", None)
        if access and secrets is not None:
            secrets += tuple(filter(None, (access.link, access.token)))
        mask = None if secrets is None else masker(secrets, hides_pieces=True)
        checks = getattr(whole, "checks", ())
        if checks:
            fields["checks"] = tuple(
                attrs.evolve(check, result=self.mask(check.result, secrets)) for check in checks
            )
        for name in ("probe_faces", "reference_faces"):
            faces = getattr(whole, name, None)
            if faces:
                fields[name] = [_mask_part(face, mask, "quality") for face in faces]
        if mask is not None:
            for name in ("warnings", "review_reasons"):
                warnings = getattr(whole, name, None)
                if warnings:
                    fields[name] = tuple(
                        _mask_part(warning, mask, "tag", "text") for warning in warnings
                    )
        fields["ids"] = _mask_part(fields.get("ids", whole.ids), mask, "vendor", "session")
        if hasattr(whole, "raw"):
            fields["raw"] = plain_json(whole.raw, mask, PERSONAL_KEYS.union(self.private_keys))
        masked = _mask_part(result, mask, "model", "vendor_status", **fields)
        self._masked_raw = getattr(masked, "raw", None)
        return masked


def _mask_part(part: Any, mask: Callable[[str], str] | None, *names: str, **changes: Any) -> Any:
    """Return `part` with `changes` and the named fields masked, or `part` itself if unchanged."""
    if mask is not None:
        for name in names:
            value = getattr(part, name, None)
            if value:
                masked = plain_json(value, mask)
                if masked is not value:
                    changes[name] = masked
    return attrs.evolve(part, **changes) if changes else part


#: Name prefixes of the loggers that are silenced in this thread.
_SILENCED: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar(
    "facematch_silent", default=()
)


def _is_logged(record: logging.LogRecord) -> bool:
    return not record.name.startswith(_SILENCED.get())  # False for an empty tuple


@contextlib.contextmanager
def muted(*prefixes: str) -> Iterator[None]:
    """Silence loggers and their children in this thread: ``muted("botocore")``.

    Vendors' libraries write requests and keys into debug logs.
    """
    # A filter applies to its own logger only, so each child needs it. The filter is never removed:
    # other threads may use it, and it costs only the lookup of a variable.
    manager = logging.getLogger().manager
    # A copy, because other threads may add loggers.
    children = [name for name in list(manager.loggerDict) if name.startswith(prefixes)]
    for name in [*prefixes, *children]:
        logger = logging.getLogger(name)
        if _is_logged not in logger.filters:
            logger.addFilter(_is_logged)
    token = _SILENCED.set(prefixes)
    try:
        yield
    finally:
        _SILENCED.reset(token)


#: Placeholder for private values, such as a picture's URL.
_REMOVED = "(removed)"

#: Maximum nesting depth of a body; deeper parts are omitted. No vendor's body is that deep.
MAX_DEPTH = 64

#: Keys for estimates about a person, masked for every vendor.
PERSONAL_KEYS = frozenset({"age", "gender", "race"})


def plain_json(
    value: Any,
    mask: Callable[[str], str] | None = None,
    private_keys: frozenset[str] = frozenset(),
    depth: int = 0,
) -> Any:
    """Return a copy of `value` as plain JSON, with every text and key masked.

    Dates and decimals become text. Values that JSON does not have are replaced by a note.
    """
    kind = type(value)
    # Check the types that `json.loads` returns first, because a response has about 100 values.
    if kind is str:
        return value if mask is None else mask(value)
    if value is None or kind is int or kind is bool or (kind is float and math.isfinite(value)):
        return value
    if depth == MAX_DEPTH and isinstance(value, (Mapping, list, tuple)):
        return "(left out: too deep)"
    if kind is dict or isinstance(value, Mapping):
        plain = {}
        for key, item in value.items():
            name = str(key)
            if mask is not None:
                name = mask(name)
            if item is not None and key in private_keys:
                plain[name] = _REMOVED
            else:
                plain[name] = plain_json(item, mask, private_keys, depth + 1)
        return plain
    if isinstance(value, (list, tuple)):
        return [plain_json(item, mask, private_keys, depth + 1) for item in value]
    return _plain_scalar(value, mask)


def _plain_scalar(value: object, mask: Callable[[str], str] | None) -> Any:
    """Convert a value that `json.loads` would not return to plain JSON."""
    if isinstance(value, str):
        return str(value if mask is None else mask(value))
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    return f"(left out: {type(value).__name__})"
