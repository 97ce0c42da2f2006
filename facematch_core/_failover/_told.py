"""What the members of a failover said so far."""

from __future__ import annotations

import logging

import attrs

from facematch_core._results import Skipped
from facematch_core._rules import Answer
from facematch_core.errors import FaceMatchError, VendorError

from ._members import Member
from ._rules import better, goes_on

log = logging.getLogger("facematch")


@attrs.define
class Told:
    """The members that did not answer one call, in order.

    Attributes:
        skipped: What each said.
        asked: Whether one of them was really asked: the others could not take the call.
        error: What is raised if no member answers.
    """

    skipped: tuple[Skipped, ...] = ()
    asked: bool = False
    error: FaceMatchError | None = None

    def add(self, member: Member, error: FaceMatchError) -> None:
        """Note that a member did not answer; an error that ends the call is raised."""
        reason = type(error).__name__
        self.skipped += (Skipped(backend=member.name, reason=reason, message=error.message),)
        if not goes_on(error):
            error.skipped = self.skipped
            raise error
        log.info("The member %s did not answer: %s.", member.name, reason)
        self.asked = self.asked or isinstance(error, VendorError)
        # Its frames hold the pictures, and this frame: it would keep them for long.
        self.error = better(self.error, error.with_traceback(None))

    def answered(self, member: Member, answer: Answer) -> Answer:
        """`answer` with who gave it and who did not."""
        return attrs.evolve(answer, answered_by=member.name, skipped=self.skipped)

    def failure(self) -> FaceMatchError:
        """What to raise: no member answered. There must be one at least."""
        if self.error is None:
            raise AssertionError("A failover has a member.")
        self.error.skipped = self.skipped
        return self.error
