import hashlib
import hmac
from urllib.parse import quote

import pytest
from kit import mock_didit as didit
from kit.mock_didit import didit_request, match_request, scene
from kit.mock_didit_sessions import (
    advance_clock,
    delete,
    forget,
    media_address,
    nth,
    on,
    read_media,
)


def get_media(engine, there, method="GET"):
    """The answer to whoever asks for an address, without a key."""
    return engine.handle(didit_request(there, method=method, key=None))


def test_pictures_are_served_as_they_were_sent(engine):
    assert read_media(1, "target_image")(engine).body == scene(score=55.5)
    assert read_media(1, "source_image")(engine).body == scene()
    assert read_media(2, "reference_image")(engine).body == scene(score=12, faces=2)


def test_no_browser_keeps_a_picture_or_guesses_at_it(engine):
    response = read_media(1)(engine)
    assert response.header("X-Content-Type-Options") == "nosniff"
    assert response.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("microsecond", [0, 104_233])
@pytest.mark.parametrize(("switches", "life_s"), [({}, 3600), ({"media_ttl_s": 5}, 5)])
def test_an_address_dies_with_the_second_it_names(
    engine_with_sessions, microsecond, switches, life_s
):
    clock = didit.VirtualClock(didit.START.replace(microsecond=microsecond))
    engine = engine_with_sessions(clock=clock, switches=switches)
    there = media_address(engine, 1)
    engine.world.clock.advance(life_s - 1)
    assert get_media(engine, there).status == 200
    engine.world.clock.advance(1)
    assert get_media(engine, there).status == 403
    assert read_media(1)(engine).status == 200


#: why -> how it is asked for, status, claim
DEAD = {
    "expired": (read_media(1, then=advance_clock(3600)), 403, "expired"),
    "unsigned": (read_media(1, change=lambda there: there[:-1] + "-"), 403, "unsigned"),
    "other picture": (
        read_media(1, change=lambda there: there.replace("source", "target")),
        403,
        "unsigned",
    ),
    "forgotten": (read_media(1, then=forget), 404, "forgotten"),
    "deleted": (read_media(1, then=delete(1)), 404, "unknown"),
}


@pytest.mark.parametrize("why", DEAD)
def test_a_dead_address_is_refused_in_words_of_the_mock(engine, why):
    step, status, claim = DEAD[why]
    response = step(engine)
    assert response.status == status
    assert f"didit.media.{claim}" in response.claims
    assert ("didit.media.ttl_s" in response.claims) == (why == "expired")
    assert list(response.json()) == ["mock"]
    assert response.header("X-Facematch-Mock")


@pytest.mark.parametrize("expires", ["", "²", "-1", "9" * 5000])
def test_a_time_that_is_none_was_never_signed(engine, expires):
    there = media_address(engine, 1).partition("?")[0]
    for signature in ("", "é", "0" * 64):
        response = get_media(
            engine, f"{there}?expires={quote(expires)}&signature={quote(signature)}"
        )
        assert (response.status, "didit.media.unsigned" in response.claims) == (403, True)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"MM\x00*", "image/tiff"),
        (b"RIFF\x01\x02\x03\x04WEBP", "image/webp"),
        (b"RIFF\x01\x02\x03\x04WAVE", "application/octet-stream"),
    ],
)
def test_the_first_bytes_say_which_kind_of_picture_it_is(content, kind):
    engine = didit.new_engine()
    engine.handle(match_request(content + b"more", b"no picture"))
    response = read_media(1, "target_image")(engine)
    assert (response.status, response.header("Content-Type")) == (200, kind)
    assert response.body == content + b"more"


def test_the_journal_keeps_no_signature(engine):
    there = media_address(engine, 1)
    get_media(engine, there)
    entry = engine.world.account.journal.entries[-1]
    assert entry.path.startswith("/__media__/")
    assert there.rpartition("=")[2] not in str(entry.to_dict())


def test_nothing_that_answers_show_signs_an_address(engine):
    session = engine.world.sessions.all()[0]
    expires = int(engine.world.clock.timestamp()) + 60
    signed = f"{session.id}/source_image/{expires}"
    for key in (session.internal_id, session.id, "", "mock-live-key"):
        signature = hmac.new(key.encode(), signed.encode(), hashlib.sha256).hexdigest()
        there = f"/__media__/{session.id}/source_image?expires={expires}&signature={signature}"
        assert get_media(engine, there).status == 403


@pytest.mark.parametrize(("seed", "is_same"), [(None, False), (7, True)])
def test_worlds_without_a_seed_sign_differently(seed, is_same):
    first, second = (didit.new_engine(seed=seed).world.account.ids for _ in range(2))
    assert (first.secret == second.secret) is is_same


OUR_HOSTS = ("localhost:80", "[::1]:80", "verification.didit.me")


@pytest.mark.parametrize("host", OUR_HOSTS)
def test_an_address_begins_with_the_own_name_that_was_asked(engine, host):
    url = on(1, host=host)(engine).json()["face_matches"][0]["source_image"]
    scheme = "https" if host.endswith("didit.me") else "http"
    assert url.startswith(f"{scheme}://{host}/__media__/{nth(engine, 1)}/")
    assert read_media(1, host=host)(engine).status == 200


def test_beyond_the_loopback_any_name_may_be_its_own(engine):
    engine.world.account.shared.is_open = True
    url = on(1, host="mock.lan:8080")(engine).json()["face_matches"][0]["source_image"]
    assert url.startswith("http://mock.lan:8080/__media__/")
