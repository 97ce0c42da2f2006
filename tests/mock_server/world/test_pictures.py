"""The pictures of all accounts: each once, so many bytes, and none of whoever is gone."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.world.pictures import Pictures

OWNERS = st.sampled_from(["main", "job-7"])
PAGES = st.lists(st.sampled_from("abc"), max_size=2)
STEPS = st.lists(
    st.tuples(OWNERS, st.integers(0, 5), st.none() | PAGES) | st.tuples(OWNERS, st.none()),
    max_size=30,
)
CONTENTS = st.binary(max_size=300) | st.integers(0, 299).map(lambda i: bytes([7]) * i + b"x" * 300)


@given(steps=STEPS, most=st.integers(1, 4))
def test_a_picture_goes_with_the_last_page_that_shows_it(steps, most):
    pictures, model = Pictures(10_000, most), {"main": {}, "job-7": {}}
    for owner in model:
        pictures.add_owner(owner)
    for owner, page, *names in steps:
        pages = model.get(owner)
        if page is None:
            pictures.remove_owner(owner)
            model.pop(owner, None)
        elif names == [None]:
            pictures.forget(owner, str(page))
            if pages is not None:
                pages.pop(page, None)
        else:
            contents = {name: name.encode() * 7 for name in names[0]}
            pictures.keep(owner, str(page), contents)
            if pages is not None:
                pages.pop(page, None)
                pages[page] = names[0]
                while len(pages) > most:
                    del pages[next(iter(pages))]
        shown = {name for pages in model.values() for names in pages.values() for name in names}
        assert {name for name in "abc" if pictures.find(name) is not None} == shown
        assert pictures.kept_bytes == 7 * len(shown)


@given(st.lists(st.tuples(OWNERS, CONTENTS), max_size=20), st.integers(0, 1000))
def test_every_digest_is_right_however_little_is_remembered(sent, size):
    pictures = Pictures(size)
    pictures.add_owner("main")
    for owner, content in [*sent, *sent]:
        body = b"--" + content + b"--"
        digest, picture = pictures.digest(owner, bytearray(body), 2, 2 + len(content))
        assert picture == content
        assert digest == hashlib.sha256(content).hexdigest()
        assert pictures.find(digest) in (None, content)
        assert pictures.kept_bytes <= size
    pictures.remove_owner("main")
    assert pictures.kept_bytes == 0


def test_every_byte_is_compared_before_a_remembered_digest_counts():
    first, second = b"xa" + b"x" * 998, b"xb" + b"x" * 998
    pictures = Pictures()
    pictures.add_owner("main")
    for content in (first, second, first, second):
        assert pictures.digest("main", content)[0] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("user", ["main", "job-7"])
def test_what_was_used_longest_ago_goes_first_whoever_has_it(user):
    pictures = Pictures(max_bytes=20)
    for owner in ("main", "job-7"):
        pictures.add_owner(owner)
    digests = [
        pictures.digest(owner, text * 8)[0] for owner, text in (("main", b"a"), ("job-7", b"b"))
    ]
    assert pictures.digest(user, b"a" * 8)[0] == digests[0]
    pictures.digest("main", b"c" * 8)
    assert [pictures.find(digest) for digest in digests] == [b"a" * 8, None]
