"""What may become of a hosted session, and who plays it where no person and no vendor is."""

from __future__ import annotations

import abc
import enum
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from facematch_core.backend.session_types import ComparedWith, SessionState
from facematch_core.base.clock import Clock
from facematch_core.models import Decision, LivenessDecision


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
    #: It was compared with another picture than the one that the start brought: one that the vendor
    #: had stored, or a document.
    OTHER_PICTURE = "other_picture"
    #: Beside an item that passed is another about the same, later one, that is not finished.
    UNFINISHED = "unfinished"
    #: The vendor's best word, and a score of 50 for a live face: of a vendor without a verdict.
    LOW_SCORE = "low_score"
    #: An attempt failed, and the person may try again in the same session.
    TRY_AGAIN = "try_again"
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


@attrs.frozen
class SessionWord:
    """What a documented word of the vendor's means, beside everything that PASSED shows.

    Written by the vendor's pages, and not by the code that reads them: what is misread there is
    noticed only if it is not misread here.

    Attributes:
        place: Where the word is in an answer about a session: ``("status",)``.
        word: The vendor's word there, or another value; None for null.
        means: What a reading has to say by it: of the session, of the match or of the live face, or
            with which picture the face was compared.
        source: The page that says so, and when it was read.
        is_yes: Whether who passed is verified all the same; of one word at each place, as a rule.
    """

    place: tuple[str | int, ...]
    word: Any
    means: SessionState | Decision | LivenessDecision | ComparedWith
    source: str
    is_yes: bool = False


class SessionSimulator(abc.ABC):
    """Plays the sessions of a `VendorSimulator`, which has it as its `sessions`.

    What `VendorSimulator.set_situation` sets holds for requests about sessions, too, which count in
    `requests_seen`: a refusal or a fault meets each of them. What was made before a LOST_ANSWER, or
    by it, is still there when SAME_PERSON or LIVE is set after it.

    Attributes:
        cases: What it can play. Those about a check that the sessions do not report are not asked
            for, and LOW_SCORE only where the vendor leaves the verdict to a threshold.
        words: Every word that the vendor's pages name for a session, and for what was found out
            about a face in it. Of each place a word that nobody knows is played as well.
        cannot_happen: Cases that cannot be met at this vendor at all, each with the reason. What is
            in neither has not been tested, and the report says so.
        clock: The vendor's, by whose `sleep` time passes; None for the one of the kit.
        compared_with: With which picture the face is compared, None for none: each way that can be
            played. The last one is taken where one is enough.
    """

    cases: frozenset[SessionCase]
    words: tuple[SessionWord, ...] = ()
    cannot_happen: Mapping[SessionCase, str] = {}
    clock: Clock | None = None
    compared_with: ClassVar[tuple[ComparedWith | None, ...]] = (None,)

    @abc.abstractmethod
    def play(self, session_id: str, case: SessionCase) -> None:
        """Let the vendor show a session, in which a person may still do something, as `case` says.

        After TRY_AGAIN another case may follow, and VANISHED after any.
        """

    @abc.abstractmethod
    def say(self, session_id: str, place: tuple[str | int, ...], word: Any) -> None:
        """Let the vendor show a session as in PASSED, but for `word` at `place`."""

    def kept(self, session_id: str) -> int | None:
        """How many pictures of the person the vendor keeps of a session that was passed, beside
        what it needs for the verdict; None where nobody can say."""
        return None

    def options(self, declared: type) -> Any:
        """Options of a start, of the type that the backend declares: those by which there is a
        portrait, say."""
        return declared()

    def deliver(self, session_id: str) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of a webhook about a session, signed as the vendor signs it now."""
        raise NotImplementedError(f"{type(self).__name__} sends no webhooks.")
