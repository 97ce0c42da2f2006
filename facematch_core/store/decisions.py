"""Decisions of people about verdicts that are neither a pass nor a no: see `CheckCase.decide`."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
from collections.abc import Callable, Collection
from typing import Any

import attrs

from facematch_core.documents import UNWRITTEN, read_document
from facematch_core.errors import ConfigurationError, InvalidRequest
from facematch_core.models import (
    NOT_APPROVED,
    NOT_REPORTED,
    Decision,
    LivenessDecision,
    LivenessResult,
    NoTruth,
)


@attrs.frozen(kw_only=True)
class ReviewDecision(NoTruth):
    """What a person decided about the verdict of a check or a session: ask `accept`.

    Attributes:
        accept: Whether the verdict counts as a pass.
        by: Your own id of the person who decided.
        reason: The reason. Not in the repr, nor in a log.
        at: When, UTC.
        evidence: `evidence` of what the person saw.

    Example:
        >>> unsure = open_verifier("didit", review_threshold=99.9)
        >>> store = CheckStore("sqlite:///shop.sqlite3", unsure)
        >>> case = store.of("customer-23", purpose="signup", about=None)
        >>> print(case.verify_live(selfie, document).decision, case.use())
        review no
        >>> seen = case.find().evidence  # on the page that a person saw
        >>> case.decide(evidence=seen, accept=True, by="staff-7", reason="the same mole").accept
        True
        >>> print(case.use())
        first
        >>> store.close()
    """

    door = "accept"

    accept: bool
    by: str
    reason: str = attrs.field(repr=False)
    at: dt.datetime
    evidence: str

    def __attrs_post_init__(self) -> None:
        """Raise `InvalidRequest` for the text of a form in place of a bool, and for blanks."""
        if type(self.accept) is not bool:
            raise InvalidRequest("accept must be True or False, not the text of a form.")
        for text in (self.evidence, self.by, self.reason):
            if type(text) is not str or not text.strip():
                raise InvalidRequest("evidence, by and reason must be strings, and not blank.")


def read_decisions(text: str | None) -> tuple[ReviewDecision, ...]:
    """Return the decisions in the column of a row, the last one last; none if it is NULL.

    Raises `ConfigurationError` if they cannot be read: a refusal may be among them.
    """
    if text is None:
        return ()
    with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
        documents = json.loads(text)
        if isinstance(documents, list):
            return tuple(read_document(ReviewDecision, each) for each in documents)
    # Outside the with block, because the caught error may contain a reason.
    raise ConfigurationError(
        "The decisions about a verdict cannot be read: damaged, or written by a newer facematch. "
        "Nothing was used. Use the newest version that you have deployed, or restore the row "
        "from a backup."
    )


@attrs.frozen
class _Evidence:
    """The digest of a row, which is computed when it is read, or pickled."""

    _compute: Callable[[], str | None]

    def __call__(self) -> str | None:
        return self._compute()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Evidence, (functools.partial(_same, self()),)


def _same(text: str | None) -> str | None:
    return text


@attrs.frozen(kw_only=True)
class Decidable:
    """A row as the caller sees it, about whose result a person may decide.

    Attributes:
        result: The verdict, or None.
        decisions: What people decided about it, the last decision last.
    """

    result: Any
    decisions: tuple[ReviewDecision, ...] = ()
    _evidence: Callable[[], str | None] = attrs.field(
        default=functools.partial(_same, None),
        converter=_Evidence,
        repr=False,
        eq=False,
        metadata=UNWRITTEN,
    )

    @property
    def evidence(self) -> str | None:
        """What `decide` of the case takes: a digest of the result, and of all decisions.

        None if there is nothing to decide, or if `use` would be NO after a yes.
        """
        return self._evidence()


def keep_fields(value: Any, names: Collection[str]) -> Any:
    """Return a JSON value with the fields of some names alone, at any depth, if they are not None.

    Of a list, without the items of which nothing is left.
    """
    if isinstance(value, dict):
        return {
            name: keep_fields(each, names)
            for name, each in value.items()
            if name in names and each is not None
        }
    if isinstance(value, (list, tuple)):
        return [*filter(None, [keep_fields(each, names) for each in value])]
    return value


def as_accepted(item: Any) -> Any:
    """Return an item as a person's yes makes it: a pass, if it was neither a pass nor a no.

    An item that the vendor did not report, or that passed in a session which it has not approved,
    stays as it is.
    """
    is_open = item.decision.name in ("REVIEW", "INCONCLUSIVE")
    if not is_open or any(warning.tag in (NOT_REPORTED, NOT_APPROVED) for warning in item.warnings):
        return item
    passed = LivenessDecision.LIVE if isinstance(item, LivenessResult) else Decision.MATCH
    return attrs.evolve(item, decision=passed)
