"""Faults on the wire and in the answer: where they strike, what they do, whom they hit or miss."""

from __future__ import annotations

import enum
import functools
import math
import random
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import urlsplit

import attrs

from facematch_mock_server.base.masking import list_missing, show_rule
from facematch_mock_server.base.messages import CONTROL, HEADER_NAME, HEADER_VALUE, Request
from facematch_mock_server.base.state import RuleQueue, check_times
from facematch_mock_server.recognition.cards import Card
from facematch_mock_server.recognition.outcomes import Fields, SetOutcome, as_field

from .journal import Entry

#: So many levels, so that whatever writes it down comes to an end.
DEEPEST = 50


def copy_json(value: Any, depth: int = 0) -> Any:
    """A copy of `value` as JSON holds it; ValueError for what it cannot hold."""
    if depth > DEEPEST:
        raise ValueError(f"a made-up body can be nested {DEEPEST} levels deep at most")
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, Decimal)) and math.isfinite(float(value)):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [copy_json(item, depth + 1) for item in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: copy_json(item, depth + 1) for name, item in value.items()}
    raise ValueError(
        "a made-up body must be JSON, with strings as names and finite numbers; "
        f"a {type(value).__name__} cannot be sent"
    )


#: What an answer has from the transport, or as the mock's: no fault changes these.
_NOT_ITS_OWN = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "x-facematch-mock", "x-facematch-claims"}
)


class _Word(enum.StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        name = cls.__name__.lower()
        raise ValueError(
            f"the {name} of a fault must be one of {', '.join(cls)}, not {value!r:.40}"
        )


class Stage(_Word):
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


class Kind(_Word):
    """What a fault does."""

    RESET = "reset"  #: RST.
    TRUNCATE = "truncate"  #: FIN without an answer, or without the rest of it.
    DRIBBLE = "dribble"  #: The rest comes a byte at a time, `Fault.seconds` apart.
    DELAY = "delay"  #: Everything comes, `Fault.seconds` late.
    GARBAGE = "garbage"  #: Bytes that are no HTTP.
    HTML = "html"  #: A page of HTML under `Fault.status`.
    WRONG_JSON = "wrong_json"  #: JSON of another shape under `Fault.status`.
    JSON = "json"  #: JSON of the test's own, `Fault.body`, under `Fault.status`.
    STATUS = "status"  #: `Fault.status` in the vendor's own words, as far as they are known.


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
CARRIED_OUT = dict.fromkeys((Stage.CONNECT, Stage.MID_UPLOAD), False)
CARRIED_OUT |= dict.fromkeys((Stage.MID_HEADERS, Stage.MID_BODY), True)


def _as_headers(value: Any) -> dict[str, str | None]:
    if not isinstance(value, (Mapping, type(None))):
        raise TypeError(f"headers of a fault must be a mapping of names, not {value!r:.40}")
    headers: dict[str, str | None] = {}
    for name, content in (value or {}).items():
        if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r:.40} cannot be the name of a header")
        if name.lower() in _NOT_ITS_OWN:
            raise ValueError(f"{name} is not a fault's to set: leave it out of headers")
        text = str(content) if type(content) is int else content
        if text is not None and not (isinstance(text, str) and HEADER_VALUE.fullmatch(text)):
            raise ValueError(
                f"{name} of a fault must be text that a header can hold, or null (None) for an "
                "answer without it"
            )
        headers[name] = text
    return headers


def _as_number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _is_between(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool and least <= value <= most


@attrs.frozen(kw_only=True, repr=False)
class Fault:
    """One rule.

    Faults wait in the order in which they are added, and a call takes the first that is aimed at
    it: ``add_faults(first, second)`` with ``times=1`` each strikes two calls, and the third one is
    answered. One that is aimed at a picture strikes when the mock looks at the pictures, so a
    call that is refused before that, or that another fault strikes, leaves it waiting. A value that
    does not fit, or a combination that cannot happen, is a ValueError.

    Attributes:
        stage, kind: When and what.
        times: How many calls it still hits, from 1 on; None for all.
        chance: Of hitting a call that it is aimed at, above 0 to 1, drawn from the seed of the
            rules.
        method, path: Only requests of this method, and whose path begins so. Without a path it
            strikes every endpoint of the vendor; a health check, or a path that the vendor has
            not, only if its path says so; the control API never.
        call: Only requests to this operation: ``match``, ``liveness``, or ``detect`` of Azure.
        card, person: Only calls with this ready test card (``no-face``), or with any test card of
            this person (``p1``).
        field: Only calls with all these texts in their query, form or the top level of their JSON,
            by name, as they were sent: ``{"vendor_data": "case-7"}``.
        status: Of the answer for HTML, WRONG_JSON, JSON and STATUS, 200-599.
        headers: Of that answer, over those that it would have: ``{"Retry-After": "1"}``; None takes
            one away. A status 429 has the vendor's own Retry-After unless this says otherwise.
        body: For JSON, and needed there: what the answer holds. It is the test's own and says
            nothing of the vendor.
        seconds: For DELAY (in all) and DRIBBLE (between two bytes), 0-3600.
        executed: For AFTER_UPLOAD and ANSWER: whether the call was carried out, and charged, all
            the same (with a status of 400-499 that is a charge for an answer that the vendor says
            is free); None for not. At the other stages there is no choice. A DELAY that is aimed at
            a picture is always carried out, at once: only its answer waits.
    """

    stage: Stage = attrs.field(converter=Stage)
    kind: Kind = attrs.field(converter=Kind)
    times: int | None = 1
    chance: float = attrs.field(default=1.0, converter=_as_number)
    method: str | None = None
    path: str | None = None
    call: str | None = None
    card: str | None = None
    person: str | None = None
    # Dicts have no hash, and rules that differ in these alone are rare.
    field: Mapping[str, str] | None = attrs.field(default=None, converter=as_field, hash=False)
    status: int = 502
    headers: Mapping[str, str | int | None] = attrs.field(
        default=None, converter=_as_headers, hash=False
    )
    body: Any = attrs.field(default=None, converter=copy_json, hash=False)
    seconds: float = attrs.field(default=1.0, converter=_as_number)
    executed: bool | None = None

    def __attrs_post_init__(self) -> None:
        if self.kind not in POSSIBLE[self.stage]:
            kinds = ", ".join(sorted(POSSIBLE[self.stage]))
            raise ValueError(f"a fault at {self.stage} must be one of {kinds}, not {self.kind}")
        check_times(self.times)
        if not _is_between(self.chance, 0, 1) or not self.chance:
            raise ValueError("chance must be a number above 0 and at most 1")
        if type(self.status) is not int or not _is_between(self.status, 200, 599):
            raise ValueError("status must be a whole number from 200 to 599")
        if not _is_between(self.seconds, 0, 3600):
            raise ValueError(f"seconds must be a number from 0 to 3600, not {self.seconds!r:.40}")
        if self.headers and self.stage is not Stage.ANSWER:
            raise ValueError("headers are those of an answer: only a fault at answer has some")
        if (self.body is None) is (self.kind is Kind.JSON):
            raise ValueError("a fault of kind json needs a body, and no other kind takes one")
        self._check_aim()
        if type(self.executed) not in (bool, type(None)):
            raise ValueError("executed must be true or false, or left out for what the stage does")
        always = self._is_always_executed
        if always is not None and self.executed not in (None, always):
            how = "always" if always else "never"
            raise ValueError(
                f"with a fault at {self.stage} the call is {how} executed; leave executed out"
            )

    def _check_aim(self) -> None:
        names = ("method", "path", "call", "card", "person", "field")
        aims = {name: getattr(self, name) for name in names}
        for name, value in ((name, value) for name, value in aims.items() if value is not None):
            if name != "field" and type(value) is not str:
                raise ValueError(f"{name} of a fault must be a string, or null (None) for any")
            if self.stage is Stage.CONNECT:
                raise ValueError(
                    "a fault at connect strikes the next new connection, before anything of a "
                    f"request is known: leave {name} out, or use the stage mid_upload"
                )
            if self.stage is Stage.MID_UPLOAD and name in ("card", "person", "field"):
                raise ValueError(
                    f"a fault at mid_upload strikes before the body is read: leave {name} out, or "
                    "use the stage after_upload"
                )
        if self.method is not None and not re.fullmatch("[A-Z]+", self.method):
            raise ValueError(
                f"method of a fault must be in capital letters, such as POST, not {self.method!r}"
            )
        if self.path is not None:
            _check_path(self.path)
        if self.card is not None and self.person is not None:
            raise ValueError("a fault is aimed at a card or at a person, not at both")
        if self.person is not None:
            Card(person=self.person)
        if self.card is not None and self.card not in ready_cards():
            from facematch_core.backend.kinds import (
                nearest,  # not above: it brings the errors along
            )

            hint = nearest(self.card, ready_cards())
            raise ValueError(f"there is no ready card {self.card:.40}; {hint}")

    @property
    def _is_always_executed(self) -> bool | None:
        """Whether the call is carried out where there is no choice."""
        if self.is_pictured and self.kind is Kind.DELAY:
            return True
        return CARRIED_OUT.get(self.stage)

    @property
    def is_pictured(self) -> bool:
        """Whether it is aimed at a picture."""
        return self.card is not None or self.person is not None

    @property
    def is_carried_out(self) -> bool:
        """Whether the call is carried out, before or instead of what it does."""
        return bool(self.executed) if self._is_always_executed is None else self._is_always_executed

    @property
    def is_postponed(self) -> bool:
        """Whether the call is carried out when the fault is over, if the client still waits."""
        late = self.stage is Stage.AFTER_UPLOAD and self.kind is Kind.DELAY
        return late and not self.is_carried_out

    def list_missed(
        self,
        head: Request,
        operation: str | None = None,
        *,
        is_call: bool = True,
        fields: Fields = dict,
    ) -> Iterator[tuple[str, str]]:
        """What of its aim a request does not meet, whatever is in its pictures: the name of each
        condition, and in words what is there instead."""
        if not (is_call if self.path is None else head.path.startswith(self.path)):
            yield "path", f"not to {self.path or 'a path of the vendor'}"
        if self.method not in (None, head.method):
            yield "method", f"which is no {self.method}"
        if self.call not in (None, operation):
            yield "call", f"which is no {self.call}"
        if self.field is not None:
            yield from list_missing(self.field, fields())

    def fits(self, head: Request, operation: str | None = None, **more: Any) -> bool:
        """Whether it is aimed at this request; arguments as for `list_missed`."""
        return next(self.list_missed(head, operation, **more), None) is None

    def is_of(self, card: Card) -> bool:
        if self.card is not None:
            return ready_cards()[self.card] == card
        return self.person == card.person

    __repr__ = show_rule

    def __str__(self) -> str:
        instead = self.stage is Stage.ANSWER and self.executed
        more = f": {self.status} was sent instead" if instead else ""
        return f"fault: {self.stage} {self.kind}{more}"


def _check_path(path: str) -> None:
    plain = re.split(r"[*?#{<]", urlsplit(path).path if "://" in path else path)[0]
    plain = f"/{plain.lstrip('/')}"
    if plain != path:
        raise ValueError(
            "path of a fault says how the path of a request begins, without host, query and "
            f"wildcard: {plain!r:.80}, not {path!r:.80}"
        )
    if path.startswith(CONTROL):
        raise ValueError("no fault strikes the control API or the console, unless at connect")


@functools.cache
def ready_cards() -> Mapping[str, Card]:
    from facematch_mock_server.recognition.sheet import card_sheet  # not above: it loads Pillow

    return {name: card.card for name, card in card_sheet().items()}


def failure_of(card: Card) -> Fault:
    """What becomes of a call with this card, which says that it fails."""
    more: dict[str, Any] = {"person": card.person}
    if card.status is not None:
        if card.retry_after is not None:
            more["headers"] = {"Retry-After": card.retry_after}
        return Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=card.status, **more)
    if card.delay is not None:
        return Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.DELAY, seconds=card.delay, **more)
    charged = card.lost == "after_charge"
    return Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.RESET, executed=charged, **more)


class Faults(RuleQueue[Fault]):
    """The rules of one world that still wait, in the order they were added."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._random = random.Random(seed)  # noqa: S311 - a test's dice

    def at_connection(self) -> Fault | None:
        """The fault for a connection that was just accepted, counted, like the others here."""
        return self._take(lambda rule: rule.stage is Stage.CONNECT)

    def at_head(self, fits: Callable[[Fault], bool]) -> Fault | None:
        """The fault that breaks this upload; none if one for the whole request was added before."""
        return self._take(
            lambda rule: not rule.is_pictured and rule.stage is not Stage.CONNECT and fits(rule),
            only=Stage.MID_UPLOAD,
        )

    def for_request(self, fits: Callable[[Fault], bool]) -> Fault | None:
        """The fault for this whole request. Asked once per request."""
        before = (Stage.CONNECT, Stage.MID_UPLOAD)
        return self._take(
            lambda rule: rule.stage not in before and not rule.is_pictured and fits(rule)
        )

    def for_pictures(self, fits: Callable[[Fault], bool], cards: Collection[Card]) -> Fault | None:
        """The fault for a call that shows these cards."""
        return self._take(
            lambda rule: rule.is_pictured and fits(rule) and any(map(rule.is_of, cards))
        )

    def _take(self, fits: Callable[[Fault], bool], only: Stage | None = None) -> Fault | None:
        """The first rule that fits and hits; None for one at another stage than `only`."""
        with self._lock:
            for index, rule in enumerate(self._rules):
                is_due = only is None or rule.stage is only
                if not fits(rule) or (not is_due and rule.chance < 1):
                    continue
                if not is_due:
                    return None
                if rule.chance == 1 or self._random.random() < rule.chance:
                    return self._use(index)
        return None


def require_end(fault: Fault) -> Fault:
    """The fault; ValueError for one that would refuse whoever wants to clear it over HTTP."""
    if fault.stage is Stage.CONNECT and fault.times is None:
        raise ValueError(
            "a fault at connect without an end would refuse the request that clears it, too: "
            "give times, or use the stage mid_upload with a path of the vendor"
        )
    return fault


# The call that came closest to an outcome or a fault which no call has used

#: Rules of each kind that a call is held beside.
_RULES = 100


@attrs.frozen(kw_only=True)
class NearMiss:
    """An outcome or a fault that no call has used, and the call that came closest.

    Attributes:
        rule: The outcome or the fault.
        call: The call since then that met most of its conditions, the newest of these; None for no
            call.
        missed: The conditions that it did not meet: of ``kind key method path call card person
            digest field``. None is missed by a call that ended before its turn.
        says: The same in words: ``a POST /v3/face-match/ with vendor_data=case-8``.
    """

    rule: SetOutcome | Fault
    call: Entry | None = None
    missed: tuple[str, ...] = ()
    says: str = "no call came"


def note_misses(call: Any, operation: str | None, entry: Entry) -> None:
    """Hold a call of a vendor beside each rule that no call has used yet."""
    for queue in (call.world.recognizer.waiting, call.world.account.faults):
        for rule in queue.unused[:_RULES] if queue else ():
            # Fields last: their words are the longest.
            every = _find_missed(call, operation, rule)
            missed = sorted(every, key=lambda pair: pair[0] == "field")
            former, count = queue.nearest.get(id(rule)), len(missed)
            if former is None or count <= former[0]:
                words = ", ".join(words for _, words in missed) or "which ended before its turn"
                names = tuple(dict.fromkeys(name for name, _ in missed))
                says = f"a {entry.method} {entry.path} {words}"
                nearest = NearMiss(rule=rule, call=entry, missed=names, says=says)
                queue.nearest[id(rule)] = count, nearest


def _find_missed(
    call: Any, operation: str | None, rule: SetOutcome | Fault
) -> Iterator[tuple[str, str]]:
    needs_key = call.route is not None and any("key" in name for name in call.route.credentials)
    has_key = call.key_word == "live" or (call.key_word == "none" and not needs_key)
    digests = [file.digest for file in call.files if file.digest]
    missed: Iterable[tuple[str, str]]
    if isinstance(rule, SetOutcome):
        # Rekognition has one operation for both kinds.
        is_either = operation is not None and rule.kind not in call.world.kind.operations
        kind = rule.kind if is_either else operation
        missed = rule.list_missed(kind, digests if has_key else rule.digests, call.fields)
    else:
        is_call = call.route is not None
        missed = rule.list_missed(call.request, operation, is_call=is_call, fields=call.fields)
        cards = [*filter(None, map(call.world.recognizer.card_of, digests))]
        if has_key and rule.is_pictured and not any(map(rule.is_of, cards)):
            people = ", ".join(dict.fromkeys(card.person for card in cards))
            shows = f"with cards of {people}" if cards else "in which no test card was seen"
            missed = (*missed, ("card" if rule.card else "person", shows))
        # Pictures are looked at for a live key alone; beside other accounts a fault strikes no call
        # of a key that nobody knows.
        is_stranger = call.world.account.shared.is_stranger(call.world.kind, call.request)
        has_key = has_key or not (rule.is_pictured or (rule.path is None and is_stranger))
    yield from missed
    if not has_key:
        yield "key", "without a key" if call.key_word == "none" else f"with a {call.key_word} key"
