"""What a backend declares of pictures is compared with what the mock of its vendor refuses."""

import importlib

import attrs
import pytest
from kit.contract import Status, run

from facematch_core.backend import ImageFormat

MEGA = 1_000_000
#: What is changed in the backend alone, or, the other way round, has changed at the vendor alone.
CHANGES = [
    *(("azure", change) for change in ({"max_bytes": 50 * MEGA}, {"max_bytes": MEGA})),
    *(("azure", change) for change in ({"min_bytes": 1}, {"min_bytes": 4096})),
    ("azure", {"formats": (ImageFormat.JPEG, ImageFormat.TIFF)}),
    *(("compreface", change) for change in ({"max_bytes": 50 * MEGA}, {"max_bytes": 6 * MEGA})),
    *(("didit", change) for change in ({"max_bytes": 50 * MEGA}, {"max_bytes": MEGA})),
    ("didit", {"formats": (ImageFormat.JPEG, ImageFormat.GIF)}),
    *(("rekognition", change) for change in ({"max_bytes": 50 * MEGA}, {"max_bytes": MEGA})),
    *(("rekognition", change) for change in ({"min_side_px": 1}, {"min_side_px": 200})),
    ("rekognition", {"formats": (ImageFormat.JPEG, ImageFormat.WEBP)}),
    ("deepvue", {"formats": (ImageFormat.JPEG, ImageFormat.BMP)}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("vendor", "change"), CHANGES, ids=str)
def test_a_limit_that_one_side_alone_has_is_found(vendor, change):
    module = importlib.import_module(f"simulators.{vendor}")
    simulator = getattr(module, f"{vendor.capitalize()}Simulator")

    class Odd(simulator):
        def backend(self, **settings):
            backend = super().backend(**settings)
            can = backend.capabilities
            limits = attrs.evolve(can.image_limits, **change)
            vars(backend)["capabilities"] = attrs.evolve(can, image_limits=limits)
            return backend

    Odd.__name__ = simulator.__name__
    [case] = run(Odd, {"R24"})
    assert case.status is Status.FAILED
    assert ": declared as " in case.reason
