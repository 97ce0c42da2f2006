"""Hosted sessions of all vendors: find a session, and act as the person.

A vendor's `SessionRules` decide how a session ends. Everything else is common to all vendors.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import attrs

from facematch_core.backend.kinds import suggest_name
from facematch_mock_server.base.masking import shorten
from facematch_mock_server.base.messages import PERSON, Request, Upload
from facematch_mock_server.base.state import (
    Selection,
    check_string,
    check_word,
    require,
    select,
)
from facematch_mock_server.recognition.cards import Card
from facematch_mock_server.recognition.outcomes import LivenessOutcome, MatchOutcome
from facematch_mock_server.recognition.ready import READY

from .accounts import Account, World
from .identities import make_identity
from .sessions import ActsOnOpen, Hosted, Session
from .vendor import Extension, endpoint

R = TypeVar("R")

#: The actions that a person can perform.
ACTS = ("begin", "card", "fail_attempt", "abandon", "expire")
#: What the page can do when it opens, beside showing one of the cards.
_OTHER_OUTCOMES = ("fail_attempt", "abandon", "expire")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._-]{1,253}(:([0-9]{1,5}|\*))?", re.ASCII)


@attrs.frozen(kw_only=True)
class PersonCheck:
    """A check of the person with a picture.

    Attributes:
        face, reference: SHA-256 of the compared pictures. The reference is the document, if one is
            shown; None if there is nothing to compare with.
        contents: The pictures, by SHA-256.
        liveness, match: The outcomes; `match` is None without a reference.
    """

    face: str
    reference: str | None
    contents: Mapping[str, bytes] = attrs.field(repr=False)
    liveness: LivenessOutcome
    match: MatchOutcome | None

    @property
    def has_reference_face(self) -> bool:
        """Whether there is a reference, and a face on it."""
        return self.match is not None and bool(self.match.reference.faces)

    @property
    def needs_review(self) -> bool:
        """Whether a test has set that the match needs a manual review."""
        return self.match is not None and self.match.review

    def matches(self, match_from: float) -> bool:
        """Return whether the reference shows the person: a face, and a score of `match_from`."""
        if self.match is None or not self.has_reference_face:
            return False
        return (self.match.score or 0.0) >= match_from


@attrs.frozen(kw_only=True)
class SessionRules:
    """A vendor's rules for a person's actions.

    Attributes:
        open_statuses: The statuses in which a person can act.
        status_after: The statuses after ``begin``, ``abandon``, ``expire``, and the ``last`` failed
            attempt. A session that the person began ends as ``expire_begun``, if there is such a
            status. The claim ``session.attempts`` limits the attempts (1 without that claim).
        judge: Returns the updated session after a check of the person.
        fail: Returns the updated session after a failed attempt, which may be the last.
        service: The session's name in the ledger; None if it is free, or if `on_status_change`
            charges it.
        price_claim: Returns the name of the claim with the price of a live session, which is
            charged when its check is finished.
        finished_statuses: The statuses of a session whose check is finished: the person's reaching
            one charges `service`, and `DocumentSessions.decide` can set each, without a charge. A
            vendor that charges some of them alone, or at another time, has no `service`, and its
            `on_status_change` calls ``world.ledger.charge_once``, also after `decide`.
        only_link_expires: Whether only the link ends at `Hosted.expires_at`, and the session stays
            as it is, so that another link continues it.
        on_submission: A function to call after a person's attempt, before `on_status_change`.
        on_status_change: A function to call after each status change.
        return_url: Returns the URL to which the person is redirected, or None. By default the
            session's `Hosted.callback`.
        facts_for_web_sdk: Returns what the vendor's web SDK is told of a session beside its id and
            status, as JSON values by name.
    """

    open_statuses: frozenset[str]
    status_after: Mapping[str, str]
    judge: Callable[[World, Session, PersonCheck], Session]
    fail: Callable[[World, Session, bool], Session] = lambda _, session, __: session
    service: str | None = None
    price_claim: Callable[[Session], str] = lambda _: "credit.price"
    finished_statuses: frozenset[str] = frozenset()
    only_link_expires: bool = False
    on_submission: Callable[[World, Session], object] = lambda _, __: None
    on_status_change: Callable[[World, Session], object] = lambda _, __: None
    return_url: Callable[[Session], str | None] = lambda session: hosted_of(session).callback
    facts_for_web_sdk: Callable[[Session], Mapping[str, Any]] = lambda _: {}


def hosted_of(session: Session) -> Hosted:
    """Return the attributes of a hosted session. Raises LookupError for a saved call."""
    if session.hosted is None:
        raise LookupError("this session is a saved call, not a hosted session: it has no person")
    return session.hosted


def with_hosted(session: Session, **changes: Any) -> Session:
    """Return the session with some of its attributes of `Hosted` changed."""
    return attrs.evolve(session, hosted=attrs.evolve(hosted_of(session), **changes))


def with_card_fields(world: World, session: Session, check: PersonCheck) -> Session:
    """Return the session with the values of the document of this check, if it is a test card.

    It has none of them if a test has set the values.
    """
    fields = {}
    facts = hosted_of(session)
    if facts.kind == "kyc" and facts.document_fields is None and check.has_reference_face:
        fields = read_document(world, check.reference, facts.requested_name)
    return with_hosted(session, card_fields=fields)


def read_document(
    world: World, digest: str | None, requested_name: Mapping[str, str]
) -> dict[str, str]:
    """Return the values on a document with this SHA-256; none if it is no test card.

    The name is the card's, or with the switch `document_name` that of the request.
    """
    card = None if digest is None else world.recognizer.card_of(digest)
    return {} if card is None else _read_card(world, card, requested_name)


def _read_card(world: World, card: Card, requested_name: Mapping[str, str]) -> dict[str, str]:
    values = make_identity(card.person)
    if takes_requested_name(world):
        values |= requested_name
        values["full_name"] = f"{values['first_name']} {values['last_name']}"
    return values


def takes_requested_name(world: World) -> bool:
    """Return whether a switch gives each document the name that its request asks for."""
    return world.claims.switch_values.get("document_name") == "as_requested"


def read_name(sent: object, first: str, last: str) -> dict[str, str]:
    """Return the name that a request gives the person, by the mock's names of its two parts.

    `first` and `last` are the vendor's names of the parts. A part that is no text is left out.
    """
    if not isinstance(sent, Mapping):
        return {}
    parts = {"first_name": sent.get(first), "last_name": sent.get(last)}
    return {name: part for name, part in parts.items() if isinstance(part, str) and part}


def compare_names(values: Mapping[str, str], requested_name: Mapping[str, str]) -> str | None:
    """Return a sentence if a document and a request name two persons; else None.

    Only the parts that both have are compared, without their capitals.
    """
    names = [name for name in requested_name if name in values]
    said = " ".join(values[name] for name in names)
    requested = " ".join(requested_name[name] for name in names)
    if said.lower() == requested.lower():
        return None
    return (
        f"The document says {shorten(said, 60)}, the request {shorten(requested, 60)}: "
        "sessions/document sets it"
    )


def find_other_name(world: World, session: Session) -> str | None:
    """Return the sentence of `compare_names` for a session's document, if it is a test card's.

    Until one is shown, it is that of p1. None for values that a test has set.
    """
    facts = hosted_of(session)
    if facts.kind != "kyc" or facts.document_fields is not None:
        return None
    first_card = _read_card(world, READY["p1"].card, facts.requested_name)
    return compare_names(facts.card_fields or first_card, facts.requested_name)


def document_fields(session: Session) -> Mapping[str, str]:
    """Return the values of the person's document: those that a test has set, else the card's."""
    hosted = hosted_of(session)
    return hosted.card_fields if hosted.document_fields is None else hosted.document_fields


def document_values(session: Session) -> dict[str, str]:
    """Return the values of a session's document, with a full name split."""
    return split_full_name(document_fields(session))


def split_full_name(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a document, with a full name split at its last space."""
    if "full_name" not in fields:
        return dict(fields)
    first_name, _, last_name = fields["full_name"].rpartition(" ")
    return {"first_name": first_name, "last_name": last_name, **fields}


def gender_letter(fields: Mapping[str, str]) -> str | None:
    """Return the first letter of the gender on a document, such as F; None without one."""
    return fields.get("gender", "")[:1].upper() or None


def sessions_of_mode(world: World, *, is_live: bool) -> list[Session]:
    """Return the sessions that were started with a key of the live mode, or of the other."""
    return [each for each in world.sessions.all() if hosted_of(each).is_live is is_live]


def is_open(world: World, session: Session) -> bool:
    """Return whether a person can act in a session."""
    rules: SessionRules = world.behaviour.session_rules
    if session.hosted is None or session.status not in rules.open_statuses:
        return False
    return not rules.only_link_expires or world.clock.now() < session.hosted.expires_at


def expire_if_due(world: World, session: Session) -> Session:
    """Return the session, marked as expired if its time is over."""
    rules: SessionRules = world.behaviour.session_rules
    if rules.only_link_expires or not is_open(world, session):
        return session
    if world.clock.now() < hosted_of(session).expires_at:
        return session
    expired = with_status(world, session, _status_after_expiry(rules, session))
    return _store_unless_changed(world, session, expired)


def with_status(world: World, session: Session, status: str) -> Session:
    """Return the session with this status, since now."""
    return attrs.evolve(session, status=status, status_at=world.clock.now())


def _status_after_expiry(rules: SessionRules, session: Session) -> str:
    """Return the status of a session whose time is over; the person may have begun it."""
    has_begun = session.status == rules.status_after["begin"] or hosted_of(session).attempts > 0
    if has_begun and "expire_begun" in rules.status_after:
        return rules.status_after["expire_begun"]
    return rules.status_after["expire"]


def find(world: World, session_id: str | uuid.UUID) -> Session:
    """Return a hosted session. Raises LookupError if there is none with that id."""
    session = world.sessions.find(session_id)
    if session is None or session.hosted is None:
        raise LookupError("there is no hosted session with that id")
    return expire_if_due(world, session)


def expire_due_sessions(world: World) -> None:
    """Expire the sessions whose time is over, which sends their webhooks."""
    for session in world.sessions.all():
        expire_if_due(world, session)


def open_sessions(world: World) -> tuple[Session, ...]:
    """Return the sessions in which a person can act, oldest first.

    First expires the sessions whose time is over, which sends their webhooks.
    """
    expire_due_sessions(world)
    return tuple(session for session in world.sessions.all() if is_open(world, session))


def find_by_page_token(account: Account, token: str) -> tuple[World, Session] | None:
    """Return the hosted session with this page token, and its world. It may have ended."""
    token_bytes = token.encode(errors="surrogateescape")
    for world in account.worlds.values():
        for session in world.sessions.all():
            hosted = session.hosted
            if hosted is not None and hmac.compare_digest(hosted.token.encode(), token_bytes):
                return world, expire_if_due(world, session)
    return None


def new_token(world: World) -> str:
    """Return a token of 12 URL-safe characters, reproducible if seeded and on loopback only."""
    ids = world.ids
    if ids.is_seeded and not world.account.shared.is_open:
        token = hashlib.sha256(f"token {ids.uuid()}".encode()).digest()[:9]
    else:
        token = secrets.token_bytes(9)
    return base64.urlsafe_b64encode(token).decode()


def start(
    world: World,
    now: dt.datetime,
    lasts_s: float,
    fields: Mapping[str, Any],
    *,
    session_id: str | None = None,
    reference: Upload | None = None,
    **hosted: Any,
) -> Session:
    """Start a session. `fields` are attributes of `Session`, `hosted` those of `Hosted`.

    Without a `session_id`, its id is a new UUID.
    """
    if hosted.get("kind") == "kyc":
        hosted["document_fields"] = world.document_fields
    attributes = Hosted(
        token=new_token(world),
        reference=None if reference is None else reference.digest,
        expires_at=now + dt.timedelta(seconds=lasts_s),
        **hosted,
    )
    session_id = session_id or world.ids.uuid()
    session = world.sessions.add(session_id, created_at=now, hosted=attributes, **fields)
    if reference is not None:
        world.pictures.keep({str(reference.digest): reference.content})
    return session


def _charge_if_live(world: World, session: Session) -> None:
    """Charge a finished session of a live key; the ledger charges nothing without the credit."""
    rules: SessionRules = world.behaviour.session_rules
    if rules.service is None or not hosted_of(session).is_live:
        return
    world.ledger.charge(
        Decimal(world.claims[rules.price_claim(session)]),
        at=world.clock.now(),
        what=rules.service,
        request_id=session.id,
    )


def origin_of(world: World, head: Request | None) -> str:
    """Return the scheme and host for links to this server, preferably the request's host."""
    address = world.account.shared.address or "http://127.0.0.1"
    host = head and head.header("host")
    if not host:
        return address
    # The vendor itself uses https.
    scheme = "https" if world.vendor.has_host(host) else address.partition(":")[0]
    return f"{scheme}://{host}"


def add_to_query(url: str, values: Mapping[str, str]) -> str:
    """Return a URL with these values added to its query, before its fragment."""
    address, mark, fragment = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{urlencode(values)}{mark}{fragment}"


def page_url(world: World, session: Session, origin: str) -> str:
    """Return the URL of a session's page. For `origin`, see `page_origin`."""
    return f"{page_origin(world, origin)}{page_path(world, session)}"


def page_origin(world: World, origin: str, host: str | None = None) -> str:
    """Return the scheme and host of the pages, for a client that called `origin`.

    A client that called one of the vendor's hosts gets another one: `host`, by default that of the
    vendor's pages. A server may have one origin for all pages, so that a browser needs no proxy.
    """
    if world.account.shared.page_origin is not None:
        return world.account.shared.page_origin
    page_host = host or world.vendor.page_host
    if page_host is not None and world.vendor.has_host(urlsplit(origin).hostname):
        return f"https://{page_host}"
    return origin


def page_path(world: World, session: Session) -> str:
    """Return the path of a session's page: account, language (if requested) and token."""
    hosted = hosted_of(session)
    language = f"{hosted.language}/" if hosted.language else ""
    return f"{PERSON}{world.account.name}/{language}session/{hosted.token}"


def web_sdk_path(world: World, session: Session | None) -> str:
    """Return the path of the page for the vendor's web SDK; None is a page with a refusal.

    Unlike the page of a link, it does not begin the session when it is opened.
    """
    token = "unknown" if session is None else hosted_of(session).token
    return f"{PERSON}{world.account.name}/web/{world.vendor.name}/session/{token}"


def act(
    world: World,
    session_id: str | uuid.UUID,
    do: str,
    *,
    card: str | bytes | None = None,
    document: str | bytes | None = None,
) -> Session:
    """Perform one of `ACTS` in a session, and return the updated session.

    For the pictures and errors, see `HostedSessions.finish`. Also raises ValueError for an unknown
    action.
    """
    if do not in ACTS:
        raise ValueError(f"there is no action {do!r:.40}; {suggest_name(str(do), ACTS)}")
    if do != "card" and (card is not None or document is not None):
        raise ValueError(f"only the action card takes a card or a document, not {do}")
    rules: SessionRules = world.behaviour.session_rules
    check: PersonCheck | None = None
    # If a concurrent request changes the session, start again with its current state.
    while True:
        session = find(world, session_id)
        _check_open(world, session)
        if do == "card" and check is None:
            check = check_person(world, session, "p1" if card is None else card, document)
        begun_status = rules.status_after["begin"]
        if do != "expire" and session.status != begun_status:
            # Any other action first begins the session; then the loop reads it again.
            _store_unless_changed(world, session, attrs.evolve(session, status=begun_status))
            continue
        changed = _apply_action(world, session, do, check)
        if changed.status != session.status:
            changed = with_status(world, changed, changed.status)
        if _store_unless_changed(world, session, changed) is changed:
            if check is not None:
                world.pictures.keep(check.contents)
            # A vendor's `on_status_change` may have changed the status once more.
            return world.sessions.find(session_id) or changed


def _check_open(world: World, session: Session) -> None:
    """Raise ValueError if a person cannot act in a session."""
    rules: SessionRules = world.behaviour.session_rules
    if is_open(world, session):
        return
    if session.status in rules.open_statuses:
        raise ValueError(
            "this session has no valid link, so a person can no longer act in it: make a link first"
        )
    raise ValueError(f"this session is {session.status}: a person can no longer act in it")


def _apply_action(
    world: World, session: Session, action: str, check: PersonCheck | None
) -> Session:
    """Return the updated session after an action, without storing it.

    `check` is None for an action that is no check, and for `fail_attempt`.
    """
    rules: SessionRules = world.behaviour.session_rules
    if action == "expire" and rules.only_link_expires:
        return with_hosted(session, expires_at=world.clock.now())
    if action == "expire":
        return attrs.evolve(session, status=_status_after_expiry(rules, session))
    if action in rules.status_after:
        return attrs.evolve(session, status=rules.status_after[action])
    session = with_hosted(session, attempts=hosted_of(session).attempts + 1)
    if check is None:
        return fail(world, session)
    return rules.judge(world, with_card_fields(world, session, check), check)


def fail(world: World, session: Session) -> Session:
    """Return the updated session after a failed attempt. The last attempt ends the session."""
    rules: SessionRules = world.behaviour.session_rules
    # A vendor without the claim allows one attempt.
    is_last = True
    if "session.attempts" in world.claims:
        is_last = hosted_of(session).attempts >= world.claims["session.attempts"]
    failed = rules.fail(world, session, is_last)
    return attrs.evolve(failed, status=rules.status_after["last"]) if is_last else failed


def _store_unless_changed(world: World, session: Session, changed: Session) -> Session:
    """Store `changed` unless `session` was changed in the meantime; return the stored session.

    A new status is announced, and a finished session may be charged. Returns `changed` if the
    session was deleted.
    """
    stored = world.sessions.replace(session, changed)
    if stored is None:
        # The session was deleted in the meantime.
        return changed
    if stored is changed and changed.status != session.status:
        rules: SessionRules = world.behaviour.session_rules
        if hosted_of(changed).attempts > hosted_of(session).attempts:
            rules.on_submission(world, changed)
        if changed.status in rules.finished_statuses:
            _charge_if_live(world, changed)
        rules.on_status_change(world, changed)
    return stored


def check_person(
    world: World, session: Session, card: str | bytes, document: str | bytes | None
) -> PersonCheck:
    """Check a person's picture, and match it with the document or reference, if there is one.

    Changes nothing. For the pictures and errors, see `HostedSessions.finish`.
    """
    face = _read_picture(card)
    reference = _find_reference(world, hosted_of(session), face, document)
    contents = {_digest(face): face}
    if reference is not None:
        contents[_digest(reference)] = reference
    fields = {} if session.vendor_data is None else {"vendor_data": session.vendor_data}
    recognizer = world.recognizer
    match = None
    if reference is not None:
        match = recognizer.match(face, reference, rotate=False, fields=lambda: fields)
    return PersonCheck(
        face=_digest(face),
        reference=None if reference is None else _digest(reference),
        contents=contents,
        liveness=recognizer.liveness(face, rotate=False, fields=lambda: fields),
        match=match,
    )


def _find_reference(
    world: World, hosted: Hosted, face: bytes, document: str | bytes | None
) -> bytes | None:
    """Return the picture to compare the face with; None if there is none."""
    if hosted.kind == "kyc":
        # Without a document, the person's own card stands for it.
        return face if document is None else _read_picture(document)
    if document is not None:
        raise ValueError("a biometric session has no document step")
    if hosted.reference is None:
        return None
    reference = world.pictures.find(hosted.reference)
    if reference is None:
        raise ValueError("the mock no longer has the reference: it stores the newest 64 MiB")
    return reference


def _digest(picture: bytes) -> str:
    return hashlib.sha256(picture).hexdigest()


def _read_picture(card: str | bytes) -> bytes:
    if isinstance(card, bytes):
        return card
    if card not in READY:
        raise ValueError(
            f"there is no ready card {card!r:.40}; {suggest_name(str(card), READY)} In Python, "
            "pass the picture of another person: make_card(NAME)."
        )
    return READY[card].data


@attrs.frozen(kw_only=True)
class ListedSession(Session):
    """A session as the control API lists it.

    Attributes:
        page: The URL on which anybody can act as the person; None for a saved call.
        charges: What was charged for it, in USD.
    """

    page: str | None = attrs.field(repr=False)
    charges: tuple[Decimal, ...]


class HostedSessions(Extension[R]):
    """The hosted sessions of one world, with methods that act as the person. Thread-safe."""

    def all(
        self, *, status: str | None = None, since: int = 0, limit: int | None = None
    ) -> Selection[Session]:
        """Return the saved calls and the hosted sessions, also ended ones, oldest first.

        Expires the sessions whose time is over, which sends their webhooks. `status` is the
        vendor's name for it; for `since` and `limit` see `Control.journal`.
        """
        world = self._control.world
        expire_due_sessions(world)
        return select(world.sessions.all(), since=since, limit=limit, status=status)

    @endpoint("GET", "sessions", result_key="sessions")
    def _http_all(
        self, status: str | None = None, since: int = 0, limit: int | None = None
    ) -> Selection[ListedSession]:
        """Return the sessions, also ended ones, each with its page and its charges."""
        return self._with_pages_and_charges(self.all(status=status, since=since, limit=limit))

    def _with_pages_and_charges(self, sessions: Selection[Session]) -> Selection[ListedSession]:
        """Return the sessions with their charges.

        A session has its page while the server has an address.
        """
        world = self._control.world
        charges: dict[str | None, list[Decimal]] = {}
        for charge in world.ledger.charges.all():
            charges.setdefault(charge.request_id, []).append(charge.amount)
        address = world.account.shared.address
        listed = []
        for session in sessions:
            page = None
            if session.hosted is not None and address is not None:
                page = page_url(world, session, address)
            fields = attrs.asdict(session, recurse=False)
            session_charges = tuple(charges.get(session.id, ()))
            listed.append(ListedSession(**fields, page=page, charges=session_charges))
        selection = Selection(listed)
        selection.left_out = sessions.left_out
        return selection

    @endpoint("GET", "sessions/open", result_key="sessions")
    def open(self) -> tuple[Session, ...]:
        """Return the hosted sessions in which a person can act, oldest first."""
        return open_sessions(self._control.world)

    def page(self, session_id: str | uuid.UUID) -> str:
        """Return the URL of a session's page. Anybody with the URL can act as the person.

        Raises LookupError for an unknown session, RuntimeError while the server is stopped.
        """
        world = self._control.world
        session = find(world, session_id)
        address = world.account.shared.address
        if address is None:
            raise RuntimeError("the page exists only while the server runs; use `finish` instead")
        return f"{address}{page_path(world, session)}"

    def finish(
        self,
        session_id: str | uuid.UUID,
        card: str | bytes = "p1",
        document: str | bytes | None = None,
    ) -> Session:
        """Perform the person's check and return the updated session.

        Args:
            session_id: The id from the vendor's responses; a client of the vendor may have made a
                UUID of it.
            card: The picture of the person, or the name of a ready test card. It is compared with
                the reference or the document. A spoof card fails the liveness check.
            document: The picture or card of the document, for a session of the kind ``kyc``. None
                uses `card` for both.

        Raises:
            LookupError: there is no hosted session with that id.
            ValueError: the card is unknown, or the session has ended or has no document step.
        """
        return act(self._control.world, session_id, "card", card=card, document=document)

    def fail_attempt(self, session_id: str | uuid.UUID) -> Session:
        """Fail an attempt without a check. For errors see `finish`."""
        return act(self._control.world, session_id, "fail_attempt")

    def abandon(self, session_id: str | uuid.UUID) -> Session:
        """Abandon a session. For errors see `finish`."""
        return act(self._control.world, session_id, "abandon")

    def expire(self, session_id: str | uuid.UUID) -> Session:
        """Expire a session without advancing the clock. For errors see `finish`."""
        return act(self._control.world, session_id, "expire")

    @endpoint("POST", "sessions/on_open")
    def on_open(
        self,
        session_id: str | None = None,
        *,
        outcome: str | Sequence[str] | None,
        document: str | None = None,
    ) -> None:
        """Let the page of a session act by itself when a browser opens it, as if somebody clicked.

        Args:
            session_id: The id from the vendor's responses; None for all sessions of the vendor
                that have no rule of their own.
            outcome: The name of a test card, whose face the person shows, or ``fail_attempt``,
                ``abandon`` or ``expire``; a list for the first attempt, the second, and so on,
                whose last name is repeated. None waits for a click again.
            document: The name of the card that is the document; None for the card of the face.

        Raises:
            LookupError: there is no hosted session with that id.
            ValueError: an outcome or the document is unknown.

        Example:
            >>> from facematch_mock_server import MockServer
            >>> mock = MockServer(vendor="persona")
            >>> mock.control.sessions.on_open(outcome=["fail_attempt", "p1"])
        """
        world = self._control.world
        if session_id is not None:
            session_id = find(world, session_id).id
        if outcome is None:
            world.acts_on_open.pop(session_id, None)
            return
        outcomes = (outcome,) if isinstance(outcome, str) else tuple(outcome)
        names = (*READY, *_OTHER_OUTCOMES)
        if not outcomes:
            raise ValueError("outcome must have at least one name")
        for name in outcomes:
            check_word("outcome", name, names)
        if document is not None:
            check_word("document", document, tuple(READY))
        world.acts_on_open[session_id] = ActsOnOpen(outcomes=outcomes, document=document)

    @endpoint("POST", "sessions/frame_ancestors")
    def allow_frames(self, origins: Sequence[str]) -> None:
        """Let pages of these origins show this account's sessions in a frame, and no others.

        An origin is a scheme, a host and, if needed, a port or ``*`` for every port, such as
        ``https://shop.test``. Until then, pages of this machine may. Raises ValueError for anything
        else.
        """
        for origin in origins:
            # JSON may have other values.
            if not _ORIGIN.fullmatch(str(origin)):
                raise ValueError(
                    f"{origin!r:.80} is no origin: write it like https://shop.test, or "
                    "http://shop.test:*, without a path"
                )
        self._control.account.frame_ancestors = tuple(origins)

    @endpoint("POST", "sessions/act")
    def _http_act(
        self, session_id: str, do: str, card: str | None = None, document: str | None = None
    ) -> dict[str, Any]:
        """Act as the person in a session (begin, card, fail_attempt, abandon, expire)."""
        world = self._control.world
        session = act(world, session_id, do, card=card, document=document)
        attempts = hosted_of(session).attempts
        return {"session_id": session.id, "status": session.status, "attempts": attempts}


class DocumentSessions(HostedSessions[R]):
    """Hosted sessions in which a document may be shown and a decision revised. Thread-safe."""

    def decide(self, session_id: str | uuid.UUID, status: str) -> Session:
        """Decide a session, or revise its decision, as a person at the vendor does.

        Args:
            session_id: The id from the vendor's responses.
            status: One of the vendor's statuses of a finished session.

        Raises:
            LookupError: there is no hosted session with that id.
            ValueError: the vendor has no such status.
        """
        world = self._control.world
        rules: SessionRules = world.behaviour.session_rules
        check_word("status", status, sorted(rules.finished_statuses))
        find(world, session_id)
        decided = world.sessions.change(
            session_id, lambda stored: with_status(world, stored, status)
        )
        session: Session = require(decided, "session")
        rules.on_status_change(world, session)
        return session

    @endpoint("POST", "sessions/decide")
    def _http_decide_session(self, session_id: str, status: str) -> dict[str, str]:
        """Decide a session like a person at the vendor, and send webhooks."""
        session = self.decide(session_id, status)
        return {"session_id": session.id, "status": session.status}

    @endpoint("POST", "sessions/document")
    def document(
        self,
        session_id: str | None = None,
        *,
        full_name: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        document_number: str | None = None,
        issuing_country: str | None = None,
        street: str | None = None,
        city: str | None = None,
        postal_code: str | None = None,
        date_of_birth: dt.date | None = None,
        date_of_issue: dt.date | None = None,
        expiration_date: dt.date | None = None,
    ) -> None:
        """Set the values that the vendor reads from the person's document, at any time.

        Replaces all earlier values, and those of the card's person: what is left out is null, as if
        the workflow hid it. Without a `session_id`, the values are for the sessions that start from
        now on.

        Raises:
            LookupError: there is no hosted session with that id.
            ValueError: the session has no document step, or a value has the wrong type.
        """
        texts = {
            "full_name": full_name,
            "first_name": first_name,
            "last_name": last_name,
            "document_number": document_number,
            "issuing_country": issuing_country,
            "street": street,
            "city": city,
            "postal_code": postal_code,
        }
        dates = {
            "date_of_birth": date_of_birth,
            "date_of_issue": date_of_issue,
            "expiration_date": expiration_date,
        }
        fields = dict[str, str]()
        for name, text in texts.items():
            if text is not None:
                check_string(name, text)
                fields[name] = text
        for name, date in dates.items():
            if date is not None:
                _check_date(name, date)
                fields[name] = date.isoformat()

        if session_id is None:
            self._control.world.document_fields = fields
            return

        def change(session: Session) -> Session:
            if hosted_of(session).kind != "kyc":
                raise ValueError("a biometric session has no document step")
            return with_hosted(session, document_fields=fields, card_fields={})

        require(self._control.world.sessions.change(session_id, change), "session")


def _check_date(name: str, value: object) -> None:
    # A datetime is an instance of date, too.
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise ValueError(f"{name} must be a datetime.date, or None")  # noqa: TRY004 - as for any bad value
