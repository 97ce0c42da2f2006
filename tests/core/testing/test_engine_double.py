"""The contract over an engine on this machine: its situations come from the pictures themselves."""

import io
import threading

import attrs
import pytest
from PIL import Image as Pillow
from PIL import ImageStat

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Environment,
    Image,
    MatchResult,
    ResultWarning,
    ScaleSource,
    Score,
    ThresholdRule,
    WarningCode,
)
from facematch_core.backend import Backend, Capabilities
from facematch_core.testing import BackendContract, Situation, VendorDouble, noise


@attrs.frozen(kw_only=True)
class ColourBackend(Backend):
    """Takes the warmth of a picture for a face: red more than blue, or it sees none."""

    name = "colour"
    capabilities = Capabilities(
        rotate=True,
        threshold_rule=ThresholdRule.AT_LEAST,
        default_threshold=80.0,
        score_scale="colour/v1",
    )

    @property
    def environment(self):
        return Environment.LOCAL

    def match(self, call):
        faces = [self._face(image, call.rotate) for image in (call.probe, call.reference)]
        about = {"backend": self.name, "billing": Billing(Charged.NO, "runs here")}
        if None in faces:
            warning = ResultWarning(code=WarningCode.NO_FACE)
            return MatchResult(decision=Decision.INCONCLUSIVE, warnings=(warning,), **about)
        score = round(100 - abs(faces[0] - faces[1]), 2)
        passes = call.threshold.passes(score)
        return MatchResult(
            decision=Decision.MATCH if passes else Decision.NO_MATCH,
            score=Score(score, "colour/v1", source=ScaleSource.DOCUMENTED),
            **about,
        )

    def _face(self, image, rotate):
        # A picture that is higher than wide lies on its side, for this engine.
        if image.height > image.width and not rotate:
            return None
        red, _, blue = ImageStat.Stat(image.to_pil()).mean
        return red if red > blue else None


def photograph(red, blue, size=(96, 64), seed=1):
    """A picture of that warmth, with grain, as photographs have."""
    flat = Pillow.merge("RGB", [Pillow.new("L", size, level) for level in (red, 90, blue)])
    grain = noise(seed, size).to_pil()
    buffer = io.BytesIO()
    Pillow.blend(flat, grain, 0.2).save(buffer, "JPEG")
    return Image.from_bytes(buffer.getvalue())


class ColourDouble(VendorDouble):
    """The engine itself, counted; it is told nothing but pictures."""

    situations = frozenset(
        {
            Situation.SAME_PERSON,
            Situation.DIFFERENT_PEOPLE,
            Situation.NO_FACE,
            Situation.TURNED,
        }
    )
    requests_seen = 0
    charges = 0

    def __init__(self):
        self._lock = threading.Lock()
        self.seen = []
        reference = photograph(190, 60)
        self._pictures = {
            Situation.SAME_PERSON: (photograph(180, 60), reference),
            Situation.DIFFERENT_PEOPLE: (photograph(120, 60), reference),
            Situation.NO_FACE: (photograph(60, 180), reference),
            Situation.TURNED: (photograph(180, 60, size=(64, 96)), reference),
        }

    def backend(self, **settings):
        double = self

        class Counted(ColourBackend):
            def match(self, call):
                with double._lock:
                    double.requests_seen += 1
                    double.seen = []
                return super().match(call)

            def _face(self, image, rotate):
                double.seen.append(image.data)
                return super()._face(image, rotate)

        return Counted(**settings)

    def prepare(self, situation, *, score=None):
        """Nothing: the pictures tell."""

    def pictures_for(self, situation):
        return self._pictures[situation]

    @property
    def received(self):
        return dict(zip(("probe", "reference"), self.seen, strict=False))


class TestContract(BackendContract):
    @pytest.fixture
    def double(self):
        with ColourDouble() as double:
            yield double
