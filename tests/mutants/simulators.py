"""Mutants of the simulator: what a rule says to its author, and vendors of another kind."""

import base64
import io

import attrs
from mutants.faults import refuse
from mutants.making import http, row, vendor
from mutants.reference import (
    LIMITS,
    PLACES,
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
    can,
)
from PIL import Image as Pillow

import facematch_core as fm
from facematch_core.backend import ImageLimits
from facematch_core.testing import Situation, noise
from facematch_core.testing.simulator import required

#: What every simulator must produce, and no more.
FEWEST = required(ReferenceBackend.capabilities)
BLANK = noise(9, (96, 96))
UNTURNED = frozenset(Situation) - {Situation.NEVER_DONE, Situation.TURNED}
UNSCORED = frozenset(Situation) - {Situation.NEVER_DONE, Situation.SCORE}


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


class HearsNoRotation(ReferenceSimulator):
    @property
    def received(self):
        return {word: value for word, value in super().received.items() if word != "rotate"}


class SpellsPictures(ReferenceSimulator):
    @property
    def received(self):
        return {**super().received, **{place: self.words[place] for place in PLACES[:1]}}


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
    http("R01", "OneIdForAll", "The simulator answers every call with one id.",
        simulator=vendor(HttpReferenceSimulator, answered=always(id="call-7"))),
    row("R05", "NamesNoSecret", "The simulator does not say which texts are secrets.",
        simulator=vendor(secrets=())),
    row("R05", "KnowsTooFewSituations", "The simulator cannot do what every one must.",
        simulator=vendor(situations=FEWEST - {Situation.SPOOF, Situation.LOST_ANSWER})),
    row("R07", "NothingToPutAThresholdBeside", "A pass has no score, where no score can be set.",
        simulator=vendor(situations=UNSCORED), score=lambda *_: None,
        unscored=lambda me, ok, call, decision: decision),
    row("R07", "ScoresAtTheEnd", "The simulator's good answer has no room above its score.",
        simulator=vendor(situations=UNSCORED, answered=always(score=99.5))),
    *(row("R11", f"MissesTheFaceOfThe{place.title()}",
        f"One of the words for a missing face is not known: that for the {place}.",
        simulator=vendor(SeesFaces, place=place)) for place in PLACES),
    row("R21", "PlainPictures", "The simulator's pictures cannot be found again.",
        simulator=vendor(pictures=lambda me, ok: (plain("red"), plain("blue")))),
    row("R22", "SaysNoGuesses", "The simulator does not say which guesses it sends.",
        simulator=vendor(demographics={})),
    row("R24", "AnyReference", "References of any size are taken, where the vendor has a limit.",
        **limited(ImageLimits(formats=LIMITS.formats))),
    row("R24", "AnyFormat", "References of any format are taken, where the vendor takes two.",
        **limited(ImageLimits(max_bytes=600_000))),
    row("R24", "SaysMoreThanIsTaken", "Declares twice as many bytes as its vendor takes.",
        **bytes_of(2 * LIMITS.max_bytes)),
    row("R24", "SaysLessThanIsTaken", "Declares half as many bytes as its vendor takes.",
        **bytes_of(LIMITS.max_bytes // 2)),
    row("R25", "TurnsNothing", "Rotation is declared and never asked for; only answers show it.",
        simulator=HearsNoRotation, request=asked_for(lambda call: {"rotate": False})),
    row("R25", "TurnsEverything", "Every picture may be turned, whether it was asked for or not.",
        simulator=HearsNoRotation, request=asked_for(lambda call: {"rotate": True})),
    row("R25", "TurnsEverythingUnseen", "The same, where no answer would show it.",
        simulator=vendor(situations=UNTURNED), request=asked_for(lambda call: {"rotate": True})),
    row("R25", "TurnsNothingUnseen", "Rotation is never asked for, and no answer would show it.",
        simulator=vendor(situations=UNTURNED), request=asked_for(lambda call: {"rotate": False})),
    row("R25", "HearsNothing", "The simulator does not say what it has heard.",
        simulator=vendor(situations=FEWEST, received={})),
    row("R25", "OneOptionLost", "One of its options is heard as the usual ones are.",
        simulator=vendor(other_options=lambda me, ok, declared: [*ok(declared), declared()])),
    row("R42", "OnePictureForBoth", "The simulator's two pictures are one.",
        simulator=vendor(pictures=lambda me, ok: (ONE_PICTURE, ONE_PICTURE))),
    row("R42", "SpellsPictures", "The simulator gives the pictures that arrived as base64.",
        simulator=SpellsPictures),
    row("R42", "FailsUnseen", "A call ends in an error, and nobody says what arrived.",
        simulator=vendor(received={}), score=lambda *_: refuse(ValueError("It is odd."))),
)
# fmt: on
