"""The operations of the control API: the methods of `Control` that `operation` marks."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.base.state import Selection
from facematch_mock_server.world.kinds import Row, VendorKind, rows_of

from .control import Control
from .values import kinds_of, plain, read

#: Most records that an answer lists unless ``limit`` is sent.
LISTED = 1000


@attrs.frozen
class Operation:
    """An operation of the control API at one vendor.

    Attributes:
        says: A sentence about it.
        takes: The annotation of each value that can be sent, by name.
        needed: The names of the values that must be sent.
    """

    says: str
    takes: Mapping[str, Any]
    needed: frozenset[str]
    _row: Row
    #: The method, and the attribute of `Control` that has it; None for a method of its own.
    _run: Callable[..., Any]
    _of: str | None

    def __call__(self, control: Any, rest: str, sent: Mapping[str, Any]) -> Any:
        """Run it and return the result as JSON. Raises ValueError for values that do not fit."""
        values = read(self.takes, self.needed, sent)
        if "limit" in self.takes:
            values.setdefault("limit", LISTED)
        arguments = {shown: name for name, shown in self._row.named.items()}
        values = {arguments.get(name, name): value for name, value in values.items()}
        target = control if self._of is None else getattr(control, self._of)
        rests = [rest] if "{}" in self._row.path else []
        result = self._run(target, *rests, **values)
        if self._row.gives is None:
            return {} if result is None else plain(result)
        answer = {self._row.gives: plain(result)}
        return answer | {"left_out": result.left_out} if isinstance(result, Selection) else answer


def operations_of(vendor: VendorKind) -> dict[tuple[str, str], Operation]:
    """Return the operations of a vendor and of its extensions, by method and path."""
    owners: dict[str | None, type] = {None: Control}
    owners |= {name: vendor.extension_class(name) for name in vendor.extensions}
    return {
        (row.method, row.path): _make_operation(row, run, of, vendor)
        for of, owner in owners.items()
        for row, run in rows_of(owner)
    }


def _make_operation(
    row: Row, run: Callable[..., Any], of: str | None, vendor: VendorKind
) -> Operation:
    takes = {row.named.get(name, name): hint for name, hint in row.more(vendor).items()}
    hints, needed = typing.get_type_hints(run), set()
    _, *parameters = inspect.signature(run).parameters.values()
    for parameter in parameters["{}" in row.path :]:
        hint = hints.get(parameter.name)
        # A picture's bytes cannot be sent as JSON.
        if parameter.kind is not parameter.VAR_KEYWORD and bytes not in kinds_of(hint):
            name = row.named.get(parameter.name, parameter.name)
            takes[name] = hint
            needed |= {name} if parameter.default is parameter.empty else set()
    says = re.split(r"[.;:](\s|$)", " ".join((run.__doc__ or "").split()))[0] + "."
    return Operation(says, takes, frozenset(needed), row, run, of)
