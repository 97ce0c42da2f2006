"""Mutants that send something else than they should, or let it leak."""

import base64
import io
import sys

from mutants import engine
from mutants.faults import LIVENESS, MATCH, evolve, quiet, remember
from mutants.making import caught_by
from mutants.reference import LIMITS, ReferenceBackend, ReferenceOptions, can
from mutants.vendors import HasOnePicture, HasPlainPictures, LooksAtSizes, ReceivesBase64
from PIL import Image as Pillow

import facematch_core as fm
from facematch_core.backend import ImageLimits


def without_orientation(data):
    buffer = io.BytesIO()
    Pillow.open(io.BytesIO(data)).save(buffer, "JPEG")
    return buffer.getvalue()


# R24: Pictures beyond the limits are not sent.


@caught_by("R24")
class CountsInKibibytes(ReferenceBackend):
    """Declares 400 KiB where the vendor takes 400 kB."""

    capabilities = can(image_limits=evolve(LIMITS, max_bytes=400 * 1024))


@caught_by("R24")
class AsksBeforeItRefuses(ReferenceBackend):
    """Looks at the limits when the vendor has the picture."""

    capabilities = can(image_limits=ImageLimits())

    def exchange(self, call):
        answer = super().exchange(quiet(call))
        for place in self.pictures(call):
            getattr(call, place).prepared(LIMITS, fit=False)
        return answer


@caught_by("R24", LooksAtSizes)
class SaysMoreThanIsTaken(ReferenceBackend):
    """Declares twice as many bytes as its vendor takes."""

    capabilities = can(
        image_limits=ImageLimits(formats=LIMITS.formats, max_bytes=2 * LIMITS.max_bytes)
    )


@caught_by("R24", LooksAtSizes)
class SaysLessThanIsTaken(ReferenceBackend):
    """Declares half as many bytes as its vendor takes."""

    capabilities = can(
        image_limits=ImageLimits(formats=LIMITS.formats, max_bytes=LIMITS.max_bytes // 2)
    )


@caught_by("R24", LooksAtSizes)
class SaysNothingOfWhatIsTaken(ReferenceBackend):
    """Declares no limit of bytes, and its vendor has one."""

    capabilities = can(image_limits=ImageLimits(formats=LIMITS.formats))


# R25: Options are refused or arrive, and pictures as prepared.


@caught_by("R25")
class KeepsWhatItShouldNot(ReferenceBackend):
    """The vendor is always asked to keep the call."""

    def request(self, call):
        return super().request(call) | {"retention": fm.Retention.KEEP}


@caught_by("R25")
class FailsWithMetadata(ReferenceBackend):
    """A call with metadata is an error, though they are declared."""

    def exchange(self, call):
        status, body, problem = super().exchange(call)
        if call.metadata:
            problem = fm.RequestRejected("No field is called so.")
        return status, body, problem


@caught_by("R25")
class KeepsTheFirstReference(ReferenceBackend):
    """The reference is uploaded once, and every later probe is compared with that one."""

    def pictures(self, call):
        pictures = super().pictures(call)
        if call.operation is MATCH:
            pictures["reference"] = remember(self, "reference", pictures["reference"])
        return pictures


@caught_by("R25")
class ProbeSentTwice(ReferenceBackend):
    """A call about one picture sends it as the reference, too."""

    def pictures(self, call):
        return {"reference": call.probe.data} | super().pictures(call)


@caught_by("R25")
class DropsOrientation3(ReferenceBackend):
    """Orientation 3 of EXIF is dropped."""

    dropped_orientation = 3

    def pictures(self, call):
        pictures = super().pictures(call)
        for place, data in pictures.items():
            if fm.Image.from_bytes(data).orientation == self.dropped_orientation:
                pictures[place] = without_orientation(data)
        return pictures


@caught_by("R25")
class DropsOrientation6(DropsOrientation3):
    """Orientation 6 of EXIF is dropped."""

    dropped_orientation = 6


@caught_by("R25")
class TellsARecordThatIsNot(ReferenceBackend):
    """The id of the answer is reported as that of a record."""

    def session(self, call, body):
        return body["id"]


@caught_by("R25")
class KeepsItForAWeek(ReferenceBackend):
    """The face of each call stays at the vendor for a week."""

    def request(self, call):
        return super().request(call) | {"kept_s": 604800.0}


@caught_by("R25", HasOnePicture)
class OnePictureForBoth(ReferenceBackend):
    """The simulator's two pictures are one."""


@caught_by("R25")
class DropsItsOptionsOfChecks(ReferenceBackend):
    """Options are declared for both operations, and heard of in comparisons alone."""

    def request(self, call):
        fields = super().request(call)
        if call.operation is LIVENESS:
            fields["options"] = None
        return fields


@caught_by("R25")
class DropsItsOptionsOfComparisons(ReferenceBackend):
    """The same, and heard of in checks alone."""

    def request(self, call):
        fields = super().request(call)
        if call.operation is MATCH:
            fields["options"] = None
        return fields


@caught_by("R25")
class TakesItsOptionsNowhere(ReferenceBackend):
    """Options are declared, and refused in every call."""

    def answer(self, call):
        if call.options not in (None, ReferenceOptions()):
            raise fm.Unsupported("It takes no others.", backend=self.name, what="options")
        return super().answer(call)


@caught_by("R25")
class CutsTheReference(ReferenceBackend):
    """A reference of the caller has at most 36 characters."""

    def request(self, call):
        return super().request(call) | {"caller_ref": call.caller_ref and call.caller_ref[:36]}


@caught_by("R25")
class WritesMetadataAsTexts(ReferenceBackend):
    """Numbers in the metadata arrive as texts."""

    def request(self, call):
        return super().request(call) | {
            "metadata": {name: str(value) for name, value in (call.metadata or {}).items()}
        }


@caught_by("R25", ReceivesBase64)
class ReceivesTexts(ReferenceBackend):
    """The simulator shows pictures as base64."""


@caught_by("R25")
class KeepsWhatIsNamed(ReferenceBackend):
    """Calls with metadata are kept."""

    def request(self, call):
        fields = super().request(call)
        if call.metadata:
            fields["retention"] = fm.Retention.KEEP
        return fields


@caught_by("R25", engine.ColourSimulator)
class ReadsItOnItsSide(engine.ColourEngine):
    """A picture with an EXIF orientation is read as it lies in the file."""

    def face(self, image):
        if image.width < image.height:
            return None
        return super().face(image)


# R21: Nothing leaks.


@caught_by("R21")
class PictureInRaw(ReferenceBackend):
    """The probe is kept in the raw body, as base64."""

    def raw(self, call, body):
        return super().raw(call, body) | {
            "probe": base64.b64encode(b"data:" + call.probe.data).decode()
        }


@caught_by("R21")
class Prints(ReferenceBackend):
    """Prints what it sends, key and all."""

    def request(self, call):
        sys.stdout.write(self.key.reveal())
        return super().request(call)


@caught_by("R21", HasPlainPictures)
class PicturesOfOneColour(ReferenceBackend):
    """The simulator's pictures have nothing to look for."""
