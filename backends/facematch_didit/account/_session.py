"""`SessionDecision`: a session as it stands, and what was done in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from facematch_core import (
    AgeResult,
    Attempt,
    Environment,
    InvalidRequest,
    LivenessResult,
    MatchResult,
    Secret,
)
from facematch_core.backend import ATTEMPT_KEY
from facematch_didit._words import NAME

from ._records import Review
from ._words import OPEN, SessionStatus


@attrs.frozen(kw_only=True)
class Media:
    """A picture or film that Didit keeps with a session.

    Attributes:
        name: What it is, in Didit's word: ``source_image`` is the reference of a face match,
            ``target_image`` its probe, ``reference_image`` and ``video_url`` belong to a check.
        node_id: Of the match or check that it belongs to; None if not told.
        address: Where it can be had for a while (an hour, by most of Didit's pages); ask for the
            decision again to get a fresh one. Whoever has it sees the face.
    """

    name: str
    node_id: str | None = None
    address: Secret


@attrs.frozen(kw_only=True)
class SessionDecision:
    """A session as it stands.

    `status` is the word about the session, and may be a person's; each of `results` is about one
    comparison or check. A pass counts only inside an approved session: else it is REVIEW, with a
    warning of ours. And an approved session makes no match of a comparison that failed.

    The results are Didit's verdict. A record does not tell the rules that a call had on this side:
    a pass that the call itself told as REVIEW, because of its `review_threshold`, is a pass here.
    `judged_by` applies them.

    Attributes:
        session_id, session_number: Its two names; the number is None if not told.
        status, vendor_status: Where it stands, in our word and in Didit's.
        results: Face matches, then liveness checks and estimations of age, each with the verdict
            that Didit gave to the call. What a decision does not tell is None: threshold, faces and
            time needed, and the minimum age, so that nobody is told to be old enough. A face search
            lets nobody in.
        media: Addresses of pictures; empty if Didit tells none (a key may lack the right).
        reviews: Notes of people and programs, as told.
        features: Didit's words for what was done.
        environment: By the session's own word, else as declared; MOCK, if a mock answered.
        workflow_id: None for a session that a single call made.
        caller_ref, metadata: As they were sent, our id of the call with them, which a result tells
            as its `attempt_id`; None if nothing was; not in `repr`.
        created_at, expires_at: UTC; None if not told.
        raw: The part of the body that this reads, without addresses and guesses about the person;
            not in `repr`.
    """

    session_id: str
    session_number: int | None = None
    status: SessionStatus
    vendor_status: str
    results: tuple[MatchResult | LivenessResult | AgeResult, ...] = ()
    media: tuple[Media, ...] = ()
    reviews: tuple[Review, ...] = ()
    features: tuple[str, ...] = ()
    environment: Environment
    workflow_id: str | None = None
    caller_ref: str | None = attrs.field(default=None, repr=False)
    metadata: Mapping[str, Any] | None = attrs.field(default=None, repr=False, hash=False)
    created_at: datetime | None = None
    expires_at: datetime | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    @property
    def matches(self) -> tuple[MatchResult, ...]:
        """The face matches among `results`."""
        return tuple(result for result in self.results if isinstance(result, MatchResult))

    @property
    def liveness_checks(self) -> tuple[LivenessResult, ...]:
        """The liveness checks among `results`."""
        return tuple(result for result in self.results if isinstance(result, LivenessResult))

    @property
    def age_estimations(self) -> tuple[AgeResult, ...]:
        """The estimations of age among `results`."""
        return tuple(result for result in self.results if isinstance(result, AgeResult))

    def judged_by(self, attempt: Attempt) -> SessionDecision:
        """This session by the rules of the call that made it, as `FaceVerifier.reconcile` has them.

        Its thresholds are told where the record tells none, and a pass that they or its
        `review_threshold` do not bear out is REVIEW.

        Args:
            attempt: Of that call, as the event `Started` or an error carries it.

        Raises:
            InvalidRequest: the record is that of another call, or of a call without an id of ours.
        """
        if attempt.backend != NAME or (self.metadata or {}).get(ATTEMPT_KEY) != attempt.id:
            raise InvalidRequest(
                f"The session {self.session_id} does not carry the id of this attempt: it is the "
                "record of another call."
            )
        return attrs.evolve(self, results=tuple(map(attempt.judged, self.results)))

    @property
    def is_open(self) -> bool:
        """Whether somebody is still to do something: False if the status is an unknown word."""
        return self.status in OPEN
