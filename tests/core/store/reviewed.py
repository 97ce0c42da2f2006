"""A case whose verdict a person may decide, of each kind: `import *` brings its fixtures."""

import contextlib
import json

import attrs
import pytest
import sqlalchemy as sa
from core.checks.desk import *  # noqa: F403 - its fixtures
from core.checks.desk import DOCUMENT, OTHER, PAYOUT, SELFIE, live
from core.sessions.shop import *  # noqa: F403 - its fixtures
from core.sessions.vendor import ManySessions
from kit.fakes import match_result
from kit.sessions import live as live_check
from kit.sessions import match as match_check

import facematch_core as fm
from facematch_core.backend import session_types as types

FIRST, AGAIN, NO = fm.Use
REVIEW, INCONCLUSIVE = fm.Decision.REVIEW, fm.Decision.INCONCLUSIVE
STAFF = {"by": "staff-7", "reason": "the same mole"}
HOUR, DAY = 3600.0, 86_400.0
#: A name of which one word is an initial on the document.
ADA = fm.Person(name="Ada Byron")
ON_DOCUMENT = types.DocumentHolder(name="A. BYRON")


def decide(case, accept=True, **changes):
    """Decide about what `find` returns now, as a person who saw just that."""
    return case.decide(**{"evidence": case.find().evidence, "accept": accept, **STAFF, **changes})


class Reviewing(ManySessions):
    """A vendor whose readings have the fields of `shown`."""

    def __init__(self, **can):
        super().__init__(**can)
        self.shown = {"approved": True, "checks": (match_check(REVIEW), live_check())}

    def reading_of(self, session, record):
        reading = super().reading_of(session, record)
        if reading.state is fm.SessionState.DECIDED:
            reading = attrs.evolve(reading, **self.shown)
        return reading


class Reviewed:
    """What both kinds have in common; `opened` is the desk or the shop."""

    about = PAYOUT

    def case(self, customer="customer-17"):
        return self.opened.of(customer, case=self.about)

    def use(self, case=None, **terms):
        return (case or self.case()).use(**self.terms, **terms)

    def why_not(self, case=None):
        return (case or self.case()).why_not(**self.terms)

    def execute(self, statement, **values):
        engine = sa.create_engine(self.opened.address)
        with engine.begin() as connection:
            connection.execute(sa.text(statement.format(table=self.table)), values)
        engine.dispose()

    def change_result(self, *path, value):
        """Change a field of the stored verdict, as if the vendor had written another."""
        (row,) = self.opened.rows("id, result")
        document = json.loads(row["result"])
        part = document
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = value
        statement = "UPDATE {table} SET result = :result WHERE id = :id"
        self.execute(statement, result=json.dumps(document), id=row["id"])


class ReviewedChecks(Reviewed):
    table = "facematch_checks"
    async_store = fm.AsyncCheckStore

    def __init__(self, open_desk, **arguments):
        self.terms = {}
        self.opened = open_desk(**{"attempts": 100, **arguments})
        self.store = self.opened.store

    def review(self, customer="customer-17", *, selfie=SELFIE, match=REVIEW, **options):
        """Check once more, with this decision about the match."""
        self.opened.backend.script[:] = [live(), match_result(match, score=fm.Score(60, "fake/v1"))]
        return self.case(customer).verify_live(selfie, DOCUMENT, **options)

    def review_another(self, match=REVIEW):
        return self.review(selfie=OTHER, match=match, anew=True)

    @property
    def sent(self):
        return len(self.opened.backend.calls)


class ReviewedSessions(Reviewed):
    table = "facematch_sessions"
    async_store = fm.AsyncSessionStore

    def __init__(self, open_shop, **arguments):
        self.terms = {"max_age_s": HOUR}
        self.opened = open_shop(vendor=Reviewing(), **arguments)
        self.vendor = self.opened.vendor
        self.store = self.opened.store

    def review(self, customer="customer-17", **options):
        """Begin and finish a session, and read it."""
        session = self.opened.begin(customer, case=self.about, **options)
        self.vendor.finish(session.record.session_id)
        self.read(customer)
        return session

    def review_another(self, match=REVIEW):
        self.vendor.shown["checks"] = (match_check(match), live_check())
        return self.review(anew=True)

    def read(self, customer="customer-17"):
        self.execute("UPDATE {table} SET look_at = 0 WHERE look_at IS NULL OR look_at > 0")
        return self.store.look()

    @property
    def sent(self):
        return len(self.vendor.starts)


@pytest.fixture
def open_reviewed(open_desk, open_shop):
    def opened(kind, **arguments):
        if kind == "checks":
            return ReviewedChecks(open_desk, **arguments)
        return ReviewedSessions(open_shop, **arguments)

    return opened


@pytest.fixture(params=["checks", "sessions"])
def reviewed(request, open_reviewed):
    """A case of each kind whose verdict is REVIEW."""
    found = open_reviewed(request.param)
    found.review()
    return found


@pytest.fixture
def checks(open_reviewed):
    found = open_reviewed("checks")
    found.review()
    return found


@pytest.fixture
def sessions(open_reviewed):
    return open_reviewed("sessions")


@pytest.fixture
def documents(open_reviewed, address):
    """Sessions that compare a document, whose name is incomplete; `person[0]` is the customer."""
    found = open_reviewed("sessions")
    found.person = [ADA]
    sessions = found.opened.sessions(compared_with="document")
    found.store = found.opened.store = found.opened.opened(
        sessions, person=lambda _customer: found.person[0]
    )
    checks = (match_check(), live_check())
    found.vendor.shown = {
        "approved": True, "checks": checks, "document_holders": (ON_DOCUMENT,)
    }  # fmt: skip
    return found


@contextlib.contextmanager
def own_transaction(address):
    """Open the caller's own connection, which may write at once, with a transaction."""
    engine = sa.create_engine(address)
    with contextlib.closing(engine.connect()) as connection:
        yield connection
    engine.dispose()
