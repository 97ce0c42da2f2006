"""Documented values that a test sets in a vendor's answers, which the mock never has by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import attrs

from facematch_mock_server.base.masking import show_rule
from facematch_mock_server.base.state import RuleQueue, check_times

#: The values of each field, by call: see `SetValue`.
DocumentedValues = Mapping[str, Mapping[str, tuple[str | bool, ...]]]
#: The values of a field that is true or false.
TRUE_OR_FALSE = (True, False)


@attrs.frozen(kw_only=True)
class SetValue:
    """A value for a field of a call's answers. Raises ValueError for an invalid `times`.

    Attributes:
        call: The call's path with ``*`` for the parts that vary, or its name.
        field: The field's place in the JSON; ``[]`` is each element: ``[].faceAttributes.glasses``,
            ``UnindexedFaces[].Reasons[]``.
        value: One of the field's documented values.
        times: The number of answers; None for every answer.
    """

    call: str
    field: str
    value: str | bool
    times: int | None = attrs.field(default=1)

    __repr__ = show_rule

    def __attrs_post_init__(self) -> None:
        check_times(self.times)

    def fits(self, call: str) -> bool:
        """Return whether a call with this path or name is one whose answers are changed."""
        return fnmatchcase(call, self.call)

    def put_into(self, body: object) -> bool:
        """Set the value wherever the body has the field; return whether it has."""
        *parents, name = re.findall(r"[^.\[\]]+|\[\]", self.field)
        nodes: list[Any] = [body]
        for parent in parents:
            nodes = [part for node in nodes for part in _parts_of(node, parent)]
        has_field = False
        for node in nodes:
            if name == "[]" and isinstance(node, list) and node:
                node[:] = [self.value] * len(node)
                has_field = True
            elif isinstance(node, dict) and name in node:
                node[name] = self.value
                has_field = True
        return has_field


def _parts_of(node: object, name: str) -> list[Any]:
    if name == "[]":
        return node if isinstance(node, list) else []
    return [node[name]] if isinstance(node, dict) and name in node else []


class SetValues(RuleQueue[SetValue]):
    """The pending values, in the order in which they were added."""

    def put_into(self, call: str, body: object) -> bool:
        """Set all values for the answer to a call; return whether there were any."""
        has_changed = False
        with self._lock:
            for rule in tuple(self._rules):
                if rule.fits(call) and rule.put_into(body):
                    self._use(self._rules.index(rule))
                    has_changed = True
        return has_changed
