"""A document whose every value knows where it stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote


class Node:
    """A value of a JSON document, and its path: keys and places with dots between them.

    A key is written as in an address, with its dots as ``%2E``, so that a path can be taken apart.
    It is true if there is anything: 0 is something, None and what is empty are nothing.

    Args:
        raw: The value.
        *steps: The keys and places that lead to it, as they are written.
    """

    def __init__(self, raw: Any, *steps: str) -> None:
        self.raw = raw
        self._steps = steps

    @property
    def path(self) -> str:
        """For example ``contenders.0.at_required.frr.value``; empty for the document."""
        return ".".join(self._steps)

    def __getitem__(self, key: str | int) -> Node:
        step = quote(str(key), safe="", errors="surrogatepass").replace(".", "%2E")
        return Node(self.raw[key], *self._steps, step)

    def __iter__(self) -> Iterator[Node]:
        if isinstance(self.raw, dict):
            raise TypeError(f"{self.path} has names: ask for its entries.")
        return (self[place] for place in range(len(self.raw)))

    def __len__(self) -> int:
        return len(self.raw)

    def __bool__(self) -> bool:
        return self.raw is not None and self.raw not in ("", [], {})

    def __str__(self) -> str:
        raise TypeError(f"{self.path} was to be printed without a form.")

    @property
    def entries(self) -> list[tuple[str, Node]]:
        """Names of an object with what they stand for."""
        return [(name, self[name]) for name in self.raw]
