"""One side of a chain: placeholders become values, an answer becomes values and an observation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from ._observing import Observation, Sent, observed
from ._script import File, Heard, How, Picture, Script, Shown, Step, Value

#: What stands for an id that an answer should have told and did not.
NOBODY = "00000000-0000-4000-8000-00000000abcd"


@attrs.frozen(kw_only=True)
class Asked:
    """One request, whole but for its key and the bytes of its pictures.

    Attributes:
        method, path, fields, query, files, json: As in `Step`, without placeholders.
        key: Which key it shows.
    """

    method: str
    path: str
    key: Shown
    fields: Mapping[str, str]
    query: Mapping[str, str]
    files: tuple[File, ...]
    json: Any

    @property
    def pictures(self) -> dict[str, Picture]:
        """What is sent as which field."""
        return {file.field: file.picture for file in self.files}


@attrs.frozen(kw_only=True)
class Answer:
    """A whole answer.

    Attributes:
        status: 100-999.
        headers: Names in lower case.
        body: As it came.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)

    def decoded(self) -> Any:
        """The JSON of the body; None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Talk:
    """One side of one chain.

    Args:
        script: Whose chain it is.
        ref: What ``{ref}`` stands for: how our own calls are found again.
        sizes: Width and height of the pictures whose boxes are looked at.
        shared: The numbers that the other side was asked with; None for the side that sets them.
        observe: As `observed`.
    """

    def __init__(
        self,
        script: Script,
        *,
        ref: str,
        sizes: Mapping[Picture, tuple[int, int]],
        shared: Mapping[str, str] | None = None,
        observe: Callable[..., Observation] = observed,
    ) -> None:
        self._script, self._sizes, self._observe = script, sizes, observe
        self._follows = shared is not None
        self.shared = dict(shared or {})
        self._own: dict[str, str] = {"ref": ref, "part": ref[:-2]}
        self._sessions: list[str] = []
        self._amounts: dict[str, str] = {}

    def ask(self, step: Step) -> Asked | None:
        """The request of a step; None if an answer before did not tell what it needs."""
        known = {**self._own, **self.shared}
        if self._follows:
            known = _Anything(known)
        try:
            return Asked(
                method=step.method,
                path=step.path.format_map(known),
                key=step.key,
                fields={name: text.format_map(known) for name, text in step.fields.items()},
                query={name: text.format_map(known) for name, text in step.query.items()},
                files=step.files,
                json=step.json,
            )
        except KeyError:
            return None

    def hear(self, step: Step, asked: Asked, answer: Answer) -> Observation:
        """What the answer looks like; its values are remembered."""
        body = answer.decoded() if answer.status < 300 else None
        for value in step.values:
            found = _made(value, _at(body, value.at))
            if found is None:
                continue
            if value.shared:
                if not self._follows:
                    self.shared[value.name] = found
            else:
                self._own[value.name] = found
        if step.keeps is not None and step.keeps in self._own:
            self._sessions.append(self._own[step.keeps])
        sent = Sent(
            names=tuple((text, name) for name, text in self._own.items() if len(text) > 1),
            metadata=asked.fields.get("metadata"),
            sizes=tuple((f, self._sizes[p]) for f, p in asked.pictures.items() if p in self._sizes),
            sessions=tuple(self._sessions),
            amounts=tuple((key, self._amounts.get(key)) for key in step.compares),
        )
        seen = self._observe(answer.status, answer.headers, answer.body, sent, self._script.forms)
        for key in step.compares:
            if isinstance(body, dict) and isinstance(body.get(key), str):
                self._amounts[key] = body[key]
        return seen

    def own(self, name: str) -> str | None:
        """A value of this side, or None."""
        return self._own.get(name)


def in_plain_words(step: Step, asked: Asked, answer: Answer) -> Heard:
    """A step with its answer, for whoever reads what was seen in its pictures."""
    body = answer.decoded()
    return Heard(
        step=step,
        rotate=asked.fields.get("rotate_image") == "true",
        status=answer.status,
        body=body if isinstance(body, dict) else None,
    )


class _Anything(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return NOBODY


def part_of(body: Any) -> Mapping[str, Any] | None:
    """The part of an answer that holds the verdict, whatever it is called; None without one."""
    if not isinstance(body, dict):
        return None
    parts = (part for part in body.values() if isinstance(part, dict))
    return next((part for part in parts if "status" in part and "warnings" in part), None)


def _at(body: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        body = part_of(body) if key == "*" else body.get(key) if isinstance(body, dict) else None
    return body


def _made(value: Value, found: Any) -> str | None:
    if value.shared:
        return (
            None
            if isinstance(found, bool) or not isinstance(found, (int, float))
            else (_number(value.how, Decimal(repr(found))))
        )
    if isinstance(found, bool) or not isinstance(found, (str, int)) or found == "":
        return None
    text = str(found)
    return text[:10] if value.how is How.DAY else text


def _number(how: How, number: Decimal) -> str:
    if how is How.BELOW:
        number = max(Decimal(0), number - 1)
    elif how is How.ROUNDED:
        number = round(number, 2)
    text = format(number, "f")
    # Some documents take whole numbers only, and write them without a fraction.
    return text.rstrip("0").rstrip(".") if "." in text else text
