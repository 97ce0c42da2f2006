"""What the whole core shares: time, secrets, rates, and the reading of what people write."""

from __future__ import annotations

import datetime as dt
import enum
import hmac
import logging
import math
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

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
        raise TypeError("A Secret is not pickled: read it again where it is needed.")


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
                "RateWindow: limit must be a whole number of calls from 1 on, not "
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


def described(value: object) -> str:
    """Type and length of a value, never the value: it may be a key in the wrong place."""
    kind = type(value).__name__
    return f"{kind} of length {len(value)}" if isinstance(value, (str, list, dict)) else kind


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
    raise refusal(f"The {what} {path} is no TOML: {reason}.")


def strict_converter() -> Converter:
    """A converter of cattrs that converts nothing: "false" is not true, and 1.0 no whole number.

    A whole number is taken for a float, and an enum by the value of a member.
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
