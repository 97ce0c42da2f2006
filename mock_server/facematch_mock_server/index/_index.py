"""The faces of one world by owner, and which of them are like a probe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from facematch_mock_server.cards._scoring import OTHERS
from facematch_mock_server.state import Collection, Store

from ._face import IndexedFace, Listing
from ._identity import Identity, likeness
from ._vectors import Vectors

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
