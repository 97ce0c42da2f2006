"""Everything that the shop asks of facematch, for the web processes and the worker."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import shop

from facematch_core import (
    CheckCase,
    CheckStore,
    LiveMatchDecision,
    SessionStore,
    Use,
    VerdictChanged,
    VerificationCase,
    open_sessions,
    open_verifier,
)

MAX_AGE_S = 3600

#: The customer's next step, if the verdict cannot be used: VERIFIED is too old, or under former
#: settings. NOT_LIVE, NO_MATCH and REVIEW look the same from outside.
NEXT_STEP: dict[object, str] = {
    LiveMatchDecision.VERIFIED: "retake",
    LiveMatchDecision.NOT_LIVE: "wait",
    LiveMatchDecision.NO_MATCH: "wait",
    LiveMatchDecision.REVIEW: "wait",
    LiveMatchDecision.INCONCLUSIVE: "retake",
}


class Faces(NamedTuple):
    """The stores of uploads and of hosted sessions, in the shop's database."""

    checks: CheckStore
    sessions: SessionStore

    def signup_of(self, customer: str, upload: str) -> CheckCase:
        """Return the case of two pictures: its verdict is on these, and on no others."""
        return self.checks.of(customer, purpose="signup", about=upload)

    def payout_of(self, customer: str, about: str) -> VerificationCase:
        """Return the customer's case: a verdict for one payout is not one for another."""
        return self.sessions.of(customer, purpose="payout", about=about)

    def erase(self, customer: str) -> None:
        """Erase what is left of a customer who has left; store the evidence."""
        erased = [*self.sessions.erase(customer), *self.checks.erase(customer)]
        shop.write_evidence(customer, erased)


@contextmanager
def opened() -> Iterator[Faces]:
    """Open both stores. Each has connections of its own, so that no payout waits for another's."""
    url = os.environ["DATABASE_URL"]
    vendor = os.environ.get("SHOP_VENDOR", "didit")
    with (
        CheckStore(url, open_verifier(profile="uploads")) as checks,
        SessionStore(url, open_sessions(profile=vendor), person=shop.person_of) as sessions,
    ):
        yield Faces(checks, sessions)


def step_of_signup(signup: CheckCase) -> str:
    """Return what the page says about the pictures of a customer without an account."""
    found = signup.find()
    if found is None or found.result is None:
        return "new"
    if not signup.why_not():
        return "continue"
    if found.decisions:
        return "retake" if found.decisions[-1].accept else "wait"
    return NEXT_STEP[found.result.decision]


def use_signup(faces: Faces, customer: str, upload: str) -> Use:
    """Use the verdict and open the account with its selfie: both are committed, or neither."""
    with shop.transaction() as database:
        use = faces.signup_of(customer, upload).use(connection=database)
        if use is Use.FIRST and not shop.open_account(database, customer, upload):
            raise VerdictChanged("The account is open, or other pictures were sent meanwhile.")
    return use


def step_of_payout(payout: VerificationCase) -> str:
    """Return what the page says about a payout. Only `pay` asks the vendor."""
    session = payout.find()
    if session is None:
        return "new"
    if session.is_open:
        return "looking"
    if session.evidence is not None and not session.decisions:
        return "waiting"
    return "failed" if payout.why_not(max_age_s=MAX_AGE_S) else "verified"


def is_under_way(payout: VerificationCase) -> bool:
    """Return whether the payout has an open session, so that a click starts no other one."""
    session = payout.find()
    return session is not None and session.is_open and session.record.session_id is not None


def use_payout(faces: Faces, customer: str, about: str) -> Use:
    """Use the verdict, if the vendor still says so now, and pay: both are committed, or neither."""
    payout = faces.payout_of(customer, about)
    person = shop.person_of(customer)  # now, because the transaction holds a connection
    with shop.transaction() as database:
        use = payout.use(max_age_s=MAX_AGE_S, document=person, connection=database)
        if use is Use.FIRST:
            shop.pay(database, about)
    return use
