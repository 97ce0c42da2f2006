"""The index of faces: who was seen before, and who is like whom."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import attrs

from facematch_mock_server.recognition.cards import OTHERS, pair_score
from facematch_mock_server.state import Collection, Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facematch_mock_server.recognition.outcomes import Recognizer


class Listing(enum.StrEnum):
    """The list that a face is on."""

    BLOCK = "block"
    ALLOW = "allow"


@attrs.frozen(kw_only=True)
class IndexedFace:
    """One face. No picture and no embedding is in it: it may be written down.

    Attributes:
        id: Of this entry.
        owner: Whose index it is in.
        name: Who it is: the person of a test card, else ``sha256:`` and the digest of the picture.
        also: Another name of the same face, as the library would send the picture; None for none.
        score: The exact score of a test card, 0-100; None without one.
        source: Where it comes from, in the vendor's word.
        session_id, session_number: The session that it was enrolled with; None without one.
        service: Of that session, as the vendor calls it; None without one.
        status: Of a face without a session, in the vendor's word; None if it has none.
        vendor_data: As sent; None if it was not.
        full_name: Of the person; None if nobody knows.
        comment: Of whoever put it on a list; None without one.
        at: When it was enrolled, UTC.
        hidden: Whether it is enrolled and never found.
        listing: The list that it is on; None for none.
        deleted: Whether its session was deleted since.
    """

    id: str
    owner: str
    name: str
    also: str | None = None
    score: float | None = None
    source: str = "session"
    session_id: str | None = None
    session_number: int | None = None
    service: str | None = None
    status: str | None = None
    vendor_data: str | None = attrs.field(default=None, repr=False)
    full_name: str | None = attrs.field(default=None, repr=False)
    comment: str | None = attrs.field(default=None, repr=False)
    at: dt.datetime
    hidden: bool = False
    listing: Listing | None = None
    deleted: bool = False


_DIGEST = "sha256:"


@attrs.frozen
class Identity:
    """Who is in a picture.

    Attributes:
        name: The person of a test card, else ``sha256:`` and the digest of the picture.
        score: The exact score of a test card, 0-100; None without one.
        embedding: A row of 128 numbers if an engine looked; None else. It is biometric data: it
            stays in memory.
    """

    name: str
    score: float | None = None
    embedding: Any = attrs.field(default=None, repr=False, eq=False)


class Named(Protocol):
    """What a likeness needs of either side: an `Identity`, or a face of the index."""

    @property
    def name(self) -> str:
        """Who it is."""
        ...

    @property
    def score(self) -> float | None:
        """The exact score of a test card."""
        ...


def likeness(probe: Named, other: Named, salt: str = "") -> float:
    """How alike two are who were not measured, 0-100, as cards and bytes score a pair.

    Args:
        probe, other: Whose exact score counts, if one has it: the probe's goes first.
        salt: As for `pair_score`.
    """
    for one in (probe, other):
        if one.score is not None:
            return one.score
    if probe.name == other.name and probe.name.startswith(_DIGEST):
        return 100.0
    return pair_score(probe.name, other.name, salt)


def identity_of(
    decider: Recognizer, picture: bytes, person: str | None, rotate: bool, digest: str | None = None
) -> Identity:
    """Who is in a picture, as the decider says it, or by its bytes.

    Args:
        decider: Its ``identify`` is asked, if it has one.
        picture: The bytes.
        person: Who it is, if somebody knows.
        rotate: Whether quarter turns are tried.
        digest: SHA-256, if the caller has it already.
    """
    identify = getattr(decider, "identify", None)
    if identify is not None:
        identity: Identity = identify(picture, rotate=rotate, digest=digest)
        return identity
    return Identity(person or _DIGEST + (digest or hashlib.sha256(picture).hexdigest()))


_FIRST_ROWS = 64


class Vectors:
    """Rows by id, in no order. Not safe across threads."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._matrix: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, face_id: object) -> bool:
        return face_id in self._rows

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("embeddings are biometric data and can be neither pickled nor copied")

    def add(self, face_id: str, vector: Any) -> None:
        """Add a row, or replace the one of that id."""
        import numpy as np  # not above: only an engine that measures makes vectors

        row = self._rows.get(face_id, len(self._ids))
        if self._matrix is None:
            self._matrix = np.empty((_FIRST_ROWS, len(vector)))
        elif row == len(self._matrix):
            # Twice as many each time: a row is moved once or twice in all.
            self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        self._matrix[row] = vector
        if row == len(self._ids):
            self._ids.append(face_id)
        self._rows[face_id] = row

    def remove(self, face_id: str) -> None:
        """Take a row away; does nothing if there is none."""
        row = self._rows.pop(face_id, None)
        if row is None or self._matrix is None:
            return
        last = self._ids.pop()
        if last != face_id:
            self._matrix[row] = self._matrix[len(self._ids)]
            self._ids[row] = last
            self._rows[last] = row
        # Nothing of a face that is forgotten stays behind.
        self._matrix[len(self._ids)] = 0

    def all(self) -> tuple[list[str], Any]:
        """The ids, and the matrix with a row for each; both are good until the next change."""
        return self._ids, None if self._matrix is None else self._matrix[: len(self._ids)]


#: How many of the newest faces are kept; those on a list stay.
KEPT = 10_000

#: Where faces come from that are in an index without being on a list.
_KEPT_UNLISTED = ("session", "imported")

#: Embeddings of probes and of references, a row each -> a score for every pair, 0-100.
Scores = Callable[[Any, Any], Any]


@attrs.frozen
class Near:
    """A face that is like the probe.

    Attributes:
        face: Which one.
        score: How alike, 0-100, with at most two decimals.
    """

    face: IndexedFace
    score: float


class _Shelf:
    """The faces of one owner, so that most of them need no look."""

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}
        self.by_name: dict[str, dict[str, None]] = {}
        self.exact: dict[str, None] = {}
        self.vectors = Vectors()

    def add(self, face: IndexedFace) -> None:
        self.ids[face.id] = None
        for name in _names(face):
            self.by_name.setdefault(name, {})[face.id] = None
        if face.score is not None:
            self.exact[face.id] = None

    def remove(self, face: IndexedFace) -> None:
        self.ids.pop(face.id, None)
        self.exact.pop(face.id, None)
        self.vectors.remove(face.id)
        for name in _names(face):
            same = self.by_name.get(name, {})
            same.pop(face.id, None)
            if not same:
                self.by_name.pop(name, None)

    def candidates(self, probe: Identity, least: float) -> dict[str, None]:
        """The ids of all whose likeness may reach `least`, where nothing was measured."""
        if probe.score is not None or least <= OTHERS[1]:
            return self.ids
        # Others stay below that: only the same name and exact scores can reach it.
        return {**self.by_name.get(probe.name, {}), **self.exact}


class FaceIndex:
    """The newest 10,000 faces of one world and all on its lists. Safe across threads.

    Args:
        store: Where changes are written down: names, never embeddings. After a restart a face is
            known by its name alone.
        limit: How many are kept, from 1 on.
    """

    def __init__(self, store: Store, *, limit: int = KEPT) -> None:
        self._limit = limit
        self._lock = threading.RLock()
        self._faces = Collection(store, "faces", IndexedFace)
        self._shelves: dict[str, _Shelf] = {}
        self._by_session: dict[str, list[str]] = {}
        for face in self._faces.all():
            self._place(face)

    def __len__(self) -> int:
        return len(self._faces)

    def add(self, face: IndexedFace, embedding: Any = None) -> None:
        """Enrol a face; `embedding` is one row, or None if nothing was measured."""
        with self._lock:
            self._faces.put(face.id, face)
            self._place(face)
            if embedding is not None:
                self._shelves[face.owner].vectors.add(face.id, embedding)
            while len(self._faces) > self._limit:
                oldest = next((one for one in self._faces.all() if one.listing is None), None)
                if oldest is None:
                    break
                self.remove(oldest.id)

    def find(self, face_id: str) -> IndexedFace | None:
        """The face of that id, or None."""
        return self._faces.find(face_id)

    def all(self, owner: str | None = None) -> tuple[IndexedFace, ...]:
        """The faces of an owner, or of all, in the order they were enrolled."""
        return tuple(face for face in self._faces.all() if owner in (None, face.owner))

    def of_session(self, session_id: str) -> tuple[IndexedFace, ...]:
        """The faces that were enrolled with a session."""
        with self._lock:
            known = (self._faces.find(one) for one in self._by_session.get(session_id, ()))
            return tuple(face for face in known if face is not None)

    def change(self, face_id: str, **changes: Any) -> IndexedFace | None:
        """Change what is known of a face, but not who it is or whose; None if there is none."""
        return self._faces.change(face_id, lambda face: attrs.evolve(face, **changes))

    def enlist(self, face_id: str, listing: Listing | None) -> IndexedFace | None:
        """Put a face on a list, or off all for None; None if there is no such face.

        One that is there for its list alone goes when it is off.
        """
        with self._lock:
            face = self._faces.find(face_id)
            if face is None:
                return None
            if listing is None and (face.deleted or face.source not in _KEPT_UNLISTED):
                return self.remove(face_id)
            return self.change(face_id, listing=listing)

    def forget(self, session_id: str) -> None:
        """A session was deleted: its faces are marked so, and what was measured of them goes.

        What was measured of a face on a list stays.
        """
        with self._lock:
            for face in self.of_session(session_id):
                self.change(face.id, deleted=True)
                if face.listing is None:
                    self._shelves[face.owner].vectors.remove(face.id)

    def remove(self, face_id: str) -> IndexedFace | None:
        """Take a face out; None if there is none."""
        with self._lock:
            face = self._faces.remove(face_id)
            if face is not None:
                self._shelves[face.owner].remove(face)
                if face.session_id is not None:
                    self._by_session[face.session_id].remove(face_id)
                    if not self._by_session[face.session_id]:
                        del self._by_session[face.session_id]
            return face

    def near(
        self,
        owner: str,
        probe: Identity,
        least: float,
        *,
        salt: str = "",
        scores: Scores | None = None,
    ) -> list[Near]:
        """The faces of an owner that are like the probe, the most alike first, then the older.

        Args:
            owner: Whose index is searched.
            probe: Who is looked for.
            least: The lowest score that counts, 0-100.
            salt: As for `likeness`.
            scores: Compares embeddings; called at most once, with one probe and all references.
        """
        with self._lock:
            shelf = self._shelves.get(owner)
            if shelf is None:
                return []
            found = [
                Near(face, score)
                for face_id, score in self._scored(shelf, probe, least, salt, scores)
                if score >= least and (face := self._faces.find(face_id)) is not None
            ]
            # Ids are no order: the place on the shelf is.
            place = {face_id: number for number, face_id in enumerate(shelf.ids)} if found else {}
        return sorted(found, key=lambda near: (-near.score, place[near.face.id]))

    def _scored(
        self, shelf: _Shelf, probe: Identity, least: float, salt: str, scores: Scores | None
    ) -> Iterator[tuple[str, float]]:
        measured = probe.embedding is not None and scores is not None and len(shelf.vectors) > 0
        if measured and scores is not None:
            ids, matrix = shelf.vectors.all()
            row = scores(probe.embedding[None, :], matrix)[0]
            yield from zip(ids, row.tolist(), strict=True)
        for face_id in shelf.candidates(probe, least):
            face = self._faces.find(face_id)
            if face is not None and not (measured and face_id in shelf.vectors):
                yield face_id, round(_best(probe, face, salt), 2)

    def _place(self, face: IndexedFace) -> None:
        self._shelves.setdefault(face.owner, _Shelf()).add(face)
        if face.session_id is not None:
            self._by_session.setdefault(face.session_id, []).append(face.id)


def _names(face: IndexedFace) -> tuple[str, ...]:
    return (face.name,) if face.also is None else (face.name, face.also)


def _best(probe: Identity, face: IndexedFace, salt: str) -> float:
    """The likeness under the name that fits."""
    if face.also is not None and face.also == probe.name:
        face = attrs.evolve(face, name=face.also)
    return likeness(probe, face, salt)
