"""A local engine that conforms, and its simulator: it compares colours, and knows no face."""

import io
from typing import ClassVar

import attrs
from PIL import Image as Pillow
from PIL import ImageStat

from facematch_core import Image
from facematch_core.backend import Capabilities
from facematch_core.backend.engine import Compared, EngineBackend
from facematch_core.models import Face
from facematch_core.testing import EngineSimulator, Situation, noise


@attrs.frozen(kw_only=True)
class ColourEngine(EngineBackend):
    """Conforms; of two pictures, the difference of their reds is the score."""

    # Its own: of a test's, whatever else its package has loaded would be measured, too.
    __module__ = "facematch_colour"
    name = "colour"
    capabilities = Capabilities(default_threshold=80.0, score_scale="colour/v1")

    def compare(self, call):
        faces = [self.face(image) for image in (call.probe, call.reference)]
        pictures = [() if face is None else (Face(),) for face in faces]
        score = None if None in faces else round(100 - abs(faces[0] - faces[1]), 2)
        return Compared(score=score, probe_faces=pictures[0], reference_faces=pictures[1])

    def face(self, image):
        # A picture that is higher than wide lies on its side, for this engine.
        width, height = image.upright_size
        if height > width:
            return None
        red, _, blue = ImageStat.Stat(image.to_pil()).mean
        return red if red > blue else None


def photograph(red, blue, size=(96, 64), seed=1):
    flat = Pillow.merge("RGB", [Pillow.new("L", size, level) for level in (red, 90, blue)])
    grain = noise(seed, size).to_pil()
    buffer = io.BytesIO()
    Pillow.blend(flat, grain, 0.2).save(buffer, "JPEG")
    return Image.from_bytes(buffer.getvalue())


REFERENCE = photograph(190, 60)


class ColourSimulator(EngineSimulator):
    backend_class = ColourEngine
    pictures: ClassVar = {
        Situation.SAME_PERSON: (photograph(180, 60), REFERENCE),
        Situation.DIFFERENT_PEOPLE: (photograph(120, 60).data, REFERENCE),
        Situation.NO_FACE: (photograph(60, 180), REFERENCE),
    }
    cannot_happen: ClassVar = dict.fromkeys(
        (Situation.TWO_FACES, Situation.SMALLER_FACE_MATCHES), "A colour has one face."
    )

    def __init__(self, backend_class=ColourEngine):
        super().__init__()
        self.backend_class = backend_class
