"""Groups of persons with their faces, for the vendors that store them, in memory only."""

from __future__ import annotations

import threading
from collections.abc import Collection as Ids
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
    """A face of a person: the largest in its picture."""

    id: str
    picture: Upload


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


def score_person(call: Call, picture: Upload, number: int, person: Person) -> float:
    """Return how alike a picture's face, 0 for the largest, is to the person's most alike: 0-100.

    0 for a person without a face.
    """
    return max(
        (call.score_stored(picture, number, face.picture) for face in person.faces), default=0.0
    )
