"""What the application believes of a customer, compared with what the vendor has decided."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from facematch_mock_server.world.drilled import DrillFacts

from .application import Answer, ApplicationError


class Verdict(enum.StrEnum):
    """What is wrong with an application, the gravest first."""

    FALSE_YES = "approved without a yes"
    FORGERY = "accepts a forgery"
    CHARGED_TWICE = "charged twice for one wish"
    BOOKED_TWICE = "booked twice"
    LOST_YES = "a yes was lost"
    REPLAY = "accepts a replay"
    LOST_NO = "a no was lost"
    FALSE_NO = "declined without a no"
    STUCK = "cannot begin"
    CRASHES = "crashes"
    REFUSES_WEBHOOKS = "refuses webhooks"
    JOB_FAILS = "its job fails"


#: What no later state makes good.
NEVER_LATE = frozenset(
    {Verdict.FALSE_YES, Verdict.FORGERY, Verdict.CHARGED_TWICE, Verdict.BOOKED_TWICE}
)


class Belief(enum.StrEnum):
    """What the application says of a customer."""

    APPROVED = "approved"
    DECLINED = "declined"
    OPEN = "open"  #: It waits for a verdict.
    NONE = "none"  #: The customer is not verified, and may begin.


#: The words that need no --map.
WORDS: Mapping[str, Belief] = {
    **dict.fromkeys(("approved", "verified", "passed", "yes", "true"), Belief.APPROVED),
    **dict.fromkeys(("declined", "rejected", "failed", "refused", "denied"), Belief.DECLINED),
    **dict.fromkeys(
        ("open", "pending", "processing", "started", "waiting", "review", "in_progress", "created"),
        Belief.OPEN,
    ),
    **dict.fromkeys(("in_review", "under_review", "submitted", "on_hold", "init"), Belief.OPEN),
    **dict.fromkeys(
        ("none", "new", "unverified", "unknown", "expired", "canceled", "abandoned", "no", "false"),
        Belief.NONE,
    ),
    **dict.fromkeys(
        ("null", "", "requires_input", "not_started", "not_verified", "cancelled", "retry"),
        Belief.NONE,
    ),
}
#: The fields of a JSON answer that may have the word, the first first.
_WORD_FIELDS = ("state", "status", "verified", "approved")


@attrs.frozen(kw_only=True)
class Reading:
    """The application's answer about a customer.

    Attributes:
        belief: What it believes.
        shown: The answer, shortened.
        fields: The fields of a JSON answer.
    """

    belief: Belief
    shown: str
    fields: Mapping[str, Any] = attrs.field(factory=dict)

    def times(self, field: str) -> int:
        """Return how often something has happened: a number, or the length of a list.

        Raises ApplicationError for anything else.
        """
        value = self.fields.get(field)
        try:
            return len(value) if isinstance(value, list) else int(value or 0)
        except (TypeError, ValueError):
            raise ApplicationError(
                f"--once {field}: {str(value)[:40]!r} is no number and no list."
            ) from None


@attrs.frozen(kw_only=True)
class Failure:
    """A wrong belief or act of the application.

    Attributes:
        verdict: What is wrong.
        customer: The name of the customer in the story.
        detail: What the application says, and what the vendor says.
    """

    verdict: Verdict
    customer: str
    detail: str


@attrs.frozen(kw_only=True)
class Truth:
    """What the vendor knows of a customer, at the end of a story.

    Attributes:
        statuses: The statuses of the customer's sessions, oldest first.
        paid_passes: How many sessions that passed were charged.
        wishes: How often the customer wished to be verified.
        may_be_declined: Whether an application may decline, because something has gone wrong.
        is_no_told: Whether the application has taken the webhook of the newest status.
    """

    statuses: Sequence[str]
    paid_passes: int
    wishes: int
    may_be_declined: bool
    is_no_told: bool

    def is_yes(self, facts: DrillFacts) -> bool:
        """Return whether a session says yes."""
        return any(status in facts.approved for status in self.statuses)

    def is_no(self, facts: DrillFacts) -> bool:
        """Return whether every session says a final no."""
        return bool(self.statuses) and all(status in facts.declined for status in self.statuses)


def read(answer: Answer, words: Mapping[str, Belief]) -> Reading:
    """Read the application's word for a customer's state. Raises ApplicationError if unknown."""
    if not answer.is_accepted:
        return Reading(belief=Belief.NONE, shown=f"it answers {answer}")
    fields: Mapping[str, Any] = {}
    word: Any = answer.body
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = answer.body
    if isinstance(document, dict):
        fields = document
        names = [name for name in _WORD_FIELDS if name in fields]
        if not names:
            raise ApplicationError(
                f"The application's state is JSON without {', '.join(_WORD_FIELDS)}: "
                f"{answer.body[:80]}. Let --state be a command that prints the word, such as "
                f"\"sh -c 'curl -s URL | jq -r .{next(iter(fields), 'NAME')}'\"."
            )
        word = fields[names[0]]
    elif isinstance(document, (str, bool)) or document is None:
        word = document
    text = str("" if word is None else word).strip()
    belief = words.get(text, WORDS.get(text.lower().replace("-", "_").replace(" ", "_")))
    if belief is None:
        raise ApplicationError(
            f"The application's state is {text[:80]!r}, which the drill does not know: add "
            f"--map '{text[:80]}=approved', or =declined, =open or =none."
        )
    return Reading(belief=belief, shown=answer.body[:80], fields=fields)


def judge(
    customer: str, reading: Reading, truth: Truth, facts: DrillFacts, *, had_yes: bool
) -> list[Failure]:
    """Judge what the application believes of a customer once nothing is on its way any more."""
    says = (
        f"the application says {reading.belief} ({reading.shown}); "
        f"the vendor says {', '.join(truth.statuses) or 'nothing'}"
    )
    is_yes = truth.is_yes(facts)
    verdicts = []
    if reading.belief is Belief.APPROVED and not is_yes and (truth.is_no_told or not had_yes):
        verdicts.append(Verdict.FALSE_YES)
    if is_yes and reading.belief is not Belief.APPROVED:
        verdicts.append(Verdict.LOST_YES)
    if truth.is_no(facts) and reading.belief is Belief.OPEN:
        verdicts.append(Verdict.LOST_NO)
    if reading.belief is Belief.DECLINED and not truth.may_be_declined:
        verdicts.append(Verdict.FALSE_NO)
    failures = [Failure(verdict=each, customer=customer, detail=says) for each in verdicts]
    if truth.paid_passes > max(1, truth.wishes):
        detail = f"{truth.paid_passes} sessions passed and are charged"
        failures.append(Failure(verdict=Verdict.CHARGED_TWICE, customer=customer, detail=detail))
    return failures


def judge_once(
    customer: str, reading: Reading, once: Sequence[str], *, had_yes: bool
) -> list[Failure]:
    """Judge what must happen once, and only after a yes."""
    failures = []
    for field in once:
        times = reading.times(field)
        if times > 0 and not had_yes:
            detail = f"{field} is {times}, though the vendor never said yes"
            failures.append(Failure(verdict=Verdict.FALSE_YES, customer=customer, detail=detail))
        elif times > 1:
            detail = f"{field} is {times}"
            failures.append(Failure(verdict=Verdict.BOOKED_TWICE, customer=customer, detail=detail))
    return failures
