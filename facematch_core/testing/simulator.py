"""Simulators: local stand-ins for a backend's vendor and its hosted sessions."""

from __future__ import annotations

import abc
import enum
import json
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from email.message import Message
from http.client import responses
from http.server import BaseHTTPRequestHandler
from types import FrameType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl

import attrs

from facematch_core import (
    Charged,
    ComparedWith,
    Decision,
    Image,
    LivenessDecision,
    Operation,
    SessionState,
    VendorError,
)
from facematch_core.backend import (
    Backend,
    Capabilities,
    DocumentHolder,
    ImageLimits,
    MatchRequest,
    PictureRequest,
)
from facematch_core.backend.session_types import Deletion
from facematch_core.base.deadline import Clock
from facematch_core.models import Box

from .pictures import noise, pictures_beyond


class Situation(enum.StrEnum):
    """A way in which a vendor (or a local engine) responds to a call.

    A rule about a situation that the simulator cannot produce is skipped; see
    `required_situations`.
    """

    #: Both pictures show one person: a match, with a score well above the default threshold. The
    #: probe also passes the vendor's liveness check, if there is one.
    SAME_PERSON = "same_person"
    #: Two people: no match at the default threshold. A liveness check may have any result.
    DIFFERENT_PEOPLE = "different_people"
    #: The probe shows a live face. If the vendor also compares, the pictures match.
    LIVE = "live"
    #: The probe shows a photograph, a screen or a mask. A comparison may have any result; a vendor
    #: that only compares reports the spoof there, with a score that would match.
    SPOOF = "spoof"
    #: The exact score that is passed to `set_situation`. The vendor's own rule decides, with the
    #: threshold in the request; a vendor without a rule responds as in SAME_PERSON or LIVE.
    SCORE = "score"
    #: No face is found in at least one picture.
    NO_FACE = "no_face"
    #: The probe shows two faces; the larger one matches the reference.
    TWO_FACES = "two_faces"
    #: One picture shows two faces; only the smaller one matches the other picture. Omit it if the
    #: vendor returns one score, and no document names the face that it compares.
    SMALLER_FACE_MATCHES = "smaller_face_matches"
    #: The vendor's most favourable verdict, with null as the score.
    NULL_SCORE = "null_score"
    #: A score outside the vendor's scale (250 of 100).
    IMPOSSIBLE_SCORE = "impossible_score"
    #: The vendor rejects a bad key, an empty account, too many calls, or a bad field or file.
    BAD_KEY = "bad_key"
    NO_CREDIT = "no_credit"
    THROTTLED = "throttled"
    REJECTED = "rejected"
    #: No server listens: no byte of the request is sent.
    UNREACHABLE = "unreachable"
    #: The request is processed and charged, and the response never arrives.
    LOST_ANSWER = "lost_answer"
    #: The request is processed and charged, and the response is cut off.
    BROKEN_ANSWER = "broken_answer"
    #: A gateway in front of the vendor responds instead (502 with an HTML page).
    GATEWAY_ERROR = "gateway_error"
    #: The vendor reports an internal error, in its own format.
    OUTAGE = "outage"
    #: A charged 200 response in an undocumented format.
    UNREADABLE_200 = "unreadable_200"
    #: No byte of a response arrives before the next `set_situation`.
    SLOW = "slow"
    #: The response sends a byte every 50 ms until the next `set_situation`.
    DRIPPING = "dripping"


#: The situation in which a call passes, and the one in which it does not, by operation.
PASSING = {Operation.MATCH: Situation.SAME_PERSON, Operation.LIVENESS: Situation.LIVE}
NOT_PASSING = {Operation.MATCH: Situation.DIFFERENT_PEOPLE, Operation.LIVENESS: Situation.SPOOF}
#: The operation of each of them. SPOOF also applies to a vendor that only compares.
OPERATION_OF = {
    Situation.SAME_PERSON: Operation.MATCH,
    Situation.LIVE: Operation.LIVENESS,
    Situation.DIFFERENT_PEOPLE: Operation.MATCH,
    Situation.SPOOF: Operation.LIVENESS,
}
#: Situations that end in a result, whatever its decision.
RESULT_SITUATIONS = (
    Situation.SAME_PERSON,
    Situation.LIVE,
    Situation.DIFFERENT_PEOPLE,
    Situation.SPOOF,
    Situation.NO_FACE,
    Situation.TWO_FACES,
    Situation.NULL_SCORE,
)
#: Situations that end in an error.
FAILURES = (
    Situation.BAD_KEY,
    Situation.NO_CREDIT,
    Situation.THROTTLED,
    Situation.REJECTED,
    Situation.UNREACHABLE,
    Situation.LOST_ANSWER,
    Situation.BROKEN_ANSWER,
    Situation.GATEWAY_ERROR,
    Situation.OUTAGE,
    Situation.UNREADABLE_200,
)
#: Situations that only a deadline ends.
STALLS = (Situation.SLOW, Situation.DRIPPING)
#: Situations that affect one request of a call. All others affect each request by default.
AT_ONE_REQUEST = set(FAILURES + STALLS) - {Situation.BAD_KEY, Situation.UNREACHABLE}


def required_situations(capabilities: Capabilities) -> frozenset[Situation]:
    """Return the situations required to test a backend with these capabilities."""
    situations = set()
    for situation, operation in OPERATION_OF.items():
        if operation in capabilities.operations:
            situations.add(situation)
    if capabilities.billed_operations:
        # These two show whether a call is paid for twice.
        situations |= {Situation.LOST_ANSWER, Situation.UNREADABLE_200}
    return frozenset(situations)


def passing_situation_among(situations: Container[Situation]) -> Situation:
    """Return SAME_PERSON, or LIVE if only LIVE is available."""
    if Situation.SAME_PERSON not in situations and Situation.LIVE in situations:
        return Situation.LIVE
    return Situation.SAME_PERSON


class SessionCase(enum.StrEnum):
    """A session as the vendor reports it. Each case differs from PASSED only as described."""

    #: The right, live person completed the session, and the vendor approved it.
    PASSED = "passed"
    #: A different, live person: the vendor's comparison fails.
    OTHER_PERSON = "other_person"
    #: A photograph or a mask: the vendor's liveness check fails.
    SPOOF = "spoof"
    #: The vendor approved the session, without an item about a face.
    NO_FACE_ITEM = "no_face_item"
    #: The face was not compared with the requested picture, but with a stored one or a document.
    OTHER_PICTURE = "other_picture"
    #: A passed item is followed by a later, unfinished item about the same check.
    UNFINISHED = "unfinished"
    #: The vendor's best status, with a liveness score of 50, for a vendor without a verdict.
    LOW_SCORE = "low_score"
    #: An attempt failed, and the person may try again in the same session.
    TRY_AGAIN = "try_again"
    #: The response is about a session with another id.
    FOREIGN = "foreign"
    #: The session was created a day before its record.
    OLDER = "older"
    #: The response states that it is from the vendor's sandbox.
    SANDBOX = "sandbox"
    #: The response names an environment that the vendor does not document.
    UNKNOWN_ENVIRONMENT = "unknown_environment"
    #: The vendor no longer has the session, and reports this in its own format.
    VANISHED = "vanished"


@attrs.frozen
class SessionWord:
    """A documented value in a response that is otherwise as in `case`, with its place and meaning.

    Write it from the vendor's documentation, not from the code that parses the value.

    Attributes:
        place: Path of the value in a response about a session: ``("status",)``.
        word: The vendor's value there; None for null. A documented empty value (null or an empty
            text) is a word, too.
        means: The meaning for the session, the match, the liveness, or the compared picture; for
            the response to a deletion, its `state` and `face_kept`.
        source: The page that documents it, and the date on which it was read.
        is_yes: Whether a session with this value is verified; usually true for one value per place.
        case: The case of the rest of the response. If it is not PASSED, `say` gets it as ``case``.
        is_asked_back: Whether the vendor waits for the person with this value, however long it
            takes: a session that is PENDING then does not expire.
    """

    place: tuple[str | int, ...]
    word: Any
    means: SessionState | Decision | LivenessDecision | ComparedWith | Deletion
    source: str
    is_yes: bool = False
    case: SessionCase = SessionCase.PASSED
    is_asked_back: bool = False


@attrs.frozen(kw_only=True)
class SessionWebhook:
    """A kind of webhook that the vendor documents, for `SessionSimulator.webhooks`.

    Attributes:
        body, headers: The signed webhook, as from `SessionSimulator.deliver`.
        names_session: Whether it is about the session. Otherwise it is about something else that
            the vendor sends to the same URL, or it tests the receiver: nothing is to be read.
    """

    body: bytes
    headers: Mapping[str, str]
    names_session: bool = True


class SessionSimulator(abc.ABC):
    """Simulates a vendor's hosted sessions; assign it to `VendorSimulator.sessions`.

    A rejection or a fault of `VendorSimulator.set_situation` applies to each request about a
    session, and `requests_seen` counts these. A session that was created before or during a
    LOST_ANSWER still exists when SAME_PERSON or LIVE is set afterwards.

    Attributes:
        cases: The cases that `play` supports. Cases about a check that sessions do not report are
            not played; LOW_SCORE is played only if the verdict depends on the caller's threshold.
        words: Every documented value for a session, for a face in it, and for a deletion; also a
            status that says nothing of the face, meaning `Decision.INCONCLUSIVE`. The kit also
            plays an unknown value at each place.
        cannot_happen: Cases that cannot occur with this vendor, each with the reason. Rules about
            a case that is neither here nor in `cases` are not tested.
        clock: The vendor's clock, advanced by its `sleep`; None for the kit's clock.
        compared_with: The pictures to compare with, or None for no match; the last is the default.
        hands_over: Parts of `SessionAccess` that a start returns: ``link``, ``token``, ``page``.
        hands_over_again: Those of them that a read returns for a person who comes back to a session
            that nobody has opened.
        documented_capabilities: Fields of `SessionCapabilities` with their values by the vendor's
            documents, which the backend must declare: ``{"can_delete": True}``, or the limits of a
            reference.
        decisive_fields: Fields of the response to a read that decide although another value of the
            same form changes nothing, by their path without indices, each with the reason:
            ``{"checks.name": "a check of the face may stand under any name"}``.
        webhook_max_age_s: Documented seconds from its signature until a webhook is refused; None if
            there is no such time.
        always_kept: Number of pictures and templates that the vendor keeps of every session until
            it is deleted, for example one video.
        looks_at_references: Whether it rejects the references that its vendor rejects.
        start_refusals: Documented refusals of a start, each with its error and charge, of every
            request up to the charged one. Only for an `HttpBackend`; the refused request is sent to
            the simulator, too.
        read_refusals, delete_refusals: The same for the first request of a read and of a deletion.
    """

    cases: frozenset[SessionCase]
    words: tuple[SessionWord, ...] = ()
    cannot_happen: Mapping[SessionCase, str] = {}
    clock: Clock | None = None
    compared_with: ClassVar[tuple[ComparedWith | None, ...]] = (None,)
    hands_over: tuple[str, ...] = ()
    hands_over_again: tuple[str, ...] = ()
    documented_capabilities: Mapping[str, Any] = {}
    decisive_fields: Mapping[str, str] = {}
    webhook_max_age_s: float | None = None
    always_kept: int = 0
    looks_at_references: ClassVar[bool] = False
    start_refusals: Sequence[Refusal] = ()
    read_refusals: Sequence[Refusal] = ()
    delete_refusals: Sequence[Refusal] = ()

    @abc.abstractmethod
    def play(self, session_id: str, case: SessionCase) -> None:
        """Put an open session into this case.

        Another case may follow TRY_AGAIN, and VANISHED may follow any case.
        """

    @abc.abstractmethod
    def say(self, session_id: str, place: tuple[str | int, ...], word: object) -> None:
        """Put a session into PASSED, except for `word` at `place`.

        If a `SessionWord` has another `case`, put it into that, which is passed as ``case``.
        """

    def prepare(self, compared_with: ComparedWith | None) -> None:  # noqa: B027 - optional
        """Set up the vendor's account for sessions that compare with this picture."""

    def show_document(self, session_id: str, holder: DocumentHolder) -> None:
        """Set the name and date on the document of an open session; `play` does not change them.

        The name has two words, in either order. If the vendor returns first and last name apart,
        put one word into each.
        Needed if `compared_with` includes DOCUMENT and the backend `reads_document`.
        """
        raise NotImplementedError(f"{type(self).__name__} shows no names on documents.")

    def kept(self, session_id: str) -> int | None:
        """Return the number of pictures and templates stored after the verdict; None if unknown."""
        return None

    def lasts_s(self, session_id: str) -> float | None:
        """Return the lifetime of the link or token in seconds, as requested by the start.

        Return None if the vendor has no such setting. If this method is not overridden, the kit
        cannot test the lifetime.
        """
        return None

    def received(self, session_id: str) -> Mapping[str, Any]:
        """Return what the vendor has read from the fields of a start that it documents.

        Known keys are ``return_urls``, each URL to which the page may redirect the person, and
        ``language``. Omit values that the simulator cannot observe.
        """
        return {}

    def options(self, declared: type) -> Any:
        """Return options for a start, of the declared type (to get a portrait, for example)."""
        return declared()

    def other_options(self, declared: type) -> Mapping[Any, str]:
        """Return further options for a start, each with a text that its requests then contain.

        Without any, the kit cannot check that options arrive.
        """
        return {}

    def deliver(self, session_id: str) -> tuple[bytes, Mapping[str, str]]:
        """Return the body and headers of a newly signed webhook about a session."""
        raise NotImplementedError(f"{type(self).__name__} sends no webhooks.")

    def webhooks(self, session_id: str) -> Sequence[SessionWebhook]:
        """Return newly signed webhooks of each further documented kind, about a session or not."""
        return ()


class VendorSimulator(abc.ABC):
    """Simulates the vendor of one backend, without any network except loopback.

    A context manager. Several threads may call it at once, so its counters need a lock.

    Attributes:
        situations: Situations it can produce.
        cannot_happen: Situations that cannot occur with this vendor, each with the reason ("Acme
            documents no search"): rules about them do not apply. Rules about a situation that is
            neither here nor in `situations` are not tested. Omit NO_CREDIT if nothing is billed.
        steps: Number of requests per call, or a mapping from the operation to this number.
        price_unknown: Situations whose results or refusals are billed UNKNOWN, because the vendor
            does not document their charge.
        refusals: Documented refusals beyond the situations: of each code, one. Each must raise its
            error, with its charge. Only for an `HttpBackend`; nothing is sent.
        verdicts: Documented answers beyond the situations: of each word or pair of words of the
            vendor's verdict, one, and of a word that it does not have. Each must have its decision.
            Only for an `HttpBackend`; nothing is sent.
        secrets: Keys and tokens, each at least 6 bytes, that must not appear outside the request.
        limits: The vendor's documented picture limits; None for the backend's limits.
        looks_at_pictures: Whether it rejects the pictures that its vendor rejects, as a mock does.
            The kit then tests the backend's limits against it, so `limits` may be None.
        documented_capabilities: Fields of `Capabilities` with their values by the vendor's
            documents: ``{"default_threshold": 75.0, "threshold_rule": ThresholdRule.ABOVE}``.
        sandbox_settings: Settings, such as a key, with which all results are of the sandbox, and
            with a mock the vendor's ``base_url``: nothing is sent. Empty if no setting says so.
        vendor_thresholds: The vendor's own thresholds, 0-100, which stand in the answer and decide
            in SAME_PERSON and LIVE if the caller sets none. Omit an operation that has none.
        last_id: The id in the last answer to a call; None if the vendor returns none.
        faces: Face boxes in SAME_PERSON and LIVE, by picture (``probe``, ``reference``). They
            should differ between the pictures, so that swapped boxes are detected.
        vendor_hosts: The vendor's documented hosts in lower case; ``*`` stands for one label. The
            default of `base_url` must be on one of them. Empty if they are not known.
        sessions: The simulator of its hosted sessions; None if the vendor has none.
        problem: An error in the simulator's own code, for the failure message of the rule.
    """

    situations: frozenset[Situation]
    cannot_happen: Mapping[Situation, str] = {}
    steps: int | Mapping[Operation, int] = 1
    price_unknown: frozenset[Situation] = frozenset()
    refusals: Sequence[Refusal] = ()
    verdicts: Sequence[Verdict] = ()
    secrets: Sequence[str] = ()
    limits: ImageLimits | None = None
    looks_at_pictures: ClassVar[bool] = False
    documented_capabilities: Mapping[str, Any] = {}
    sandbox_settings: Mapping[str, Any] = {}
    vendor_thresholds: Mapping[Operation, float] = {}
    last_id: str | None = None
    faces: Mapping[str, Sequence[Box]] = {}
    vendor_hosts: frozenset[str] = frozenset()
    sessions: SessionSimulator | None = None
    problem: Exception | None = None

    @property
    @abc.abstractmethod
    def requests_seen(self) -> int:
        """Number of requests for a comparison or a liveness check since the start.

        Includes rejected requests, but not logins. For an engine: the number of calls begun.
        """

    @property
    @abc.abstractmethod
    def charges(self) -> int:
        """Number of charges that the vendor would have billed since the start."""

    @abc.abstractmethod
    def backend(self, **settings: Any) -> Backend:
        """Return a new backend connected to this simulator; `settings` override the defaults. The
        kit closes it."""

    @abc.abstractmethod
    def set_situation(
        self, situation: Situation, *, score: float | None = None, step: int | None = None
    ) -> None:
        """Set how the vendor responds to every call from now on.

        Args:
            situation: One of `situations`.
            score: The vendor's score, 0-100, for SCORE; else None.
            step: The request that fails, counted from 1 in each call; the others succeed as in
                SAME_PERSON or LIVE. None for the last request. Only given if `steps` is above 1, or
                if the start of a session sends several requests.
        """

    def pictures_for(self, situation: Situation) -> tuple[Image, Image]:
        """Return a probe and a reference for `situation`; by default noise, without a face.

        Override it if the result depends on the pictures. SAME_PERSON and LIVE need a score that is
        not at the edge of the scale: use two photographs, not one picture twice.
        """
        return noise(1), noise(2)

    def refused_pictures(self, declared: ImageLimits) -> Mapping[str, Image]:
        """Return valid pictures beyond `limits` (or `declared`), keyed by the violated limit."""
        return pictures_beyond(self.limits or declared)

    def options(self, declared: type) -> Any:
        """Return options of the type that the backend declares, or of a subtype."""
        return declared()

    def other_options(self, declared: type) -> Sequence[Any]:
        """Return further options, each of which must reach the vendor as a different value.

        An operation may refuse them with `Unsupported`, but not all operations the same options.
        Return at least one per choice; without any, the kit cannot check that options arrive.
        """
        return ()

    @property
    def received(self) -> Mapping[str, Any]:
        """The values that the vendor received in the last call, by argument of `verify`.

        Known keys are ``threshold``, ``retention`` (a `Retention`), ``caller_ref``, ``metadata``;
        ``options``, in any form that differs between `options` and each of `other_options`;
        ``kept_s``, the seconds for which the vendor stores a face or a template; ``probe`` and
        ``reference``, the bytes of the files. Omit values that the simulator cannot observe. The
        kit uses them to test that a backend sends the values that it declares to send.
        """
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027 - most simulators hold no resources
        """Release the resources of the simulator."""


def author_of(frame: FrameType) -> Backend | VendorSimulator | SessionSimulator | None:
    """Return the backend or the simulator whose method a frame runs, or None."""
    code = frame.f_code
    if not code.co_argcount:
        return None
    self_name = code.co_varnames[0]
    author = frame.f_locals.get(self_name)
    # `isinstance` would also read `__class__`, which may run code of a proxy.
    if issubclass(type(author), (Backend, VendorSimulator, SessionSimulator)):
        return author
    return None


class WrongRequest(Exception):
    """A request that no document describes: raise it in `HttpSimulator.answer`.

    The failure then says that the plug-in and the simulator differ, because either may be wrong.
    """


@attrs.frozen(kw_only=True)
class SimulatorRequest:
    """A request to the simulator.

    Attributes:
        method, path: HTTP method, and path with query.
        headers: Headers by name, case-insensitive.
        body: Body in bytes.
    """

    method: str
    path: str
    headers: Message = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the query."""
        return dict(parse_qsl(self.path.partition("?")[2], keep_blank_values=True))

    @property
    def fields(self) -> dict[str, str]:
        """The form fields that are not files."""
        if self.headers.get_content_type() == "application/x-www-form-urlencoded":
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        return {part.name: part.data.decode() for part in self._parts() if not part.is_file}

    @property
    def files(self) -> dict[str, bytes]:
        """The files of a multipart form."""
        return {part.name: part.data for part in self._parts() if part.is_file}

    def _parts(self) -> Iterator[_FormPart]:
        """Yield the parts of a multipart form; none of another body."""
        boundary = self.headers.get_boundary()
        if not boundary:
            return
        # Before the first boundary is nothing, after the last one are two dashes.
        parts = (b"\r\n" + self.body).split(f"\r\n--{boundary}".encode())[1:-1]
        for part in parts:
            head, _, data = part.partition(b"\r\n\r\n")
            name = re.search(rb'[; ]name="([^"]*)"', head)
            if name:
                yield _FormPart(name[1].decode(), is_file=b"filename=" in head, data=data)


@attrs.frozen
class _FormPart:
    """A field or a file of a multipart form."""

    name: str
    is_file: bool
    data: bytes


@attrs.frozen(kw_only=True)
class SimulatorReply:
    """A response of the vendor.

    Attributes:
        body: A value to send as JSON, or bytes to send unchanged.
        status: 100-599.
        headers: Additional headers.
        charged: Number of charges, or True for one. None means one charge for a 200, else none.
    """

    body: Any
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    charged: bool | int | None = None

    def written(self) -> bytes:
        """Return the bytes of the response."""
        content = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {
            "Content-Length": str(len(content)),
            "Connection": "close",
            "Content-Type": "application/json",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} {responses.get(self.status, '')}"]
        for name, value in headers.items():
            lines.append(f"{name}: {value}")
        head = "\r\n".join(lines) + "\r\n\r\n"
        return head.encode("latin-1") + content


@attrs.frozen(kw_only=True)
class Refusal:
    """A documented refusal, for `VendorSimulator.refusals` and `SessionSimulator`.

    Attributes:
        body: The body of the response, as JSON.
        status: Its HTTP status.
        headers: Its headers that matter, such as ``Retry-After``.
        error: The error that it means; None if it means an INCONCLUSIVE result, such as "no face".
        charged: Whether it is charged; UNKNOWN if the vendor does not document it.
    """

    body: Any
    status: int = 200
    error: type[VendorError] | None
    charged: Charged
    headers: Mapping[str, str] = {}


@attrs.frozen(kw_only=True)
class Verdict:
    """A documented answer with a verdict, for `VendorSimulator.verdicts`.

    Attributes:
        body: The body of the answer to the last request of a call, as JSON.
        decision: What it means if the caller sets no threshold. A `LivenessDecision` is of a
            liveness check.

    Example:
        >>> unsure = Verdict(body={"verdict": "unsure"}, decision=Decision.REVIEW)
    """

    body: Any
    decision: Decision | LivenessDecision


#: Timeout of an idle connection or of an endless response, in seconds.
CONNECTION_LIMIT_S = 30.0


@attrs.frozen
class _SetSituation:
    """The arguments of `set_situation`."""

    situation: Situation
    score: float | None
    step: int | None


class HttpSimulator(VendorSimulator):
    """Base class of a scripted HTTP vendor: implement `backend` and `answer`.

    While it is open, it listens at `url` on a free local port, and counts requests and charges.
    Set `situations` to those that `answer` handles, plus `FAULTS`, which need no code.

    Attributes:
        last: The last request with a body, or None. Use it in `received`.
    """

    #: Situations that this class produces without calling `answer`.
    FAULTS: ClassVar[frozenset[Situation]] = frozenset(
        {
            Situation.UNREACHABLE,
            Situation.LOST_ANSWER,
            Situation.BROKEN_ANSWER,
            Situation.GATEWAY_ERROR,
            *STALLS,
        }
    )

    requests_seen: int = 0
    charges: int = 0

    def __init__(self) -> None:
        """Prepare a simulator; nothing listens before `set_situation`."""
        self.last: SimulatorRequest | None = None
        self._lock = threading.Lock()
        self._server: _Server | None = None
        #: Set when the situation changes, so that stalled responses end.
        self._situation_changed = threading.Event()
        #: The last `set_situation`; None before the first.
        self._current: _SetSituation | None = None
        #: Number of counted requests since the last `set_situation`.
        self._requests_in_situation = 0

    @abc.abstractmethod
    def answer(
        self, request: SimulatorRequest, situation: Situation, score: float | None
    ) -> SimulatorReply:
        """Return the vendor's response in `situation`. Must be thread-safe.

        If a fault affects another request of the call, `situation` is SAME_PERSON or LIVE. An
        exception is raised again when the simulator is closed.
        """

    def counts(self, request: SimulatorRequest) -> bool:
        """Return whether a request is for a comparison or a check; False for a DELETE, for a login,
        and for a request with an expired token.

        Of the faults, only UNREACHABLE affects other requests. Return False for polls by a vendor's
        own library, too, because no rule can distinguish them from a retry.
        """
        return request.method != "DELETE"

    def ends(self, request: SimulatorRequest) -> bool:
        """Return whether a request is the last of its call, for a vendor with several `steps`."""
        return True

    @property
    def url(self) -> str:
        """The base URL of the server, for example ``http://127.0.0.1:40001``."""
        if self._server is None:
            raise RuntimeError("The simulator is closed: use it in a with statement.")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def set_situation(
        self, situation: Situation, *, score: float | None = None, step: int | None = None
    ) -> None:
        self._situation_changed.set()
        self._situation_changed = threading.Event()
        self._current = _SetSituation(situation, score, step)
        self._requests_in_situation = 0
        if self._server is not None:
            self._server.listen(on=self._is_reachable)

    @property
    def _is_reachable(self) -> bool:
        current = self._current
        return current is None or current.situation is not Situation.UNREACHABLE

    def __enter__(self) -> Self:
        self._server = _Server(self._serve)
        self._server.listen(on=self._is_reachable)
        return self

    def __exit__(self, *_: object) -> None:
        self._situation_changed.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self.problem is not None:
            raise self.problem

    def _serve(self, request: SimulatorRequest) -> Iterator[bytes]:
        """Yield the bytes of the response, or nothing."""
        try:
            yield from self._play(request)
        except Exception as error:  # noqa: BLE001 - `__exit__` raises it in the test's thread
            self.problem = error

    def _play(self, request: SimulatorRequest) -> Iterator[bytes]:
        """Yield the bytes that answer a request: a good answer, or the fault of the situation.

        A request that is not counted, or is not the one to fail, is answered well. A fault comes
        after the charge: only its response is lost.
        """
        if self._current is None:
            raise RuntimeError("The simulator received a request before set_situation.")
        with self._lock:
            current = self._current
            situation_changed = self._situation_changed
            is_counted = self.counts(request)
            if request.body:
                self.last = request
            self.requests_seen += is_counted
            self._requests_in_situation += is_counted
            if current.step is None:
                is_target = current.situation not in AT_ONE_REQUEST or self.ends(request)
            else:
                is_target = self._requests_in_situation == current.step
        is_fault = is_counted and is_target and current.situation in self.FAULTS
        if is_fault and current.situation is Situation.SLOW:
            yield from _bytes_of_fault(current.situation, situation_changed)
            return
        if is_fault or (is_counted and not is_target):
            reply = self.answer(request, passing_situation_among(self.situations), None)
        else:
            reply = self.answer(request, current.situation, current.score)
        if is_counted:
            charges = reply.charged
            if charges is None:
                charges = reply.status == 200
            with self._lock:
                self.charges += int(charges)
        if is_fault:
            # The request was processed, and charged; only its response is lost.
            yield from _bytes_of_fault(current.situation, situation_changed)
        else:
            yield reply.written()


def _bytes_of_fault(situation: Situation, situation_changed: threading.Event) -> Iterator[bytes]:
    """Yield what arrives in a fault, if anything; the connection then closes."""
    if situation is Situation.GATEWAY_ERROR:
        page = b"<html><h1>502 Bad Gateway</h1></html>"
        yield SimulatorReply(body=page, status=502, headers={"Content-Type": "text/html"}).written()
    elif situation is Situation.SLOW:
        situation_changed.wait(CONNECTION_LIMIT_S)
    elif situation in (Situation.BROKEN_ANSWER, Situation.DRIPPING):
        # JSON may begin with spaces, so no client can stop reading early.
        yield SimulatorReply(body=b" ", headers={"Content-Length": "10000"}).written()
    if situation is Situation.DRIPPING:
        for _ in range(int(CONNECTION_LIMIT_S / 0.05)):
            if situation_changed.wait(0.05):
                return
            yield b" "


class _Server(socketserver.ThreadingTCPServer):
    """A local port that stays reserved whether the server listens or not."""

    # With a full queue, simultaneous connections would wait for a TCP retry.
    request_queue_size = 64
    # On Windows, SO_REUSEADDR would let another process take the port.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, serve: Callable[[SimulatorRequest], Iterator[bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.serve = serve
        self._thread: threading.Thread | None = None
        self.server_bind()

    def listen(self, *, on: bool) -> None:
        """Start or stop listening; the port stays reserved meanwhile, and refuses connections."""
        if on and self._thread is None:
            self.server_activate()
            self._thread = threading.Thread(target=self.serve_forever, args=(0.005,))
            self._thread.start()
        elif not on and self._thread is not None:
            self.close()
            # Bound but not listening: the port stays reserved, and connections are refused.
            self.socket = socket.socket()
            self.server_bind()

    def close(self) -> None:
        """Stop listening, and wait until all requests in progress are answered."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Ignore errors: in some situations the client disconnects."""


class _Handler(BaseHTTPRequestHandler):
    """A connection that serves one request."""

    protocol_version = "HTTP/1.1"
    timeout = CONNECTION_LIMIT_S
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.close_connection = True
        request = SimulatorRequest(
            method=self.command, path=self.path, headers=self.headers, body=body
        )
        for chunk in self.server.serve(request):
            self.wfile.write(chunk)

    def log_message(self, *_: object) -> None:
        """Print nothing: pytest would show the message as test output."""

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - names from http.server


#: Situations that pictures can cause in an engine.
_AT_AN_ENGINE = frozenset(
    {
        Situation.SAME_PERSON,
        Situation.DIFFERENT_PEOPLE,
        Situation.LIVE,
        Situation.NO_FACE,
        Situation.TWO_FACES,
        Situation.SMALLER_FACE_MATCHES,
    }
)
_NO_VENDOR = "A local engine has no vendor that responds to, rejects, loses or bills a call."


class EngineSimulator(VendorSimulator):
    """Simulates a local engine: the result depends only on the pictures.

    In SLOW, every call waits in the engine until the situation changes. `cannot_happen` need not
    include situations that only a vendor can cause.

    Attributes:
        backend_class: The backend under test.
        pictures: Probe and reference for each situation, as paths, bytes or images.
        settings: Settings with which the backend is opened.
    """

    backend_class: ClassVar[type[Backend]]
    pictures: Mapping[Situation, tuple[Any, Any]]
    settings: Mapping[str, Any] = {}

    requests_seen: int = 0
    charges: int = 0
    received: Mapping[str, Any] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        """Derive from `pictures` which situations an engine can have; the others cannot happen."""
        super().__init_subclass__(**options)
        if "pictures" in vars(cls):
            cls.situations = frozenset({*cls.pictures, Situation.SLOW})
        available = getattr(cls, "situations", ())
        reasons = {}
        for situation in Situation:
            if situation not in _AT_AN_ENGINE:
                reasons[situation] = _NO_VENDOR
        reasons.update(cls.cannot_happen)
        cls.cannot_happen = {
            situation: reason for situation, reason in reasons.items() if situation not in available
        }

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Set unless the situation is SLOW.
        self._slow_is_over = threading.Event()
        self._slow_is_over.set()

    def backend(self, **settings: Any) -> Backend:
        watched_methods = {
            name: self._watch(getattr(self.backend_class, name))
            for name in ("match", "check_liveness")
        }
        name = f"Watched{self.backend_class.__name__}"
        watched_class: type[Backend] = type(name, (self.backend_class,), watched_methods)
        return watched_class(**{**self.settings, **settings})

    def _watch(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method of the engine that first notes its pictures, and waits in SLOW."""

        def run_watched(backend: Backend, request: PictureRequest) -> Any:
            """Count a request, note its pictures, and run the engine; SLOW waits first."""
            if request.operation in backend.capabilities.operations:
                received = {"probe": request.probe.data}
                if isinstance(request, MatchRequest):
                    received["reference"] = request.reference.data
                with self._lock:
                    self.requests_seen += 1
                    self.received = received
                # Returns at once, but in SLOW only after the next `set_situation`.
                self._slow_is_over.wait(CONNECTION_LIMIT_S)
            return method(backend, request)

        return run_watched

    def set_situation(
        self, situation: Situation, *, score: float | None = None, step: int | None = None
    ) -> None:
        self._slow_is_over.set()
        if situation is Situation.SLOW:
            self._slow_is_over = threading.Event()

    def pictures_for(self, situation: Situation) -> tuple[Image, Image]:
        if situation not in self.pictures:
            situation = passing_situation_among(self.pictures)
        probe, reference = self.pictures[situation]
        return Image.of(probe), Image.of(reference)

    def __exit__(self, *_: object) -> None:
        self._slow_is_over.set()
