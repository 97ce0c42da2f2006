"""Wrong about what reaches the vendor, and what is told of it."""

from __future__ import annotations

import contextlib
import io

import attrs

from facematch_core import (
    Image,
    ImageFormat,
    Operation,
    Retention,
    Threshold,
    ThresholdRule,
    ThresholdSource,
)

from ._paragon import ParagonBackend
from ._registry import caught_by


@caught_by("R42")
class SwappedPictures(ParagonBackend):
    """The reference goes where the probe belongs, and the other way round."""

    def pictures(self, call):
        sent = super().pictures(call)
        return dict(zip(sent, reversed(sent.values()), strict=True))


@caught_by("R42")
class ReferenceSentTwice(ParagonBackend):
    """The reference is compared with itself: everybody matches."""

    def pictures(self, call):
        sent = super().pictures(call)
        return sent | {"probe": sent.get("reference", sent["probe"])}


@caught_by("R42")
class ProbeSentTwice(ParagonBackend):
    """A call about one picture sends it as the reference, too."""

    def pictures(self, call):
        sent = super().pictures(call)
        return {"reference": sent["probe"]} | sent


@caught_by("R42")
class OrientationDropped(ParagonBackend):
    """A turned picture is encoded anew, without what says how it is turned."""

    def pictures(self, call):
        return {place: self.encoded(data) for place, data in super().pictures(call).items()}

    def encoded(self, data):
        from PIL import Image as Pillow

        if Image.from_bytes(data).orientation == 1:
            return data
        buffer = io.BytesIO()
        Pillow.open(io.BytesIO(data)).save(buffer, "JPEG")
        return buffer.getvalue()


@caught_by("R42")
class TurnedTwice(OrientationDropped):
    """A turned picture is turned upright, and still says that it is turned."""

    def encoded(self, data):
        from PIL import ExifTags
        from PIL import Image as Pillow

        image = Image.from_bytes(data)
        if image.orientation == 1:
            return data
        exif = Pillow.Exif()
        exif[ExifTags.Base.Orientation] = image.orientation
        buffer = io.BytesIO()
        image.to_pil().save(buffer, "JPEG", exif=exif)
        return buffer.getvalue()


@caught_by("R43")
class SendsTheOriginal(ParagonBackend):
    """The file as the caller gave it, with all that the camera wrote into it."""

    def pictures(self, call):
        given = {"probe": call.probe, "reference": getattr(call, "reference", None)}
        sent = super().pictures(call)
        return {place: self.original(given[place]).data for place in sent}

    def original(self, image):
        return image._given or image  # noqa: SLF001 - nobody should: that is the fault


@caught_by("R43")
class SmallerPng(ParagonBackend):
    """A PNG is halved on the way, since it is so large."""

    def pictures(self, call):
        return {place: self.halved(data) for place, data in super().pictures(call).items()}

    def halved(self, data):
        image = Image.from_bytes(data)
        if image.format is not ImageFormat.PNG:
            return data
        buffer = io.BytesIO()
        image.to_pil().reduce(2).save(buffer, "PNG")
        return buffer.getvalue()


@caught_by("R44")
class KeepsBehindOnesBack(ParagonBackend):
    """Every call is kept, whatever the vendor is told."""

    def keep(self, call, result):
        super().keep(attrs.evolve(call, retention=Retention.KEEP), result)


@caught_by("R44")
class TellsARecordThatIsNot(ParagonBackend):
    """The id of the answer is told as that of a record."""

    def session(self, call, body):
        return body["id"]


class _TellsOfTheDefault(ParagonBackend):
    """What is told of a threshold that the caller has not set."""

    def result(self, call, body):
        result, threshold = super().result(call, body), call.threshold
        if threshold is None or threshold.source is not ThresholdSource.DEFAULT:
            return result
        return attrs.evolve(result, threshold=self.told(threshold))


@caught_by("R45")
class AnotherRuleIsTold(_TellsOfTheDefault):
    """The default is told as if it were passed by equality."""

    def told(self, threshold):
        return attrs.evolve(threshold, rule=ThresholdRule.AT_LEAST)


@caught_by("R45")
class DefaultIsTheCallers(_TellsOfTheDefault):
    """The default is told as if the caller had chosen it."""

    def told(self, threshold):
        return attrs.evolve(threshold, source=ThresholdSource.CALLER)


@caught_by("R45")
class ThresholdIsNotTold(_TellsOfTheDefault):
    """The vendor is said to have decided by a threshold of its own."""

    def told(self, threshold):
        return Threshold(None, ThresholdRule.VENDOR, ThresholdSource.VENDOR)


@caught_by("R45")
class AnotherThresholdIsSent(ParagonBackend):
    """The default that is sent is not the one that is told."""

    def threshold(self, call):
        chosen = call.threshold is None or call.threshold.source is not ThresholdSource.DEFAULT
        return super().threshold(call) - (0.0 if chosen else 5.0)


@caught_by("R45")
class DefaultIsNeverSent(ParagonBackend):
    """Without a caller's threshold none is sent: the vendor's default of today decides."""

    def request(self, call):
        request = super().request(call)
        if call.threshold is not None and call.threshold.source is ThresholdSource.DEFAULT:
            del request["threshold"]
        return request


@caught_by("R45")
class ThresholdAppliedTwice(ParagonBackend):
    """The vendor decides by the caller's threshold, and the default decides once more."""

    def decision(self, call, body, score):
        default = self.capabilities.default_for(call.operation)
        if score is not None and score.value <= default:
            body = {**body, "verdict": "no"}
        return super().decision(call, body, score)


@caught_by("R47")
class DiagnoseAsks(ParagonBackend):
    """Makes a call to see whether the key works."""

    def diagnose(self):
        with contextlib.suppress(Exception):
            self.vendor.ask({"key": self.key.reveal(), "rotate": False}, 1.0)
        return {**super().diagnose(), "key": "tried"}


@caught_by("R47")
class DiagnoseNeedsTheVendor(ParagonBackend):
    """Fails when the vendor cannot be reached, which is when it is asked for."""

    def diagnose(self):
        self.vendor.connect()
        return {**super().diagnose(), "vendor": "reached"}


@caught_by("R47")
class DiagnoseShowsTheLastRequest(ParagonBackend):
    """Tells what was sent last, key and all."""

    def request(self, call):
        request = super().request(call)
        self.last = {"key": request["key"], "operation": Operation(call.operation).value}
        return request

    def diagnose(self):
        return {**super().diagnose(), "last request": self.__dict__.get("last", "none")}
