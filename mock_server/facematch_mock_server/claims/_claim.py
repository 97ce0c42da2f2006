"""One claim: a statement about a vendor, where it comes from, and the value that it stands for."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from ._reply import Reply

#: When the documents were read.
READ = "2026-11-20"


class Known(enum.StrEnum):
    """How a claim is known."""

    #: A document of the vendor says so.
    DOCUMENTED = "documented"
    #: Seen in a capture, or in a client that is known to run against production.
    OBSERVED = "observed"
    #: Follows from the framework that the vendor's error bodies show.
    FRAMEWORK = "framework"
    #: Nobody says: our choice, and no client may depend on it.
    OURS = "ours"


@attrs.frozen
class Origin:
    """Where a claim comes from.

    Attributes:
        known: How it is known.
        document: The document with its date.
        read: The day it was read, ISO 8601.
    """

    known: Known
    document: str
    read: str = READ


OURS = Origin(Known.OURS, "none: our choice")


def otherwise(value: Any) -> Any:
    """Another value of the same kind, for a claim that names none of its own.

    Raises:
        TypeError: there is no obvious one.
    """
    match value:
        case bool():
            return not value
        case str():
            return f"{value} (turned)"
        case int():
            return value + 1
        case Reply(body=None):
            return attrs.evolve(value, status=299)
        case Reply():
            return attrs.evolve(value, body=_reworded(value.body))
        case _:
            raise TypeError(f"a claim of a {type(value).__name__} says what it is when turned")


def _reworded(body: Any) -> Any:
    if isinstance(body, str):
        return f"{body} (turned)"
    if isinstance(body, dict):
        return {name: _reworded(value) for name, value in body.items()} or {"turned": True}
    return [_reworded(value) for value in body] if isinstance(body, list) else body


@attrs.frozen(kw_only=True)
class Claim:
    """One behaviour, with its source.

    Attributes:
        id: Unique, ``vendor.area.what``.
        statement: One sentence.
        origin: How it is known.
        key: The behaviour that it decides; in one edition each key has one claim.
        value: What the behaviour is.
        turned: What it would be if the claim were false; used only to show that it matters.
            None of a fact, which plain code keeps and an answer cites.
        when: A switch and the values of it with which the claim is in force; None for always.
    """

    id: str
    statement: str
    origin: Origin
    key: str
    value: Any
    turned: Any
    when: tuple[str, tuple[Any, ...]] | None = None

    @property
    def is_fact(self) -> bool:
        """Whether plain code keeps it: it decides no value that could be another one."""
        return self.value is None and self.turned is None

    @property
    def vendor(self) -> str:
        """Whose behaviour it is; ``mock`` for what belongs to no vendor."""
        return self.id.partition(".")[0]


def says(claim_id: str, reply: Reply, statement: str, origin: Origin) -> Claim:
    """A claim about the words of one answer; `claim_id` is ``vendor.area.what``."""
    key = claim_id.partition(".")[2]
    return Claim(
        id=claim_id,
        statement=statement,
        origin=origin,
        key=key,
        value=reply,
        turned=otherwise(reply),
    )


def fact(claim_id: str, statement: str, origin: Origin) -> Claim:
    """A claim that plain code keeps, cited by the answers that rest on it."""
    key = claim_id.partition(".")[2]
    return Claim(id=claim_id, statement=statement, origin=origin, key=key, value=None, turned=None)


_AUTO = object()


def table(vendor: str, *rows: tuple[Any, ...]) -> tuple[Claim, ...]:
    """Claims from rows; see `row`."""
    return tuple(
        Claim(
            id=f"{vendor}.{key}{f'.{name}' if name else ''}",
            statement=statement,
            origin=origin,
            key=key,
            value=value,
            turned=otherwise(value) if turned is _AUTO else turned,
            when=when,
        )
        for key, value, statement, origin, turned, when, name in rows
    )


def row(
    key: str,
    value: Any,
    statement: str,
    origin: Origin,
    *,
    turned: Any = _AUTO,
    when: tuple[str, tuple[Any, ...]] | None = None,
    name: str = "",
) -> tuple[Any, ...]:
    """One row of a `table`: `name` tells claims of the same key apart."""
    return key, value, statement, origin, turned, when, name
