"""`Sessions`: plan, start, read and delete a vendor's hosted sessions.

In a hosted session, the person is verified on the vendor's own page or in its component. The
library stores nothing: a `SessionRecord` is enough to read the session later in any process.
"""

from __future__ import annotations

import contextlib
import functools
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, Self, TypeVar

import attrs

from facematch_core import errors
from facematch_core.backend import RemoteBackend
from facematch_core.backend.base import report_fault
from facematch_core.backend.requests import DeleteRequest, ReadRequest, Request, StartRequest
from facematch_core.backend.session_types import (
    USUAL_CHECKS,
    ComparedWith,
    Deletion,
    DeletionState,
    Person,
    SessionCapabilities,
    SessionHint,
    SessionReading,
    SessionRecord,
    SessionResult,
    SessionState,
)
from facematch_core.base.addresses import find_foreign_origin
from facematch_core.base.deadline import Clock, Deadline
from facematch_core.base.frames import methods_clear_frames
from facematch_core.base.functions import check_case
from facematch_core.base.masking import ResultMasker, Secret
from facematch_core.base.signatures import Headers, as_headers
from facematch_core.call import bill, ending
from facematch_core.call.events import EventEmitter
from facematch_core.call.run import CallRunner, load_images
from facematch_core.call.verdict import (
    DefaultsByOperation,
    DefaultThresholds,
    check_thresholds,
)
from facematch_core.models import CallRecord, Environment, Operation, Retention, Threshold
from facematch_core.resilience import RateLimiter
from facematch_core.verifier.verifier import FaceVerifier, Picture

from .verdicts import (
    JudgedSession,
    SessionRules,
    check_origin,
    check_record,
    judge_as_gone_if_too_old,
    judge_reading,
)

T = TypeVar("T")

#: Seconds for which a session is open, unless the caller says otherwise.
_VALID_FOR_S = 3600.0
#: A language tag, such as es or pt-BR.
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
#: A URL without blanks, control characters or letters outside ASCII.
_PRINTABLE_ASCII = re.compile(r"[!-~]+")


@attrs.frozen(kw_only=True)
class ExpectedChecks:
    """The checks that each session must report and pass.

    Attributes:
        checks: The checks, sorted; at least one.
        compared_with: The picture with which the face must be compared; None without a match.
    """

    checks: tuple[Operation, ...]
    compared_with: ComparedWith | None


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
        ConfigurationError: `verifier` is not a `FaceVerifier` (for a failover or share, use a
            member), or the vendor's sessions do not support a check or a threshold.
        Unsupported: the backend does not support sessions.

    Example:
        >>> with open_sessions(profile="payout") as sessions:
        ...     planned = sessions.plan("customer-17", purpose="payout")
        ...     started = sessions.start(planned, reference=document)
        ...     link = started.access.link.reveal()  # send the person there
        ...     print(sessions.read(started.record).state)
        pending
    """

    def __init__(
        self,
        verifier: FaceVerifier,
        *,
        profile: str | None = None,
        expects: Iterable[Operation | str] = USUAL_CHECKS,
        compared_with: ComparedWith | str = ComparedWith.GIVEN,
    ) -> None:
        """Check that the vendor's sessions can do what is expected.

        The class describes the arguments. Reads have the vendor's rate limits and no budget,
        because they are free.
        """
        if not isinstance(verifier, FaceVerifier):
            raise errors.ConfigurationError(
                f"Sessions needs a FaceVerifier, not a {type(verifier).__name__}. For a Failover "
                "or a Share, open the sessions of a member."
            )
        self._verifier = verifier
        self._backend = verifier.backend
        self._profile = profile
        capabilities = self._backend.session_capabilities
        if capabilities is None:
            raise errors.Unsupported.of_operation(self._backend.name, Operation.SESSION)
        self._capabilities: SessionCapabilities = capabilities
        #: Makes the starts, which are counted.
        self._runner: CallRunner = verifier.runner
        self._clock = self._runner.clock
        self._expected = self._check_expected(expects, compared_with)
        for operation, default in self._runner.rules.defaults.items():
            if default != DefaultThresholds():  # the verifier has a threshold of its own
                self._check_scored(operation, errors.ConfigurationError)
        limiters = [RateLimiter(window, clock=self._clock) for window in capabilities.read_windows]
        #: Makes the reads and deletions, which are free.
        self._free_runner = attrs.evolve(
            self._runner,
            policies=tuple(limiters),
            retry=None,
            events=EventEmitter(self._backend, verifier.on_event, self._clock, follows_up=True),
        )

    def _check_expected(self, expects: Any, compared_with: Any) -> ExpectedChecks:
        """Return the expected checks.

        Raises:
            ConfigurationError: an argument has another value than documented, the vendor does not
                report one of the checks, or it does not compare faces with this picture.
        """
        capabilities = self._capabilities
        vendor = self._backend.name
        checks: frozenset[Operation] = frozenset()
        picture = ComparedWith.UNKNOWN
        # What cannot be read stays unset, and is refused below.
        with contextlib.suppress(TypeError, ValueError):
            names = (expects,) if isinstance(expects, str) else expects
            checks = frozenset(map(Operation, names))
            picture = ComparedWith(compared_with)
        if not checks or not checks <= set(USUAL_CHECKS) or picture is ComparedWith.UNKNOWN:
            raise errors.ConfigurationError(
                'expects must list "match", "liveness" or both, and compared_with must be "given", '
                '"document" or "stored".'
            )
        unreported = checks - capabilities.checks
        if unreported:
            raise errors.ConfigurationError(
                f"Sessions of {vendor} do not report {min(unreported)}: open them with "
                f"expects={[str(check) for check in sorted(capabilities.checks)]}."
            )
        if Operation.MATCH not in checks:
            return ExpectedChecks(checks=tuple(sorted(checks)), compared_with=None)
        if picture not in capabilities.compares_with:
            pictures = sorted(capabilities.compares_with)
            possible = " or ".join(f'compared_with="{name}"' for name in pictures)
            raise errors.ConfigurationError(
                f"Sessions of {vendor} do not compare with a {picture} picture: use {possible}."
            )
        return ExpectedChecks(checks=tuple(sorted(checks)), compared_with=picture)

    def _check_scored(self, operation: Operation, error_type: type[errors.FaceMatchError]) -> None:
        """Raise if this vendor reports the check without a score, which a threshold requires."""
        if operation in self._capabilities.checks - self._capabilities.scored:
            raise error_type(
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

    @property
    def capabilities(self) -> SessionCapabilities:
        """The features of the backend's sessions."""
        return self._capabilities

    @property
    def expected(self) -> ExpectedChecks:
        """The checks that each session must report and pass, and the picture to compare with."""
        return self._expected

    @property
    def effect_of_second_start(self) -> str:
        """A sentence that says what another start of the same record does."""
        if self._capabilities.finds_by_record:
            return "Starting again looks for the session first, and counts only if it creates one."
        if self._capabilities.start_is_repeatable:
            return "Starting again returns the same session; both starts are counted."
        return "Starting again creates a second session, and both are counted."

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
        valid_for_s: float | None = None,
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
                None for an hour. At most `SessionCapabilities.longest_valid_s`.

        Raises:
            InvalidRequest: a value has the wrong type or is out of range, this vendor requires a
                `liveness_threshold`, or it reports no score to compare with a threshold.
            Unsupported: this vendor does not return the name on a document, so `any_document` must
                be True.
            EnvironmentMismatch: the backend cannot return results from the required environment.
        """
        self._runner.check_open()
        self._runner.rules.check_environment(of_sessions=True)
        check_case(subject_ref, purpose, about)
        valid_for_s = self._valid_for_or_hour(valid_for_s)
        self._check_any_document(any_document)
        thresholds = self._plan_thresholds(threshold, review_threshold, liveness_threshold)
        return SessionRecord(
            backend=self._backend.name,
            profile=self._profile,
            environment=self._backend.environment,
            subject_ref=subject_ref,
            purpose=purpose,
            about=about,
            expects=self._expected.checks,
            compared_with=self._expected.compared_with,
            any_document=any_document,
            threshold=thresholds[Operation.MATCH].threshold,
            review_threshold=thresholds[Operation.MATCH].review_threshold,
            liveness_threshold=thresholds[Operation.LIVENESS].threshold,
            valid_for_s=valid_for_s,
            facts=dict(self._backend.session_facts),
            planned_at=self._clock.now(),
        )

    def start(
        self,
        record: SessionRecord,
        *,
        reference: Picture | None = None,
        return_url: str | None = None,
        language: str | None = None,
        options: object = None,
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
            The session with its `access`. Persist its `record` again. Keep the token, as a secret,
            where no read returns it (`SessionCapabilities.gives_token_once`).

        Raises:
            InvalidImage, InvalidRequest, Unsupported, ConfigurationError: nothing was started.
            BudgetExceeded: the start would exceed a budget; nothing was started.
            SessionMismatch: the vendor created a different session than planned.
            UnexpectedResponse: the link leads to an unknown host.
            VendorError: the start failed or its outcome is unknown; `billing` has the charge.
        """
        self._check_backend_profile_and_environment(record)
        self._check_unstarted_with_same_settings(record)
        self._check_start_options(
            record,
            has_reference=reference is not None,
            return_url=return_url,
            language=language,
            options=options,
        )
        # In a list, which `load_images` empties, so that no traceback keeps the picture alive.
        pictures = [] if reference is None else [reference]
        del reference
        images = load_images(pictures, ["reference"])
        deadline = self._runner.deadline_after(deadline_s)
        if self._capabilities.finds_by_record:
            earlier = self._find_earlier(record, deadline)
            if earlier is not None:
                return earlier
        # Starting again after a lost response keeps the time of the first start.
        record = attrs.evolve(record, started_at=record.started_at or self._clock.now())

        # A picture that is refused here is told by the call's last event.
        def request_fields() -> dict[str, Any]:
            limits = {"reference": self._capabilities.reference_limits}
            return {
                "record": record,
                **self._runner.prepare(images, limits),
                "return_url": return_url,
                "language": language,
                "options": options,
            }

        to_result = functools.partial(self._judge_start, record)
        try:
            return self._make_request(
                self._runner, StartRequest, deadline, request_fields, to_result
            )
        except (errors.OutcomeUnknown, errors.UnexpectedResponse) as error:
            effect = self.effect_of_second_start
            ending.add_to_message(error, f" It is not retried automatically. {effect}")
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
            with_access: Whether to return the `access`, for a person who comes back. It has no
                token where a start alone returns it (`SessionCapabilities.gives_token_once`): keep
                that of `start`, or use a `SessionStore`, which does.
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
        if with_portrait and not self._capabilities.gives_portrait:
            raise self._runner.unsupported("with_portrait", "gives no portrait")
        deadline = self._runner.deadline_after(deadline_s)
        try:
            session = self._read_once(
                record,
                deadline,
                document=document,
                with_access=with_access,
                with_portrait=with_portrait,
            )
        except errors.SessionNotFound:
            gone = judge_as_gone_if_too_old(record, self._session_rules(), self._clock)
            if gone is None:
                raise
            return gone
        if not with_portrait:
            return session.result
        portrait = session.portrait
        if isinstance(portrait, Secret):  # the URL of the picture
            request = ReadRequest(
                record=record, with_portrait=True, deadline=deadline, clock=self._clock
            )
            portrait = self._backend.fetch_portrait(portrait, request)
        return attrs.evolve(session.result, portrait=portrait)

    def delete(self, record: SessionRecord, *, deadline_s: float | None = None) -> Deletion:
        """Delete a session and the person's data at the vendor. Free of charge.

        Returns:
            The outcome. If the vendor has no such session, the outcome is NOT_THERE, not an error.

        Raises:
            InvalidRequest, Unsupported: nothing was sent.
            EnvironmentMismatch: the record or the response is from a different environment.
            VendorError: the session could not be deleted.
        """
        if not self._capabilities.can_delete:
            self._check_backend_profile_and_environment(record)
            if self._capabilities.result_lasts_s is None:
                raise self._runner.unsupported("delete", "cannot delete a session")
            return Deletion(state=DeletionState.VANISHES, billing=bill.FREE)
        self._check_findable(record)
        deadline = self._runner.deadline_after(deadline_s)

        def request_fields() -> dict[str, Any]:
            return {"record": record}

        def read_deletion(deletion: Deletion, **_: Any) -> Deletion:
            check_origin(deletion, record, self._session_rules(), may_omit_environment=True)
            return deletion

        try:
            return self._make_request(
                self._free_runner, DeleteRequest, deadline, request_fields, read_deletion
            )
        except errors.SessionNotFound:
            return Deletion(state=DeletionState.NOT_THERE, billing=bill.FREE)

    def receive(
        self, body: bytes, headers: Headers, *, tests: bool = False
    ) -> tuple[SessionHint, ...]:
        """Verify a webhook delivery and return the sessions to read, without verdicts.

        Nothing is sent or stored, so a duplicate delivery returns the same hints again.

        Args:
            body: The raw request body, because the signature covers its bytes.
            headers: The request headers: a mapping of any framework, or pairs of names and values,
                as text or bytes.
            tests: Whether to include the vendor's test deliveries.

        Raises:
            WebhookRefused: the delivery is not signed by the vendor, too old, or unreadable.
            Unsupported: this backend does not receive webhooks.
            InvalidRequest: the body or the headers have another type.
        """
        headers_as_text = as_headers(headers)
        if not isinstance(body, bytes):
            raise errors.InvalidRequest(
                f"body must be the raw bytes of the request, not {type(body).__name__}."
            )
        try:
            hints = self._backend.receive_session(body, headers_as_text, self._clock.now())
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

    def _session_rules(self) -> SessionRules:
        """Return the current settings for judging a session."""
        declared = self._backend.environment
        # If the vendor has no other environment for sessions, no setting needs to declare it.
        if declared is None and self._backend.session_environments == {Environment.PRODUCTION}:
            declared = Environment.PRODUCTION
        return SessionRules(
            backend=self._backend.name,
            capabilities=self._capabilities,
            declared_environment=declared,
            required_environment=self._runner.rules.required_environment,
            defaults=self._runner.rules.defaults,
            threshold_rule=self._backend.capabilities.threshold_rule,
            facts=self._backend.session_facts,
        )

    def _check_backend_profile_and_environment(self, record: SessionRecord) -> None:
        """Raise if a record does not belong to this backend, profile and environment.

        Raises `ConfigurationError` if the verifier is closed.
        """
        self._runner.check_open()
        if not isinstance(record, SessionRecord):
            raise errors.InvalidRequest(
                f"record must be a SessionRecord, not {type(record).__name__}: "
                "SessionRecord.from_dict reads a stored one."
            )
        if record.backend != self._backend.name:
            raise errors.InvalidRequest(
                f"The session belongs to the backend {record.backend!r:.60}, not to "
                f"{self._backend.name}: open the sessions of that backend."
            )
        is_of_profiles = record.profile is not None and self._profile is not None
        if is_of_profiles and record.profile != self._profile:
            raise errors.InvalidRequest(
                f"The session belongs to the profile {record.profile!r:.60}, not to "
                f"{self._profile}: open the sessions of that profile."
            )
        self._runner.rules.check_environment(of_sessions=True)
        check_record(record, self._session_rules())

    def _check_findable(self, record: SessionRecord) -> None:
        """Raise if a record is not ours, or if the vendor cannot find its session."""
        self._check_backend_profile_and_environment(record)
        if record.session_id is None and not self._capabilities.finds_by_record:
            raise errors.InvalidRequest(
                f"The record has no session_id, and {self._backend.name} cannot find a session "
                "without it: use the record that start returned, or start the session."
            )

    def _valid_for_or_hour(self, valid_for_s: Any) -> float:
        """Return the seconds for which a session is planned to be open; one hour for None."""
        if valid_for_s is None:
            return _VALID_FOR_S
        if type(valid_for_s) not in (int, float) or not 0 < valid_for_s < 1e9:
            raise errors.InvalidRequest(
                "valid_for_s must be a number of seconds above 0 and below 1e9."
            )
        longest_s = self._capabilities.longest_valid_s
        if longest_s is not None and valid_for_s > longest_s:
            raise errors.InvalidRequest(
                f"valid_for_s must be at most {longest_s:.0f} at {self._backend.name}, whose "
                "sessions last no longer."
            )
        return float(valid_for_s)

    def _check_any_document(self, any_document: bool) -> None:
        """Raise if `any_document` does not apply, or if it is needed and False."""
        if type(any_document) is not bool:
            raise errors.InvalidRequest("any_document must be True or False.")
        is_document = self._expected.compared_with is ComparedWith.DOCUMENT
        if any_document and not is_document:
            raise errors.InvalidRequest(
                'any_document applies only to sessions with compared_with="document": leave it out.'
            )
        if is_document and not any_document and not self._capabilities.reads_document:
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
                "The session does not compare the face with a document (its compared_with is "
                f"{record.compared_with}): read it without document."
            )
        if not self._capabilities.reads_document:
            raise self._runner.unsupported("document", "does not return the name on a document")

    def _check_unstarted_with_same_settings(self, record: SessionRecord) -> None:
        """Raise `InvalidRequest` if the record was started, or planned with other settings."""
        if record.session_id is not None:
            way_back = "read(record, with_access=True) returns its link"
            if self._capabilities.gives_token_once:
                way_back += ", but no token: keep that of start"
            raise errors.InvalidRequest(
                f"This session was already started: {way_back}, or plan another session."
            )
        planned_settings = {
            **record.facts,
            "expects": record.expects,
            "compared_with": record.compared_with,
        }
        current_settings = {
            **self._backend.session_facts,
            "expects": self._expected.checks,
            "compared_with": self._expected.compared_with,
        }
        for name in sorted(planned_settings.keys() | current_settings.keys()):
            if planned_settings.get(name) != current_settings.get(name):
                raise errors.InvalidRequest(
                    f"The session was planned with another {name}: start it with the settings that "
                    "it was planned with."
                )

    def _check_start_options(
        self,
        record: SessionRecord,
        *,
        has_reference: bool,
        return_url: object,
        language: object,
        options: object,
    ) -> None:
        """Raise if the reference is missing or extra, or an option is unsupported or invalid.

        Raises:
            InvalidRequest: the reference, the language or the URL is wrong.
            Unsupported: the vendor does not take one of the options.
        """
        needs_reference = record.compared_with is ComparedWith.GIVEN
        if needs_reference and not has_reference:
            raise errors.InvalidRequest(
                'The session compares the face with your own picture (compared_with="given"): pass '
                "the picture to start as reference."
            )
        if has_reference and not needs_reference:
            raise errors.InvalidRequest(
                "The session does not compare the face with your own picture (its compared_with is "
                f"{record.compared_with}): start it without reference, or open sessions that "
                'expect "match" with compared_with="given".'
            )
        if return_url is not None and not self._capabilities.takes_return_url:
            raise self._runner.unsupported("return_url", "takes no return_url for a session")
        if language is not None and not self._capabilities.takes_language:
            raise self._runner.unsupported("language", "takes no language for a session")
        self._runner.check_own_options(options, self._capabilities.options)
        if language is not None and not _LANGUAGE_TAG.fullmatch(str(language)):
            raise errors.InvalidRequest("language must be a tag such as es or pt-BR.")
        if return_url is not None and not self._is_return_url(return_url):
            raise errors.InvalidRequest(
                "return_url must be an https URL on this machine, or on a host of the setting "
                "return_hosts, such as open_sessions(..., return_hosts=['shop.example']): any "
                "other would be an open redirect."
            )

    def _is_return_url(self, url: object) -> bool:
        """Return whether the vendor's page may redirect the person to this URL."""
        if not isinstance(url, str) or not _PRINTABLE_ASCII.fullmatch(url):
            return False
        hosts = getattr(self._backend, "return_hosts", ())
        return not find_foreign_origin(url, "", allowed_hosts=hosts, allow_insecure=False)

    def _check_link(self, result: SessionResult, reading: SessionReading) -> None:
        """Raise `UnexpectedResponse` if the result's link leads to an unknown host."""
        if result.access is None or result.access.link is None:
            return
        backend = self._backend
        service_url = ""
        # A backend that uses a vendor's own library may have no URL.
        if isinstance(backend, RemoteBackend) and backend.configured_url:
            service_url = backend.service_url
        hosts = self._capabilities.link_hosts.union(getattr(backend, "handoff_hosts", ()))
        foreign_host = find_foreign_origin(
            result.access.link.reveal(), service_url, allowed_hosts=hosts, allow_insecure=False
        )
        if foreign_host:
            raise _unexpected(
                f"{backend.name} returned a link to {foreign_host}. Links must lead to the vendor, "
                "over https: if the host is the vendor's, add it to handoff_hosts.",
                reading,
            )

    def _plan_thresholds(
        self,
        threshold: float | Threshold | None,
        review_threshold: float | Threshold | None,
        liveness_threshold: float | Threshold | None,
    ) -> DefaultsByOperation:
        """Return the thresholds of a plan: each is the caller's, or else the verifier's default.

        Raises `InvalidRequest` if one is invalid, has no effect at this vendor, or is missing.
        """
        if threshold is not None or review_threshold is not None:
            self._check_scored(Operation.MATCH, errors.InvalidRequest)
        if liveness_threshold is not None:
            self._check_scored(Operation.LIVENESS, errors.InvalidRequest)
        match_defaults = self._runner.rules.defaults[Operation.MATCH]
        liveness_defaults = self._runner.rules.defaults[Operation.LIVENESS]
        thresholds = check_thresholds(
            threshold=_or_default(threshold, match_defaults.threshold),
            review_threshold=_or_default(review_threshold, match_defaults.review_threshold),
            liveness_threshold=_or_default(liveness_threshold, liveness_defaults.threshold),
            error_type=errors.InvalidRequest,
        )
        expects_liveness = Operation.LIVENESS in self._expected.checks
        if (
            expects_liveness
            and self._capabilities.needs_liveness_threshold
            and thresholds[Operation.LIVENESS].threshold is None
        ):
            raise errors.InvalidRequest(
                f"{self._backend.name} returns a liveness score without a verdict: set "
                "liveness_threshold, 0-100."
            )
        return thresholds

    def _find_earlier(self, record: SessionRecord, deadline: Deadline) -> SessionResult | None:
        """Return the session that an earlier start of the record has created; None without one.

        Raises `EnvironmentMismatch` if the answer is not from the record's environment.
        """
        try:
            return self._read_once(record, deadline, with_access=True).result
        except errors.SessionNotFound as error:
            not_found = error.with_traceback(None)
        # Checked before the picture is sent: the "not found" may come from a mock.
        check_origin(not_found, record, self._session_rules(), may_omit_environment=True)
        return None

    def _judge_start(
        self, record: SessionRecord, reading: SessionReading, **_: Any
    ) -> SessionResult:
        """Return the result of a start, or raise why the caller must not get it.

        Raises:
            SessionMismatch, EnvironmentMismatch: see `judge_reading`.
            UnexpectedResponse: the session has no id, is not PENDING, or has a foreign link.
        """
        session = judge_reading(reading, record, self._session_rules(), self._clock, is_start=True)
        state = session.result.state
        if not reading.session_id:
            raise _unexpected(f"{self._backend.name} started a session that has no id.", reading)
        if state is not SessionState.PENDING:
            raise _unexpected(f"{self._backend.name} started a session that is {state}.", reading)
        self._check_link(session.result, reading)
        return session.result

    def _read_once(
        self,
        record: SessionRecord,
        deadline: Deadline,
        *,
        document: Person | None = None,
        with_access: bool = False,
        with_portrait: bool = False,
    ) -> JudgedSession:
        """Read a session by one request, and judge it."""
        self._check_findable(record)
        if document is not None:
            self._check_document(document, record)

        def request_fields() -> dict[str, Any]:
            return {
                "record": record,
                "with_access": with_access,
                "with_portrait": with_portrait,
            }

        def read_session(reading: SessionReading, masker: ResultMasker, **_: Any) -> JudgedSession:
            # The link and token of the access are masked in the other fields.
            reading = masker.mask(reading, secrets=())
            session = judge_reading(
                reading, record, self._session_rules(), self._clock, person=document
            )
            if with_access:
                self._check_link(session.result, reading)
                return session
            return attrs.evolve(session, result=attrs.evolve(session.result, access=None))

        return self._make_request(
            self._free_runner, ReadRequest, deadline, request_fields, read_session
        )

    def _make_request(
        self,
        runner: CallRunner,
        request_type: type[Request],
        deadline: Deadline,
        request_fields: Callable[[], Mapping[str, Any]],
        to_result: Callable[..., T],
    ) -> T:
        """Make a request about a session: see `CallRunner.call_with_retries`."""
        call = CallRecord(
            id=str(uuid.uuid4()),
            operation=Operation.SESSION,
            backend=self._backend.name,
            started_at=self._clock.now(),
            retention=Retention.MINIMAL,
        )
        return runner.call_with_retries(
            call, request_type, request_fields, to_result, deadline=deadline, retry=runner.retry
        )


def _or_default(
    threshold: float | Threshold | None, default: float | None
) -> float | Threshold | None:
    """Return a threshold of `plan`; the verifier's default if the caller passed none."""
    if threshold is not None or default is None:
        return threshold
    # As a Threshold, because a plain number up to 1 is refused as one of another scale.
    return Threshold(default)


def _unexpected(message: str, reading: SessionReading) -> errors.UnexpectedResponse:
    """Return the error for a reading that the caller must not get."""
    return errors.UnexpectedResponse(message, billing=reading.billing, ids=reading.ids)
