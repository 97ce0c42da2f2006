"""Faults to inject into connections and responses, and the rules that select the calls."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Collection, Container, Mapping
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import urlsplit

import attrs

from facematch_core.backend.kinds import suggest_name
from facematch_mock_server.base.masking import show_rule
from facematch_mock_server.base.messages import (
    CONTROL,
    HEADER_NAME,
    HEADER_VALUE,
    RESERVED_HEADERS,
    Request,
)
from facematch_mock_server.base.state import RuleQueue, check_times
from facematch_mock_server.recognition.cards import Card
from facematch_mock_server.recognition.outcomes import Fields, as_field
from facematch_mock_server.recognition.ready import READY

from .clock import Draws


def copy_json(value: object) -> Any:
    """Copy a JSON value. Raises ValueError for a value that JSON cannot represent."""
    try:
        # The control API parses fractions as Decimal.
        return json.loads(json.dumps(value, allow_nan=False, default=_as_number))
    except (TypeError, ValueError, RecursionError):
        raise ValueError(f"the body of a fault must be JSON, not {value!r:.40}") from None


def _as_number(value: object) -> Any:
    """Convert Decimal to float; return other values unchanged."""
    return float(value) if isinstance(value, Decimal) else value


class _Choice(enum.StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        name = cls.__name__.lower()
        if value is None:
            raise ValueError(f"{name} is missing: name a {name} ({', '.join(cls)}), or a claim")
        raise ValueError(
            f"the {name} of a fault must be one of {', '.join(cls)}, not {value!r:.40}"
        )


class Stage(_Choice):
    """The moments at which a fault can apply, in the order in which they occur."""

    #: When the connection is accepted; no byte of the request is read.
    CONNECT = "connect"
    #: After the request's head and the first part of its body; the call is not carried out.
    MID_UPLOAD = "mid_upload"
    #: After the whole request; the call is carried out only if `Fault.executed` is true.
    AFTER_UPLOAD = "after_upload"
    #: The call is carried out; the response is cut off within the head.
    MID_HEADERS = "mid_headers"
    #: The call is carried out; the response is cut off within the body.
    MID_BODY = "mid_body"
    #: Another complete response replaces the vendor's. `Fault.executed` works as at AFTER_UPLOAD.
    ANSWER = "answer"


class Kind(_Choice):
    """The effects of a fault."""

    RESET = "reset"  #: The connection is reset (RST).
    TRUNCATE = "truncate"  #: The connection is closed (FIN) before the end of the response.
    DRIBBLE = "dribble"  #: The rest is sent one byte at a time, `Fault.seconds` apart.
    DELAY = "delay"  #: The whole response is delayed by `Fault.seconds`.
    GARBAGE = "garbage"  #: Bytes that are not HTTP.
    HTML = "html"  #: An HTML page with `Fault.status`.
    WRONG_JSON = "wrong_json"  #: JSON of the wrong shape, with `Fault.status`.
    JSON = "json"  #: The JSON in `Fault.body`, with `Fault.status`.
    #: The vendor's own error: that of `Fault.claim`, or else the one for `Fault.status`, if known.
    STATUS = "status"


#: The possible kinds at each stage.
POSSIBLE: dict[Stage, frozenset[Kind]] = {
    Stage.CONNECT: frozenset({Kind.RESET, Kind.TRUNCATE, Kind.DELAY}),
    Stage.MID_UPLOAD: frozenset({Kind.RESET, Kind.TRUNCATE}),
    Stage.AFTER_UPLOAD: frozenset({Kind.RESET, Kind.TRUNCATE, Kind.DELAY, Kind.GARBAGE}),
    Stage.MID_HEADERS: frozenset({Kind.RESET, Kind.TRUNCATE, Kind.DRIBBLE, Kind.GARBAGE}),
    Stage.MID_BODY: frozenset({Kind.RESET, Kind.TRUNCATE, Kind.DRIBBLE}),
    Stage.ANSWER: frozenset({Kind.HTML, Kind.WRONG_JSON, Kind.JSON, Kind.STATUS}),
}

#: Whether the call is carried out, by stage. At all other stages, `Fault.executed` decides.
CARRIED_OUT: Mapping[Stage, bool] = {
    Stage.CONNECT: False,
    Stage.MID_UPLOAD: False,
    Stage.MID_HEADERS: True,
    Stage.MID_BODY: True,
}

#: The status of a fault that has neither a status nor a claim.
_USUAL_STATUS = 502
#: The attributes of a fault that select calls.
_CONDITIONS = ("vendor", "method", "path", "call", "card", "person", "field")
#: The attributes that are not yet known at a stage, and the first stage at which they are: at
#: connect the head has not been read yet, at mid_upload the body has not.
_UNKNOWN_CONDITIONS: Mapping[Stage, tuple[tuple[str, ...], Stage]] = {
    Stage.CONNECT: (_CONDITIONS, Stage.MID_UPLOAD),
    Stage.MID_UPLOAD: (("card", "person", "field"), Stage.AFTER_UPLOAD),
}


def _as_headers(headers: object) -> dict[str, str | None]:
    """Return valid headers as a dict. Raises ValueError or TypeError for invalid ones."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers of a fault must be a mapping, not {headers!r:.40}")
    checked: dict[str, str | None] = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r:.40} is not a valid header name")
        if name.lower() in RESERVED_HEADERS:
            raise ValueError(f"a fault cannot set {name}: leave it out of headers")
        text = str(value) if type(value) is int else value
        if text is not None and not (isinstance(text, str) and HEADER_VALUE.fullmatch(text)):
            raise ValueError(
                f"{name} of a fault must be valid header text, or null (None) to remove the header"
            )
        checked[name] = text
    return checked


@attrs.frozen(kw_only=True, repr=False)
class Fault:
    """A rule that makes calls fail.

    Faults are queued in the order in which they are added, and a call gets the first one that
    matches: with ``add_faults(first, second)`` and ``times=1`` each, two calls fail and the third
    succeeds. A fault with a card or person applies when the mock reads the pictures; a call
    rejected before that does not use it up. Raises ValueError for invalid or contradictory values.

    Attributes:
        stage, kind: The moment and the effect of the fault. Both are required, except with a claim,
            which is a STATUS at ANSWER.
        times: The number of calls that it still affects, 1 or more; None for all.
        probability: The share of matching calls that it affects, above 0 and at most 1; None for
            all of them. `times` is then None. Whether a call is affected depends on the server's
            seed, the rule's place among those added, and the number of matching calls before.
        vendor: Only calls to this vendor, such as ``didit``.
        method, path: Only requests with this method, and with a path that begins with `path`. The
            default path is every endpoint of the vendor except health checks. Give a path to
            affect health checks or unknown paths. The control API is never affected.
        call: Only requests to this operation: ``match``, ``liveness``, or at vendors that have it
            ``detect``, ``check``, ``session_start`` or ``session_read``.
        card, person: Only calls with this ready test card (``no-face``), or with any test card of
            this person (``p1``).
        field: Only calls with all these texts, by field name, in the query, the form or the top
            level of the JSON: ``{"vendor_data": "case-7"}``.
        claim: The key or id of the claim with the vendor's answer, such as ``rate.exceeded`` or
            ``baidu.rate.exceeded``, also for a refusal inside a 200. Only calls to a vendor with
            this claim fail. What the answer would say of the call, such as a field's name, may be
            empty in it. None for an error by `status`.
        status: The response's status for HTML, WRONG_JSON, JSON and STATUS, 200-599; default 502.
            None with a claim, which has its own.
        headers: Headers to set or replace in the response: ``{"Retry-After": "1"}``; None removes
            a header. A status 429 has the vendor's own Retry-After unless it is set here.
        body: The response's JSON: required for the kind JSON, not allowed for others. It need
            not be a response that the vendor would send.
        seconds: The delay for DELAY (in total) and DRIBBLE (between two bytes), 0-3600.
        executed: For AFTER_UPLOAD and ANSWER: whether the call is carried out and charged; None
            means no. With a status of 400-499, True charges the call although the vendor documents
            no charge. At the other stages the value is fixed. With a DELAY for a card or person,
            the call is always carried out at once, and only its response is delayed.
    """

    claim: str | None = None
    stage: Stage = attrs.field(converter=Stage)
    kind: Kind = attrs.field(converter=Kind)
    times: int | None = 1
    probability: float | None = attrs.field(default=None, converter=_as_number)
    vendor: str | None = None
    method: str | None = None
    path: str | None = None
    call: str | None = None
    card: str | None = None
    person: str | None = None
    # Dicts are not hashable, and few rules differ only in these attributes.
    field: Mapping[str, str] | None = attrs.field(default=None, converter=as_field, hash=False)
    status: int | None = attrs.field()
    headers: Mapping[str, str | int | None] = attrs.field(
        default=None, converter=_as_headers, hash=False
    )
    body: Any = attrs.field(default=None, converter=copy_json, hash=False)
    seconds: float = attrs.field(default=1.0, converter=_as_number)
    executed: bool | None = None

    @stage.default
    def _default_stage(self) -> Stage | None:
        # The converter refuses None: without a claim the stage is required.
        return None if self.claim is None else Stage.ANSWER

    @kind.default
    def _default_kind(self) -> Kind | None:
        return None if self.claim is None else Kind.STATUS

    @status.default
    def _default_status(self) -> int | None:
        return _USUAL_STATUS if self.claim is None else None

    def __attrs_post_init__(self) -> None:
        """Raise ValueError for a fault that could never happen as described."""
        if self.kind not in POSSIBLE[self.stage]:
            possible_kinds = ", ".join(sorted(POSSIBLE[self.stage]))
            raise ValueError(
                f"a fault at {self.stage} must be one of {possible_kinds}, not {self.kind}"
            )
        check_times(self.times)
        self._check_answer()
        self._check_probability()
        if type(self.seconds) not in (int, float) or not 0 <= self.seconds <= 3600:
            raise ValueError(f"seconds must be a number from 0 to 3600, not {self.seconds!r:.40}")
        if self.headers and self.stage is not Stage.ANSWER:
            raise ValueError("only a fault at answer can have headers")
        self._check_conditions()
        if type(self.executed) not in (bool, type(None)):
            raise ValueError("executed must be true or false, or left out for the stage's default")
        fixed = self._fixed_executed
        if fixed is not None and self.executed not in (None, fixed):
            frequency = "always" if fixed else "never"
            raise ValueError(
                f"at the stage {self.stage} the call is {frequency} executed; leave executed out"
            )

    def _check_answer(self) -> None:
        """Raise unless body, status and claim say together what the answer is."""
        has_body = self.body is not None
        if has_body != (self.kind is Kind.JSON):
            raise ValueError("a fault of the kind json needs a body, and no other kind takes one")
        if self.claim is None:
            if type(self.status) is not int or not 200 <= self.status <= 599:
                raise ValueError("status must be a whole number from 200 to 599")
            return
        if not isinstance(self.claim, str):
            raise TypeError("claim of a fault must be the key or id of a claim, or null (None)")
        if self.kind is not Kind.STATUS:
            raise ValueError(
                f"a fault with a claim is of the kind status, not {self.kind}: leave claim out"
            )
        if self.status is not None:
            raise ValueError("a claim has its own status: leave status or claim out")

    def _check_probability(self) -> None:
        """Raise ValueError for a wrong probability.

        With a right one the fault has no number of times.
        """
        probability = self.probability
        if probability is None:
            return
        if type(probability) not in (int, float) or not 0 < probability <= 1:
            raise ValueError(
                "probability of a fault must be a number above 0 and at most 1, or null (None) "
                f"for every matching call, not {probability!r:.40}"
            )
        if self.times not in (None, 1):
            raise ValueError(
                "a fault with a probability affects calls until it is cleared: leave times out"
            )
        object.__setattr__(self, "times", None)

    def _check_conditions(self) -> None:
        """Raise ValueError for a condition of a wrong form, or unknown at its stage."""
        unknown, known_from = _UNKNOWN_CONDITIONS.get(self.stage, ((), None))
        for name in _CONDITIONS:
            value = getattr(self, name)
            # A converter has already checked `field`.
            if type(value) not in (str, type(None)) and name != "field":
                raise ValueError(f"{name} of a fault must be a string, or null (None) for any")
            if value is not None and name in unknown:
                raise ValueError(
                    f"a fault at {self.stage} applies before the {name} of a request is known: "
                    f"leave {name} out, or use the stage {known_from}"
                )
        if self.method is not None and not re.fullmatch("[A-Z]+", self.method):
            raise ValueError(
                f"method of a fault must be in upper case, such as POST, not {self.method!r}"
            )
        if self.path is not None:
            _check_path(self.path)
        if self.card is not None and self.person is not None:
            raise ValueError("a fault can have a card or a person, not both")
        if self.person is not None:
            # Raises ValueError for an invalid name.
            Card(person=self.person)
        if self.card is not None and self.card not in READY:
            hint = suggest_name(self.card, READY)
            raise ValueError(f"there is no ready card {self.card:.40}; {hint}")

    @property
    def _fixed_executed(self) -> bool | None:
        """Whether the call is carried out, if the stage decides; None if `executed` decides."""
        if self.is_pictured and self.kind is Kind.DELAY:
            # The mock has read the pictures when it finds the fault, so only the response waits.
            return True
        return CARRIED_OUT.get(self.stage)

    @property
    def is_pictured(self) -> bool:
        """Whether the fault names a card or a person, and so depends on the pictures."""
        return self.card is not None or self.person is not None

    @property
    def is_carried_out(self) -> bool:
        """Whether the call is carried out."""
        fixed = self._fixed_executed
        return bool(self.executed) if fixed is None else fixed

    @property
    def is_postponed(self) -> bool:
        """Whether the call is carried out after the delay, and only if the client still waits."""
        is_delay = self.stage is Stage.AFTER_UPLOAD and self.kind is Kind.DELAY
        return is_delay and not self.is_carried_out

    def fits(
        self,
        head: Request,
        vendor: str,
        operation: str | None,
        fields: Fields,
        answers: Container[str],
        *,
        is_call: bool,
    ) -> bool:
        """Return whether the fault matches this request, regardless of its pictures.

        Args:
            head: The request, whose body may be missing.
            vendor: The name of the request's vendor.
            operation: The request's operation, or None.
            fields: Returns the values of the request's fields; called only if needed.
            answers: The keys and ids of the vendor's claims that a fault can send.
            is_call: Whether the path is an endpoint of the vendor.
        """
        if self.vendor not in (None, vendor):
            return False
        if self.claim is not None and self.claim not in answers:
            return False
        if self.path is None:
            # Without a path, a fault spares health checks and unknown paths.
            if not is_call:
                return False
        elif not head.path.startswith(self.path):
            return False
        if self.method not in (None, head.method) or self.call not in (None, operation):
            return False
        return self.field is None or self.field.items() <= fields().items()

    def is_of(self, card: Card) -> bool:
        """Return whether the fault names this card, or the person on the card."""
        if self.card is not None:
            return READY[self.card].card == card
        return self.person == card.person

    __repr__ = show_rule

    def __str__(self) -> str:
        if self.stage is Stage.ANSWER and self.executed:
            return f"fault: {self.stage} {self.kind}: {self.claim or self.status} was sent instead"
        return f"fault: {self.stage} {self.kind}"


def _check_path(path: str) -> None:
    """Raise ValueError unless `path` is the beginning of a vendor's path."""
    without_host = urlsplit(path).path if "://" in path else path
    without_query_and_wildcard, *_ = re.split(r"[*?#{<]", without_host)
    plain = f"/{without_query_and_wildcard.lstrip('/')}"
    if plain != path:
        raise ValueError(
            "path of a fault must be the beginning of a path, without host, query and wildcard: "
            f"{plain!r:.80}, not {path!r:.80}"
        )
    if path.startswith(CONTROL):
        raise ValueError("faults do not apply to the control API or the console, except at connect")


def failure_of(card: Card) -> Fault:
    """Return the fault for calls with a failure card, such as a card with a status."""
    if card.status is not None:
        headers = None if card.retry_after is None else {"Retry-After": card.retry_after}
        return Fault(
            stage=Stage.ANSWER,
            kind=Kind.STATUS,
            status=card.status,
            headers=headers,
            person=card.person,
        )
    if card.delay is not None:
        return Fault(
            stage=Stage.AFTER_UPLOAD, kind=Kind.DELAY, seconds=card.delay, person=card.person
        )
    # The card asks for a lost response, before or after the charge.
    return Fault(
        stage=Stage.AFTER_UPLOAD,
        kind=Kind.RESET,
        executed=card.lost == "after_charge",
        person=card.person,
    )


class Faults(RuleQueue[Fault]):
    """The pending faults of one account, in the order in which they were added."""

    def __init__(self, draws: Draws) -> None:
        super().__init__()
        self._draws = draws
        #: The number of faults that were ever added.
        self._added = 0
        #: The place and the number of matching calls of faults with a probability, by `id()`.
        self._chances: dict[int, _Chance] = {}

    def add(self, rule: Fault) -> None:
        with self._lock:
            self._added += 1
            if rule.probability is not None:
                self._chances[id(rule)] = _Chance(place=self._added)
            super().add(rule)

    def clear(self, vendor: str | None = None) -> None:
        """Drop the faults of a vendor alone; None drops all faults."""
        with self._lock:
            kept_rules = [rule for rule in self._rules if vendor not in (None, rule.vendor)]
            super().clear()
            self._rules += kept_rules

    def at_connection(self) -> Fault | None:
        """Return the fault for a new connection and count its use, or return None."""
        return self._take(lambda rule: rule.stage is Stage.CONNECT)

    def for_request(
        self,
        fits: Callable[[Fault], bool],
        only: Stage | None = None,
        *,
        was_uploading: bool = False,
    ) -> Fault | None:
        """Return a request's fault and count its use; None if `only` is set to another stage.

        `was_uploading` is whether this was already called for the request's upload, and so decided
        whether a fault with a probability at that stage affects the request.
        """

        def may_apply(rule: Fault) -> bool:
            if rule.is_pictured or rule.stage is Stage.CONNECT:
                return False
            is_decided = was_uploading and rule.stage is Stage.MID_UPLOAD
            return not (is_decided and rule.probability is not None) and fits(rule)

        return self._take(may_apply, only)

    def for_pictures(self, fits: Callable[[Fault], bool], cards: Collection[Card]) -> Fault | None:
        """Return the fault for a call with these cards and count its use, or return None."""
        return self._take(
            lambda rule: rule.is_pictured and fits(rule) and any(map(rule.is_of, cards))
        )

    def _take(self, fits: Callable[[Fault], bool], only: Stage | None = None) -> Fault | None:
        """Return the first matching rule and count its use; None if `only` is another stage."""
        with self._lock:
            for index, rule in enumerate(self._rules):
                if not fits(rule):
                    continue
                is_due = only in (None, rule.stage)
                if rule.probability is not None and not self._is_drawn(rule, is_due=is_due):
                    continue
                # Later rules wait for the first one that matches, even at another stage.
                return self._use(index) if is_due else None
        return None

    def _is_drawn(self, rule: Fault, *, is_due: bool) -> bool:
        """Return whether chance lets the rule affect the next matching call.

        The call is counted only if the rule is due. Before that, the draw is the same.
        """
        chance = self._chances[id(rule)]
        number = chance.matching_calls + 1
        if is_due:
            chance.matching_calls = number
            # A rule that had its chance is not unused.
            self._used_rules[id(rule)] = rule
        return self._draws.draw(f"fault {chance.place}", number) < (rule.probability or 0)


@attrs.define(kw_only=True)
class _Chance:
    """The place of a rule with a probability, and how many calls have matched it."""

    place: int
    matching_calls: int = 0
