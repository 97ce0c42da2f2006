"""Didit's face search, read: pure functions from an answer to a `SearchResult`.

Source: Didit OpenAPI, 2026-07-18; early editions: Didit's skills, early 2026. Both were read on
2026-11-20.
"""

from __future__ import annotations

from collections.abc import Iterable

from facematch_core import (
    Billed,
    Environment,
    FoundFace,
    ResultWarning,
    ScaleSource,
    Score,
    SearchDecision,
    SearchResult,
    Severity,
    WarningCode,
)
from facematch_core.backend import SearchCall
from facematch_core.http import HttpReply

from ._errors import STATED
from ._faces import read_faces
from ._reading import (
    a_list,
    a_text,
    an_object,
    flag_or_none,
    percentage_or_none,
    text_or_none,
    time_or_none,
    whole_or_none,
)
from ._wire import common, shown, warnings_of
from ._words import APPROVED, CHARGED_LOOKUP, GRAVE, NAME, SEARCH_SCALE

#: What Didit answers, with 400 and so without a charge, if the picture has no face. There is no
#: code for it, so the text is compared as a whole.
NO_FACE = {"error": "No face detected in the image"}

#: Warnings that say there is a face like it, even if none is listed.
_LIKE = {WarningCode.DUPLICATE, WarningCode.POSSIBLE_DUPLICATE}


def search_result(call: SearchCall, body: object, environment: Environment) -> SearchResult:
    """The result in the body of a face search.

    Raises:
        ValueError, LookupError: it is not a face search as documented.
    """
    answer = an_object(body, "the body")
    block = an_object(answer["face_search"], "face_search")
    status = a_text(block["status"], "status")
    probe = read_faces(block, "user_image")
    matches = tuple(_found(item) for item in a_list(block["matches"], "matches"))
    warnings = (
        *warnings_of(block, {"probe": probe}),
        *_miscounted(whole_or_none(block.get("total_matches"), "total_matches"), len(matches)),
    )
    best = max((face.score.value for face in matches if face.score is not None), default=None)
    facts = common(call, answer, environment)
    if facts["billed"] is Billed.YES:
        facts["billed_ground"] = CHARGED_LOOKUP
    return SearchResult(
        **facts | {"threshold": None},
        decision=decide(status, warnings, matches),
        mode=call.mode,
        matches=matches,
        score=None if best is None else Score(best, SEARCH_SCALE),
        raw_score=best,
        raw_score_name="similarity_percentage",
        scale_source=None if best is None else ScaleSource.DOCUMENTED,
        warnings=warnings,
        probe_faces=probe,
        backend=NAME,
        vendor_status=status,
    )


def no_face_result(
    call: SearchCall, reply: HttpReply, environment: Environment
) -> SearchResult | None:
    """The result in the refusal of a picture without a face; None for any other answer."""
    if reply.status != 400 or reply.json() != NO_FACE:
        return None
    return SearchResult(
        decision=SearchDecision.INCONCLUSIVE,
        mode=call.mode,
        warnings=(
            ResultWarning(code=WarningCode.NO_FACE, severity=Severity.ERROR, text=NO_FACE["error"]),
        ),
        probe_faces=(),
        backend=NAME,
        attempt_id=call.attempt_id,
        billed=Billed.NO,
        billed_ground=STATED,
        environment=environment,
        raw=shown(dict(NO_FACE)),
    )


def decide(
    status: str, warnings: Iterable[ResultWarning], matches: Iterable[FoundFace]
) -> SearchDecision:
    """The decision that an answer amounts to. Whatever is unknown in it is a case for a person.

    Args:
        status: Didit's word.
        warnings: All of them.
        matches: The faces that were found.
    """
    told, found = tuple(warnings), tuple(matches)
    codes = {warning.code for warning in told}
    listed = {face.is_blocklisted for face in found}
    if WarningCode.BLOCKLISTED in codes or True in listed:
        return SearchDecision.BLOCKLISTED
    if WarningCode.NO_FACE in codes:
        return SearchDecision.INCONCLUSIVE
    # Documented: Didit declines for a blocklist and nothing else.
    doubtful = status != APPROVED or any(warning.severity in GRAVE for warning in told)
    if doubtful or WarningCode.POSSIBLY_BLOCKLISTED in codes or None in listed:
        return SearchDecision.REVIEW
    if found:
        return SearchDecision.FOUND
    return SearchDecision.REVIEW if codes & _LIKE else SearchDecision.CLEAR


def _found(item: object) -> FoundFace:
    told = an_object(item, "a match")
    value = percentage_or_none(told.get("similarity_percentage"), "similarity_percentage")
    return FoundFace(
        score=None if value is None else Score(value, SEARCH_SCALE),
        session_id=text_or_none(told.get("session_id"), "session_id"),
        session_number=whole_or_none(told.get("session_number"), "session_number"),
        source=text_or_none(told.get("source"), "source"),
        caller_ref=text_or_none(told.get("vendor_data"), "vendor_data"),
        at=time_or_none(told.get("verification_date"), "verification_date"),
        vendor_status=text_or_none(told.get("status"), "status"),
        is_blocklisted=flag_or_none(told.get("is_blocklisted"), "is_blocklisted"),
        is_allowlisted=flag_or_none(told.get("is_allowlisted"), "is_allowlisted"),
    )


def _miscounted(total: int | None, listed: int) -> Iterable[ResultWarning]:
    if total is not None and total != listed:
        yield ResultWarning(
            code=WarningCode.OTHER,
            severity=Severity.ERROR,
            text=f"Didit counts {total} faces, and lists {listed}.",
        )
