"""What may become of a hosted session, and who plays it where no person and no vendor is."""

from __future__ import annotations

import abc
import enum
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_core.backend import ImageLimits
from facematch_core.backend.session_types import ComparedWith, Deletion, SessionState
from facematch_core.base.clock import Clock
from facematch_core.models import Decision, LivenessDecision


class SessionCase(enum.StrEnum):
    """A session as a vendor shows it. What a case does not mention is as in PASSED."""

    #: A live person, who is the right one, went through all of it, and the vendor approved it.
    PASSED = "passed"
    #: Another person, who is live: the vendor's comparison says so.
    OTHER_PERSON = "other_person"
    #: A photograph or a mask: the vendor's liveness check says so.
    SPOOF = "spoof"
    #: The vendor approved it, and shows no item about a face.
    NO_FACE_ITEM = "no_face_item"
    #: The face was compared with another picture than the start's reference: a stored one, or a
    #: document.
    OTHER_PICTURE = "other_picture"
    #: Beside an item that passed is another about the same, later one, that is not finished.
    UNFINISHED = "unfinished"
    #: The vendor's best word, and a score of 50 for a live face: of a vendor without a verdict.
    LOW_SCORE = "low_score"
    #: An attempt failed, and the person may try again in the same session.
    TRY_AGAIN = "try_again"
    #: The answer is about a session of another id.
    FOREIGN = "foreign"
    #: The session was made a day before it was planned.
    OLDER = "older"
    #: The answer says that it is from the vendor's sandbox.
    SANDBOX = "sandbox"
    #: The answer names an environment that no document of the vendor's names.
    UNKNOWN_ENVIRONMENT = "unknown_environment"
    #: The vendor has nothing of it any more, in its own words for that.
    VANISHED = "vanished"


@attrs.frozen
class SessionWord:
    """The meaning of a documented word of the vendor, in an answer as in PASSED.

    Write it from the vendor's pages, apart from the code that reads the word: a word that is
    misread in both places is not noticed.

    Attributes:
        place: Where the word is in an answer about a session: ``("status",)``.
        word: The vendor's word there, or another value; None for null.
        means: What a reading has to say: of the session, of the match, of the live face, or with
            which picture the face was compared. A `Deletion` for a word in the answer to a
            deletion: its `state` and `face_kept`.
        source: The page that says so, and when it was read.
        is_yes: Whether a person who passed is verified by this word: as a rule true of one word at
            each place.
    """

    place: tuple[str | int, ...]
    word: Any
    means: SessionState | Decision | LivenessDecision | ComparedWith | Deletion
    source: str
    is_yes: bool = False


class SessionSimulator(abc.ABC):
    """Plays the hosted sessions of a `VendorSimulator`, which has it as its `sessions`.

    `VendorSimulator.set_situation` holds for requests about sessions, too, which count in
    `requests_seen`: a refusal or a fault meets each of them. A session that was made before a
    LOST_ANSWER, or by it, is still there when SAME_PERSON or LIVE is set after it.

    Attributes:
        cases: What it can play. Cases about a check that the sessions do not report are not asked
            for, and LOW_SCORE only where the vendor leaves the verdict to a threshold.
        words: Every word that the vendor's pages name for a session, for a face in it, and for a
            deletion. The kit plays an unknown word at each place as well.
        cannot_happen: Cases that this vendor cannot show, each with the reason. A case that is in
            neither was not tested, and the rule is skipped with that reason.
        clock: The vendor's clock, by whose `sleep` time passes; None for the one of the kit.
        compared_with: With which picture the face is compared, None for none: each way that can be
            played. The last one is taken where one is enough.
        hands_over: Parts of `WayIn` that the vendor's start gives: ``link``, ``token``, ``page``.
        reference_limits: What the vendor takes as a reference, as its documents say; None for the
            backend's word.
        looks_at_references: Whether it refuses the references that its vendor refuses.
    """

    cases: frozenset[SessionCase]
    words: tuple[SessionWord, ...] = ()
    cannot_happen: Mapping[SessionCase, str] = {}
    clock: Clock | None = None
    compared_with: ClassVar[tuple[ComparedWith | None, ...]] = (None,)
    hands_over: tuple[str, ...] = ()
    reference_limits: ImageLimits | None = None
    looks_at_references: ClassVar[bool] = False

    @abc.abstractmethod
    def play(self, session_id: str, case: SessionCase) -> None:
        """Show a session, in which a person may still do something, as `case` says.

        After TRY_AGAIN another case may follow, and VANISHED after any.
        """

    @abc.abstractmethod
    def say(self, session_id: str, place: tuple[str | int, ...], word: Any) -> None:
        """Show a session as in PASSED, but for `word` at `place`."""

    def kept(self, session_id: str) -> int | None:
        """Return how many pictures and templates of the person the vendor keeps of a session that
        was passed or deleted, beside those for the verdict; None where nobody can say."""
        return None

    def lasts_s(self, session_id: str) -> float | None:
        """Return for how many seconds link or token of a session work, as its start has asked; None
        where a start cannot say it."""
        return None

    def options(self, declared: type) -> Any:
        """Return options of a start, of the declared type: those for a portrait, for example."""
        return declared()

    def deliver(self, session_id: str) -> tuple[bytes, Mapping[str, str]]:
        """Return body and headers of a webhook about a session, signed by the vendor now."""
        raise NotImplementedError(f"{type(self).__name__} sends no webhooks.")
