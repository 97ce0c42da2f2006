"""A study as numbers: who is alike, and who belongs to which group; no picture and no name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facematch_core.comparison.metrics import Grouping
from facematch_core.comparison.study import Study
from facematch_core.comparison.study._faults import refuse
from facematch_core.errors import InvalidImage
from facematch_core.images import Image

from ._records import StoredStudy

if TYPE_CHECKING:
    from numpy.typing import NDArray


def digests_of(study: Study) -> dict[Path, str]:
    """SHA-256, in hex, of the bytes of every picture.

    A file that is no picture would count against whoever is asked, as a face that was not found.

    Raises:
        InvalidRequest: some cannot be read, or are no whole pictures.
    """
    digests, faults = {}, []
    for path in study.pictures:
        try:
            digests[path] = hashlib.sha256(Image.read(path).data).hexdigest()
        except InvalidImage as error:
            faults.append(error.message)
    refuse(study.name, faults)
    return digests


def stored(study: Study, digests: Mapping[Path, str], name: str, at: datetime) -> StoredStudy:
    """A study as the journal keeps it."""
    probe, reference = (numbers.tolist() for numbers in study.subject_numbers)
    # By first appearance: the same on every machine, whatever people are called there.
    both = (number for two in zip(probe, reference, strict=True) for number in two)
    place = {number: at for at, number in enumerate(dict.fromkeys(both))}
    return StoredStudy(
        digest=study.digest(digests),
        name=name,
        pairs=len(study.pairs),
        made_at=at,
        content={
            "mated": study.mated.astype(int).tolist(),
            "probe": [place[number] for number in probe],
            "reference": [place[number] for number in reference],
            "groups": {
                column: {
                    "labels": list(group.labels),
                    "probe": group.probe.tolist(),
                    "reference": group.reference.tolist(),
                }
                for column, group in study.groupings().items()
            },
        },
    )


def columns_of(study: StoredStudy) -> dict[str, Any]:
    """What a `ScoreTable` needs to know of the study."""
    content = study.content
    return {
        "mated": np.array(content["mated"], dtype=np.bool_),
        "probe_subjects": _numbers(content["probe"]),
        "reference_subjects": _numbers(content["reference"]),
        "groups": {
            column: Grouping(
                labels=tuple(group["labels"]),
                probe=_numbers(group["probe"]),
                reference=_numbers(group["reference"]),
            )
            for column, group in content["groups"].items()
        },
    }


def _numbers(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
