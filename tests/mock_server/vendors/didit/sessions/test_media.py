import pytest
from kit import mock_didit as didit
from kit.mock_didit import match_request
from kit.mock_didit_sessions import advance_clock, delete, forget, read_media

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
