"""What the contract says of one backend, as data that can be kept and sent."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any, Self

import attrs

from facematch_core.errors import InvalidRequest
from facematch_core.models import read_as, written

from ._running import Status

#: Version of the JSON form; 0 until facematch 1.0: it may change with a minor release.
SCHEMA = 0
KIND = "card"


class CardVerdict(enum.StrEnum):
    """What a card says as a whole."""

    #: Every rule that applies was run and kept.
    CONFORMS = "conforms"
    #: Nothing failed, and a rule was not tested or a declared capability not proved.
    OPEN = "open"
    #: A rule is broken.
    FAILS = "fails"


@attrs.frozen(kw_only=True)
class RuleLine:
    """What came out of one rule.

    Attributes:
        number, title: Of the rule.
        status: FAILED if any of its cases failed; else OPEN if any was not tested; else PASSED if
            any passed; else DOES_NOT_APPLY.
        reasons: Why it is not PASSED, each reason once, with the cases that it holds for.
        cases: How many cases it has: one, or one for each of several situations.
        passed: How many of them passed.
    """

    number: str
    title: str
    status: Status
    reasons: tuple[str, ...] = ()
    cases: int = 1
    passed: int = 0


@attrs.frozen(kw_only=True)
class CapabilityLine:
    """One thing that the backend declares.

    Attributes:
        name: What it is called on the card.
        declared: What is declared of it; "yes" if there is nothing more to say.
        proved: Whether a rule about it passed and none of them failed or was left open.
        rules: Numbers of the rules about it.
    """

    name: str
    declared: str
    proved: bool
    rules: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Card:
    """What the contract says of one backend. There is no key, picture or path in it.

    Attributes:
        backend: Its name.
        distribution, version: Who offers it; None for a class that no distribution offers.
        double: Name of the class that played its vendor; None if nobody did, so that only the
            rules that ask the vendor nothing were run.
        double_distribution, double_version: Who offers that; None if it was handed over.
        settings: Names of the settings that were set for this run.
        core_version: Version of facematch-core, and so of the rules.
        python_version: Of the interpreter.
        made_at: When, UTC.
        rules: Every rule of the contract, by number.
        capabilities: Everything that the backend declares.
    """

    backend: str
    distribution: str | None = None
    version: str | None = None
    double: str | None = None
    double_distribution: str | None = None
    double_version: str | None = None
    settings: tuple[str, ...] = ()
    core_version: str
    python_version: str
    made_at: dt.datetime
    rules: tuple[RuleLine, ...]
    capabilities: tuple[CapabilityLine, ...] = ()

    @property
    def verdict(self) -> CardVerdict:
        """FAILS if a rule failed; OPEN if one is open or a capability not proved; else CONFORMS."""
        if self.of(Status.FAILED):
            return CardVerdict.FAILS
        proved = all(one.proved for one in self.capabilities)
        return CardVerdict.CONFORMS if proved and not self.of(Status.OPEN) else CardVerdict.OPEN

    @property
    def counts(self) -> dict[Status, int]:
        """How many rules there are of each status."""
        return {status: len(self.of(status)) for status in Status}

    def of(self, status: Status | str) -> tuple[RuleLine, ...]:
        """The rules of one status, which may be given as its word, for example ``failed``."""
        wanted = Status(status)
        return tuple(rule for rule in self.rules if rule.status is wanted)

    def to_dict(self) -> dict[str, Any]:
        """The card as plain JSON values, as docs/reference/card.schema.json describes them."""
        counts = {status.value: count for status, count in self.counts.items()}
        first = {"schema": SCHEMA, "kind": KIND, "verdict": self.verdict.value, "counts": counts}
        return first | written(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote. Unknown keys are passed over.

        Raises:
            InvalidRequest: another schema or kind, a missing key, a value of another type, or a
                verdict that its own rules do not bear out.
        """
        if not isinstance(document, Mapping):
            raise InvalidRequest(f"A card must be an object, not {type(document).__name__}.")
        if document.get("schema") != SCHEMA or document.get("kind") != KIND:
            raise InvalidRequest(
                f"This is no card of schema {SCHEMA}: its schema is "
                f"{document.get('schema')!r:.40}, its kind {document.get('kind')!r:.40}."
            )
        try:
            card = read_as(cls, document)
        except ValueError as error:
            problem = str(error)
        else:
            problem = ""
        if problem:
            raise InvalidRequest(problem)
        if document.get("verdict") != card.verdict.value:
            raise InvalidRequest(
                f"The card says {document.get('verdict')!r:.40}, its rules say "
                f"{card.verdict.value!r}: it was changed after it was made."
            )
        return card
