"""Answers whose fields a test makes up: as they wait for their calls."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from facematch_mock_server._own_json import own_json

Operation = Literal["match", "liveness"]


def _names(values: Any) -> tuple[str, ...]:
    if isinstance(values, str) or not all(isinstance(name, str) for name in values):
        raise ValueError("without takes names of fields")
    return tuple(values)


@attrs.frozen(kw_only=True)
class SetAnswer:
    """What a test makes up of an answer; everything else is decided as without it.

    Attributes:
        kind: ``match`` or ``liveness``.
        fields: What the body holds instead, by name: ``{"data": None}``, say. It says nothing of
            the vendor.
        without: Names that the body does not have.
        times: For how many calls with a verdict it still holds, from 1 on; None for all.

    Raises:
        ValueError: an unknown kind, fields that are no JSON, or a wrong number.
    """

    kind: Operation
    fields: Mapping[str, Any] = attrs.field(factory=dict, converter=own_json, hash=False)
    without: tuple[str, ...] = attrs.field(default=(), converter=_names)
    times: int | None = 1

    def __attrs_post_init__(self) -> None:
        if self.kind not in ("match", "liveness"):
            raise ValueError("the kind of an answer is match or liveness")
        if not isinstance(self.fields, dict):
            raise ValueError("the fields of an answer are an object")  # noqa: TRY004 - one error for all
        if self.times is not None and (type(self.times) is not int or self.times < 1):
            raise ValueError("times is a whole number from 1 on, or nothing for all")

    def applied(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`body` as the test wants it."""
        whole = {**body, **self.fields}
        return {name: value for name, value in whole.items() if name not in self.without}


class MadeUp:
    """The answers that wait for their calls. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[SetAnswer] = []

    def add(self, answer: SetAnswer) -> None:
        """Add one after the others."""
        with self._lock:
            self._waiting.append(answer)

    @property
    def all(self) -> tuple[SetAnswer, ...]:
        """Those that still wait, in order."""
        with self._lock:
            return tuple(self._waiting)

    def clear(self) -> None:
        """Drop all."""
        with self._lock:
            self._waiting.clear()

    def take(self, kind: str) -> SetAnswer | None:
        """The first one for such a call, counted; None for none."""
        with self._lock:
            for index, answer in enumerate(self._waiting):
                if answer.kind == kind:
                    if answer.times is not None:
                        left = answer.times - 1
                        rest = [attrs.evolve(answer, times=left)] if left else []
                        self._waiting[index : index + 1] = rest
                    return answer
        return None
