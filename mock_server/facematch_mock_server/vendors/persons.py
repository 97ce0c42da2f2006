"""Groups of persons with their faces, for the vendors that store them, in memory only."""

from __future__ import annotations

import threading
from collections.abc import Collection as Ids
from collections.abc import Iterable
from typing import Generic, TypeVar

import attrs

from facematch_mock_server.base.messages import Upload
from facematch_mock_server.base.state import Collection
from facematch_mock_server.vendors.base import Call


@attrs.frozen(kw_only=True)
class Group:
    """A group of persons.

    Attributes:
        id: Unique among the groups.
        name: Its name.
        model: The version of the model of its faces.
    """

    id: str
    name: str
    model: str


@attrs.frozen(kw_only=True)
class PersonFace:
    """A face of a person.

    Attributes:
        id: Unique among the faces of the person.
        picture: The picture with the face.
        number: The number of the face among those of its picture; 0 for the largest.
        data: What the caller has added, or what else the vendor shows with it; "" for nothing.
    """

    id: str
    picture: Upload
    number: int = 0
    data: str = ""


@attrs.frozen(kw_only=True)
class Person:
    """A person in a group.

    Attributes:
        id: Unique among the persons of all groups.
        name: The name, which several persons may have.
        group_id: The group, in which the person is since its creation.
        faces: The faces, oldest first.
    """

    id: str
    name: str
    group_id: str
    faces: tuple[PersonFace, ...] = ()


AnyGroup = TypeVar("AnyGroup", bound=Group)
AnyPerson = TypeVar("AnyPerson", bound=Person)


class Persons(Generic[AnyGroup, AnyPerson]):
    """The groups and the persons of one world: the newest 1,000 of each. Thread-safe.

    `lock` is held from the check of an id to the change that follows.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.groups: Collection[AnyGroup] = Collection(limit=1000)
        self.persons: Collection[AnyPerson] = Collection(limit=1000)

    def persons_of(self, group_ids: Ids[str]) -> list[AnyPerson]:
        """Return the persons in any of these groups."""
        return [each for each in self.persons.all() if each.group_id in group_ids]

    def remove_group(self, group_id: str) -> None:
        """Remove a group and the persons in it."""
        with self.lock:
            self.groups.remove(group_id)
            for person in self.persons_of([group_id]):
                self.persons.remove(person.id)


def score_person(call: Call, picture: Upload, number: int, person: Person) -> float:
    """Return how alike a picture's face, 0 for the largest, is to the person's most alike: 0-100.

    0 for a person without a face.
    """
    return max((_score_face(call, picture, number, face) for face in person.faces), default=0.0)


@attrs.frozen(kw_only=True)
class RankedFace(Generic[AnyPerson]):
    """A face of a person, and how alike it is to a picture's face: 0-100."""

    person: AnyPerson
    face: PersonFace
    score: float


def rank_faces(
    call: Call, picture: Upload, number: int, persons: Iterable[AnyPerson]
) -> list[RankedFace[AnyPerson]]:
    """Return the faces of persons, those most alike to a picture's face first."""
    ranked = []
    for person in persons:
        for face in person.faces:
            score = _score_face(call, picture, number, face)
            ranked.append(RankedFace(person=person, face=face, score=score))
    ranked.sort(key=lambda each: each.score, reverse=True)
    return ranked


def _score_face(call: Call, picture: Upload, number: int, face: PersonFace) -> float:
    # Only the largest faces of two pictures are compared: each other pair has one score.
    return call.score_stored(picture, number or face.number, face.picture)
