"""Pictures at addresses that expire."""

import mock_didit as didit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mock_didit import liveness, match, picture, request
from mock_didit_sessions import (
    NOBODY,
    address,
    delete,
    forget,
    later,
    nth,
    on,
    pictured,
)

from facematch_mock_server import make_card
from facematch_mock_server.vendors.didit._pictures import Pictures

DEAD = {
    "expired": pictured(1, then=later(3600)),
    "unsigned": pictured(1, change=lambda there: there[:-1] + "-"),
    "moved": pictured(1, change=lambda there: there.replace("expires=1", "expires=2")),
    "other picture": pictured(1, change=lambda there: there.replace("source", "target")),
    "bare": pictured(1, change=lambda there: there.partition("?")[0]),
    "forgotten": pictured(1, then=forget),
    "deleted": pictured(1, then=delete(1)),
    "unknown": pictured(9),
}


def test_pictures_are_served_as_they_were_sent(engine):
    """Each under its name, without a key."""
    assert pictured(1, "target_image")(engine).body == picture(score=55.5)
    assert pictured(1, "source_image")(engine).body == picture()
    assert pictured(2, "reference_image")(engine).body == picture(score=12, faces=2)


def test_an_address_lives_an_hour(engine):
    """To the last second, and a new decision gives a new one."""
    there = address(engine, 1)
    engine.world.clock.advance(3599)
    assert engine.handle(request(there, method="GET", key=None)).status == 200
    engine.world.clock.advance(1)
    assert engine.handle(request(there, method="GET", key=None)).status == 403
    assert pictured(1)(engine).status == 200


def test_how_long_is_a_switch(world_of):
    """In seconds."""
    engine = world_of(switches={"media_ttl_s": 5})
    assert pictured(1, then=later(4))(engine).status == 200
    assert pictured(1, then=later(5))(engine).status == 403


@pytest.mark.parametrize("why", DEAD)
def test_a_dead_address(engine, why):
    """403 or 404 in words that are the mock's own."""
    response = DEAD[why](engine)
    assert response.status in (403, 404)
    assert list(response.json()) == ["mock"]
    assert response.header("X-Facematch-Mock")


def test_no_address_is_written_down(engine):
    """Neither answers nor the journal's query keep a signature."""
    there = address(engine, 1)
    engine.handle(request(there, method="GET", key=None))
    signature = there.rpartition("=")[2]
    entry = engine.world.journal.entries[-1]
    assert entry.path.startswith("/__media__/")
    assert signature not in str(entry.to_dict())


def test_the_path_is_no_way_to_the_control_api(engine):
    """Whatever stands behind the prefix, it is a picture or nothing."""
    for path in ("/__media__/", "/__media__/../__mock__/keys", "/__media__/__mock__/reset"):
        for method in ("GET", "POST"):
            response = engine.handle(request(path, method=method, key=None))
            assert response.status in (404, 405)
            assert "mock" in response.json()
    assert len(engine.world.sessions.all()) == 2


@pytest.mark.parametrize(("suffix", "kind"), [("png", "image/png"), ("jpeg", "image/jpeg")])
def test_what_kind_of_picture_it_is(suffix, kind):
    """By its first bytes."""
    import io

    from PIL import Image

    with Image.open(io.BytesIO(make_card("p1"))) as card:
        out = io.BytesIO()
        card.convert("RGB").save(out, suffix)
    engine = didit.new_engine()
    engine.handle(match(out.getvalue(), b"no picture"))
    assert pictured(1, "target_image")(engine).header("Content-Type") == kind
    assert pictured(1)(engine).header("Content-Type") == "application/octet-stream"


def test_the_address_begins_as_the_caller_came(engine):
    """In process that is the vendor's own host."""
    step = on(1, host="verification.didit.me")
    url = step(engine).json()["face_matches"][0]["source_image"]
    assert url.startswith(f"https://verification.didit.me/__media__/{nth(engine, 1)}/")


def test_without_digests_pictures_are_served_as_well():
    """Each is kept for its session."""
    engine = didit.new_engine(digests=False)
    engine.handle(liveness(picture(n=1)))
    engine.handle(liveness(picture(n=2)))
    for number in (1, 2):
        assert pictured(number, "reference_image")(engine).body == picture(n=number)


def test_unsaved_calls_keep_no_picture(engine):
    """Nor do those of a sandbox key."""
    before = engine.world.records.pictures.kept_bytes
    engine.handle(match(picture(n=8), save_api_request="false"))
    engine.handle(match(picture(n=9), key="mock-sandbox-key"))
    assert engine.world.records.pictures.kept_bytes == before
    assert NOBODY not in repr(engine.world.records.pictures)


@given(
    kept=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 40)), max_size=30),
    limit=st.integers(0, 100),
)
def test_memory_is_bounded(kept, limit):
    """However much comes, no more is held, and the newest that fits is there."""
    pictures = Pictures(limit)
    model = {}
    for name, size in kept:
        pictures.keep(name, bytes(size))
        model[name] = model.pop(name, size)
        while sum(model.values()) > limit:
            del model[next(iter(model))]
        assert pictures.kept_bytes == sum(model.values()) <= limit
    for name in "abcdef":
        content = pictures.find(name)
        assert (None if content is None else len(content)) == model.get(name)
