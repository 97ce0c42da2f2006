"""The cache of pictures: exact digests, within a bound of bytes."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.world.pictures import Pictures

CONTENTS = st.binary(max_size=300) | st.integers(0, 299).map(lambda i: bytes([7]) * i + b"x" * 300)


@given(contents=st.lists(CONTENTS, max_size=20), start=st.integers(0, 9))
def test_picture_digests_are_exact_and_the_cache_stays_within_its_limit(contents, start):
    pictures = Pictures(600)
    for content in contents * 2:
        body = b"-" * start + content + b"--"
        stored = pictures.store(body, start, start + len(content))
        assert (stored.digest, stored.content) == (hashlib.sha256(content).hexdigest(), content)
        assert pictures.find(stored.digest) in (content, None)
        assert pictures.kept_bytes <= 600


@pytest.mark.parametrize("use", ["store", "keep"])
def test_least_recently_used_picture_is_evicted_first(use):
    pictures = Pictures(300)
    first = pictures.store(b"1" * 100)
    second = pictures.store(b"2" * 100)
    third = pictures.store(b"3" * 100)
    if use == "store":
        pictures.store(b"1" * 100)
    else:
        pictures.keep({first.digest: b"1" * 100})
    pictures.store(b"4" * 100)
    assert pictures.find(second.digest) is None
    assert pictures.find(None) is None
    assert pictures.find(first.digest) is not None
    assert pictures.find(third.digest) is not None
