"""A key or token that does not print, pickle or compare by accident."""

from __future__ import annotations

import hmac
import os
from typing import NoReturn

from .errors import ConfigurationError


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
        """The first line of a file; `ConfigurationError` if there is none."""
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 4 ms of every import
                value = file.readline(65536).strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigurationError(f"The key file {path} cannot be read: {reason}.") from None
        if not value:
            raise ConfigurationError(f"The key file {path} is empty: write the key into it.")
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
