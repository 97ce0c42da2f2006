"""What may become of a hosted session, and who plays it where no person and no vendor is."""

from __future__ import annotations

import abc
import enum
from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_core.clock import Clock


class SessionCase(enum.StrEnum):
    """What a vendor shows of one session. What is not said is as in PASSED."""

    #: A live person, who is the right one, went through all of it, and the vendor approved it.
    PASSED = "passed"
    #: It was another one, who is live, and the vendor says so of the comparison.
    OTHER_PERSON = "other_person"
    #: It was a photograph or a mask, and the vendor says so of the live face.
    SPOOF = "spoof"
    #: The vendor approved it, and shows no item about a face.
    NO_FACE_ITEM = "no_face_item"
    #: Each item passed, and the vendor did not approve the whole.
    UNAPPROVED = "unapproved"
    #: Each item passed, and somebody at the vendor still looks.
    IN_REVIEW = "in_review"
    #: The vendor's word for the whole is `VendorSimulator.unknown_status`, which nobody knows.
    UNKNOWN_WORD = "unknown_word"
    #: That is its word for each item about a face, with the scores of those that passed.
    UNKNOWN_ITEM = "unknown_item"
    #: Beside an item that passed is another about the same, later one, that is not finished.
    UNFINISHED = "unfinished"
    #: The vendor's best word, and a score of 50 for a live face: of a vendor without a verdict.
    LOW_SCORE = "low_score"
    #: An attempt failed, and the person may try again in the same session.
    TRY_AGAIN = "try_again"
    #: Nobody came, and its time is over, as the vendor says.
    EXPIRED = "expired"
    #: The answer is about a session of another id.
    FOREIGN = "foreign"
    #: It was made a day before it was planned.
    OLDER = "older"
    #: The answer says that it is from the vendor's sandbox.
    SANDBOX = "sandbox"
    #: The answer names an environment that no document of the vendor's names.
    UNKNOWN_ENVIRONMENT = "unknown_environment"
    #: The vendor has nothing of it any more, in its own words for that.
    VANISHED = "vanished"


class SessionSimulator(abc.ABC):
    """Plays the sessions of a `VendorSimulator`, which has it as its `sessions`.

    What `VendorSimulator.set_situation` sets holds for requests about sessions, too, which count in
    `requests_seen`: a refusal or a fault meets each of them. What was made before a LOST_ANSWER, or
    by it, is still there when SAME_PERSON or LIVE is set after it.

    Attributes:
        cases: What it can play.
        cannot_happen: Cases that cannot be met at this vendor at all, each with the reason. What is
            in neither has not been tested, and the report says so.
        clock: The vendor's, by whose `sleep` time passes; None for the one of the kit.
        with_reference: Whether a start brings a picture: each way that can be played. The last one
            is taken where one is enough.
    """

    cases: frozenset[SessionCase]
    cannot_happen: Mapping[SessionCase, str] = {}
    clock: Clock | None = None
    with_reference: ClassVar[tuple[bool, ...]] = (False,)

    @abc.abstractmethod
    def play(self, session_id: str, case: SessionCase) -> None:
        """Let the vendor show a session, in which a person may still do something, as `case` says.

        After TRY_AGAIN another case may follow, and VANISHED after any.
        """

    def options(self, declared: type) -> Any:
        """Options of a start, of the type that the backend declares: those by which there is a
        portrait, say."""
        return declared()

    def deliver(self, session_id: str) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of a webhook about a session, signed as the vendor signs it now."""
        raise NotImplementedError(f"{type(self).__name__} sends no webhooks.")
