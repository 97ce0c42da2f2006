"""A vendor of hosted sessions that remembers them, for tests of a store of sessions."""

import itertools

import attrs
from kit.sessions import LINK, TOKEN, Acme, live, match, reading

import facematch_core as fm
from facematch_core.backend import session_types as types

STATE = fm.SessionState


@attrs.define(kw_only=True)
class VendorSession:
    """A session as the vendor remembers it.

    Attributes:
        passes: Its verdict; None while there is none.
        has_begun: Whether the person has entered it.
    """

    id: str
    record_id: str
    terms: str
    compared_with: fm.ComparedWith
    state: fm.SessionState = STATE.PENDING
    passes: bool | None = None
    has_begun: bool = False


class ManySessions(Acme):
    """Each start makes a session, or returns that of the record if it is repeatable.

    Attributes:
        starts: The starts that reached the vendor, as requests; each is paid.
        reads: The records of all reads.
        before_start: Called when a start arrives, before there is a session.
        after_start: Called when there is a session, before the caller gets the answer.
        after_read: Called when a read has been answered, before the caller gets the answer.
    """

    def __init__(self, *, gives="link", name="acme", **can):
        super().__init__(**{"start_is_repeatable": False, "finds_by_record": False, **can})
        self.name = name
        self.gives = gives
        self.sessions = {}
        self.starts = []
        self.reads = []
        self.deleted = []
        self.numbers = itertools.count(1)
        self.before_start = self.after_start = self.after_read = lambda: None

    def of_record(self, record):
        return [each for each in self.sessions.values() if each.record_id == record.id]

    def access(self, session):
        if session.state is not STATE.PENDING:
            return None
        if self.gives == "link":
            return types.SessionAccess(link=fm.Secret(f"{LINK}-{session.id}"))
        if self.gives == "token":
            return types.SessionAccess(token=fm.Secret(f"{TOKEN}-{session.id}"))
        return None

    def start_session(self, request):
        request.on_sent()
        self.before_start()
        record = request.record
        self.starts.append(request)
        known = self.of_record(record)
        if known and self.session_capabilities.start_is_repeatable:
            session = known[0]
        else:
            session = VendorSession(
                id=f"s-{next(self.numbers)}",
                record_id=record.id,
                terms=record.terms,
                compared_with=record.compared_with or fm.ComparedWith.UNKNOWN,
            )
            self.sessions[session.id] = session
        access = self.access(session)
        if self.gives == "token once":
            access = types.SessionAccess(token=fm.Secret(f"{TOKEN}-{session.id}"))
        self.after_start()
        return types.SessionReading(session_id=session.id, state=STATE.PENDING, access=access)

    def read_session(self, request):
        request.on_sent()
        record = request.record
        self.reads.append(record)
        session = self.sessions.get(record.session_id)
        if record.session_id is None:
            session = next(iter(self.of_record(record)), None)
        if session is None:
            raise fm.SessionNotFound("There is no such session.", billing=fm.Billing(fm.Charged.NO))
        answer = self.reading_of(session, record)
        self.after_read()
        return answer

    def reading_of(self, session, record):
        checks = ()
        if session.passes is not None:
            decision = fm.Decision.MATCH if session.passes else fm.Decision.NO_MATCH
            checks = (match(decision), live())
        return reading(
            record,
            session_id=session.id,
            state=session.state,
            has_begun=session.has_begun,
            checks=checks,
            compared_with=session.compared_with,
            document_holders=(types.DocumentHolder(name="Ada Lovelace"),),
            record_id=session.record_id,
            terms=session.terms,
            access=self.access(session),
        )

    def delete_session(self, request):
        request.on_sent()
        record = request.record
        found = [self.sessions.get(record.session_id)]
        if record.session_id is None:
            found = self.of_record(record)
        for session in filter(None, found):
            self.deleted.append(session.id)
            del self.sessions[session.id]
        return types.Deletion(state=types.DeletionState.DONE)

    def receive_session(self, body, headers, now):
        if headers.get("signature") != self.name:
            raise fm.WebhookRefused("The delivery is not signed.")
        record_id, session_id = (text or None for text in body.decode().split("|"))
        return (types.SessionHint(record_id=record_id, session_id=session_id),)

    def finish(self, session_id=None, *, passes=True):
        """The person finishes the newest session, or the vendor revises its verdict."""
        session = self.sessions[session_id or max(self.sessions)]
        session.state = STATE.DECIDED
        session.passes = passes
