"""What a mock vendor sees in pictures: outcomes that were set, cards, real scores, or bytes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import attrs

from facematch_core import Image, InvalidImage
from facematch_mock_server.recognition.cards import (
    FACES,
    FORMATS,
    GENDERS,
    Card,
    Part,
    between,
    fraction,
    pair_score,
    read_card,
    upright_size,
)
from facematch_mock_server.recognition.outcomes import (
    UNKNOWN,
    Digests,
    Kind,
    LivenessOutcome,
    MatchOutcome,
    SeenFace,
    SeenPicture,
    SetOutcome,
    Waiting,
)
from facematch_mock_server.state import UNSET

if TYPE_CHECKING:
    from facematch_core import FaceVerifier
    from facematch_mock_server.recognition.engine import LocalEngine

EngineName = Literal["cards", "local"]

#: What decides a score: by name, or what opens a verifier that does.
EngineChoice: TypeAlias = "EngineName | Callable[[], FaceVerifier]"


class PictureRecognizer:
    """Decides what a mock vendor sees. Safe across threads.

    In this order: outcomes set by the test; test cards; real scores of the backend local, if
    `engine` says so; else the bytes: the same ones score 100, different ones 2-20, fixed by the
    pair. A picture with a side under 64 pixels has no face. All of this is ours, no vendor's.

    Args:
        engine: ``cards``; or ``local`` for real scores and real faces of pictures that are no
            cards; or what opens a verifier of such a backend, with settings. No engine checks
            liveness: there the bytes decide.
        salt: Another one gives the pairs other scores.
        cached_pictures: Of how many pictures it is remembered what they are, at least 1; a few
            hundred bytes each, the pictures are not kept.

    Raises:
        ValueError: an unknown engine, or a wrong number.
    """

    def __init__(
        self, *, engine: EngineChoice = "cards", salt: str = "", cached_pictures: int = 2000
    ) -> None:
        if not callable(engine) and engine not in get_args(EngineName):
            raise ValueError(f"engine must be cards or local, not {engine!r:.40}")
        if type(cached_pictures) is not int or cached_pictures < 1:
            raise ValueError("cached_pictures must be a whole number from 1")
        self._salt = salt
        self._facts = FactsCache(cached_pictures)
        self._waiting = Waiting()
        self._engine = None if engine == "cards" else _engine_of(engine)

    def beside(self) -> PictureRecognizer:
        """One with outcomes of its own, which knows the same pictures and has the same engine."""
        other = PictureRecognizer.__new__(PictureRecognizer)
        other._salt, other._facts, other._engine = self._salt, self._facts, self._engine  # noqa: SLF001 - one of our own
        other._waiting = Waiting()  # noqa: SLF001 - as above
        return other

    def card_of(self, digest: str) -> Card | None:
        """The test card of that SHA-256, if it was looked at lately and is one."""
        facts = self._facts.known(digest)
        return None if facts is None else facts.card

    # What the test sets

    def set_outcome(
        self, kind: Kind, *, digest: str | None = None, picture: bytes | None = None, **facts: Any
    ) -> SetOutcome:
        """Set what the next calls find. What is left out is decided as it would be else.

        Args:
            kind: ``match`` or ``liveness``.
            facts: What they find, and how often: as in `SetOutcome`.
            digest, picture: For which picture alone: its SHA-256; or itself, as it is or as the
                library sends it.

        Raises:
            ValueError: a value of another type or range, or values that do not go together.
        """
        if digest is not None and picture is not None:
            raise ValueError("give a digest or a picture, not both")
        given = [] if digest is None else [digest]
        digests = given if picture is None else _digests_of(picture)
        outcome = SetOutcome(kind=kind, digests=digests, **facts)
        self._waiting.add(outcome)
        return outcome

    @property
    def outcomes(self) -> tuple[SetOutcome, ...]:
        """The outcomes that still wait, in the order they were set."""
        return self._waiting.all

    def clear(self) -> None:
        """Drop all outcomes that were set."""
        self._waiting.clear()

    # What the vendors ask

    def match(
        self, probe: bytes, reference: bytes, *, rotate: bool, digests: Digests = UNKNOWN
    ) -> MatchOutcome:
        """The facts of one comparison.

        Args:
            rotate: Whether quarter turns of the pictures are tried.
            digests: SHA-256 of the two in lower case, as far as the caller has them already.
        """
        facts = self._facts.of(probe, digests[0]), self._facts.of(reference, digests[1])
        wanted = self._waiting.take("match", (one.digest for one in facts))
        found = None
        # A score that was set needs no engine.
        if self._engine is not None and (wanted is None or wanted.score is UNSET):
            found = self._by_engine(self._engine, probe, reference, facts, rotate=rotate)
        if found is None:
            found = self._by_facts(*facts, rotate=rotate)
        return found if wanted is None else applied_to_match(wanted, found, *facts)

    def liveness(self, probe: bytes, *, rotate: bool, digest: str | None = None) -> LivenessOutcome:
        """The facts of one liveness check; the arguments are those of `match`."""
        facts = self._facts.of(probe, digest)
        wanted = self._waiting.take("liveness", (facts.digest,))
        picture = self._looked(probe, facts, rotate=rotate)
        card = facts.card
        found = liveness_of_card(card, picture) if card else likely_liveness(facts, picture)
        return found if wanted is None else applied_to_liveness(wanted, found, facts)

    def look(self, picture: bytes, *, rotate: bool, digest: str | None = None) -> SeenPicture:
        """What is seen in one picture; no outcome that was set is used up.

        The arguments are those of `match`.
        """
        return self._looked(picture, self._facts.of(picture, digest), rotate=rotate)

    def load(self) -> None:
        """Open the backend of the engine now, if it has one, rather than with the first pair.

        Raises:
            BackendUnavailable, BackendUnavailable, ConfigurationError: it cannot be used here.
        """
        if self._engine is not None:
            self._engine.load()

    def close(self) -> None:
        """Give back what the backend of the engine holds. May be called more than once."""
        if self._engine is not None:
            self._engine.close()

    def _looked(self, picture: bytes, facts: Facts, *, rotate: bool) -> SeenPicture:
        found, engine = None, self._engine
        if engine is not None and facts.card is None and facts.size is not None:
            found = engine.look(picture, facts, rotate=rotate)
        return seen(facts, rotate=rotate) if found is None else found

    def _by_engine(
        self,
        engine: LocalEngine,
        probe: bytes,
        reference: bytes,
        facts: tuple[Facts, Facts],
        *,
        rotate: bool,
    ) -> MatchOutcome | None:
        if any(one.size is None or one.card is not None for one in facts):
            return None
        return engine.compare(probe, reference, facts, rotate=rotate)

    def _by_facts(self, probe: Facts, reference: Facts, *, rotate: bool) -> MatchOutcome:
        cards = [one.card for one in (probe, reference) if one.card is not None]
        pictures = seen(probe, rotate=rotate), seen(reference, rotate=rotate)
        score = self._score(probe, reference) if all(p.faces for p in pictures) else None
        return MatchOutcome(
            probe=pictures[0],
            reference=pictures[1],
            score=score,
            review=any(card.review for card in cards),
            by="card" if cards else "bytes",
        )

    def _score(self, probe: Facts, reference: Facts) -> float:
        for one in (probe, reference):
            if one.card is not None and one.card.score is not None:
                return float(one.card.score)
        if probe.card is None and probe.digest == reference.digest:
            return 100.0
        return pair_score(_name(probe), _name(reference), self._salt)


def _engine_of(engine: str | Callable[[], FaceVerifier]) -> LocalEngine:
    # Not above: it brings the whole interface along, and most mocks start without it.
    from facematch_mock_server.recognition.engine import LocalEngine

    return LocalEngine(engine)


def _name(facts: Facts) -> str:
    """Who is in a picture: a card's person, else nobody but the picture itself."""
    return facts.card.person if facts.card is not None else f"sha256:{facts.digest}"


def _digests_of(picture: bytes) -> set[str]:
    digests = {hashlib.sha256(picture).hexdigest()}
    with contextlib.suppress(InvalidImage):
        digests.add(Image.from_bytes(picture).prepared().sent_digest)
    return digests


#: A picture that only Pillow takes is decoded to see whether it is whole, up to so many pixels.
_MAX_PIXELS = 40_000_000


@attrs.frozen
class Facts:
    """One picture.

    Attributes:
        digest: SHA-256 of its bytes, 64 hexadecimal digits in lower case.
        size: Width and height in pixels as stored; None if it cannot be decoded. An EXIF
            orientation is ignored: whether a vendor follows it is not known.
        card: The test card that it is, if it is one.
    """

    digest: str
    size: tuple[int, int] | None
    card: Card | None


class FactsCache:
    """Facts by digest; the pictures themselves are not kept. Safe across threads.

    Args:
        limit: How many pictures are remembered, at least 1; those used last stay.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Facts] = OrderedDict()

    def known(self, digest: str) -> Facts | None:
        """The facts of a picture that is remembered; None for another one."""
        with self._lock:
            return self._known.get(digest)

    def of(self, data: bytes, digest: str | None = None) -> Facts:
        """The facts of a picture.

        Args:
            digest: Its SHA-256, if the caller has it already.
        """
        digest = digest or hashlib.sha256(data).hexdigest()
        with self._lock:
            facts = self._known.get(digest)
            if facts is not None:
                self._known.move_to_end(digest)
                return facts
        # Outside the lock: two threads may look at one picture, but none waits for another one's.
        size = _size_of(data)
        facts = Facts(digest, size, read_card(data) if size else None)
        with self._lock:
            self._known[digest] = facts
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
        return facts


def _size_of(data: bytes) -> tuple[int, int] | None:
    try:
        image = Image.from_bytes(data)
    except InvalidImage:
        return _size_by_pillow(data)
    return image.width, image.height


def _size_by_pillow(data: bytes) -> tuple[int, int] | None:
    """The size of a picture that our own library refuses (an animation, say), if it is whole."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > _MAX_PIXELS:
                return None
            picture.load()
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        return None
    return width, height


#: A picture with a shorter side, in pixels, has no face.
MIN_SIDE = 64
#: The size that a picture is given whose outcome was set although it does not decode.
_SOME_SIZE = (480, 640)


# Tests send the same few pictures again and again: working faces out is dear, remembering is not.
@functools.lru_cache(maxsize=2000)
def seen(facts: Facts, *, rotate: bool) -> SeenPicture:
    """What is seen in a picture.

    Args:
        rotate: Whether quarter turns are tried.
    """
    if facts.size is None:
        return SeenPicture(decodes=False)
    if min(facts.size) < MIN_SIDE:
        return SeenPicture()
    if facts.card is not None:
        return _seen_card(facts.card, facts, facts.size, rotate=rotate)
    return SeenPicture(faces=(likely_face(facts),))


def likely_face(facts: Facts, number: int = 0) -> SeenFace:
    """A face that the picture could have: the digest fixes where it is and whose it might be.

    Args:
        number: Which one, from 0 for the largest on.
    """
    width, height = facts.size or _SOME_SIZE
    key = (facts.digest, str(number))
    side = between(0.35, 0.5, "side", *key) * min(width, height) / (1 + number)
    left = between(0.3, 0.7, "left", *key) * (width - side)
    top = between(0.2, 0.5, "top", *key) * (height - side)
    box = (round(left), round(top), round(left + side), round(top + side))
    return SeenFace(
        box=box, confidence=_confidence(*key), age=_age(*key), gender=_gender("gender", *key)
    )


def liveness_of_card(card: Card, picture: SeenPicture) -> LivenessOutcome:
    """What a liveness check finds in a card."""
    if not picture.faces:
        return LivenessOutcome(probe=picture, score=None, review=card.review, by="card")
    return LivenessOutcome(
        probe=picture,
        score=None if card.liveness is None else float(card.liveness),
        attack=card.attack,
        quality=float(card.quality),
        luminance=float(card.luminance),
        review=card.review,
        by="card",
    )


def likely_liveness(facts: Facts, picture: SeenPicture) -> LivenessOutcome:
    """What a liveness check finds in any other picture: a live face, if it has one."""
    if not picture.faces:
        return LivenessOutcome(probe=picture, score=None)
    return LivenessOutcome(
        probe=picture,
        score=between(90, 99, "liveness", facts.digest),
        quality=between(60, 90, "quality", facts.digest),
        luminance=between(40, 60, "luminance", facts.digest),
    )


def _seen_card(card: Card, facts: Facts, size: tuple[int, int], *, rotate: bool) -> SeenPicture:
    if not card.faces or (card.turned and not rotate):
        return SeenPicture()
    parts = FACES[card.faces]
    upright = upright_size(size, card.turned)
    return SeenPicture(
        faces=tuple(
            _card_face(card, facts, number, part, upright) for number, part in enumerate(parts)
        ),
        angle=card.angle,
    )


def _card_face(
    card: Card, facts: Facts, number: int, part: Part, size: tuple[int, int]
) -> SeenFace:
    who = (card.person, str(number))
    told = number == 0
    return SeenFace(
        box=part.box(size),
        confidence=_confidence(facts.digest, str(number)),
        age=float(card.age) if told and card.age is not None else _age(*who),
        gender=card.gender if told and card.gender else _gender("gender", *who),
    )


def _confidence(*key: str) -> float:
    return round(between(0.68, 0.79, "confidence", *key), 6)


def _age(*key: str) -> float:
    return round(between(20, 60, "age", *key), 2)


def _gender(*key: str) -> str:
    return GENDERS[int(fraction(*key) * len(GENDERS))]


def applied_to_match(
    wanted: SetOutcome, found: MatchOutcome, probe: Facts, reference: Facts
) -> MatchOutcome:
    """What the test wants of a comparison.

    A score brings a face into a picture without one; a score of None takes the face away from the
    picture that the outcome is for, or from the reference.
    """
    changes: dict[str, Any] = {"by": "control"}
    if wanted.review is not None:
        changes["review"] = wanted.review
    if wanted.score is None:
        changes["score"] = None
        side = "probe" if probe.digest in wanted.digests else "reference"
        changes[side] = attrs.evolve(getattr(found, side), faces=(), angle=0)
    elif wanted.score is not UNSET:
        changes["score"] = float(wanted.score)
        changes["probe"] = with_faces(found.probe, probe, max(1, len(found.probe.faces)))
        faces = max(1, len(found.reference.faces))
        changes["reference"] = with_faces(found.reference, reference, faces)
    return attrs.evolve(found, **changes)


def applied_to_liveness(
    wanted: SetOutcome, found: LivenessOutcome, probe: Facts
) -> LivenessOutcome:
    """What the test wants of a liveness check; a face is brought in where one is needed."""
    count = len(found.probe.faces) if wanted.faces is None else wanted.faces
    if wanted.needs_a_face:
        count = max(1, count)
    picture = with_faces(found.probe, probe, count)
    if bool(picture.faces) != bool(found.probe.faces):
        found = attrs.evolve(likely_liveness(probe, picture), review=found.review)
    changes: dict[str, Any] = {"by": "control", "probe": picture}
    if wanted.score is None:
        changes["score"] = None
    elif wanted.score is not UNSET:
        changes["score"] = float(wanted.score)
    for name in ("attack", "quality", "luminance", "blocklist", "duplicate", "review"):
        value = getattr(wanted, name)
        if value is not None:
            changes[name] = value
    return attrs.evolve(found, **changes)


def with_faces(picture: SeenPicture, facts: Facts, count: int) -> SeenPicture:
    """The picture with so many faces: its own, then likely ones. It decodes if it has any."""
    if count == len(picture.faces):
        return picture
    more = (likely_face(facts, number) for number in range(len(picture.faces), count))
    faces = (*picture.faces[:count], *more)
    angle = picture.angle if faces else 0
    return attrs.evolve(picture, decodes=picture.decodes or bool(faces), faces=faces, angle=angle)
