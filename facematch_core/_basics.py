"""What the whole core shares: time, secrets, rates, and the reading of what people write."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import functools
import hmac
import ipaddress
import json
import logging
import math
import os
import re
import time
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol
from urllib.parse import quote

import attrs

from .errors import ConfigurationError, FaceMatchError

if TYPE_CHECKING:
    from pathlib import Path

    from cattrs import Converter

log = logging.getLogger("facematch")

#: What people write by hand is small; more is a mistake.
MAX_FILE_BYTES: Final = 1 << 20


class Clock(Protocol):
    """What a verifier needs to know of time."""

    def now(self) -> dt.datetime:
        """The time of day, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that many seconds (at least 0) pass."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Secret:
    """Text that never shows itself: not in `repr`, `str`, `format`, a log or a pickle.

    Attributes:
        origin: Where it came from, for people (``$DIDIT_API_KEY``); never the value.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, *, origin: str = "argument") -> None:
        if not isinstance(value, str):
            raise ConfigurationError(f"A secret must be text, not {type(value).__name__}.")
        self._value = value
        self.origin = origin

    @classmethod
    def of(cls, value: Secret | str) -> Secret:
        """`value` itself, or a new secret of that text."""
        return value if isinstance(value, Secret) else cls(value)

    @classmethod
    def from_environment(cls, variable: str) -> Secret:
        """The text of an environment variable; `ConfigurationError` if it is unset or empty."""
        value = os.environ.get(variable, "")
        if not value:
            raise ConfigurationError(f"The environment variable {variable} is not set: set it.")
        return cls(value, origin=f"${variable}")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Secret:
        """The first line of a file; `ConfigurationError` if there is none.

        A file that every user of the machine may read is used, and the log warns of it.
        """
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 4 ms of every import
                value = file.readline(65536).strip()
                mode = os.fstat(file.fileno()).st_mode
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigurationError(f"The key file {path} cannot be read: {reason}.") from None
        if not value:
            raise ConfigurationError(f"The key file {path} is empty: write the key into it.")
        # Not the group: that a service's group may read its key is how servers are set up.
        if os.name == "posix" and mode & 0o004:
            log.warning(
                "Every user of this machine can read the key file %s: chmod o-r keeps the key.",
                os.fspath(path),
            )
        return cls(value, origin=str(path))

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._value

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


@attrs.frozen
class RateWindow:
    """At most so many calls in any stretch of so many seconds.

    Args:
        limit: Calls, at least 1.
        seconds: Length of the window, above 0.

    Raises:
        ConfigurationError: a value is out of range.
    """

    limit: int
    seconds: float

    def __attrs_post_init__(self) -> None:
        if type(self.limit) is not int or self.limit < 1:
            raise ConfigurationError(
                "RateWindow: limit must be a whole number of calls, at least 1, not "
                f"{_number_shown(self.limit)}. Leave the window out if there is no limit."
            )
        if type(self.seconds) not in {int, float} or not 0 < self.seconds < math.inf:
            raise ConfigurationError(
                f"RateWindow: seconds must be a number above 0, not {_number_shown(self.seconds)}."
            )


def _number_shown(value: float) -> str:
    return f"{value:g}" if type(value) in {int, float} else type(value).__name__


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest known word, or all of them."""
    import difflib

    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(names)}." if names else "none are known."


def typed(words: Sequence[str]) -> str:
    """A command as it is typed into the shell of this system."""
    if os.name == "nt":
        import subprocess  # not above: it takes 5 ms of every import

        return subprocess.list2cmdline(words)
    import shlex  # not above: only messages need it

    return shlex.join(words)


def described(value: object) -> str:
    """Type and length of a value, never the value: it may be a key in the wrong place."""
    kind = type(value).__name__
    return f"{kind} of length {len(value)}" if isinstance(value, (str, list, dict)) else kind


def choices_of(wanted: Any) -> tuple[Any, ...]:
    """The types that a setting may have, `None` left out."""
    if is_union(wanted):
        return tuple(t for t in typing.get_args(wanted) if t is not type(None))
    return (wanted,)


def kinds_of(wanted: Any) -> tuple[tuple[type, ...], tuple[Any, ...]] | None:
    """The classes that a value of a declared type may have, and the words of a `Literal` in it.

    None for what only the class with that setting can judge: a function or a container, say.
    """
    classes: list[type] = []
    words: list[Any] = []
    for choice in choices_of(wanted):
        if isinstance(choice, type):
            classes.append(choice)
        elif typing.get_origin(choice) is typing.Literal:
            words += typing.get_args(choice)
        else:
            return None
    return tuple(classes), tuple(words)


def is_union(wanted: Any) -> bool:
    """Whether an annotation allows several types."""
    return typing.get_origin(wanted) in (typing.Union, types.UnionType)


def kind_words(wanted: Any) -> str:
    """What a value of a declared type is called in a message."""
    known: dict[Any, str] = {
        str: "text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        Secret: '{ env = "NAME" } or { file = "path" }',
    }
    words = []
    for choice in choices_of(wanted):
        if isinstance(choice, type) and issubclass(choice, enum.Enum):
            words.append("one of " + ", ".join(f'"{member.value}"' for member in choice))
        elif typing.get_origin(choice) is typing.Literal:
            words.append(
                "one of " + ", ".join(json.dumps(word) for word in typing.get_args(choice))
            )
        else:
            name = getattr(choice, "__name__", "a value")
            words.append(known.get(choice, "a path" if name == "Path" else name))
    return " or ".join(words)


def read_small(path: Path, what: str, refusal: type[FaceMatchError] = ConfigurationError) -> bytes:
    """The bytes of a file that somebody wrote by hand.

    Args:
        path: The file.
        what: What the sentence calls it, for example "configuration file".
        refusal: The error that is raised if it cannot be read, or is over `MAX_FILE_BYTES`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise refusal(f"The {what} {str(path)!r} cannot be read: {reason}.") from None
    if len(content) > MAX_FILE_BYTES:
        raise refusal(f"The {what} {path} is over {MAX_FILE_BYTES} bytes.")
    return content


def parse_toml(
    content: bytes, path: Path, what: str, refusal: type[FaceMatchError] = ConfigurationError
) -> dict[str, Any]:
    """What a TOML file says; the arguments are those of `read_small`."""
    import tomllib

    try:
        # Some editors begin a file with a mark of the order of bytes.
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        reason = str(error).rstrip(".")
    except (ValueError, RecursionError) as error:
        reason = type(error).__name__
    raise refusal(f"The {what} {path} is not valid TOML: {reason}.")


@functools.lru_cache(maxsize=64)
def type_hints(cls: type) -> Mapping[str, Any]:
    """The annotations of a class, read once: that takes longer than all else in opening a backend.

    Raises:
        NameError: the class is inside a function, and only its own module knows what it names.
    """
    return types.MappingProxyType(typing.get_type_hints(cls))


def strict_converter() -> Converter:
    """A converter of cattrs that converts nothing: "false" is not true, and 1.0 no whole number.

    A whole number is read as a float, and an enum by the value of a member.
    """
    from cattrs import Converter

    def hook(kind: type) -> Any:
        def structure(value: object, wanted: type) -> Any:
            if wanted is not kind:  # an enum whose members are texts or numbers
                return member(value, wanted)
            if type(value) is not kind:
                raise TypeError(kind.__name__)
            return value

        return structure

    def member(value: object, wanted: Any) -> Any:
        words = {one.value: one for one in wanted}
        return words[value.value if isinstance(value, wanted) else value]

    def number(value: Any, _: type) -> float:
        if type(value) not in (int, float) or not abs(value) < 1e300:
            raise TypeError("number")
        return float(value)

    converter = Converter()
    for kind in (bool, int, str):
        converter.register_structure_hook(kind, hook(kind))
    converter.register_structure_hook(float, number)
    converter.register_structure_hook(enum.Enum, member)
    return converter


# What may be repeated of somebody else's words, and what not.

#: What keys, tokens and pictures look like: base64, hex, escapes of an address or of Python.
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_.%~\\-]{20,}")
#: No id is as long; a piece of a picture is longer.
_PIECE_CHARS = 64
_PIECE = re.compile(rf"[A-Za-z0-9+/=_.%~\\-]{{{_PIECE_CHARS},}}")


def _masked_word(word: re.Match[str]) -> str:
    # A key, a token or a piece of a picture is long and has digits.
    text = word[0]
    return "***" if len(text) >= _PIECE_CHARS or any(c.isdigit() for c in text) else text


def fit(said: str, masked: Callable[[str], str]) -> str:
    """A text of the vendor's for an error: masked, printable, up to 200 characters."""
    said = _LONG_WORD.sub(_masked_word, masked(said))
    if not said.isprintable():
        said = "".join(c if c.isprintable() else " " for c in said)
    return " ".join(said.split())[:200].rstrip()


def masker(secrets: tuple[Secret, ...]) -> Callable[[str], str]:
    """Masks every one of `secrets` in a text: as it is, escaped for an address, in base64."""
    forms = {form for secret in secrets for form in _forms(secret.reveal())} - {""}
    # The longer first: one may hold another.
    found = sorted(forms, key=len, reverse=True)
    shortest = min(map(len, found), default=0)

    def masked(text: str) -> str:
        if found and len(text) >= shortest:
            for form in found:
                text = text.replace(form, "***")
        return text

    return masked


def without_pieces(text: str) -> str:
    """`text` with every word masked that may be a piece of a picture."""
    return _PIECE.sub(_masked_piece, text) if len(text) >= _PIECE_CHARS else text


def _masked_piece(word: re.Match[str]) -> str:
    # One letter many times is what a caller makes up, and nothing of a picture.
    return "***" if len(set(word[0])) > 4 else word[0]


def _forms(value: str) -> Iterator[str]:
    """The texts as which a secret may come back."""
    yield value
    # Of what is shorter, base64 would be letters that are in many a word.
    if len(value) < 8:
        return
    yield quote(value, safe="", errors="replace")
    data = value.encode("utf-8", "surrogatepass")
    texts = [base64.b64encode(data).decode()]
    for before in range(3):
        # The characters at both ends depend on what is beside it: a name and a colon, say.
        text = base64.b64encode(b"\0" * before + data).decode()
        texts.append(text[4 if before else 0 : -4 if (before + len(data)) % 3 else None])
    for text in texts:
        yield text
        yield text.replace("+", "-").replace("/", "_")


# Addresses.

# One strict pattern and no parser: two parsers may find two different hosts in an odd address.
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~-]*)*)"
)


@functools.lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_among(host: str, allowed: Collection[str]) -> bool:
    """Whether a host is one of those; ``*`` in one of them stands for exactly one label."""
    if host in allowed:
        return True
    labels = host.split(".")
    return any(
        len(labels) == len(wanted)
        and all(w in ("*", own) for w, own in zip(wanted, labels, strict=True))
        for wanted in (pattern.split(".") for pattern in allowed if "*" in pattern)
    )


def check_base_url(
    url: str,
    *,
    allowed_hosts: Collection[str],
    allow_base_url: bool = False,
    allow_insecure: bool = False,
) -> str:
    """The address without a slash at its end, if it may be sent to.

    Args:
        url: The setting.
        allowed_hosts: The vendor's own hosts, in small letters; ``*`` stands for exactly one label.
        allow_base_url: Whether another host than those and this machine may receive keys and
            faces.
        allow_insecure: Whether that may happen without TLS, beyond this machine.

    Raises:
        ConfigurationError: the rule that it breaks.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"base_url must be text, not {type(url).__name__}.")
    if not url.strip():
        raise ConfigurationError("base_url is missing: the address of your server.")
    for sign, part in (("@", "a user"), ("?", "a query"), ("#", "a fragment")):
        if sign in url:
            raise ConfigurationError(f"base_url must not have {part}: remove the {sign!r} part.")
    match = _ADDRESS.fullmatch(url)
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        raise ConfigurationError(
            "base_url must have the form https://host/path, with an optional port."
        )
    host = match["host"].lower()
    if is_loopback(host):
        return url.rstrip("/")
    if not is_among(host, allowed_hosts) and not allow_base_url:
        raise ConfigurationError(
            f"base_url names the host {host}, which is not the vendor's: set allow_base_url to "
            "true if it may receive keys and faces."
        )
    if match["scheme"] != "https" and not allow_insecure:
        raise ConfigurationError(
            "base_url must begin with https:// beyond this machine: set allow_insecure to true if "
            "keys and faces may travel unencrypted."
        )
    return url.rstrip("/")
