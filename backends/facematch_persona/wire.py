"""Read Persona's inquiries with their verifications. Sources: see `backend`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from facematch_core import (
    ComparedWith,
    Decision,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    SessionRecord,
    SessionState,
    WarningCode,
    errors,
)
from facematch_core.backend import (
    DocumentHolder,
    SessionCheck,
    SessionReading,
    aware_time,
    nonempty_text,
    pick,
    read_or_none,
    read_strict,
)
from facematch_core.backend.session_types import read_birth_date, read_name, record_id_or_none

NAME = "persona"

#: A `PersonaBackend`. Importing its module here would be circular.
PersonaBackend: TypeAlias = Any
#: A decoded JSON object of Persona's: an inquiry or a verification.
Resource: TypeAlias = dict[str, Any]


@attrs.frozen(kw_only=True)
class _TemplateKind:
    """A kind of template: the start's attribute with its id, and the inquiry's relationship."""

    attribute: str
    relationship: str


#: Kinds of templates by the prefix of their ids.
_TEMPLATE_KINDS: Mapping[str, _TemplateKind] = {
    "itmpl": _TemplateKind(attribute="inquiry-template-id", relationship="inquiry-template"),
    "itmplv": _TemplateKind(
        attribute="inquiry-template-version-id", relationship="inquiry-template-version"
    ),
    "tmpl": _TemplateKind(attribute="template-id", relationship="template"),
}


def template_kind(template_id: str | None) -> _TemplateKind:
    """Return the kind of the template with this id. Raises `ConfigurationError` for another id."""
    prefix, _, letters = (template_id or "").partition("_")
    if prefix not in _TEMPLATE_KINDS or not letters.isalnum():
        raise errors.ConfigurationError(
            "Sessions at Persona need template_id: itmpl_ and letters, from Persona's dashboard. "
            "Set template_id, or the environment variable PERSONA_TEMPLATE_ID."
        )
    return _TEMPLATE_KINDS[prefix]


# --- the answer ---

#: States by the status of an inquiry. ``completed`` and ``failed`` only say which last screen the
#: person has reached; see `_state_of`.
STATES: Mapping[str, SessionState] = {
    "created": SessionState.PENDING,
    "pending": SessionState.PENDING,
    "completed": SessionState.PROCESSING,
    "needs_review": SessionState.PROCESSING,
    "approved": SessionState.DECIDED,
    "declined": SessionState.DECIDED,
    "failed": SessionState.FAILED,
    "expired": SessionState.EXPIRED,
}
_SELFIE = "verification/selfie"
_DOCUMENTS = ("verification/government-id", "verification/government-id-nfc")
#: The picture that each check compares the face with. The worst of the two counts.
_COMPARISONS: Mapping[str, ComparedWith] = {
    "selfie_id_comparison": ComparedWith.DOCUMENT,
    "selfie_account_comparison": ComparedWith.STORED,
}
_LIVENESS = "selfie_liveness_detection"
#: Fails if the selfie shows the portrait on a document. A template need not require it.
_SUSPICIOUS_ENTITY = "selfie_suspicious_entity_detection"
#: The reason of a failed liveness check.
_LOW_LIVENESS = "low_liveness_confidence"
#: Decisions by the status of a check. A check that is not applicable was not made.
_MATCHES = {"passed": Decision.MATCH, "failed": Decision.NO_MATCH}
_LIVES = {"passed": LivenessDecision.LIVE, "failed": LivenessDecision.NOT_LIVE}
_NOT_APPLICABLE = "not_applicable"
#: Statuses of a selfie without a verdict.
_UNFINISHED = frozenset({"initiated", "submitted", "requires_retry", "skipped", "canceled"})
#: Attributes that are copied to `raw`. URLs, names and the note are dropped.
_RAW_ATTRIBUTES = (
    "status",
    "created-at",
    "started-at",
    "expires-at",
    "completed-at",
    "failed-at",
    "decisioned-at",
    "expired-at",
    "redacted-at",
)
_RAW_OF_CHECK = ("name", "status", "reasons", "requirement")


def read_inquiry(
    backend: PersonaBackend, record: SessionRecord, document: Resource
) -> SessionReading:
    """Parse an inquiry with its verifications. Any exception means that it cannot be read."""
    inquiry = document["data"]
    attributes = inquiry["attributes"]
    status = nonempty_text(attributes["status"])
    verifications = _find_verifications(document)
    selfie = _newest_selfie(verifications)
    checks = () if selfie is None else tuple(_read_checks(selfie))
    state = _state_of(attributes, checks)
    template_id = related_id(inquiry, template_kind(backend.template_id).relationship)
    # An undecided inquiry may still lack what a decided one must show.
    is_due = template_id is not None or state is SessionState.DECIDED
    is_document = record.compared_with is ComparedWith.DOCUMENT
    return SessionReading(
        session_id=nonempty_text(inquiry["id"]),
        state=state,
        vendor_status=status,
        approved=status == "approved",
        checks=checks,
        compared_with=ComparedWith.UNKNOWN if selfie is None else _compared_with(selfie),
        document_holders=tuple(_read_holders(verifications)) if is_document else (),
        record_id=record_id_or_none(attributes.get("note")),
        terms=_terms_of(attributes.get("tags")),
        created_at=read_or_none(
            aware_time, attributes.get("created-at"), "attributes", "created-at"
        ),
        facts={"template_id": template_id or ""} if is_due else {},
        has_begun=status == "pending",
        review_reasons=() if selfie is None else tuple(_read_review_reasons(selfie)),
        environment=backend.environment or backend.key_environment,
        raw=_show(attributes, selfie),
    )


def _state_of(attributes: Resource, checks: tuple[SessionCheck, ...]) -> SessionState:
    """Return the state of an inquiry.

    A redacted inquiry keeps its status. One that failed is decided if a check of the face failed;
    else the flow ended for another reason.
    """
    if attributes.get("redacted-at") is not None:
        return SessionState.GONE
    state = STATES.get(attributes["status"], SessionState.UNKNOWN)
    failures = (Decision.NO_MATCH, LivenessDecision.NOT_LIVE)
    if state is SessionState.FAILED and any(check.result.decision in failures for check in checks):
        return SessionState.DECIDED
    return state


def _find_verifications(document: Resource) -> list[Resource]:
    """Return the verifications of an inquiry.

    Raises ValueError if the answer lacks one of them, or if one is of another type than its
    reference says: the newest selfie decides, so none may be missing.
    """
    included = {each["id"]: each for each in document.get("included") or ()}
    related = (document["data"].get("relationships") or {}).get("verifications") or {}
    verifications = []
    for reference in related.get("data") or ():
        if nonempty_text(reference["type"]) not in (_SELFIE, *_DOCUMENTS):
            continue
        verification = included.get(reference["id"])
        if verification is None or verification["type"] != reference["type"]:
            raise ValueError(f"{reference['type']} is not included")
        verifications.append(verification)
    return verifications


def _newest_selfie(verifications: list[Resource]) -> Resource | None:
    """Return the attributes of the selfie that was created last; None if there is none."""
    selfies = [each["attributes"] for each in verifications if each["type"] == _SELFIE]
    if len(selfies) > 1:
        selfies.sort(key=lambda selfie: aware_time(selfie["created-at"]))
    return selfies[-1] if selfies else None


def _read_checks(selfie: Resource) -> Iterator[SessionCheck]:
    """Yield the checks that compare the face, and the liveness check.

    A selfie passes even if a check failed that the template does not require. So each check is
    judged by its own status.
    """
    status = selfie["status"]
    if status in _UNFINISHED:
        warnings = (_warning(f"selfie_{status}", f"The selfie verification is {status}."),)
        match = MatchResult(decision=Decision.INCONCLUSIVE, warnings=warnings, backend=NAME)
        yield SessionCheck(result=match)
        yield SessionCheck(
            result=LivenessResult(
                decision=LivenessDecision.INCONCLUSIVE, warnings=warnings, backend=NAME
            )
        )
        return
    for check in selfie["checks"]:
        # Each name decides: a check of the face may stand under any of them.
        is_liveness = read_strict(nonempty_text, check.get("name"), "checks", "name") == _LIVENESS
        if not (is_liveness or check["name"] in _COMPARISONS):
            continue
        if check["status"] == _NOT_APPLICABLE:
            continue
        fields: dict[str, Any] = {
            "vendor_status": nonempty_text(check["status"]),
            "warnings": tuple(_read_reasons(check)),
            "backend": NAME,
        }
        if is_liveness:
            live = _LIVES.get(check["status"], LivenessDecision.REVIEW)
            yield SessionCheck(result=LivenessResult(decision=live, **fields))
        else:
            decision = _MATCHES.get(check["status"], Decision.REVIEW)
            yield SessionCheck(result=MatchResult(decision=decision, **fields))


def _read_reasons(check: Resource) -> Iterator[ResultWarning]:
    """Yield a warning for each reason of a check."""
    for reason in read_or_none(_read_texts, check.get("reasons"), "checks", "reasons") or ():
        code = WarningCode.LOW_LIVENESS if reason == _LOW_LIVENESS else WarningCode.OTHER
        yield _warning(reason, f"{check['name']}: {reason}", code)


def _read_texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return [nonempty_text(item) for item in value]


def _compared_with(selfie: Resource) -> ComparedWith:
    """Return the picture that the face was compared with: the document's, if there was one."""
    statuses = {check["name"]: check.get("status") for check in selfie["checks"]}
    for name, picture in _COMPARISONS.items():
        if statuses.get(name, _NOT_APPLICABLE) != _NOT_APPLICABLE:
            return picture
    return ComparedWith.UNKNOWN


def _read_review_reasons(selfie: Resource) -> Iterator[ResultWarning]:
    """Yield the reasons why a person must look at a selfie whose face passed."""
    status = selfie["status"]
    if status != "passed" and status not in _UNFINISHED:
        yield _warning(f"selfie_{status}", f"The selfie verification is {status}.")
    for check in selfie["checks"]:
        if check["name"] != _SUSPICIOUS_ENTITY:
            continue
        # A status that Persona does not document may mean the same as "failed".
        if check["status"] not in ("passed", _NOT_APPLICABLE):
            yield _warning(_SUSPICIOUS_ENTITY, "The selfie may show a picture on a document.")


def _warning(tag: str, text: str, code: WarningCode = WarningCode.OTHER) -> ResultWarning:
    return ResultWarning(code=code, tag=tag, text=text)


def _read_holders(verifications: list[Resource]) -> Iterator[DocumentHolder]:
    """Yield the holder of each document that passed; a name is null if the key hides it."""
    for verification in verifications:
        fields = verification["attributes"]
        if verification["type"] not in _DOCUMENTS or fields["status"] != "passed":
            continue
        yield DocumentHolder(
            name=read_name(fields, "name-first", "name-middle", "name-last"),
            date_of_birth=read_birth_date(fields, "birthdate"),
        )


def _show(attributes: Resource, selfie: Resource | None) -> Resource:
    """Return the attributes that `raw` shows."""
    shown = pick(attributes, _RAW_ATTRIBUTES, times=_RAW_ATTRIBUTES[1:])
    if selfie is not None:
        checks = []
        for check in selfie["checks"]:
            checks.append(pick(check, _RAW_OF_CHECK))
        shown["selfie"] = {"status": selfie["status"], "checks": checks}
    return shown


def related_id(inquiry: Resource, relationship: str) -> str | None:
    """Return the id at a relationship of an inquiry; None if it is empty or hidden."""
    related = (inquiry.get("relationships") or {}).get(relationship) or {}
    found = (related.get("data") or {}).get("id")
    return None if found is None else nonempty_text(found)


def _terms_of(tags: list[object] | None) -> str | None:
    """Return the record's terms from the tags, which staff may add to; None if they are missing."""
    texts = [tag for tag in tags or () if isinstance(tag, str)]
    terms = [tag for tag in texts if re.fullmatch(r"[0-9a-f]{64}", tag)]
    return terms[0] if len(terms) == 1 else None
