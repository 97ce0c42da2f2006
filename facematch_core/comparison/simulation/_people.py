"""Who is in a picture, without looking at a face: by its digest, or because it is a test card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from facematch_core.errors import ConfigurationError, InvalidImage
from facematch_core.images import Image
from facematch_core.plugins import Group

#: The entry-point group of functions that read a test card: from the bytes of a picture to
#: something with ``person`` (text) and ``faces`` (a number), or to None.
GROUP: Final = "facematch.card_readers"

#: From the bytes of a picture to a card, or to None.
ReadCard: TypeAlias = Callable[[bytes], Any]


@attrs.frozen(kw_only=True)
class Seen:
    """One picture.

    Attributes:
        person: Who it shows; the picture itself, if nobody knows.
        picture: What it is known by, however it was encoded on its way.
        faces: How many it shows.
    """

    person: str
    picture: str
    faces: int = 1


class People:
    """Knows who is in a picture.

    Args:
        of_digest: SHA-256 of a picture's bytes, in hex, to the person; None shows no face.
        same: Digest of a picture as it may be sent to its digest as it is.
        readers: Of test cards.
    """

    def __init__(
        self,
        of_digest: Mapping[str, str | None],
        same: Mapping[str, str] | None = None,
        readers: Iterable[ReadCard] = (),
    ) -> None:
        self._of_digest = of_digest
        self._same = same or {}
        self._readers = tuple(readers)

    def seen(self, image: Image) -> Seen:
        """Who is in a picture: by the table, else by a card, else nobody but itself."""
        digest = self._same.get(image.digest, image.digest)
        if digest in self._of_digest:
            person = self._of_digest[digest]
            return Seen(person=person or "", picture=digest, faces=int(person is not None))
        for read in self._readers:
            card = read(image.data)
            if card is not None:
                return Seen(person=f"card:{card.person}", picture=digest, faces=card.faces)
        return Seen(person=f"sha256:{digest}", picture=digest)


def people_in(study: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What `People` needs to know of a study: a file of pairs, or a folder for each person.

    Raises:
        ConfigurationError: it cannot be read, or numpy is missing, which reading it needs.
        InvalidRequest: something is wrong in it; every place is named.
    """
    try:
        from facematch_core.comparison.study import photographs, read_study
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Reading a study needs {error.name}, which is not installed: "
            'pip install "facematch-core[compare]".'
        ) from None
    if study.is_dir():
        shown = {file: who for who, files in photographs(study).items() for file in files}
    else:
        pairs = read_study(study).pairs
        shown = {pair.probe: pair.probe_subject for pair in pairs}
        shown |= {pair.reference: pair.reference_subject for pair in pairs}
    of_digest, same = {}, {}
    for file, who in shown.items():
        try:
            image = Image.read(file)
        except (OSError, InvalidImage):
            continue  # Nobody can be asked about it either.
        of_digest[image.digest] = who
        same[image.prepared().sent_digest] = image.digest
    return of_digest, same


def card_readers() -> tuple[ReadCard, ...]:
    """Every installed reader of test cards.

    Raises:
        BackendUnavailable: two distributions offer one name, or an import fails.
    """
    group = Group(GROUP, "reader of test cards")
    found = (group.load(name) for name in sorted(group.by_name()))
    return tuple(one[0] for one in found if one is not None)
