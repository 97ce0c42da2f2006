"""Pictures seen the way up that their files say, as whatever shows a photograph does."""

from __future__ import annotations

import io
from typing import Any

from facematch_core import Image, InvalidImage
from facematch_mock_server.outcomes import LivenessOutcome, MatchOutcome
from facematch_mock_server.protocols import Decider


class Upright:
    """A decider that follows the EXIF orientation of pictures.

    The mock ignores it, because no vendor says whether it follows it; a contract that is about the
    client cannot be held if what arrives well is refused for that.

    Args:
        decider: Who decides; it does everything else, too.
    """

    def __init__(self, decider: Decider) -> None:
        self._decider = decider

    def match(
        self,
        probe: bytes,
        reference: bytes,
        *,
        rotate: bool,
        probe_digest: str | None = None,
        reference_digest: str | None = None,
    ) -> MatchOutcome:
        """As the decider; the digests are worked out anew."""
        return self._decider.match(upright(probe), upright(reference), rotate=rotate)

    def liveness(self, probe: bytes, *, rotate: bool, digest: str | None = None) -> LivenessOutcome:
        """As `match`."""
        return self._decider.liveness(upright(probe), rotate=rotate)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decider, name)


def upright(picture: bytes) -> bytes:
    """The same picture, turned as its EXIF orientation says; as it is if it needs no turn."""
    try:
        image = Image.from_bytes(picture)
        if image.orientation == 1:
            return picture
        turned = io.BytesIO()
        image.to_pil().save(turned, "PNG")
    except InvalidImage:
        return picture
    return turned.getvalue()
