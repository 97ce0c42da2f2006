"""Stand-ins for private values: the same form, and in one recording always the same."""

from __future__ import annotations

import re
from collections.abc import Collection

#: The form of a UUID's stand-in, which the check for leaks knows.
UUID = "00000000-0000-4000-8000-{:012d}"
#: The forms of ids, and of their stand-ins. The first that fits counts.
_ID_FORMS = (
    (re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), UUID),
    (re.compile(r"(?i)[0-9a-f]{16,}"), "0"),
    (re.compile(r"\d{5,}"), "1"),
    (re.compile(r"\d{1,4}"), "10{:03d}"),
    (re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w-]{10,}"), "id-{:04d}"),
)


class StandIns:
    """The stand-ins of one recording, numbered in the order in which values occur.

    Args:
        public_texts: The vendor's own texts, among them what its ids begin with.
    """

    def __init__(self, public_texts: Collection[str]) -> None:
        self._public_texts = public_texts
        self._by_value: dict[str, str] = {}

    @property
    def values(self) -> Collection[str]:
        """The private values."""
        return self._by_value.keys()

    @property
    def texts(self) -> Collection[str]:
        """The stand-ins."""
        return self._by_value.values()

    def find(self, value: str) -> str | None:
        return self._by_value.get(value)

    def of(self, value: str, form: str) -> str:
        """Return the stand-in of a value; `form` has the place of a number if it is new."""
        if value not in self._by_value:
            self._by_value[value] = form.format(len(self._by_value) + 1)
        return self._by_value[value]

    def of_id(self, value: str, otherwise: str = "id-{}") -> str:
        """Return the stand-in of a value in its form; `otherwise` if it has none of an id."""
        prefix, line, _ = value.partition("_")
        if line and not {prefix, prefix + line}.isdisjoint(self._public_texts):
            return self.of(value, prefix + "_{:06d}x")
        for pattern, form in _ID_FORMS:
            if pattern.fullmatch(value):
                # Digits of the same length, also for a hexadecimal id.
                digits = f"{{:0{len(value) - 1}d}}"
                return self.of(value, form + digits if form in ("0", "1") else form)
        return self.of(value, otherwise)
