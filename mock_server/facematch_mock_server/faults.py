"""Faults on the wire and in the answer: where they strike, what they do, whom they hit."""

from __future__ import annotations

import enum
import math
import random
from decimal import Decimal
from typing import Any, TypeVar

import attrs

from facematch_mock_server.messages import Head
from facematch_mock_server.state import Kept

#: Levels, so that whatever writes it down comes to an end.
DEEPEST = 50


def own_json(value: Any, depth: int = 0) -> Any:
    """A copy of `value` as JSON holds it.

    Raises:
        ValueError: it cannot be in JSON, or is nested too deeply.
    """
    if depth > DEEPEST:
        raise ValueError(f"a made-up body can be nested {DEEPEST} levels deep at most")
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, Decimal)) and math.isfinite(float(value)):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [own_json(one, depth + 1) for one in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: own_json(one, depth + 1) for name, one in value.items()}
    raise ValueError(
        "a made-up body must be JSON, with strings as names and finite numbers; "
        f"a {type(value).__name__} cannot be sent"
    )


#: Where the control API begins.
CONTROL = "/__mock__"

_Word = TypeVar("_Word", bound=enum.StrEnum)


class Stage(enum.StrEnum):
    """When a fault strikes, in the order of one exchange."""

    #: As soon as the connection is accepted: no byte of the request is read.
    CONNECT = "connect"
    #: After the head and the first part of the body; nothing is carried out.
    MID_UPLOAD = "mid_upload"
    #: After the whole request; nothing is carried out, unless `Fault.executed` says so.
    AFTER_UPLOAD = "after_upload"
    #: The call is carried out; the answer breaks within its head.
    MID_HEADERS = "mid_headers"
    #: The call is carried out; the answer breaks within its body.
    MID_BODY = "mid_body"
    #: The call is replaced by, or followed by, a whole answer of another kind.
    ANSWER = "answer"


class Kind(enum.StrEnum):
    """What a fault does."""

    #: RST.
    RESET = "reset"
    #: FIN without an answer, or without the rest of it.
    TRUNCATE = "truncate"
    #: The rest comes a byte at a time, `Fault.seconds` apart.
    DRIBBLE = "dribble"
    #: Everything comes, `Fault.seconds` late.
    DELAY = "delay"
    #: Bytes that are no HTTP.
    GARBAGE = "garbage"
    #: A page of HTML under `Fault.status`.
    HTML = "html"
    #: JSON of another shape under `Fault.status`.
    WRONG_JSON = "wrong_json"
    #: JSON of the test's own, `Fault.body`, under `Fault.status`.
    JSON = "json"
    #: `Fault.status` in the vendor's own words, as far as they are known.
    STATUS = "status"


_AT_CONNECTION = frozenset({Stage.CONNECT})
_AT_REQUEST = frozenset(Stage) - _AT_CONNECTION

#: Which kinds make sense at which stage; everything else is refused when a rule is made.
POSSIBLE: dict[Stage, frozenset[Kind]] = {
    Stage.CONNECT: frozenset({Kind.RESET, Kind.TRUNCATE, Kind.DELAY}),
    Stage.MID_UPLOAD: frozenset({Kind.RESET, Kind.TRUNCATE}),
    Stage.AFTER_UPLOAD: frozenset({Kind.RESET, Kind.TRUNCATE, Kind.DELAY, Kind.GARBAGE}),
    Stage.MID_HEADERS: frozenset({Kind.RESET, Kind.TRUNCATE, Kind.DRIBBLE, Kind.GARBAGE}),
    Stage.MID_BODY: frozenset({Kind.RESET, Kind.TRUNCATE, Kind.DRIBBLE}),
    Stage.ANSWER: frozenset({Kind.HTML, Kind.WRONG_JSON, Kind.JSON, Kind.STATUS}),
}

#: Whether the call is carried out, by stage; at those that are not here the rule says so.
CARRIED_OUT: dict[Stage, bool] = {
    Stage.CONNECT: False,
    Stage.MID_UPLOAD: False,
    Stage.MID_HEADERS: True,
    Stage.MID_BODY: True,
}


def _one_of(words: type[_Word], name: str, given: str) -> _Word:
    """`given` as one of `words`; ValueError that lists them."""
    try:
        return words(given)
    except ValueError:
        raise ValueError(
            f"the {name} of a fault must be one of {', '.join(words)}, not {given!r:.40}"
        ) from None


def _as_stage(given: str) -> Stage:
    return _one_of(Stage, "stage", given)


def _as_kind(given: str) -> Kind:
    return _one_of(Kind, "kind", given)


def is_ours(head: Head) -> bool:
    """Whether a request is for the control API or the console, and so for no vendor."""
    if head.path == "/":
        return "text/html" in (head.header("accept") or "")
    return head.path.startswith(CONTROL)


@attrs.frozen(kw_only=True)
class Fault:
    """One rule.

    Attributes:
        stage, kind: When and what.
        times: How many exchanges it still hits, from 1 on; None for all.
        chance: Of hitting an exchange that it fits, above 0 to 1, drawn from the seed of the rules.
        method, path: Only requests of this method, and whose path begins so; None for any but
            those of the control API.
        status: Of the answer for HTML, WRONG_JSON, JSON and STATUS, 200-599.
        body: For JSON, and needed there: what the answer holds. It is the test's own and says
            nothing of the vendor.
        seconds: For DELAY (in all) and DRIBBLE (between two bytes), 0-3600.
        executed: For AFTER_UPLOAD and ANSWER: whether the call was carried out, and charged, all
            the same; None for not. With a status of 400-499 that is a charge for an answer that the
            vendor says is free. At the other stages there is no choice, and it can be left out.

    Raises:
        ValueError: a combination that cannot happen, or a number out of range.
    """

    stage: Stage = attrs.field(converter=_as_stage)
    kind: Kind = attrs.field(converter=_as_kind)
    times: int | None = 1
    chance: float = 1.0
    method: str | None = None
    path: str | None = None
    status: int = 502
    seconds: float = 1.0
    executed: bool | None = None
    # A dict has no hash, and rules that differ in their bodies alone are rare.
    body: Any = attrs.field(default=None, converter=own_json, hash=False)

    def __attrs_post_init__(self) -> None:
        if self.kind not in POSSIBLE[self.stage]:
            kinds = ", ".join(sorted(POSSIBLE[self.stage]))
            raise ValueError(f"a fault at {self.stage} must be one of {kinds}, not {self.kind}")
        if self.times is not None and (type(self.times) is not int or self.times < 1):
            raise ValueError("times must be a whole number from 1, or null (None) for every call")
        if not 0 < self.chance <= 1:
            raise ValueError("chance must be above 0 and at most 1")
        if type(self.status) is not int or not 200 <= self.status <= 599:
            raise ValueError("status must be a whole number from 200 to 599")
        if not 0 <= self.seconds <= 3600:
            raise ValueError("seconds must be a number from 0 to 3600")
        for name, text in (("method", self.method), ("path", self.path)):
            if text is not None and type(text) is not str:
                raise ValueError(f"{name} of a fault must be a string, or null (None) for any")
        self._check_executed()
        if (self.body is None) is (self.kind is Kind.JSON):
            raise ValueError("a fault of kind json needs a body, and no other kind takes one")

    def _check_executed(self) -> None:
        if self.executed is None:
            return
        if type(self.executed) is not bool:
            raise ValueError("executed must be true or false, or left out for what the stage does")
        done = CARRIED_OUT.get(self.stage, self.executed)
        if done is not self.executed:
            always = "always" if done else "never"
            raise ValueError(
                f"with a fault at {self.stage} the call is {always} executed; leave executed out"
            )

    def fits(self, head: Head | None) -> bool:
        """Whether it is aimed at this request; None for a connection without a request yet."""
        if head is None:
            return self.method is None and self.path is None
        if self.path is None and is_ours(head):
            # Whoever sets a fault must be able to move the clock, and to take it back.
            return False
        method_fits = self.method is None or head.method == self.method
        return method_fits and (self.path is None or head.path.startswith(self.path))


class Faults(Kept[Fault]):
    """The rules of one world that still wait, in the order they were added.

    Args:
        seed: Of the chances.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._random = random.Random(seed)  # noqa: S311 - a test's dice

    def at_connection(self) -> Fault | None:
        """The fault for a connection that was just accepted, counted; None for none."""
        return self._take(None, _AT_CONNECTION)

    def for_request(self, head: Head) -> Fault | None:
        """The fault for this request, counted; None for none. Asked once per request."""
        return self._take(head, _AT_REQUEST)

    def _take(self, head: Head | None, stages: frozenset[Stage]) -> Fault | None:
        with self._lock:
            for index, rule in enumerate(self._kept):
                if rule.stage not in stages or not rule.fits(head):
                    continue
                if rule.chance < 1 and self._random.random() >= rule.chance:
                    continue
                self._count(index, rule)
                return rule
        return None
