"""A value of a document together with its place in it, which every refusal names."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NoReturn

import attrs

from facematch_core.backend.kinds import suggest_name
from facematch_mock_server.base.masking import shorten


@attrs.frozen
class Node:
    """A value, and its place. Every method raises ValueError, with the place, for a wrong value.

    Attributes:
        value: The value, as parsed from JSON.
        source: The place of the mapping that has it: ``own.json #2``.
        path: The place within the mapping: ``request.method``; "" for the mapping itself.
    """

    value: Any
    source: str
    path: str = ""

    def refuse(self, problem: str) -> NoReturn:
        """Raise ValueError with the place and the problem."""
        raise ValueError(f"{self.source} {self.path}".rstrip() + f": {problem}")

    def object(self, known_names: Collection[str] | None = None) -> dict[str, Node]:
        """Return the values of an object by name; None for `known_names` allows every name."""
        if not isinstance(self.value, dict):
            self.refuse("it must be an object")
        nodes = {}
        for name, value in self.value.items():
            shown_name = shorten(name if name.isprintable() else ascii(name), 60)
            node = Node(value, self.source, f"{self.path}.{shown_name}".lstrip("."))
            if known_names is not None and name not in known_names:
                hint = suggest_name(shown_name, known_names).rstrip(".")
                node.refuse(f"this mock does not know it; {hint}")
            nodes[name] = node
        return nodes

    def items(self) -> list[Node]:
        """Return the items of a list."""
        if not isinstance(self.value, list):
            self.refuse("it must be a list")
        nodes = []
        for number, value in enumerate(self.value):
            nodes.append(Node(value, self.source, f"{self.path}[{number}]"))
        return nodes

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str):
            self.refuse("it must be a string")
        return self.value

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.refuse("it must be true or false")
        return self.value

    def whole_number(self, low: int, high: int) -> int:
        """Return a whole number in a range, with both ends."""
        if type(self.value) is not int or not low <= self.value <= high:
            self.refuse(f"it must be a whole number from {low} to {high}")
        return self.value

    def expression(self) -> re.Pattern[str]:
        """Return a compiled regular expression."""
        try:
            return re.compile(self.text())
        except (re.error, OverflowError, RecursionError) as error:
            self.refuse(f"it is no regular expression of Python: {error}")
