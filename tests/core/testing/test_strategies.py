"""The shipped strategies: what they give is valid, varied and small, or refused."""

import json
import subprocess
import sys

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kit.strategies_images import limits

from facematch_core import Decision, ImageFormat, MatchResult, Score
from facematch_core.backend import ImageLimits
from facematch_core.testing.strategies import (
    images,
    live_match_results,
    liveness_results,
    match_results,
)

STRICT = ImageLimits(
    formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=900, max_pixels=3_000, min_side_px=20
)

#: For what is only to be found; the smallest example is not asked for.
QUICK = settings(
    max_examples=5_000, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


def find(strategy, wanted=lambda _: True):
    """Some value of it that is wanted."""
    return hypothesis.find(strategy, wanted, settings=QUICK)


# Pictures


@given(images())
def test_pictures_are_taken_by_nearly_every_vendor(image):
    """They are small, and sent as they are."""
    assert image.prepared(fit=False).data == image.data
    assert max(image.width, image.height) <= 64
    assert image.orientation == 1


@given(images(STRICT))
def test_pictures_lie_within_the_limits(image):
    """Kind, bytes, pixels and side, all at once."""
    assert image.prepared(STRICT, fit=False).data == image.data
    assert min(image.width, image.height) >= 20
    assert image.width * image.height <= 3_000
    assert image.size_bytes <= 900


@given(images(ImageLimits(min_bytes=1_024, max_side_px=40, formats={ImageFormat.JPEG})))
def test_pictures_are_not_too_small(image):
    """Bytes and side of a vendor that wants at least some, and at most so long."""
    assert image.size_bytes >= 1_024
    assert max(image.width, image.height) <= 40


@given(data=st.data(), within=limits())
def test_pictures_within_any_limits(data, within):
    """Whatever a vendor takes: pictures that it takes, or one sentence that there are none."""
    try:
        strategy = images(within)
    except ValueError as error:
        refused = str(error)
        assert refused.startswith("No such picture can be made")
        return
    image = data.draw(strategy)
    assert image.format in within.formats
    assert image.size_bytes <= (within.max_bytes or image.size_bytes)
    assert image.width * image.height <= (within.max_pixels or 64 * 64)
    assert min(image.width, image.height) >= within.min_side_px
    if image.format in (ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP):
        assert image.prepared(within, fit=False).data == image.data


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "gif", "bmp"])
def test_each_kind_of_file_can_be_had(kind):
    """Every one that Pillow writes without an extra."""
    wanted = ImageFormat(kind)
    assert find(images(ImageLimits(formats=[wanted]))).format is wanted


def test_pictures_differ():
    """Noise and plain ones, wide and tall, of several kinds."""
    for wanted in (
        lambda image: image.width > 2 * image.height > 10,
        lambda image: image.height > 2 * image.width > 10,
        lambda image: image.size_bytes > 3_000,
        lambda image: image.format is ImageFormat.WEBP,
    ):
        assert find(images(), wanted)


@pytest.mark.parametrize("limits", [{"formats": {ImageFormat.HEIC}}, {"max_bytes": 10}])
def test_pictures_that_cannot_be_made(limits):
    """One sentence, before anything is drawn."""
    with pytest.raises(ValueError, match="No such picture can be made"):
        images(ImageLimits(**limits))


# Results


@pytest.mark.parametrize(
    "kind",
    [
        match_results,
        pytest.param(liveness_results, marks=pytest.mark.long),
        pytest.param(live_match_results, marks=pytest.mark.long),
    ],
)
def test_results_survive_json(kind):
    """Whatever is in them."""

    @given(kind())
    def survives(result):
        again = type(result).from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False)))
        assert again == result

    survives()


SCORES = st.builds(Score, st.floats(0, 100), st.just("acme/v1"))


@given(match_results(decision=Decision.MATCH, score=SCORES, backend="acme"))
def test_fields_that_are_not_left_to_chance(result):
    """A value, or a strategy for it."""
    assert isinstance(result, MatchResult)
    assert (result.decision, result.backend) == (Decision.MATCH, "acme")
    assert isinstance(result.score, Score)
    assert result.score.scale == "acme/v1"


# Imports


def run(code):
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.mark.long
def test_the_rest_of_the_kit_needs_no_hypothesis():
    """Only this module does."""
    assert run("import sys, facematch_core.testing; print('hypothesis' in sys.modules)") == "False"


@pytest.mark.long
def test_without_hypothesis_it_says_what_to_install():
    """One line, and it is the command."""
    code = (
        "import sys\n"
        "sys.modules['hypothesis'] = None\n"
        "try:\n"
        "    import facematch_core.testing.strategies\n"
        "except ImportError as error:\n"
        "    print(error, error.__cause__)"
    )
    assert run(code) == (
        "facematch_core.testing.strategies needs hypothesis: install it with "
        '`pip install "facematch-core[testing]"`. None'
    )
