"""The documented calls of a vendor that its mock does not imitate."""

from __future__ import annotations

import re

import attrs


@attrs.frozen
class _MissingCall:
    """A documented call.

    Attributes:
        name: How a hint names it: as it was listed, without ``/*``.
        method: The method; None for every method.
        expression: What matches its path, without a last slash, or the name of its action.
    """

    name: str
    method: str | None
    expression: re.Pattern[str]


class NotImitated:
    """The documented calls of a vendor that its mock does not imitate.

    Such a call is answered as the vendor answers an unknown one, with a hint at `page`.

    Args:
        page: The page that says what the mock imitates, such as ``docs/vendors/didit.md``.
        calls: The paths, each for every method, or after a method for that one alone. ``{id}``
            stands for one segment; ``/*`` at the end adds all paths below. A last slash is left
            out: paths match with and without it. If a header selects the call, the actions' names.

    Example:
        >>> NotImitated("docs/acme.md", "/v1/faces/*", "PATCH /v1/persons/{id}")
        NotImitated(docs/acme.md, /v1/faces, PATCH /v1/persons/{id})
    """

    def __init__(self, page: str, *calls: str) -> None:
        self.page = page
        self.calls = tuple(map(_read_call, calls))

    def find(self, method: str, name: str) -> str | None:
        """Return the listed call that a request makes; None if it makes none of them.

        Args:
            method: The request's method.
            name: Its path, or its action if a header selects it.
        """
        for call in self.calls:
            is_method = call.method in (None, method)
            if is_method and call.expression.fullmatch(name.rstrip("/")):
                return call.name
        return None

    def __repr__(self) -> str:
        names = ", ".join(call.name for call in self.calls)
        return f"NotImitated({self.page}, {names})"


def _read_call(listed: str) -> _MissingCall:
    name = listed.removesuffix("/*")
    method, blank, path = name.partition(" ")
    if not blank:
        path = name
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    if name != listed:
        pattern += "(/.*)?"
    return _MissingCall(name, method if blank else None, re.compile(pattern))
