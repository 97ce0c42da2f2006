"""A desk that checks uploads, for tests of `CheckStore`: `import *` brings its fixtures."""

import contextlib

import pytest
import sqlalchemy
from kit.fakes import FakeBackend, liveness_result, match_result, picture

import facematch_core as fm
from facematch_core.testing import ManualClock

SELFIE = picture()
DOCUMENT = picture((10, 20, 30))
OTHER = picture((200, 30, 30))
PAYOUT = {"purpose": "payout", "about": "payout 8841"}
LOGIN = {"purpose": "login", "about": None}
NO_MATCH = match_result(fm.Decision.NO_MATCH)


class Desk:
    """A store of checks of one backend, and what a shop does with it for customer 17."""

    def __init__(self, address, stack, *, backend=None, clock=None, **arguments):
        self.address = address
        self.stack = stack
        self.clock = clock or ManualClock()
        self.backend = backend or FakeBackend()
        self.store = self.opened(**arguments)

    def opened(self, verifier=None, **arguments):
        names = ("threshold", "review_threshold", "require_environment", "policies", "log")
        settings = {name: arguments.pop(name) for name in names if name in arguments}
        if verifier is None:
            verifier = fm.FaceVerifier(self.backend, clock=self.clock, **settings)
        store = fm.CheckStore(self.address, verifier, **arguments)
        return self.stack.enter_context(store)

    def of(self, customer="customer-17", *, case=PAYOUT):
        return self.store.of(customer, **case)

    def verify_live(self, selfie=SELFIE, document=DOCUMENT, **options):
        return self.of().verify_live(selfie, document, **options)

    def lose(self, *, before=(), **options):
        """Make a check whose answer is lost."""
        self.backend.script[:] = [*before, fm.OutcomeUnknown("The answer was lost.")]
        with pytest.raises(fm.OutcomeUnknown) as caught:
            self.verify_live(**options)
        return caught.value

    @property
    def operations(self):
        """What was sent so far, as the first letters of its operations."""
        return "".join(call.operation.value[0] for call in self.backend.calls)

    def rows(self, columns="*"):
        engine = sqlalchemy.create_engine(self.address)
        with contextlib.closing(engine.connect()) as connection:
            query = f"SELECT {columns} FROM facematch_checks ORDER BY begun_at"
            found = [dict(row) for row in connection.execute(sqlalchemy.text(query)).mappings()]
        engine.dispose()
        return found


@pytest.fixture
def open_desk(address):
    with contextlib.ExitStack() as stack:
        yield lambda **arguments: Desk(address, stack, **arguments)


@pytest.fixture
def desk(open_desk):
    return open_desk()


def live():
    return liveness_result(score=fm.Score(80, "fake/v1"))
