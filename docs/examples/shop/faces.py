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
    VerificationCase,
    open_sessions,
    open_verifier,
)

MAX_AGE_S = 3600

#: The customer's next step. NOT_LIVE, NO_MATCH and REVIEW look the same from outside.
NEXT_STEP: dict[object, str] = {
    LiveMatchDecision.VERIFIED: "continue",
    LiveMatchDecision.NOT_LIVE: "wait",
    LiveMatchDecision.NO_MATCH: "wait",
    LiveMatchDecision.REVIEW: "wait",
    LiveMatchDecision.INCONCLUSIVE: "retake",
}


class Faces(NamedTuple):
    """The stores of uploads and of hosted sessions, in the shop's database."""

    checks: CheckStore
    sessions: SessionStore

    def signup_of(self, customer: str) -> CheckCase:
        # `about` names one thing: the customer's one account.
        return self.checks.of(customer, purpose="signup", about="account")

    def used_call_of(self, customer: str) -> str:
        """Return the id of the call of the used verdict, by which its pictures are found."""
        found = self.signup_of(customer).find()
        if found is None or found.result is None:
            raise LookupError("the verdict was erased or forgotten meanwhile")
        return str(found.result.ids.call)

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
    """Return what the page says about the uploads of a customer without an account."""
    found = signup.find()
    if found is None or found.result is None:
        return "new"
    return NEXT_STEP[found.result.decision]


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
