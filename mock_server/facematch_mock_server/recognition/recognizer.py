"""Facts about a picture, and the recognizer, which decides a mock vendor's results.

The recognizer uses set outcomes, test cards, an engine, or the bytes of the pictures.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import threading
from collections import OrderedDict
from typing import Any, Literal, get_args

import attrs
import PIL.Image

from facematch_core import Image, InvalidImage
from facematch_mock_server.base.state import UNSET

from .cards import GENDERS, Card, between, fraction, pair_score
from .layout import FACES
from .outcomes import (
    FACE_FIELDS,
    Fields,
    LivenessOutcome,
    MatchOutcome,
    OutcomeQueue,
    SeenFace,
    SeenPicture,
    SetOutcome,
)
from .reading import FORMATS, find_card

#: Maximum number of pixels of a picture that Pillow may decode.
_MAX_PIXELS = 40_000_000


@attrs.frozen(cache_hash=True)
class Facts:
    """What is known of a picture from its bytes alone."""

    #: The SHA-256 of the bytes in lower-case hex.
    digest: str
    #: Width and height, ignoring EXIF orientation; None if the picture cannot be decoded.
    size: tuple[int, int] | None
    #: The test card; None for any other picture.
    card: Card | None


class FactsCache:
    """LRU cache of picture facts, keyed by digest. Thread-safe."""

    # Without a lock, because each step is atomic: a thread that holds a lock during a fork would
    # leave it locked in the child for ever.

    def __init__(self, *, limit: int) -> None:
        #: Maximum number of pictures.
        self._limit = limit
        self._facts: OrderedDict[str, Facts] = OrderedDict()

    def find(self, digest: str) -> Facts | None:
        """Return the facts of the picture with this digest; None if they are not cached."""
        return self._facts.get(digest)

    def of(self, data: bytes, digest: str | None = None) -> Facts:
        """Return the facts of a picture; `digest` is its SHA-256, if known."""
        digest = digest or hashlib.sha256(data).hexdigest()
        try:
            self._facts.move_to_end(digest)
            return self._facts[digest]
        except KeyError:
            # Two threads may decode the same picture, but no thread waits.
            size = _size_of(data)
            facts = Facts(digest, size, find_card(data, size) if size else None)
            self._facts[digest] = facts
            if len(self._facts) > self._limit:
                self._facts.popitem(last=False)
            return facts


def _size_of(data: bytes) -> tuple[int, int] | None:
    """Return the width and height of a picture in pixels.

    None if it cannot be decoded or is too large.
    """
    with contextlib.suppress(InvalidImage):
        image = Image.from_bytes(data)
        return image.width, image.height
    # The core rejects some pictures that Pillow can decode, such as animations.
    try:
        with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > _MAX_PIXELS:
                return None
            picture.load()
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        return None
    return width, height


#: Minimum side in pixels of a picture with a face.
_MIN_SIDE = 64
#: The assumed size of an undecodable picture with a set outcome.
_DEFAULT_SIZE = (480, 640)


# Cached, because tests send the same few pictures repeatedly.
@functools.lru_cache(maxsize=2000)
def see_picture(facts: Facts, *, rotate: bool) -> SeenPicture:
    """Find the faces in a picture. With `rotate`, also try 90-degree turns."""
    if facts.size is None:
        return SeenPicture(decodes=False)
    if min(facts.size) < _MIN_SIDE:
        return SeenPicture()
    card = facts.card
    if card is None:
        return SeenPicture(faces=(make_likely_face(facts),))
    if not card.faces or (card.turned and not rotate):
        return SeenPicture()
    upright = facts.size if card.turned in {0, 180} else facts.size[::-1]
    faces = [
        _make_face(facts, number, area.box(upright), card.person)
        for number, area in enumerate(FACES[card.faces])
    ]
    if card.age is not None:
        faces[0] = attrs.evolve(faces[0], age=float(card.age))
    faces[0] = attrs.evolve(faces[0], gender=card.gender or faces[0].gender)
    return SeenPicture(faces=tuple(faces), angle=card.angle)


def make_likely_face(facts: Facts, number: int = 0) -> SeenFace:
    """Make a plausible face, derived from the digest. Number 0 is the largest face."""
    width, height = facts.size or _DEFAULT_SIZE
    face_side = (
        between(0.35, 0.5, "side", facts.digest, str(number)) * min(width, height) / (1 + number)
    )
    left = between(0.3, 0.7, "left", facts.digest, str(number)) * (width - face_side)
    top = between(0.2, 0.5, "top", facts.digest, str(number)) * (height - face_side)
    box = (round(left), round(top), round(left + face_side), round(top + face_side))
    return _make_face(facts, number, box, facts.digest)


def _make_face(facts: Facts, number: int, box: tuple[int, int, int, int], person: str) -> SeenFace:
    return SeenFace(
        box=box,
        confidence=round(between(0.68, 0.79, "confidence", facts.digest, str(number)), 6),
        age=round(between(20, 60, "age", person, str(number)), 2),
        gender=GENDERS[int(fraction("gender", person, str(number)) * len(GENDERS))],
    )


def see_liveness(facts: Facts, picture: SeenPicture) -> LivenessOutcome:
    """Check liveness. The card decides; without a card, any face is live."""
    card = facts.card
    score_source = "bytes" if card is None else "card"
    if not picture.faces:
        return LivenessOutcome(probe=picture, score=None, score_source=score_source)
    if card is None:
        return LivenessOutcome(
            probe=picture,
            score=between(90, 99, "liveness", facts.digest),
            quality=between(60, 90, "quality", facts.digest),
            luminance=between(40, 60, "luminance", facts.digest),
        )
    return LivenessOutcome(
        probe=picture,
        score=None if card.liveness is None else float(card.liveness),
        attack=card.attack,
        quality=float(card.quality),
        luminance=float(card.luminance),
        score_source=score_source,
    )


def apply_to_match(
    outcome: SetOutcome, match: MatchOutcome, probe: Facts, reference: Facts
) -> MatchOutcome:
    """Apply a set outcome to a comparison. A set score adds missing faces."""
    changes: dict[str, Any] = {}
    if outcome.review is not None:
        changes["review"] = outcome.review
    if outcome.smaller_face_score is not None:
        changes["smaller_face_score"] = float(outcome.smaller_face_score)
    if outcome.score is None:
        # Without a score, remove the faces from the outcome's picture, by default the reference.
        changes["score"] = None
        side = "probe" if probe.digest in outcome.digests else "reference"
        changes[side] = attrs.evolve(getattr(match, side), faces=(), angle=0)
    elif outcome.score is not UNSET:
        changes["score"] = float(outcome.score)
        for side, facts in (("probe", probe), ("reference", reference)):
            picture = getattr(match, side)
            changes[side] = _set_faces(picture, facts, max(1, len(picture.faces)))
    return attrs.evolve(match, score_source="control", **changes)


def apply_to_liveness(outcome: SetOutcome, check: LivenessOutcome, probe: Facts) -> LivenessOutcome:
    """Apply a set outcome to a liveness check. Adds a face if the outcome requires one."""
    count = len(check.probe.faces) if outcome.faces is None else outcome.faces
    if outcome.needs_a_face:
        count = max(1, count)
    picture = _set_faces(check.probe, probe, count)
    if bool(picture.faces) != bool(check.probe.faces):
        check = see_liveness(attrs.evolve(probe, card=None), picture)
    changes: dict[str, Any] = {}
    for name in FACE_FIELDS:
        value = getattr(outcome, name)
        if value is not None:
            changes[name] = value
    if outcome.score is not UNSET:
        changes["score"] = None if outcome.score is None else float(outcome.score)
    return attrs.evolve(check, score_source="control", probe=picture, **changes)


def _set_faces(picture: SeenPicture, facts: Facts, count: int) -> SeenPicture:
    """Return the picture with `count` faces: its own faces first, then plausible ones."""
    if count == len(picture.faces):
        return picture
    faces = list(picture.faces[:count])
    while len(faces) < count:
        faces.append(make_likely_face(facts, len(faces)))
    if not faces:
        return attrs.evolve(picture, faces=(), angle=0)
    # An undecodable picture with a set outcome counts as decoded.
    return attrs.evolve(picture, decodes=True, faces=tuple(faces))


#: The engines for pictures without a set outcome or card.
EngineName = Literal["cards", "local"]
#: Maximum number of pictures whose facts are cached, a few hundred bytes each.
CACHED = 2000
#: The facts depend on the bytes alone, so all servers of a process share them: a test with a server
#: of its own need not decode the cards again.
FACTS = FactsCache(limit=CACHED)


class Recognizer:
    """Decides the outcomes of a mock vendor's calls. Thread-safe. Tests may subclass it."""

    # The first available source of a score is used: an outcome that the test set; a test card; the
    # engine, if configured (comparisons only); the bytes (100 if equal, else 2-20, derived from the
    # pair). The order is the mock's own choice.

    def __init__(self, *, engine: EngineName = "cards") -> None:
        if engine not in get_args(EngineName):
            raise ValueError(f"engine must be cards or local, not {engine!r:.40}")
        #: The cache of facts about pictures.
        self.facts = FACTS
        self.outcome_queue = OutcomeQueue()
        #: The engine that compares pictures; None if only test cards and bytes are used.
        self.engine = LocalEngine() if engine == "local" else None

    @property
    def needs_bytes(self) -> bool:
        """Whether `match` needs the bytes of the pictures, not only the facts."""
        return self.engine is not None

    def card_of(self, digest: str) -> Card | None:
        """Return the test card with this SHA-256, or None if it is not a card or not cached."""
        facts = self.facts.find(digest)
        return None if facts is None else facts.card

    def match(
        self,
        probe: bytes,
        reference: bytes,
        *,
        rotate: bool,
        probe_digest: str | None = None,
        reference_digest: str | None = None,
        fields: Fields = dict,
    ) -> MatchOutcome:
        """Compare pictures, given their SHA-256 if known. `rotate` also tries 90-degree turns."""
        probe_facts = self.facts.of(probe, probe_digest)
        reference_facts = self.facts.of(reference, reference_digest)
        outcome = None
        if self.outcome_queue:
            outcome = self.outcome_queue.use_next(
                "match", [probe_facts.digest, reference_facts.digest], fields
            )
        has_card = probe_facts.card is not None or reference_facts.card is not None
        # A set score or a card makes the engine unnecessary.
        needs_engine = not has_card and (outcome is None or outcome.score is UNSET)
        match = None
        if self.engine is not None and needs_engine and probe_facts.size and reference_facts.size:
            match = self.engine.compare(
                probe, reference, probe_facts, reference_facts, rotate=rotate
            )
        if match is None:
            match = _match_without_engine(probe_facts, reference_facts, rotate=rotate)
        if outcome is None:
            return match
        return apply_to_match(outcome, match, probe_facts, reference_facts)

    def liveness(
        self, probe: bytes, *, rotate: bool, digest: str | None = None, fields: Fields = dict
    ) -> LivenessOutcome:
        """Check one picture for liveness; `rotate` also tries turns by 90 degrees.

        An outcome that a test has set takes precedence: faces are added or removed to fit it.
        """
        facts = self.facts.of(probe, digest)
        set_outcome = None
        if self.outcome_queue:
            set_outcome = self.outcome_queue.use_next("liveness", [facts.digest], fields)
        seen_picture = self.detect_faces(probe, rotate=rotate, digest=facts.digest)
        outcome = see_liveness(facts, seen_picture)
        return outcome if set_outcome is None else apply_to_liveness(set_outcome, outcome, facts)

    def detect_faces(
        self, picture: bytes, *, rotate: bool, digest: str | None = None
    ) -> SeenPicture:
        """Find the faces in one picture. Does not use up an outcome."""
        facts = self.facts.of(picture, digest)
        if self.engine is not None and facts.card is None and facts.size is not None:
            seen_picture = self.engine.detect_faces(picture, facts, rotate=rotate)
            if seen_picture is not None:
                return seen_picture
        return see_picture(facts, rotate=rotate)


def _match_without_engine(probe: Facts, reference: Facts, *, rotate: bool) -> MatchOutcome:
    """Compare two pictures by their cards or, if neither is a card, by their bytes."""
    seen_probe = see_picture(probe, rotate=rotate)
    seen_reference = see_picture(reference, rotate=rotate)
    card = probe.card
    other_card = reference.card
    has_card = card is not None or other_card is not None
    score: float | None
    if not seen_probe.faces or not seen_reference.faces:
        score = None
    elif card is not None and card.score is not None:
        score = float(card.score)
    elif other_card is not None and other_card.score is not None:
        score = float(other_card.score)
    elif not has_card and probe.digest == reference.digest:
        score = 100.0
    else:
        # Each picture that is not a card is treated as a separate person.
        score = pair_score(
            f"sha256:{probe.digest}" if card is None else card.person,
            f"sha256:{reference.digest}" if other_card is None else other_card.person,
        )
    return MatchOutcome(
        probe=seen_probe,
        reference=seen_reference,
        score=score,
        review=(card is not None and card.review) or (other_card is not None and other_card.review),
        score_source="card" if has_card else "bytes",
    )


class LocalEngine:
    """Compares pictures with the backend `local`. Opens it on first use. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._verifiers: dict[bool, Any] = {}

    def load(self, *, rotate: bool = False) -> Any:
        from facematch_core import open_verifier  # imported here because it loads the whole core

        with self._lock:
            if rotate not in self._verifiers:
                self._verifiers[rotate] = open_verifier("local", rotate=rotate)
            return self._verifiers[rotate]

    def close(self) -> None:
        """Close the backend. The next use reopens it."""
        with self._lock:
            verifiers = self._verifiers
            self._verifiers = {}
        for verifier in verifiers.values():
            verifier.close()

    def compare(
        self,
        probe: bytes,
        reference: bytes,
        probe_facts: Facts,
        reference_facts: Facts,
        *,
        rotate: bool,
    ) -> MatchOutcome | None:
        """Compare two pictures, or return None if one cannot be decoded. Ages are made up."""
        try:
            result = self.load(rotate=rotate).verify(probe, reference)
        except InvalidImage:
            return None
        return MatchOutcome(
            probe=_see_faces(result.probe_faces or (), probe_facts),
            reference=_see_faces(result.reference_faces or (), reference_facts),
            score=None if result.score is None else result.score.value,
            score_source=result.backend,
        )

    def detect_faces(self, picture: bytes, facts: Facts, *, rotate: bool) -> SeenPicture | None:
        match = self.compare(picture, picture, facts, facts, rotate=rotate)
        return None if match is None else match.probe


def _see_faces(faces: tuple[Any, ...], facts: Facts) -> SeenPicture:
    """Return an engine's faces, largest first; ages and genders are made up."""
    seen_picture = []
    for number, face in enumerate(faces):
        measured: dict[str, Any] = {}
        if face.box is not None:
            box = face.box
            edges = (box.left, box.top, box.right, box.bottom)
            measured["box"] = tuple(round(edge) for edge in edges)
        if face.confidence is not None:
            measured["confidence"] = round(face.confidence, 6)
        seen_picture.append(attrs.evolve(make_likely_face(facts, number), **measured))
    angle = (faces[0].rotation or 0) if faces else 0
    return SeenPicture(faces=tuple(seen_picture), angle=angle)
