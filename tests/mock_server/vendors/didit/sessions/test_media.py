"""Pictures at addresses that expire."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import liveness, match, picture, request
from kit.mock_didit_sessions import (
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
from facematch_mock_server.vendors.didit.records import Pictures

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


def test_a_picture_that_the_session_does_not_have(engine):
    """Is unknown, whatever its signature."""
    there = address(engine, 1).replace("source_image", "portrait")
    response = engine.handle(request(there, method="GET", key=None))
    assert (response.status, "didit.media.unknown" in response.claims) == (404, True)


def test_an_address_dies_on_the_second(world_of):
    """With the second that it names, not after it."""
    engine = world_of(clock=didit.VirtualClock(didit.START.replace(microsecond=0)))
    assert pictured(1, then=later(3599))(engine).status == 200
    assert pictured(1, then=later(3600))(engine).status == 403


def test_how_long_is_a_switch(world_of):
    """In seconds."""
    engine = world_of(switches={"media_ttl_s": 5})
    assert pictured(1, then=later(4))(engine).status == 200
    assert pictured(1, then=later(5))(engine).status == 403


#: why -> status, claim
REASONS = {
    "expired": (403, "expired"),
    "unsigned": (403, "unsigned"),
    "moved": (403, "unsigned"),
    "other picture": (403, "unsigned"),
    "bare": (403, "unsigned"),
    "forgotten": (404, "forgotten"),
    "deleted": (404, "unknown"),
    "unknown": (404, "unknown"),
}


@pytest.mark.parametrize("why", DEAD)
def test_a_dead_address(engine, why):
    """403 or 404 in words that are the mock's own."""
    response = DEAD[why](engine)
    status, claim = REASONS[why]
    assert response.status == status
    assert f"didit.media.{claim}" in response.claims
    assert ("didit.media.ttl_s" in response.claims) == (why == "expired")
    assert list(response.json()) == ["mock"]
    assert response.header("X-Facematch-Mock")


@pytest.mark.parametrize("expires", ["", "²", "x", "-1", "9" * 5000, "1.5"])
def test_a_time_that_is_none(engine, expires):
    """Was never signed."""
    there = address(engine, 1).partition("?")[0]
    for signature in ("", "é", "0" * 64):
        sent = f"{there}?expires={quote(expires)}&signature={quote(signature)}"
        response = engine.handle(request(sent, method="GET", key=None))
        assert (response.status, "didit.media.unsigned" in response.claims) == (403, True)


@pytest.mark.parametrize(("seconds", "status"), [(97_000_000_000, 200), (99_000_000_000, 403)])
def test_an_address_that_lives_long(world_of, seconds, status):
    """A time has at most eleven digits."""
    assert pictured(1)(world_of(switches={"media_ttl_s": seconds})).status == status


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 200), ("HEAD", 200), ("POST", 405), ("DELETE", 405)]
)
def test_how_a_picture_is_read(engine, method, status):
    """With GET, or HEAD."""
    response = pictured(1, method=method)(engine)
    assert (response.status, response.header("Allow")) == (
        status,
        None if status == 200 else "GET, HEAD",
    )


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"II*\x00", "image/tiff"),
        (b"MM\x00*", "image/tiff"),
        (b"RIFF\x01\x02\x03\x04WEBP", "image/webp"),
        (b"RIFF\x01\x02\x03\x04WAVE", "application/octet-stream"),
        (b"RIFX\x01\x02\x03\x04WEBP", "application/octet-stream"),
        (b"RIFF\x01\x02\x03WEBP", "application/octet-stream"),
        (b"II*", "application/octet-stream"),
    ],
)
def test_the_first_bytes_of_a_picture(content, kind):
    """All that is looked at, whatever follows."""
    engine = didit.new_engine()
    engine.handle(match(content + b"more", b"no picture"))
    response = pictured(1, "target_image")(engine)
    assert (response.status, response.header("Content-Type")) == (200, kind)
    assert response.body == content + b"more"


def test_no_address_is_written_down(engine):
    """Neither answers nor the journal's query keep a signature."""
    there = address(engine, 1)
    engine.handle(request(there, method="GET", key=None))
    signature = there.rpartition("=")[2]
    entry = engine.world.account.journal.entries[-1]
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
    for number, (name, size) in enumerate(kept):
        pictures.keep(str(number), {name: bytes(size)})
        model[name] = model.pop(name, size)
        while sum(model.values()) > limit:
            del model[next(iter(model))]
        assert pictures.kept_bytes == sum(model.values()) <= limit
    for name in "abcdef":
        content = pictures.find(name)
        assert (None if content is None else len(content)) == model.get(name)


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.none() | st.lists(st.sampled_from("abc"), max_size=2)),
    max_size=30,
)


@given(steps=STEPS, most=st.integers(1, 4))
def test_a_picture_goes_with_its_last_session(steps, most):
    """Kept once for all that have it, also when the oldest session is pushed out."""
    pictures, model = Pictures(10_000, most), {}
    for session, names in steps:
        model.pop(session, None)
        if names is None:
            pictures.forget(str(session))
        else:
            pictures.keep(str(session), {name: name.encode() * 7 for name in names})
            model[session] = names
        while len(model) > most:
            del model[next(iter(model))]
        wanted = {name for names in model.values() for name in names}
        assert {name for name in "abc" if pictures.find(name) is not None} == wanted
        assert pictures.kept_bytes == 7 * len(wanted)


def test_a_deleted_session_takes_its_pictures_along(engine):
    """What another session has with it stays, and can still be read."""
    pictures = engine.world.records.pictures
    before = pictures.kept_bytes
    engine.handle(match(picture(n=20), picture(n=21)))
    engine.handle(match(picture(n=22), picture(n=21)))
    number = engine.world.sessions.all()[-2].number
    delete(number)(engine)
    kept = len(picture(n=22)) + len(picture(n=21))
    assert pictures.kept_bytes == before + kept
    assert pictured(number + 1)(engine).body == picture(n=21)
    delete(number + 1)(engine)
    assert pictures.kept_bytes == before


def test_an_address_cannot_be_made_from_what_is_told(engine):
    """The ids of a session sign nothing."""
    import hashlib
    import hmac

    session = engine.world.sessions.all()[0]
    expires = int(engine.world.clock.timestamp()) + 60
    signed = f"{session.id}/source_image/{expires}"
    for key in (session.internal_id, session.id, "", "mock-live-key"):
        signature = hmac.new(key.encode(), signed.encode(), hashlib.sha256).hexdigest()
        there = f"/__media__/{session.id}/source_image?expires={expires}&signature={signature}"
        assert engine.handle(request(there, method="GET", key=None)).status == 403


def test_worlds_without_a_seed_sign_differently():
    """An address of one is none of the other."""
    import uuid

    first, second = (didit.new_engine(seed=None) for _ in range(2))
    assert first.world.account.ids.secret != second.world.account.ids.secret
    assert (
        didit.new_engine(seed=7).world.account.ids.secret
        == didit.new_engine(seed=7).world.account.ids.secret
    )
    assert uuid.UUID(first.world.account.ids.uuid())


FOREIGN = ("evil.example:8080", "127.0.0.1.evil.example", "127.0.0.1:80@evil.example", "a b", "")


@pytest.mark.parametrize("host", FOREIGN[:-1])
def test_a_foreign_host_gets_into_no_address(engine, host):
    """Nor does it read a picture: a page in a browser can have any name point to the loopback."""
    engine.world.account.accounts.address = "http://127.0.0.1:4321"
    url = on(1, host=host)(engine).json()["face_matches"][0]["source_image"]
    assert url.startswith("http://127.0.0.1:4321/__media__/")
    response = pictured(1, host=host)(engine)
    assert (response.status, list(response.json())) == (403, ["mock"])
    assert pictured(1)(engine).status == 200


@pytest.mark.parametrize("host", ["localhost:80", "[::1]:80", "127.9.9.9", "apx.didit.me"])
def test_a_name_of_its_own_does(engine, host):
    """Names of the loopback, and the vendor's."""
    url = on(1, host=host)(engine).json()["face_matches"][0]["source_image"]
    assert f"://{host}/__media__/" in url
    assert pictured(1, host=host)(engine).status == 200


def test_beyond_the_loopback_any_name_may_be_its_own(engine):
    """Nobody here knows by which it is called."""
    engine.world.account.accounts.is_open = True
    url = on(1, host="mock.lan:8080")(engine).json()["face_matches"][0]["source_image"]
    assert url.startswith("http://mock.lan:8080/__media__/")


def test_pictures_are_not_to_be_kept_or_guessed_at(engine):
    """By browsers and what stands between."""
    response = pictured(1)(engine)
    assert response.header("X-Content-Type-Options") == "nosniff"
    assert response.header("Cache-Control") == "no-store"
