"""What happens on any day, at a vendor that is as its mock: no claim fails by it."""

import json
from pathlib import Path

import attrs
import pytest
from kit.parity import CARDS, change

from facematch_mock_server.messages import Response
from facematch_mock_server.parity.calls import VENDORS
from facematch_mock_server.recognition.sheet import card_sheet, make_card

PHOTOGRAPHS = Path(__file__).parents[3] / "docs" / "photographs"
PAGE = ("Content-Type", "text/html"), ("Retry-After", "1")


def _run_to_the_end(vendor):
    """Run until nothing is to be made any more; the claims that fail."""
    for _ in range(4):
        result = vendor.run("--yes")
        if result.answer.exit_code in (0, 1):
            break
    assert result.document, result.answer.output
    rows = result.rows.items()
    return [(name, row["differences"]) for name, row in rows if row["result"] == "fails"]


def _use_photographs(tmp_path):
    files = ("Family1-Dad1.jpg", "Family1-Dad2.jpg", "Family2-Man1.jpg")
    for name, file in zip(CARDS, files, strict=True):
        (tmp_path / name).write_bytes((PHOTOGRAPHS / file).read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize(("status", "place"), [(429, 5), (502, 1), (502, 9), (504, 3)])
@pytest.mark.parametrize("name", VENDORS)
def test_a_gateway_or_a_limit_once_fails_nothing(rehearse, name, status, place):
    vendor, posts = rehearse(name), []

    def strike(request, response):
        posts.append(request.method == "POST" and "authorize" not in request.path)
        if posts[-1] and sum(posts) == place:
            return Response(status=status, headers=PAGE, body=b"<h1>Not now</h1>")
        return response

    change(vendor, {}, strike)
    assert _run_to_the_end(vendor) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", VENDORS)
def test_a_wrong_key_ends_it_and_the_right_one_goes_on(rehearse, tmp_path, name):
    vendor = rehearse(name)
    setting = [*VENDORS[name].keys][-1]
    file = tmp_path / f"{setting}.txt"
    key = file.read_text()
    file.write_text(key[:-3] + ("abc" if name == "compreface" else "xyz"))
    assert vendor.run("--yes").answer.exit_code == 5
    assert not vendor.record.exists()
    file.write_text(key)
    assert _run_to_the_end(vendor) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", VENDORS)
def test_a_key_that_is_revoked_in_the_middle_fails_nothing(rehearse, name):
    vendor, refusals, is_revoked = rehearse(name), [], []
    app, served = vendor.server.app, []
    handle = app.handle

    def answer(request):
        response = handle(request)
        if request.method == "POST" and "authorize" not in request.path:
            served.append(response)
            if response.status in (401, 403, 404) or b"Unrecognized" in response.body:
                refusals.append(response)
            if is_revoked and response.status == 200:
                return attrs.evolve(refusals[0], date=None)
            if len(served) == 7:
                is_revoked.append(True)
        return response

    app.handle = answer
    result = vendor.run("--yes")
    assert result.answer.exit_code == 5, result.answer.output
    app.handle = handle
    assert _run_to_the_end(vendor) == []


@pytest.mark.slow
@pytest.mark.parametrize("faces", [0, 2])
@pytest.mark.parametrize("name", VENDORS)
def test_no_face_or_two_in_a_photograph_fail_nothing(rehearse, tmp_path, name, faces):
    if name == "deepvue" and not faces:
        pytest.skip("it refuses such a picture in no words of its own, so nobody knows it")
    vendor = rehearse(name)
    _use_photographs(tmp_path)
    seen = "no-face" if faces == 0 else "two-faces"
    (tmp_path / next(iter(CARDS))).write_bytes(card_sheet()[seen].data)
    assert _run_to_the_end(vendor) == []


@pytest.mark.slow
def test_a_confidence_of_one_in_a_hundred_fails_nothing(rehearse, tmp_path):
    vendor = rehearse("deepvue")
    (tmp_path / [*CARDS][2]).write_bytes(make_card("p2", score=1))
    assert _run_to_the_end(vendor) == []


def test_an_own_file_is_not_overwritten(rehearse):
    vendor = rehearse("compreface")
    vendor.record.write_text(json.dumps({"claims": []}))
    assert vendor.run("--yes").answer.exit_code == 2
    assert json.loads(vendor.record.read_text()) == {"claims": []}


def test_who_said_no_may_take_other_pictures(rehearse, tmp_path):
    vendor = rehearse("compreface")
    assert vendor.run().answer.exit_code == 2
    (tmp_path / [*CARDS][2]).write_bytes(card_sheet()["turned-90"].data)
    assert vendor.run("--yes").answer.exit_code == 0
