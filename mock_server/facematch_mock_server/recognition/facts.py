"""Facts of one picture: its size, its test card, its faces."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import threading
from collections import OrderedDict
from typing import Any

import attrs

from facematch_core import Image, InvalidImage
from facematch_mock_server.base.state import UNSET

from .cards import FACES, FORMATS, GENDERS, Card, between, fraction, read_card
from .outcomes import FACE_FIELDS, LivenessOutcome, MatchOutcome, SeenFace, SeenPicture, SetOutcome

#: Most pixels of a picture that Pillow decodes.
_MAX_PIXELS = 40_000_000


@attrs.frozen(cache_hash=True)
class Facts:
    #: SHA-256 of its bytes in lower case.
    digest: str
    #: Width and height as stored; None if it cannot be decoded. EXIF orientation is ignored.
    size: tuple[int, int] | None
    card: Card | None


class FactsCache:
    """LRU cache of picture facts by digest. Safe across threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._newest: OrderedDict[str, Facts] = OrderedDict()

    def find(self, digest: str) -> Facts | None:
        with self._lock:
            return self._newest.get(digest)

    def of(self, data: bytes, digest: str | None = None) -> Facts:
        """Return the facts of a picture; `digest` is its SHA-256, if known."""
        digest = digest or hashlib.sha256(data).hexdigest()
        with self._lock:
            facts = self._newest.get(digest)
            if facts is not None:
                self._newest.move_to_end(digest)
                return facts
        # Outside the lock: two threads may look at one picture, but none waits for another.
        size = _size_of(data)
        facts = Facts(digest, size, read_card(data) if size else None)
        with self._lock:
            self._newest[digest] = facts
            while len(self._newest) > self._limit:
                self._newest.popitem(last=False)
        return facts


def _size_of(data: bytes) -> tuple[int, int] | None:
    with contextlib.suppress(InvalidImage):
        image = Image.from_bytes(data)
        return image.width, image.height
    # A picture that the library refuses, such as an animation, has a size if Pillow decodes it.
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


#: A picture with a shorter side, in pixels, shows no face.
_MIN_SIDE = 64
#: The size of a picture that does not decode and has a set outcome.
_SOME_SIZE = (480, 640)


# Cached: tests send the same few pictures again and again.
@functools.lru_cache(maxsize=2000)
def see_picture(facts: Facts, *, rotate: bool) -> SeenPicture:
    """Find the faces of a picture; with `rotate` quarter turns are tried."""
    card = facts.card
    if facts.size is None:
        return SeenPicture(decodes=False)
    if min(facts.size) < _MIN_SIDE:
        return SeenPicture()
    if card is None:
        return SeenPicture(faces=(make_likely_face(facts),))
    if not card.faces or (card.turned and not rotate):
        return SeenPicture()
    upright = facts.size if card.turned in {0, 180} else facts.size[::-1]
    faces = [
        _make_face(facts, number, part.box(upright), card.person)
        for number, part in enumerate(FACES[card.faces])
    ]
    if card.age is not None:
        faces[0] = attrs.evolve(faces[0], age=float(card.age))
    faces[0] = attrs.evolve(faces[0], gender=card.gender or faces[0].gender)
    return SeenPicture(faces=tuple(faces), angle=card.angle)


def make_likely_face(facts: Facts, number: int = 0) -> SeenFace:
    """Make a plausible face, 0 the largest; the digest fixes place and person."""
    width, height = facts.size or _SOME_SIZE
    key = (facts.digest, str(number))
    side = between(0.35, 0.5, "side", *key) * min(width, height) / (1 + number)
    left = between(0.3, 0.7, "left", *key) * (width - side)
    top = between(0.2, 0.5, "top", *key) * (height - side)
    box = (round(left), round(top), round(left + side), round(top + side))
    return _make_face(facts, number, box, facts.digest)


def _make_face(facts: Facts, number: int, box: tuple[int, int, int, int], person: str) -> SeenFace:
    key = (person, str(number))
    return SeenFace(
        box=box,
        confidence=round(between(0.68, 0.79, "confidence", facts.digest, str(number)), 6),
        age=round(between(20, 60, "age", *key), 2),
        gender=GENDERS[int(fraction("gender", *key) * len(GENDERS))],
    )


def see_liveness(facts: Facts, picture: SeenPicture) -> LivenessOutcome:
    """Check liveness: by the card, else a live face if there is a face."""
    card, by = facts.card, "bytes" if facts.card is None else "card"
    if not picture.faces:
        return LivenessOutcome(probe=picture, score=None, by=by)
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
        by=by,
    )


def apply_to_match(
    outcome: SetOutcome, match: MatchOutcome, probe: Facts, reference: Facts
) -> MatchOutcome:
    """Apply a set outcome to a comparison; a score adds a face to a picture without one."""
    changes: dict[str, Any] = {} if outcome.review is None else {"review": outcome.review}
    if outcome.score is None:
        # The outcome's own picture loses its face, else the reference.
        changes["score"] = None
        side = "probe" if probe.digest in outcome.digests else "reference"
        changes[side] = attrs.evolve(getattr(match, side), faces=(), angle=0)
    elif outcome.score is not UNSET:
        changes["score"] = float(outcome.score)
        for side, facts in (("probe", probe), ("reference", reference)):
            picture = getattr(match, side)
            changes[side] = _set_faces(picture, facts, max(1, len(picture.faces)))
    return attrs.evolve(match, by="control", **changes)


def apply_to_liveness(outcome: SetOutcome, check: LivenessOutcome, probe: Facts) -> LivenessOutcome:
    """Apply a set outcome to a liveness check; a face is added where one is needed."""
    count = len(check.probe.faces) if outcome.faces is None else outcome.faces
    if outcome.needs_a_face:
        count = max(1, count)
    picture = _set_faces(check.probe, probe, count)
    if bool(picture.faces) != bool(check.probe.faces):
        check = see_liveness(attrs.evolve(probe, card=None), picture)
    changes = {name: getattr(outcome, name) for name in FACE_FIELDS}
    changes = {name: value for name, value in changes.items() if value is not None}
    if outcome.score is not UNSET:
        changes["score"] = None if outcome.score is None else float(outcome.score)
    return attrs.evolve(check, by="control", probe=picture, **changes)


def _set_faces(picture: SeenPicture, facts: Facts, count: int) -> SeenPicture:
    """Return the picture with so many faces: its own, then plausible ones."""
    if count == len(picture.faces):
        return picture
    more = (make_likely_face(facts, number) for number in range(len(picture.faces), count))
    faces = (*picture.faces[:count], *more)
    angle = picture.angle if faces else 0
    return attrs.evolve(picture, decodes=picture.decodes or bool(faces), faces=faces, angle=angle)
