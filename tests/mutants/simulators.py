"""Mutants of the simulator: what a rule says to its author, and vendors of another kind."""

import base64
import io

import attrs
from mutants.making import row, vendor
from mutants.reference import (
    LIMITS,
    PLACES,
    HttpReferenceSimulator,
    ReferenceSimulator,
    can,
)
from PIL import Image as Pillow

import facematch_core as fm
from facematch_core.backend import ImageLimits
from facematch_core.testing import Situation, noise

BLANK = noise(9, (96, 96))


class SeesFaces(ReferenceSimulator):
    """The vendor, who looks whether there is a face, and has a word for that of each picture."""

    #: In which a face is missed by a word that nobody knows.
    place = "reference"

    def pictures_for(self, situation):
        probe, reference = super().pictures_for(situation)
        return (BLANK if situation is Situation.NO_FACE else probe), reference

    def answered(self, words, *how):
        status, body = super().answered(words, *how)
        blank = base64.b64encode(BLANK.data).decode()
        if words.get(self.place) == blank:
            body["warnings"] = [["NOBODY", "Nobody.", "high"]]
        return status, body


class SeesTwo(ReferenceSimulator):
    """The vendor, who sees two faces in a picture wherever it is sent."""

    def answered(self, words, *how):
        status, body = super().answered(words, *how)
        two = base64.b64encode(self.pictures()[0].data).decode()
        if words.get("reference") == two and (faces := body.get("faces")):
            body["faces"] = {"probe": faces["reference"], "reference": faces["probe"]}
        return status, body


def charges_nothing(me, ok, *request):
    return attrs.evolve(ok(*request), charged=False)


def asked_for(words):
    """Replaces `request`: some of its words are others, for some calls."""
    return lambda me, ok, call: ok(call) | words(call)


FREE_VENDOR = vendor(HttpReferenceSimulator, answer=charges_nothing)


def plain(colour):
    buffer = io.BytesIO()
    Pillow.new("RGB", (40, 30), colour).save(buffer, "BMP")
    return fm.Image.from_bytes(buffer.getvalue())


ONE_PICTURE = noise(7, (120, 80))


LONG_SIDES = attrs.evolve(LIMITS, max_side_px=300, min_bytes=200)
LARGE = ImageLimits(formats=LIMITS.formats, max_bytes=600_000)


def limited(reference):
    """A backend that declares these limits of references, and a vendor with larger references."""
    capabilities = can(image_limits=LONG_SIDES, reference_limits=reference)
    simulator = vendor(limits=LONG_SIDES, reference_limits=LARGE)
    return {"capabilities": capabilities, "simulator": simulator}


class LooksAtSizes(ReferenceSimulator):
    """The vendor, who refuses what is larger than it says."""

    looks_at_pictures = True
    limits = None

    def answered(self, words, *how):
        status, body = super().answered(words, *how)
        is_large = len(base64.b64decode(words["probe"])) > LIMITS.max_bytes
        return (400, {"error": "no"}) if is_large else (status, body)


def bytes_of(size):
    limits = attrs.evolve(LIMITS, max_bytes=size, max_pixels=None)
    return {"capabilities": can(image_limits=limits), "simulator": LooksAtSizes}


def always(**there):
    """Replaces `answered`: something else in every answer that has a score."""

    def answered(me, ok, *request):
        status, body = ok(*request)
        return status, {**body, **there} if body.get("score") else body

    return answered


# fmt: off
ROWS = (
    *(row("R02", f"MissesTheFaceOfThe{place.title()}",
        f"One of the words for a missing face is not known: that for the {place}.",
        simulator=vendor(SeesFaces, place=place)) for place in PLACES),
    row("R21", "PlainPictures", "The simulator's pictures cannot be found again.",
        simulator=vendor(pictures=lambda me, ok: (plain("red"), plain("blue")))),
    row("R24", "SaysMoreThanIsTaken", "Declares twice as many bytes as its vendor takes.",
        **bytes_of(2 * LIMITS.max_bytes)),
    row("R24", "SaysLessThanIsTaken", "Declares half as many bytes as its vendor takes.",
        **bytes_of(LIMITS.max_bytes // 2)),
    row("R25", "OnePictureForBoth", "The simulator's two pictures are one.",
        simulator=vendor(pictures=lambda me, ok: (ONE_PICTURE, ONE_PICTURE))),
)
# fmt: on
