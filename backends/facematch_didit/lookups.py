"""Face search and estimation of age: what is asked, what Didit answers, and when a person looks.

Calls of `DiditAccount.search_faces` and `.estimate_age`. Neither says whether two pictures show one
person, so each has a result of its own, and nothing joins them with a comparison. In this order:
the results, the calls and their forms, answers into results, how they become a decision, and one
call from its picture to its result.

Sources: Didit OpenAPI, 2026-07-18; early editions: Didit's skills, early 2026. Both were read on
2026-11-20.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from facematch_core import (
    Billing,
    CallRecord,
    Charged,
    Environment,
    EnvironmentMismatch,
    Ids,
    Image,
    InvalidImage,
    Operation,
    Result,
    ResultWarning,
    Retention,
    ScaleSource,
    Score,
    Secret,
    Severity,
    Threshold,
    VendorUnavailable,
    WarningCode,
)
from facematch_core.backend import Call, Capabilities, without_private
from facematch_core.errors import VendorError
from facematch_core.http import HttpBackend, HttpClient, HttpReply, HttpRequest

from . import wire
from .client import AccountClient
from .wire import Faces, Verdicts, as_fields, face_request, measured, of_call, read_faces
from .words import (
    APPROVED,
    CHARGED_LOOKUP,
    DECLINED,
    DEFAULT_MINIMUM_AGE,
    HOST,
    LIVENESS_SCALE,
    NAME,
    SEARCH_SCALE,
    a_list,
    a_text,
    an_object,
    number_or_none,
    percentage_or_none,
    read_record,
    text_or_none,
    under,
    whole_or_none,
)

if TYPE_CHECKING:
    from facematch_core.resilience import Budget

# Results.


class SearchDecision(enum.StrEnum):
    """What a search for one face among those that Didit keeps for the account says."""

    #: No face like it was found, and nothing of a blocklist.
    CLEAR = "clear"
    #: At least one face like it was found, and none of them is on a blocklist. Whether that is
    #: good depends on what was looked for: a customer who comes back, or one who comes twice.
    FOUND = "found"
    #: A face like it is on a blocklist.
    BLOCKLISTED = "blocklisted"
    #: A person should look, for example because a face on a blocklist may be it.
    REVIEW = "review"
    #: No face could be looked for.
    INCONCLUSIVE = "inconclusive"


class SearchMode(enum.StrEnum):
    """Which of the account's faces are searched. The values are Didit's words."""

    #: All of them; the answer has the most similar ones.
    MOST_SIMILAR = "most_similar"
    #: Those on a blocklist, which come first, and those of approved sessions.
    BLOCKLISTED_OR_APPROVED = "blocklisted_or_approved"


class AgeDecision(enum.StrEnum):
    """What an estimation of age says. It is a guess from a picture, not a proof of age."""

    #: A live face whose estimated age is at least the minimum age.
    OLD_ENOUGH = "old_enough"
    #: The estimated age is below the minimum age.
    TOO_YOUNG = "too_young"
    #: A live face with an estimated age, and no minimum age was asked for.
    ESTIMATED = "estimated"
    #: Not a live face, so the age is that of a picture. Not a claim that somebody is too young.
    NOT_LIVE = "not_live"
    #: A person should look.
    REVIEW = "review"
    #: No age could be estimated.
    INCONCLUSIVE = "inconclusive"


@attrs.frozen(kw_only=True)
class FoundFace:
    """One face that Didit keeps and that is like the probe's.

    What Didit says of the person (a name, a document), and the address of the picture, are not
    here: read the session if you may.

    Attributes:
        score: How alike, 0-100, on the scale of searches (`SEARCH_SCALE`); None if not given.
        session_id, session_number: Didit's record the face belongs to; None if to none.
        source: Where Didit has it from, in its own word; None if not given.
        caller_ref: The reference that its record was made with; None if none. Not in `repr`.
        at: When it was verified, UTC; None if not given.
        vendor_status: The status of its record, in Didit's word; None if not given.
        is_blocklisted, is_allowlisted: Whether it is on such a list; None if not given.
    """

    score: Score | None = None
    session_id: str | None = None
    session_number: int | None = None
    source: str | None = None
    caller_ref: str | None = attrs.field(default=None, repr=False, metadata=under("vendor_data"))
    at: datetime | None = attrs.field(default=None, metadata=under("verification_date"))
    vendor_status: str | None = attrs.field(default=None, metadata=under("status"))
    is_blocklisted: bool | None = None
    is_allowlisted: bool | None = None


def _found(items: Iterable[FoundFace]) -> tuple[FoundFace, ...]:
    return tuple(items)


@attrs.frozen(kw_only=True)
class SearchResult(Result):
    """One search for a face among those that Didit keeps for the account.

    `score` is the highest similarity among `matches`. It is on a scale of its own: that somebody
    was found says nothing of what a comparison of the two pictures would say.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` when no face could be looked for.
        mode: Which faces were searched.
        matches: The faces that were found, in Didit's order; five at most.
    """

    kind = "search"

    decision: SearchDecision
    mode: SearchMode = SearchMode.MOST_SIMILAR
    matches: tuple[FoundFace, ...] = attrs.field(default=(), converter=_found)

    @property
    def is_clear(self) -> bool:
        """True only for `SearchDecision.CLEAR`: nobody like it was found."""
        return self.decision is SearchDecision.CLEAR


def _years(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    # Written so that NaN is refused as well.
    if value is not None and not 0 <= value < math.inf:
        raise ValueError(f"{attribute.name} must be a number of years of at least 0.")


@attrs.frozen(kw_only=True)
class AgeResult(Result):
    """How old the person in one picture looks, if the picture is one of a live face.

    `score` and `threshold` are those of liveness. An age never changes whether two pictures show
    one person.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` when no age could be estimated.
        age: Didit's estimate in years, at least 0; None if there is none.
        minimum_age: From which age, in whole years, somebody is old enough; that age itself is.
            None if no verdict on the age was asked for.
        method: How liveness was checked, in Didit's word; None if not given.
    """

    kind = "age"

    decision: AgeDecision
    age: float | None = attrs.field(default=None, validator=_years)
    minimum_age: int | None = attrs.field(default=None, validator=_years)
    method: str | None = None

    @property
    def is_old_enough(self) -> bool:
        """True only for `AgeDecision.OLD_ENOUGH`."""
        return self.decision is AgeDecision.OLD_ENOUGH


# Calls, and their forms.


@attrs.frozen(kw_only=True)
class SearchCall(Call):
    """Look for faces like the probe's; it has no threshold, for Didit has none there."""

    mode: SearchMode = SearchMode.MOST_SIMILAR

    operation = Operation.SEARCH


@attrs.frozen(kw_only=True)
class AgeCall(Call):
    """Estimate the age of the probe's face; `minimum_age` 0 for no verdict on it."""

    minimum_age: int = DEFAULT_MINIMUM_AGE
    review_threshold: Threshold | None = None

    operation = Operation.AGE


def request(call: SearchCall | AgeCall, *, base_url: str, api_key: Secret) -> HttpRequest:
    """The form of either call; the errors are those of `wire.face_request`."""
    if isinstance(call, SearchCall):
        path, own = "/v3/face-search/", {"search_type": call.mode.value}
    else:
        path, own = (
            "/v3/age-estimation/",
            {
                # Left out, Didit's own minimum age would count; 0 switches the rule off.
                "age_estimation_decline_threshold": str(call.minimum_age),
                "face_liveness_score_decline_threshold": wire.threshold_text(call),
            },
        )
    return face_request(call, path, own, base_url=base_url, api_key=api_key)


# Answers into results.


def result(
    call: SearchCall | AgeCall, body: object, declared: Environment | None
) -> SearchResult | AgeResult:
    """The result in the body of an answer 200.

    Args:
        call: The call that was made.
        body: Decoded JSON.
        declared: What the key is set to be; SANDBOX is not charged.

    Raises:
        ValueError, LookupError: it is not such an answer as documented.
    """
    answer = an_object(body, "the body")
    of_all = of_call(call, answer, declared, CHARGED_LOOKUP)
    if isinstance(call, SearchCall):
        return _search_result(call, an_object(answer["face_search"], "face_search"), of_all)
    # Early in 2026 the block was called as that of a liveness check.
    name = "age_estimation" if "age_estimation" in answer else "liveness"
    block = an_object(answer[name], name)
    probe = read_faces(block, "user_image")
    estimate = AgeResult(
        **of_all,
        **age_verdict(block, {"probe": probe}, asked=call.minimum_age > 0),
        minimum_age=call.minimum_age or None,
        probe_faces=probe,
    )
    return judge(estimate, review_threshold=call.review_threshold)


def _search_result(call: SearchCall, block: dict[str, Any], of_all: dict[str, Any]) -> SearchResult:
    status = a_text(block["status"], "status")
    probe = read_faces(block, "user_image")
    matches = tuple(_match(item) for item in a_list(block["matches"], "matches"))
    warnings = wire.warnings_of(block, {"probe": probe})
    total = whole_or_none(block.get("total_matches"), "total_matches")
    if total not in (None, len(matches)):
        text = f"Didit counts {total} faces, and lists {len(matches)}."
        warnings = (*warnings, _doubt(WarningCode.OTHER, text))
    scores = [face.score for face in matches if face.score is not None]
    return SearchResult(
        **of_all | {"threshold": None},
        decision=decide_search(status, warnings, matches),
        mode=call.mode,
        matches=matches,
        score=max(scores) if scores else None,
        warnings=warnings,
        probe_faces=probe,
        backend=NAME,
        vendor_status=status,
    )


def _match(item: object) -> FoundFace:
    name, score = "similarity_percentage", None
    value = percentage_or_none(an_object(item, "a match").get(name), name)
    if value is not None:
        score = Score(value, SEARCH_SCALE, raw=value, raw_name=name, source=ScaleSource.DOCUMENTED)
    return read_record(FoundFace, item, "a match", score=score)


#: Warnings that say there is a face like it, even if none is listed.
_LIKE = {WarningCode.DUPLICATE, WarningCode.POSSIBLE_DUPLICATE}


def decide_search(
    status: str, warnings: tuple[ResultWarning, ...], found: tuple[FoundFace, ...]
) -> SearchDecision:
    """The decision that an answer amounts to. Whatever is unknown in it is a case for a person."""
    codes = {warning.code for warning in warnings}
    listed = {face.is_blocklisted for face in found}
    if WarningCode.BLOCKLISTED in codes or True in listed:
        return SearchDecision.BLOCKLISTED
    if WarningCode.NO_FACE in codes:
        return SearchDecision.INCONCLUSIVE
    # Documented: Didit declines for a blocklist and nothing else.
    doubtful = status != APPROVED or any(warning.severity.is_grave for warning in warnings)
    if doubtful or WarningCode.POSSIBLY_BLOCKLISTED in codes or None in listed:
        return SearchDecision.REVIEW
    if found:
        return SearchDecision.FOUND
    return SearchDecision.REVIEW if codes & _LIKE else SearchDecision.CLEAR


#: The words of a record, which does not have the minimum age: so nobody is old enough by it.
ESTIMATE: Verdicts[AgeDecision] = Verdicts(
    passed=AgeDecision.ESTIMATED,
    failed=AgeDecision.NOT_LIVE,
    review=AgeDecision.REVIEW,
    inconclusive=AgeDecision.INCONCLUSIVE,
    reasons=frozenset({WarningCode.LOW_LIVENESS, WarningCode.PRESENTATION_ATTACK}),
)


def age_verdict(
    block: dict[str, Any], faces: Mapping[str, Faces], *, asked: bool
) -> dict[str, Any]:
    """Decision, age, score and warnings of a block, as calls and the decisions of sessions have it.

    Args:
        block: With ``status``, ``score`` and ``warnings``.
        faces: Those that the answer names, by picture.
        asked: Whether a minimum age is known to have been asked for.

    Raises:
        ValueError, LookupError: it is not such a block.
    """
    status, warnings, score = measured(block, LIVENESS_SCALE, faces)
    # A script of Didit's skills reads the second name.
    name = "age_estimation" if "age_estimation" in block else "estimated_age"
    age = number_or_none(block.get(name), name)
    decision = decide_age(
        status, warnings, scored=score is not None, aged=age is not None, asked=asked
    )
    return {
        "decision": decision,
        "age": age,
        "method": text_or_none(block.get("method"), "method"),
        **as_fields(block, status, warnings, score),
    }


def decide_age(  # noqa: PLR0911 - a ladder
    status: str, warnings: tuple[ResultWarning, ...], *, scored: bool, aged: bool, asked: bool
) -> AgeDecision:
    """The decision that an answer amounts to; `asked` says whether a minimum age was asked for.

    Two rules with opposite edges are in one answer: a liveness score *at* its threshold declines,
    an age *at* the minimum age does not.
    """
    codes = {warning.code for warning in warnings}
    if WarningCode.NO_FACE in codes:
        return AgeDecision.INCONCLUSIVE
    if status == APPROVED:
        # Documented: any grave warning declines, and an approval has a score and an age.
        grave = any(warning.severity.is_grave for warning in warnings)
        passed = AgeDecision.OLD_ENOUGH if asked else AgeDecision.ESTIMATED
        return passed if scored and aged and not grave else AgeDecision.REVIEW
    if status != DECLINED:
        return AgeDecision.REVIEW
    if WarningCode.PRESENTATION_ATTACK in codes:
        return AgeDecision.NOT_LIVE
    if WarningCode.LOW_LIVENESS in codes:
        # A null score counts as 0 for Didit: then nothing was measured.
        return AgeDecision.NOT_LIVE if scored else AgeDecision.INCONCLUSIVE
    if WarningCode.AGE_UNKNOWN in codes:
        return AgeDecision.INCONCLUSIVE
    if WarningCode.UNDERAGE in codes and asked:
        return AgeDecision.TOO_YOUNG if aged else AgeDecision.INCONCLUSIVE
    return AgeDecision.REVIEW


def judge(result: AgeResult, *, review_threshold: Threshold | None) -> AgeResult:
    """`result` by the rules of its call, each of which turns a pass into REVIEW.

    That is so if its age or its liveness score does not support it, or if the score is not above
    `review_threshold`. (`decide_age` has seen to it that a pass has both.)

    Args:
        result: With the threshold and the minimum age that were asked for.
        review_threshold: Of liveness; None for none.
    """
    result = attrs.evolve(result, review_threshold=review_threshold)
    if result.decision not in (AgeDecision.OLD_ENOUGH, AgeDecision.ESTIMATED):
        return result
    score = None if result.score is None else result.score.value
    threshold = None if result.threshold is None else result.threshold.value
    text = ""
    if result.age is None or result.age < (result.minimum_age or 0):
        text = f"The answer is a pass, but the age {result.age} is below {result.minimum_age}."
    elif threshold is not None and (score is None or score < threshold):
        text = f"The answer is a pass, but its score {score} is below {threshold:g}."
    elif review_threshold is None or review_threshold.passes(score):
        return result
    doubts = (_doubt(WarningCode.THRESHOLD_CONFLICT, text),) if text else ()
    return attrs.evolve(result, decision=AgeDecision.REVIEW, warnings=(*result.warnings, *doubts))


def _doubt(code: WarningCode, text: str) -> ResultWarning:
    return ResultWarning(code=code, severity=Severity.ERROR, text=text)


# One call, from its picture to the result.

L = TypeVar("L", bound="SearchResult | AgeResult")

#: What Didit answers to a search, with 400 and so without a charge, if the picture has no face.
#: There is no code for it, so the text is compared as a whole.
NO_FACE = {"error": "No face detected in the image"}


@attrs.frozen(kw_only=True, eq=False)
class Lookups(wire.Connection, HttpBackend):
    """Makes both calls over the connections of an account, as a verifier makes those of a backend.

    Args:
        account: What sends the free calls of the account.
        budget: What the calls may cost; None for no limit.
        keep_demographics: Whether guesses about people stay in results.
    """

    name = NAME
    allowed_hosts = frozenset({HOST})
    capabilities = Capabilities(
        operations=frozenset({Operation.SEARCH, Operation.AGE}),
        billed_operations=frozenset({Operation.SEARCH, Operation.AGE}),
    )

    account: AccountClient
    budget: Budget | None = None
    keep_demographics: bool = False

    def made(self, call: SearchCall | AgeCall, kind: type[L]) -> L:
        """Make a call; the errors are those of `DiditAccount.search_faces`."""
        clock = self.client.clock
        started = clock.monotonic()
        until = None if call.deadline_s is None else started + call.deadline_s
        self.account.check_environment(self.address)
        call = attrs.evolve(call, probe=_prepared(call.probe))
        record = CallRecord(
            id=call.call_id,
            operation=call.operation,
            backend=NAME,
            started_at=clock.now(),
            kept=call.retention is Retention.KEEP,
            caller_ref=call.caller_ref,
            threshold=call.threshold,
            review_threshold=call.review_threshold if isinstance(call, AgeCall) else None,
        )
        leave = self._enter_budget(record, until)
        sent: list[bool] = []
        try:
            deadline_s = self._left_s(until)
            call = attrs.evolve(call, deadline_s=deadline_s, on_sent=lambda: sent.append(True))
            answer = self._finished(self.ask(call, kind), call)
        except BaseException as error:
            if isinstance(error, VendorError):
                error.ids = attrs.evolve(error.ids, call=record.id)
                error.backend = error.backend or NAME
                error.call = None if error.billing.charged is Charged.NO else record
            leave(error, bool(sent))
            raise
        leave(answer, True)
        return attrs.evolve(answer, elapsed_s=max(0.0, clock.monotonic() - started))

    def _enter_budget(self, record: CallRecord, until: float | None) -> Callable[[Any, bool], None]:
        """Set the price aside; what it gives is to be called with what became of the call.

        Raises:
            BudgetExceeded: there is no room for it.
        """
        if self.budget is None:
            return lambda _, __: None
        # Not above: most accounts have no budget.
        from facematch_core.resilience import AttemptContext, Outcome, enter_all

        context = AttemptContext(
            call=record,
            number=1,
            paid=True,
            # Calls whose environment nobody knows count with the real ones, as those of a verifier.
            environment=self.environment or Environment.PRODUCTION,
            until=until,
            sleep=self.client.clock.sleep,
        )
        leave = enter_all([self.budget], context)

        def left(answer: Any, sent: bool) -> None:
            failed = isinstance(answer, BaseException)
            leave(Outcome.of_error(answer, sent=sent) if failed else Outcome.of(answer))

        return left

    def _left_s(self, until: float | None) -> float | None:
        """Seconds that are left for a call; `VendorUnavailable` if none are."""
        of_account = self.account.left_s()
        if until is None:
            return of_account
        left_s = until - self.client.clock.monotonic()
        if left_s <= 0:
            raise VendorUnavailable(
                "The deadline ran out before anything was sent.",
                retryable=False,
                billing=Billing(Charged.NO, "nothing was sent"),
            )
        return left_s if of_account is None else min(left_s, of_account)

    def _finished(self, answer: L, call: Call) -> L:
        """A result as its caller gets it: with what this side knows, after every rule.

        Raises:
            EnvironmentMismatch: what it says of itself contradicts the setting.
        """
        said, declared = answer.environment, self.environment
        faces, raw = answer.probe_faces, answer.raw
        if not self.keep_demographics:
            faces = faces and tuple(attrs.evolve(face, demographics=None) for face in faces)
            raw = without_private(raw)
        answer = attrs.evolve(
            answer,
            ids=attrs.evolve(answer.ids, call=call.call_id, caller=call.caller_ref),
            metadata=call.metadata,
            environment=said or declared,
            probe_faces=faces,
            raw=raw,
        )
        if None in (said, declared) or said is declared:
            return answer
        raise EnvironmentMismatch(
            f"The answer to an account that is set to {declared} came from {said}: check the "
            "address and the key.",
            environment=said,
            billing=answer.billing,
            # A result all the same, of a kind that the core does not know.
            result=cast(Any, answer),
        )

    # What `ask` is made of.

    def make_client(self) -> HttpClient:
        return self.account.http

    def build(self, call: SearchCall | AgeCall) -> HttpRequest:
        return request(call, base_url=self.address, api_key=self.account.key())

    def parse(self, call: SearchCall | AgeCall, reply: HttpReply) -> SearchResult | AgeResult:
        return result(call, reply.json(), self.environment)

    def parse_non_200(self, call: SearchCall | AgeCall, reply: HttpReply) -> SearchResult | None:
        if not isinstance(call, SearchCall) or reply.status != 400 or reply.json() != NO_FACE:
            return None
        return SearchResult(
            decision=SearchDecision.INCONCLUSIVE,
            mode=call.mode,
            warnings=(_doubt(WarningCode.NO_FACE, NO_FACE["error"]),),
            probe_faces=(),
            backend=NAME,
            ids=Ids(call=call.call_id),
            billing=Billing(Charged.NO, wire.STATED),
            raw=dict(NO_FACE),
        )

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        now = self.client.clock.now()
        return wire.error_of(reply, now=now, ids=Ids(call=call.call_id))

    def reconcilable(self, call: Call | CallRecord) -> bool:
        # How the answer to such a call appears in Didit's records is not documented.
        return False


def _prepared(image: Image) -> Image:
    try:
        return image.prepared(wire.LIMITS, fit=True)
    except InvalidImage as error:
        refused = error.of("probe")
    # Outside the except block: the first error's frames hold the picture.
    raise refused
