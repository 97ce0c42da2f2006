import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.strategies_images import limits

from facematch_core import ImageFormat
from facematch_core.testing.strategies import (
    images,
    live_match_results,
    match_results,
    mutated,
)

# Pictures


@settings(max_examples=40)
@given(data=st.data(), within=limits())
def test_pictures_within_any_limits(data, within):
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


# Results


@pytest.mark.parametrize(
    "kind", [match_results, pytest.param(live_match_results, marks=pytest.mark.slow)]
)
def test_results_survive_json(kind):
    @settings(max_examples=40)
    @given(kind())
    def survives(result):
        again = type(result).from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False)))
        assert again == result

    survives()


# Documents with one thing wrong

ANSWER = {
    "request_id": "a-1",
    "face_match": {"status": "Approved", "score": 87.36, "warnings": [{"risk": "A"}], "ok": True},
    "count": 2,
    "vendor_data": None,
}


def differing(one, other):
    if type(one) is type(other) is dict and one.keys() == other.keys():
        return sum(differing(one[key], other[key]) for key in one)
    if type(one) is type(other) is list and len(one) == len(other):
        return sum(map(differing, one, other))
    return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)


@settings(max_examples=40)
@given(mutated(ANSWER))
def test_exactly_one_thing_is_wrong_in_each_document(body):
    before = json.dumps(ANSWER)
    assert differing(body, ANSWER) == 1 or body["face_match"]["warnings"] != [{"risk": "A"}]
    json.dumps(body, allow_nan=False)
    assert json.dumps(ANSWER) == before
