"""What the parts of the mock ask of one another."""

from __future__ import annotations

from typing import Protocol

from ._messages import Head, Request, Response
from .faults import Fault, Faults
from .outcomes import LivenessOutcome, MatchOutcome


class Handler(Protocol):
    """The engine as a front sees it. Safe across threads."""

    @property
    def faults(self) -> Faults:
        """The rules of this world."""
        ...

    def refuse_early(self, head: Head) -> Response | None:
        """An answer that needs no body (413 for a declared length over the limit), or None."""
        ...

    def max_body_bytes(self, head: Head) -> int:
        """How many bytes of a body are taken before the answer is 413."""
        ...

    def handle(self, request: Request) -> Response:
        """The whole answer to a whole request."""
        ...

    def too_large(self, head: Head) -> Response:
        """The 413 for a body that grew over the limit (chunked, no declared length)."""
        ...

    def answer_of(self, fault: Fault, request: Request) -> Response:
        """The answer of a fault at `Stage.ANSWER` (HTML, wrong JSON, a status)."""
        ...

    def note(self, head: Head, what: str) -> None:
        """Write into the journal what a front did by itself (a fault, a broken request)."""
        ...


class Decider(Protocol):
    """Decides what a vendor sees. Safe across threads.

    It is handed the SHA-256 of each picture, so that none is hashed twice; None where the world
    digests nothing.
    """

    def match(
        self,
        probe: bytes,
        reference: bytes,
        *,
        rotate: bool,
        probe_digest: str | None = None,
        reference_digest: str | None = None,
    ) -> MatchOutcome:
        """The facts of one comparison."""
        ...

    def liveness(self, probe: bytes, *, rotate: bool, digest: str | None = None) -> LivenessOutcome:
        """The facts of one liveness check."""
        ...


class Vendor(Protocol):
    """One vendor's behaviour in one world.

    Attributes:
        name: ``didit``, say.
    """

    name: str

    def owns(self, head: Head) -> bool:
        """Whether this request is for this vendor."""
        ...

    def handle(self, request: Request) -> Response:
        """The vendor's answer."""
        ...
