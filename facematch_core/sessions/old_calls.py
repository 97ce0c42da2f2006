"""The calls before `SessionStore.of`, which repeat the case. They may go in version 0.5.

`begin` and `find` take None for a forgotten `about`; only `use` notices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from facematch_core.base.deprecation import warn_of_old_call

if TYPE_CHECKING:
    from facematch_core.backend.session_types import Person
    from facematch_core.verifier.verifier import Picture


class BeginOptions(TypedDict, total=False):
    """The optional arguments of `VerificationCase.begin`."""

    reference: Picture | None
    any_document: bool
    return_url: str | None
    language: str | None


class UseOptions(TypedDict, total=False):
    """The optional arguments of `VerificationCase.use`."""

    document: Person | None
    any_settings: bool | None


def warn_of_repeated_case(
    class_name: str, method: str, about: str | None, arguments: Mapping[str, object]
) -> None:
    """Show the line to write instead. It has no text of the caller's, which may be personal."""
    written = [f"{name}={_as_written(name, value)}" for name, value in arguments.items()]
    warn_of_old_call(
        f"{class_name}.{method} is deprecated, and may go in version 0.5: write "
        f"store.of(customer, purpose=purpose, about={_as_written('about', about)})"
        f".{method}({', '.join(written)})"
    )


def warn_of_person_of_look() -> None:
    """Show that the store takes the function, for `use`, too."""
    warn_of_old_call(
        "The person of look is deprecated, and may go in version 0.5: write "
        "SessionStore(where, sessions, person=person), and look() without it"
    )


def _as_written(name: str, value: object) -> str:
    """Return a truth value, a number or None as written in Python; else the argument's name."""
    if value is not None and type(value) not in (bool, int, float):
        return name
    return "math.inf" if value == math.inf else repr(value)
