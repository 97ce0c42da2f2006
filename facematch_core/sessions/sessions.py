"""`Sessions`: plan, start, read and delete a vendor's hosted sessions.

In a hosted session, the person is verified on the vendor's own page or in its component. The
library stores nothing: a `SessionRecord` is enough to read the session later in any process.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, Self, TypeVar

import attrs

from facematch_core import errors
from facematch_core.backend import RemoteBackend
from facematch_core.backend.base import report_fault
from facematch_core.backend.calls import DeleteRequest, ReadRequest, Request, StartRequest
from facematch_core.backend.session_types import (
    USUAL_CHECKS,
    ComparedWith,
    Deletion,
    DeletionState,
    Person,
    SessionAccess,
    SessionCapabilities,
    SessionHint,
    SessionReading,
    SessionRecord,
    SessionResult,
    SessionState,
)
from facematch_core.base.addresses import find_foreign_host
from facematch_core.base.deadline import Clock, Deadline
from facematch_core.base.frames import methods_clear_frames
from facematch_core.base.masking import ResultMasker, Secret
from facematch_core.call import bill
from facematch_core.call.events import EventEmitter
from facematch_core.call.run import CallRunner, check_text, load_images
from facematch_core.call.verdict import DefaultThresholds, check_defaults
from facematch_core.models import CallRecord, Environment, Operation, Threshold
from facematch_core.resilience import RateLimiter
from facematch_core.verifier.verifier import FaceVerifier, Picture

from .verdicts import Portrait, Rules, check_origin, check_record, judge, judge_missing

T = TypeVar("T")


@methods_clear_frames
class Sessions:
    """The hosted sessions of one backend. Open them with `open_sessions`.

    Thread-safe, and usable as a context manager.

    A start uses the verifier's policies and `retry`, and is counted as one paid call. Reads and
    deletions are free and not counted. They are delayed only by the vendor's own rate limits.

    Args:
        verifier: A verifier whose backend supports sessions; closed with this object. Its
            thresholds are the defaults of `plan`, and its `require_environment` also applies.
        profile: Name of the verifier's profile, or None.
        expects, compared_with: See `open_sessions`.

    Raises:
        ConfigurationError: `verifier` is not a `FaceVerifier` (for a failover, use a member), or
            the vendor's sessions do not support a check or a threshold.
        Unsupported: the backend does not support sessions.
    """

    def __init__(
        self,
        verifier: FaceVerifier,
        *,
        profile: str | None = None,
        expects: Iterable[Operation | str] = USUAL_CHECKS,
        compared_with: ComparedWith | str = ComparedWith.GIVEN,
    ) -> None:
        if not isinstance(verifier, FaceVerifier):
            raise errors.ConfigurationError(
                f"Sessions needs a FaceVerifier, not a {type(verifier).__name__}. For a Failover, "
                "open the sessions of a member."
            )
        self._verifier, self._backend, self._profile = verifier, verifier.backend, profile
        if (can := self._backend.session_capabilities) is None:
            raise errors.Unsupported.of_operation(self._backend.name, Operation.SESSION)
        self._can: SessionCapabilities = can
        #: Makes the starts, which are counted.
        self._runner: CallRunner = verifier.runner
        self._clock = self._runner.clock
        self._expected = self._check_expected(expects, compared_with)
        for operation, default in self._runner.rules.defaults.items():
            if default != DefaultThresholds():
                self._check_scored(operation, errors.ConfigurationError)
        rates = tuple(RateLimiter(each, clock=self._clock) for each in can.read_windows or ())
        #: Makes the reads and deletions, which are free.
        self._free_runner = attrs.evolve(
            self._runner,
            policies=rates,
            retry=None,
            events=EventEmitter(self._backend, verifier.on_event, self._clock, follows_up=True),
        )

    def _check_expected(self, expects: Any, compared_with: Any) -> dict[str, Any]:
        """Return `expects` and `compared_with` for a record; raise if they are unsupported."""
        can, name = self._can, self._backend.name
        try:
            words = (expects,) if isinstance(expects, str) else expects
            checks, picture = frozenset(map(Operation, words)), ComparedWith(compared_with)
        except (TypeError, ValueError):
            checks, picture = frozenset(), ComparedWith.UNKNOWN
        possible = " or ".join(f'compared_with="{word}"' for word in sorted(can.compares_with))
        if not checks or not checks <= {*USUAL_CHECKS} or picture is ComparedWith.UNKNOWN:
            problem = (
                'expects must list "match", "liveness" or both, and compared_with must be "given", '
                '"document" or "stored"'
            )
        elif missing := checks - can.checks:
            problem = (
                f"Sessions of {name} do not report {min(missing)}: open them with "
                f"expects={[str(check) for check in sorted(can.checks)]}"
            )
        elif Operation.MATCH in checks and picture not in can.compares_with:
            problem = f"Sessions of {name} do not compare with a {picture} picture: use {possible}"
        else:
            compared = picture if Operation.MATCH in checks else None
            return {"expects": (*sorted(checks),), "compared_with": compared}
        raise errors.ConfigurationError(f"{problem}.")

    def _check_scored(self, operation: Operation, kind: type[errors.FaceMatchError]) -> None:
        """Raise if this vendor reports the check without a score, which a threshold requires."""
        if operation in self._can.checks - self._can.scored:
            raise kind(
                f"Sessions of {self._backend.name} report {operation} without a score, so a "
                "threshold has no effect: leave it out."
            )

    @property
    def verifier(self) -> FaceVerifier:
        """The verifier, for other calls with the same policies."""
        return self._verifier

    @property
    def clock(self) -> Clock:
        """The verifier's clock."""
        return self._clock

    def plan(
        self,
        subject_ref: str,
        *,
        purpose: str,
        about: str | None = None,
        any_document: bool = False,
        threshold: float | Threshold | None = None,
        review_threshold: float | Threshold | None = None,
        liveness_threshold: float | Threshold | None = None,
        valid_for_s: float = 3600.0,
    ) -> SessionRecord:
        """Create the record of a new session. Persist it before `start`. Sends nothing.

        Args:
            subject_ref: Your own id for the person to verify, such as a customer number.
            purpose: The purpose of the verification, for example ``payout``.
            about: The transaction or item in question, for example ``payout 8841``, or None.
            any_document: Whether anybody's document is enough where the face is compared with a
                document. Otherwise the session verifies only a `Person` passed to `read`.
            threshold, review_threshold: The threshold for a match, and a higher score up to which a
                match is REVIEW, 0-100. None for the verifier's default, or else the vendor's.
            liveness_threshold: The threshold for a live face, 0-100, with the same default.
            valid_for_s: Seconds from the start, above 0, until an unfinished session is EXPIRED (15
                minutes later if the person has begun). Delete the session before you plan another.

        Raises:
            InvalidRequest: a value has the wrong type or is out of range, this vendor requires a
                `liveness_threshold`, or it reports no score to compare with a threshold.
            Unsupported: this vendor does not return the name on a document, so `any_document` must
                be True.
            EnvironmentMismatch: the backend cannot return results from the required environment.
        """
        self._runner.check_open()
        self._runner.rules.check_environment(of_sessions=True)
        for name, text in (("subject_ref", subject_ref), ("purpose", purpose), ("about", about)):
            if text is not None or name != "about":
                check_text(name, text)
        if type(valid_for_s) not in (int, float) or not 0 < valid_for_s < 1e9:
            raise errors.InvalidRequest(
                "valid_for_s must be a number of seconds above 0 and below 1e9."
            )
        self._check_any_document(any_document)
        numbers: dict[str, Any] = {
            "threshold": threshold,
            "review_threshold": review_threshold,
            "liveness_threshold": liveness_threshold,
        }
        defaults = self._runner.rules.defaults
        for name, number in numbers.items():
            operation = Operation.LIVENESS if name.startswith("liveness") else Operation.MATCH
            default = defaults[operation].threshold
            if name == "review_threshold":
                default = defaults[operation].review_threshold
            if number is not None:
                self._check_scored(operation, errors.InvalidRequest)
            elif default is not None:
                numbers[name] = Threshold(default)
        planned = check_defaults(error_type=errors.InvalidRequest, **numbers)
        match = planned[Operation.MATCH]
        live_from = planned[Operation.LIVENESS].threshold
        is_expected = Operation.LIVENESS in self._expected["expects"]
        if is_expected and self._can.needs_liveness_threshold and live_from is None:
            raise errors.InvalidRequest(
                f"{self._backend.name} returns a liveness score without a verdict: set "
                "liveness_threshold, 0-100."
            )
        return SessionRecord(
            backend=self._backend.name,
            profile=self._profile,
            environment=self._backend.environment,
            subject_ref=subject_ref,
            purpose=purpose,
            about=about,
            **self._expected,
            any_document=any_document,
            threshold=match.threshold,
            review_threshold=match.review_threshold,
            liveness_threshold=live_from,
            valid_for_s=float(valid_for_s),
            facts={**self._backend.session_facts},
            planned_at=self._clock.now(),
        )

    def start(
        self,
        record: SessionRecord,
        *,
        reference: Picture | None = None,
        return_url: str | None = None,
        language: str | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> SessionResult:
        """Start the planned session. A started session is counted as charged.

        If this vendor can find a session by its record (`SessionCapabilities.finds_by_record`),
        `start` first searches for an earlier session of the record, free of charge. It returns that
        session if there is one, with `access` only if the person can still continue.

        If the response is lost, `OutcomeUnknown` is raised, and the start is not retried
        automatically. The error message states whether another `start` returns the same session.

        Args:
            record: The persisted record from `plan`.
            reference: The face to compare with, if the record's `compared_with` is GIVEN.
            return_url: The https URL that the vendor's page redirects to at the end, on one of the
                backend's `return_hosts` or on this machine.
            language: The page's language, such as ``es`` or ``pt-BR``; None: the vendor's choice.
            options: The backend's own typed options for a start.
            deadline_s: Seconds for the whole start, above 0; None for the verifier's `deadline_s`.

        Returns:
            The session with its `access`. Persist its `record` again.

        Raises:
            InvalidImage, InvalidRequest, Unsupported, ConfigurationError: nothing was started.
            BudgetExceeded: the start would exceed a budget; nothing was started.
            SessionMismatch: the vendor created a different session than planned.
            UnexpectedResponse: the link leads to an unknown host.
            VendorError: the start failed or its outcome is unknown; `billing` has the charge.
        """
        self._check(record)
        self._check_start(record, reference, return_url, language, options)
        pictures = [] if reference is None else [reference]
        del reference
        images = load_images(pictures, ["reference"])
        deadline = self._runner.deadline_after(deadline_s)
        if self._can.finds_by_record:
            try:
                return self._read_once(record, deadline, with_access=True)[0]
            except errors.SessionNotFound as error:
                nothing = error.with_traceback(None)
            # Check before the picture is sent: the "not found" may come from a mock.
            check_origin(nothing, record, self._rules(), may_be_silent=True)
        record = attrs.evolve(record, started_at=record.started_at or self._clock.now())

        def prepare() -> dict[str, Any]:
            limits = {"reference": self._can.reference_limits}
            return {
                "record": record,
                **self._runner.prepare(images, limits),
                "return_url": return_url,
                "language": language,
                "options": options,
            }

        def judge_start(reading: SessionReading, **_: Any) -> SessionResult:
            result = judge(reading, record, self._rules(), self._clock, is_start=True)[0]
            if result.state is not SessionState.PENDING or not reading.session_id:
                problem = f"is {result.state}" if reading.session_id else "has no id"
                raise errors.UnexpectedResponse(
                    f"{self._backend.name} started a session that {problem}.",
                    billing=reading.billing,
                    ids=reading.ids,
                )
            return self._check_link(result, reading)

        try:
            return self._carry_out(StartRequest, deadline, prepare, judge_start)
        except (errors.OutcomeUnknown, errors.UnexpectedResponse) as error:
            again = "creates a second session, and both are counted"
            if self._can.finds_by_record:
                again = "looks for the session first, and counts only if it creates one"
            elif self._can.start_is_repeatable:
                again = "returns the same session; both starts are counted"
            error.message += f" It is not retried automatically. Starting again {again}."
            error.args = (error.message,)
            raise

    def read(
        self,
        record: SessionRecord,
        *,
        document: Person | None = None,
        with_access: bool = False,
        with_portrait: bool = False,
        deadline_s: float | None = None,
    ) -> SessionResult:
        """Read a session and check it against its record and the current settings. Free of charge.

        Args:
            record: The session's record; look it up by the logged-in user. If the start's response
                was lost, the record has no `session_id`, and not every vendor can find the session.
            document: The person to whom the compared document must belong, if the record's
                `compared_with` is DOCUMENT. Compared here, and neither stored nor sent.
            with_access: Whether to return the `access`, for a person who comes back.
            with_portrait: Whether to return a picture of the person, if the face is live.
            deadline_s: Seconds for the whole read, above 0; None for the verifier's `deadline_s`.

        Returns:
            The session in its current state. A mismatch is a result, not an error.

        Raises:
            SessionMismatch: the session does not belong to the record, or the record was changed.
            EnvironmentMismatch: the session is from a different or unknown environment.
            SessionNotFound: the session was not found within the vendor's retention period.
            InvalidRequest, Unsupported: the record or an argument is invalid; nothing was sent.
            UnexpectedResponse: the link leads to an unknown host.
            VendorError: the session could not be read.
        """
        if with_portrait and not self._can.gives_portrait:
            raise self._runner.unsupported("with_portrait", "gives no portrait")
        deadline = self._runner.deadline_after(deadline_s)
        try:
            result, portrait = self._read_once(
                record,
                deadline,
                document=document,
                with_access=with_access,
                with_portrait=with_portrait,
            )
        except errors.SessionNotFound:
            if (gone := judge_missing(record, self._rules(), self._clock)) is None:
                raise
            return gone
        if not with_portrait:
            return result
        if isinstance(portrait, Secret):
            request = ReadRequest(
                record=record, with_portrait=True, deadline=deadline, clock=self._clock
            )
            portrait = self._backend.fetch_portrait(portrait, request)
        return attrs.evolve(result, portrait=portrait)

    def delete(self, record: SessionRecord, *, deadline_s: float | None = None) -> Deletion:
        """Delete a session and the person's data at the vendor. Free of charge.

        Returns:
            The outcome. If the vendor has no such session, the outcome is NOT_THERE, not an error.

        Raises:
            InvalidRequest, Unsupported: nothing was sent.
            EnvironmentMismatch: the record or the response is from a different environment.
            VendorError: the session could not be deleted.
        """
        if not self._can.can_delete:
            self._check(record)
            if self._can.result_lasts_s is None:
                raise self._runner.unsupported("delete", "cannot delete a session")
            return Deletion(state=DeletionState.VANISHES, billing=bill.FREE)
        self._check_findable(record)
        deadline = self._runner.deadline_after(deadline_s)

        def judged(deletion: Deletion, **_: Any) -> Deletion:
            check_origin(deletion, record, self._rules(), may_be_silent=True)
            return deletion

        try:
            return self._carry_out(DeleteRequest, deadline, lambda: {"record": record}, judged)
        except errors.SessionNotFound:
            return Deletion(state=DeletionState.NOT_THERE, billing=bill.FREE)

    def receive(
        self, body: bytes, headers: Mapping[str, str], *, tests: bool = False
    ) -> tuple[SessionHint, ...]:
        """Verify a webhook delivery and return the sessions to read, without verdicts.

        Nothing is sent or stored, so a duplicate delivery returns the same hints again.

        Args:
            body: The raw request body, because the signature covers its bytes.
            headers: The request headers.
            tests: Whether to include the vendor's test deliveries.

        Raises:
            WebhookRefused: the delivery is not signed by the vendor, too old, or unreadable.
            Unsupported: this backend does not receive webhooks.
        """
        if not isinstance(body, bytes):
            raise errors.InvalidRequest(
                f"body must be the raw bytes of the request, not {type(body).__name__}."
            )
        try:
            hints = self._backend.receive_session(body, headers, self._clock.now())
            return tuple(hint for hint in hints if tests or not hint.is_test)
        except errors.FaceMatchError:
            raise
        except Exception as error:  # noqa: BLE001 - a plug-in's error may contain the delivery
            problem = report_fault(error)
        raise errors.WebhookRefused(f"The delivery cannot be read ({problem}).", http_status=422)

    def close(self) -> None:
        """Close the verifier. May be called more than once."""
        self._verifier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("Sessions cannot be pickled: open them in each process.")

    def __repr__(self) -> str:
        # An object whose `__init__` failed has no backend.
        return f"Sessions({getattr(getattr(self, '_backend', None), 'name', None)})"

    def _rules(self) -> Rules:
        production = Environment.PRODUCTION
        is_production = self._backend.session_environments == {production}
        return Rules(
            backend=self._backend.name,
            can=self._can,
            declared=self._backend.environment or (production if is_production else None),
            required=self._runner.rules.required_environment,
            defaults=self._runner.rules.defaults,
            threshold_rule=self._backend.capabilities.threshold_rule,
        )

    def _check(self, record: SessionRecord) -> None:
        """Raise if a record does not belong to this backend, profile and environment."""
        self._runner.check_open()
        if not isinstance(record, SessionRecord):
            raise errors.InvalidRequest(
                f"record must be a SessionRecord, not {type(record).__name__}: "
                "SessionRecord.from_dict reads a stored one."
            )
        for noun, ours in (("backend", self._backend.name), ("profile", self._profile)):
            theirs = getattr(record, noun)
            if theirs != ours and None not in (theirs, ours):
                raise errors.InvalidRequest(
                    f"The session belongs to the {noun} {theirs!r:.60}, not to {ours}: open the "
                    f"sessions of that {noun}."
                )
        self._runner.rules.check_environment(of_sessions=True)
        check_record(record, self._rules())

    def _check_findable(self, record: SessionRecord) -> None:
        self._check(record)
        if record.session_id is None and not self._can.finds_by_record:
            raise errors.InvalidRequest(
                f"The record has no session_id, and {self._backend.name} cannot find a session "
                "without it: use the record that start returned, or start the session."
            )

    def _check_any_document(self, any_document: bool) -> None:
        """Raise if `any_document` does not apply, or if it is needed and False."""
        if type(any_document) is not bool:
            raise errors.InvalidRequest("any_document must be True or False.")
        is_document = self._expected["compared_with"] is ComparedWith.DOCUMENT
        if any_document and not is_document:
            raise errors.InvalidRequest(
                'any_document applies only to sessions with compared_with="document": leave it out.'
            )
        if is_document and not any_document and not self._can.reads_document:
            raise self._runner.unsupported(
                "compared_with",
                "does not return the name on a document, so anybody's document passes: compare the "
                "name yourself, and plan with any_document=True",
            )

    def _check_document(self, document: Person, record: SessionRecord) -> None:
        """Raise if `read` cannot compare the person with a document of this session."""
        if not isinstance(document, Person):
            raise errors.InvalidRequest(
                f"document must be a Person, not {type(document).__name__}."
            )
        if record.compared_with is not ComparedWith.DOCUMENT:
            raise errors.InvalidRequest(
                f"compared_with is {record.compared_with}: read takes no document."
            )
        if not self._can.reads_document:
            raise self._runner.unsupported("document", "does not return the name on a document")

    def _check_start(
        self, record: SessionRecord, reference: Any, return_url: Any, language: Any, options: Any
    ) -> None:
        if record.session_id is not None:
            raise errors.InvalidRequest(
                "This session was already started: read(record, with_access=True) returns its "
                "link, or plan another session."
            )
        ours = {**self._backend.session_facts, **self._expected}
        theirs = {**record.facts, **{name: getattr(record, name) for name in self._expected}}
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                raise errors.InvalidRequest(
                    f"The session was planned with another {name}: start it with the settings that "
                    "it was planned with."
                )
        if (record.compared_with is ComparedWith.GIVEN) is not (reference is not None):
            must = "takes no reference" if reference is not None else "requires a reference"
            raise errors.InvalidRequest(f"compared_with is {record.compared_with}: start {must}.")
        for name, value, is_taken in (
            ("return_url", return_url, self._can.takes_return_url),
            ("language", language, self._can.takes_language),
        ):
            if value is not None and not is_taken:
                raise self._runner.unsupported(name, f"takes no {name} for a session")
        self._runner.check_own_options(options, self._can.options)
        tag = r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*"
        if language is not None and not re.fullmatch(tag, str(language)):
            raise errors.InvalidRequest("language must be a tag such as es or pt-BR.")
        if return_url is not None:
            is_text = isinstance(return_url, str) and re.fullmatch(r"[!-~]+", return_url)
            hosts = getattr(self._backend, "return_hosts", ())
            if not is_text or find_foreign_host(
                return_url, "", allowed_hosts=hosts, allow_insecure=False
            ):
                raise errors.InvalidRequest(
                    "return_url must be an https URL on one of the hosts in the setting "
                    "return_hosts, or on this machine: any other host would be an open redirect."
                )

    def _check_link(self, result: SessionResult, reading: SessionReading) -> SessionResult:
        """Return `result` if its link leads to a known host; else raise `UnexpectedResponse`."""
        backend, link = self._backend, (result.access or SessionAccess()).link
        if link is None:
            return result
        address = ""
        if isinstance(backend, RemoteBackend) and (backend.base_url or backend.vendor_url()):
            address = backend.address
        hosts = self._can.link_hosts | {*getattr(backend, "handoff_hosts", ())}
        host = find_foreign_host(link.reveal(), address, allowed_hosts=hosts, allow_insecure=False)
        if host:
            raise errors.UnexpectedResponse(
                f"{backend.name} returned a link to {host}. Links must lead to the vendor, over "
                "https: if the host is the vendor's, add it to handoff_hosts.",
                billing=reading.billing,
                ids=reading.ids,
            )
        return result

    def _read_once(
        self,
        record: SessionRecord,
        deadline: Deadline,
        *,
        document: Person | None = None,
        **wishes: bool,
    ) -> tuple[SessionResult, Portrait]:
        """Read a session once; return its result and the person's picture (or its URL)."""
        self._check_findable(record)
        if document is not None:
            self._check_document(document, record)

        def judged(
            reading: SessionReading, masker: ResultMasker, **_: Any
        ) -> tuple[SessionResult, Portrait]:
            reading = masker.mask(reading, ())
            result, portrait = judge(reading, record, self._rules(), self._clock, person=document)
            if not wishes["with_access"]:
                return attrs.evolve(result, access=None), portrait
            return self._check_link(result, reading), portrait

        return self._carry_out(ReadRequest, deadline, lambda: {"record": record, **wishes}, judged)

    def _carry_out(
        self,
        kind: type[Request],
        deadline: Deadline,
        prepare: Callable[[], Mapping[str, Any]],
        judge_answer: Callable[..., T],
    ) -> T:
        """Make one request about a session, and return the result of `judge_answer`."""
        runner = self._runner if kind is StartRequest else self._free_runner
        call = CallRecord(
            id=str(uuid.uuid4()),
            operation=Operation.SESSION,
            backend=self._backend.name,
            started_at=self._clock.now(),
            kept=False,
        )
        return runner.run(call, kind, prepare, judge_answer, deadline=deadline, retry=runner.retry)
