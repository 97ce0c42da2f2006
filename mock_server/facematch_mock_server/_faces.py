"""What a test may do to the index of faces: verbs of the control API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ._ledger import FIRST_OWNER
from .index import FaceIndex, Identity, IndexedFace, Listing, identity_of
from .world import World

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PERSON = re.compile(r"[A-Za-z0-9_-]{1,12}")


class Faces:
    """The faces that a vendor knows. Safe across threads.

    Args:
        world: Whose index it is.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def entries(self) -> tuple[IndexedFace, ...]:
        """The faces of all owners in the order they were enrolled, without those of deleted
        sessions; one on a list stays."""
        return tuple(
            face for face in self._index.all() if not face.deleted or face.listing is not None
        )

    def enrol(
        self,
        picture: bytes | None = None,
        *,
        person: str | None = None,
        digest: str | None = None,
        status: str | None = "Approved",
        vendor_data: str | None = None,
        full_name: str | None = None,
        listing: Listing | str | None = None,
        owner: str = FIRST_OWNER,
    ) -> IndexedFace:
        """Enrol a face by hand, as if it had been imported; it has no session.

        Args:
            picture: A test card, or any picture: as it is or as the library sends it.
            person: Instead: the person of test cards.
            digest: Instead: the SHA-256 of a picture (64 hexadecimal digits).
            status: In the vendor's word; an approved one can be a duplicate. None for none.
            vendor_data: As a call would have sent it.
            full_name: Of the person, for the details of a match.
            listing: ``block`` or ``allow``; None for no list.
            owner: Whose index it goes into.

        Raises:
            ValueError: not exactly one of picture, person and digest, or one that does not fit.
        """
        if sum(one is not None for one in (picture, person, digest)) != 1:
            raise ValueError("give one of picture, person and digest")
        identity, also = self._identity(picture, person, digest)
        face = IndexedFace(
            id=self._world.ids.uuid(),
            owner=owner,
            name=identity.name,
            also=also,
            score=identity.score,
            source="imported",
            status=status,
            vendor_data=vendor_data,
            full_name=full_name,
            at=self._world.clock.now(),
            listing=None if listing is None else Listing(listing),
        )
        with self._world.store.together():
            self._index.add(face, identity.embedding)
        return face

    def block(self, face_id: str) -> IndexedFace:
        """Put a face on the block list; LookupError if there is none of that id."""
        return self._enlisted(face_id, Listing.BLOCK)

    def allow(self, face_id: str) -> IndexedFace:
        """Put a face on the allow list; LookupError if there is none of that id."""
        return self._enlisted(face_id, Listing.ALLOW)

    def unlist(self, face_id: str) -> None:
        """Take a face off its list; LookupError if there is none of that id."""
        self._enlisted(face_id, None)

    def forget(self, face_id: str) -> None:
        """Take a face out of the index and off its list; LookupError if there is none."""
        with self._world.store.together():
            if self._index.remove(face_id) is None:
                raise LookupError("there is no face of that id")

    def lists(self, owner: str = FIRST_OWNER) -> dict[str, str]:
        """The ids of the vendor's two lists of faces, by ``block`` and ``allow``."""
        name: Callable[[str, Listing], str] = self._world.records.list_id
        return {str(listing): name(owner, listing) for listing in Listing}

    @property
    def _index(self) -> FaceIndex:
        # A reset gives the world other records.
        index: FaceIndex = self._world.records.faces
        return index

    def _enlisted(self, face_id: str, listing: Listing | None) -> IndexedFace:
        with self._world.store.together():
            face = self._index.enlist(face_id, listing)
        if face is None:
            raise LookupError("there is no face of that id")
        return face

    def _identity(self, picture: Any, person: Any, digest: Any) -> tuple[Identity, str | None]:
        if person is not None:
            if not isinstance(person, str) or not _PERSON.fullmatch(person):
                raise ValueError("the person of a card is 1 to 12 letters, digits, - or _ (ASCII)")
            return Identity(person), None
        if digest is not None:
            if not isinstance(digest, str) or not _DIGEST.fullmatch(digest.lower()):
                raise ValueError("a digest of a picture is 64 hexadecimal digits (SHA-256)")
            return Identity(f"sha256:{digest.lower()}"), None
        if not isinstance(picture, bytes):
            raise ValueError("a picture is bytes")  # noqa: TRY004 - one error for bad arguments
        decider = self._world.decider
        seen = decider.liveness(picture, rotate=False).probe
        if not seen.faces:
            raise ValueError("there is no face in that picture")
        identity = identity_of(decider, picture, rotate=False, person=seen.person)
        return identity, _as_sent(picture) if identity.name.startswith("sha256:") else None


def _as_sent(picture: bytes) -> str | None:
    """The other name of a picture that the library sends without its metadata."""
    from facematch_core import Image, InvalidImage

    try:
        return f"sha256:{Image.from_bytes(picture).prepared().sent_digest}"
    except InvalidImage:
        return None


def _shown(face: IndexedFace) -> dict[str, Any]:
    told = attrs.asdict(face)
    return {**told, "at": face.at.isoformat(), "listing": face.listing and str(face.listing)}


def _texts(body: Mapping[str, Any], *known: str) -> dict[str, Any]:
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise ValueError(f"there is no {unknown[0]} here; there is {', '.join(known)}")
    for name, value in body.items():
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} is a text")
    return dict(body)


def _entries(control: Any, _: str, __: dict[str, Any]) -> Any:
    return {
        "faces": [_shown(face) for face in control.faces.entries()],
        "lists": control.faces.lists(),
    }


def _enrol(control: Any, _: str, body: dict[str, Any]) -> Any:
    known = ("person", "digest", "status", "vendor_data", "full_name", "listing")
    return _shown(control.faces.enrol(**_texts(body, *known)))


def _by_id(verb: Callable[[Faces, str], Any]) -> Callable[[Any, str, dict[str, Any]], Any]:
    def answer(control: Any, _: str, body: dict[str, Any]) -> Any:
        face_id = _texts(body, "id").get("id")
        if face_id is None:
            raise ValueError("id is missing")
        face = verb(control.faces, face_id)
        return {} if face is None else _shown(face)

    return answer


#: By method and path below the prefix of the control API.
VERBS: dict[tuple[str, str], Callable[[Any, str, dict[str, Any]], Any]] = {
    ("GET", "faces"): _entries,
    ("POST", "faces"): _enrol,
    ("POST", "faces/block"): _by_id(Faces.block),
    ("POST", "faces/allow"): _by_id(Faces.allow),
    ("POST", "faces/unlist"): _by_id(Faces.unlist),
    ("POST", "faces/forget"): _by_id(Faces.forget),
}
