"""A shop with the facematch of one release: reads a command from each line, and answers with JSON.

Run by `test_releases.py` with the release on PYTHONPATH. It uses only calls that each release has,
and its vendor remembers sessions in a folder, so that the shops of all releases see the same ones.
"""

import json
import sys
from pathlib import Path

import attrs
import sqlalchemy

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.backend import session_types as types

PURPOSE = "payout"


@attrs.define(eq=False)
class Vendor(Backend):
    """A vendor that stores the record's id and terms with each session."""

    folder: Path

    name = "acme"
    reports_sent = True
    environment = fm.Environment.PRODUCTION
    session_capabilities = types.SessionCapabilities(
        checks=frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS}),
        compares_with=frozenset({fm.ComparedWith.STORED}),
        stores=frozenset({types.VendorCopy.ID, types.VendorCopy.TERMS}),
        can_delete=True,
        link_hosts=frozenset({"go.acme.example"}),
    )

    def match(self, request):
        raise NotImplementedError

    def file(self, session_id):
        return self.folder / f"{session_id}.json"

    def start_session(self, request):
        request.on_sent()
        record = request.record
        session_id = f"s-{record.id}"
        copies = {"record_id": record.id, "terms": record.terms}
        self.file(session_id).write_text(json.dumps({"state": "pending", **copies}))
        link = fm.Secret(f"https://go.acme.example/{session_id}")
        access = types.SessionAccess(link=link)
        state = fm.SessionState.PENDING
        return types.SessionReading(session_id=session_id, state=state, access=access)

    def read_session(self, request):
        request.on_sent()
        session_id = request.record.session_id
        session = json.loads(self.file(session_id).read_text())
        state = fm.SessionState(session.pop("state"))
        checks = ()
        if state is fm.SessionState.DECIDED:
            match = fm.MatchResult(decision=fm.Decision.MATCH, backend=self.name)
            live = fm.LivenessResult(decision=fm.LivenessDecision.LIVE, backend=self.name)
            checks = (types.SessionCheck(result=match), types.SessionCheck(result=live))
        return types.SessionReading(
            session_id=session_id,
            state=state,
            checks=checks,
            compared_with=fm.ComparedWith.STORED,
            **session,
        )

    def delete_session(self, request):
        request.on_sent()
        self.file(request.record.session_id).unlink()
        return types.Deletion(state=types.DeletionState.DONE)


def add_a_column():
    """Let this release be a later one, whose table of sessions has one column more."""
    from facematch_core.sessions import rows

    rows.SESSIONS.append_column(sqlalchemy.Column("later", sqlalchemy.Text))
    row_type = attrs.make_class(
        "SessionRow",
        {"later": attrs.field(default=None)},
        bases=(rows.SessionRow,),
        frozen=True,
        kw_only=True,
    )
    # The store's functions are methods of one object, which is frozen.
    object.__setattr__(rows.find.__self__, "row_type", row_type)


class Shop:
    """A store of sessions with a budget in the same database."""

    def __init__(self, address, folder, *, is_later):
        self.is_later = is_later
        self.budgets = fm.SqlStore(address)
        budget = fm.Budget(1000, name="shop", store=self.budgets)
        verifier = fm.FaceVerifier(
            Vendor(Path(folder)), require_environment="production", policies=[budget]
        )
        sessions = fm.Sessions(verifier, compared_with="stored")
        self.store = fm.SessionStore(address, sessions)
        self.engine = sqlalchemy.create_engine(address)

    def ask(self, method, customer, **options):
        """Call a method about the customer's case, as this release has it."""
        if hasattr(self.store, "of"):
            case = self.store.of(customer, purpose=PURPOSE, about=None)
            return getattr(case, method)(**options)
        return getattr(self.store, method)(customer, purpose=PURPOSE, about=None, **options)

    def begin(self, customer):
        begun = self.ask("begin", customer)
        if self.is_later:
            self.write_what_others_do_not_know(begun.record.id)
        return begun.record.session_id

    def write_what_others_do_not_know(self, record_id):
        """Write a new column of the row, and a new key and a new word of its documents."""
        with self.engine.begin() as connection:
            query = "SELECT record FROM facematch_sessions WHERE id = :id"
            text = connection.execute(sqlalchemy.text(query), {"id": record_id}).scalar_one()
            record = json.dumps({**json.loads(text), "later": 1})
            change = "UPDATE facematch_sessions SET record = :record, later = 'x' WHERE id = :id"
            connection.execute(sqlalchemy.text(change), {"id": record_id, "record": record})

    def look(self, customer):
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.text("UPDATE facematch_sessions SET look_at = 0"))
        # Used sessions are read, too: the vendor may revise a verdict.
        return customer in [session.record.subject_ref for session in self.store.look()]

    def state(self, customer):
        found = self.ask("find", customer)
        return None if found.result is None else str(found.result.state)

    def use(self, customer):
        # The former release returns True or False.
        return bool(self.ask("use", customer, max_age_s=3600))

    def spent(self):
        return [int(state.spent + state.unknown) for state in self.budgets.budgets()]

    def forget(self):
        forgotten = self.store.forget(0)
        # The former release returns their number.
        return forgotten if isinstance(forgotten, int) else len(forgotten)


def answer_with(value):
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


def main():
    _, address, folder, kind = sys.argv
    if kind == "later":
        add_a_column()
    shop = Shop(address, folder, is_later=kind == "later")
    answer_with(fm.__file__)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            answer = getattr(shop, method)(*arguments)
        except Exception as error:  # noqa: BLE001 - for the test
            answer = f"{type(error).__name__}: {error}"
        answer_with(answer)


if __name__ == "__main__":
    main()
