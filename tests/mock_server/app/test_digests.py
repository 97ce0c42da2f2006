"""Digests that are remembered: exact, and bounded."""

import hashlib
import threading

from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.services import Digests

contents = st.binary(max_size=300) | st.integers(0, 299).map(lambda i: bytes([7]) * i + b"x" * 300)


@given(st.lists(contents, max_size=20), st.integers(0, 1000))
def test_every_digest_is_right(pictures, size):
    """Whatever came before, and however little is remembered."""
    digests = Digests(size)
    for content in [*pictures, *pictures]:
        assert digests.of(content) == hashlib.sha256(content).hexdigest()
        assert digests.remembered_bytes <= size


def test_what_looks_alike_in_the_sample_is_told_apart():
    """Every byte is compared before a remembered digest counts."""
    one, other = b"xa" + b"x" * 998, b"xb" + b"x" * 998
    digests = Digests()
    for content in (one, other, one, other):
        assert digests.of(content) == hashlib.sha256(content).hexdigest()


def test_threads_share_it():
    """The count of bytes stays right."""
    digests = Digests(5000)
    pictures = [bytes([i]) * 700 for i in range(20)]
    wrong = []

    def work():
        wrong.extend(
            content
            for content in pictures * 50
            if digests.of(content) != hashlib.sha256(content).hexdigest()
        )

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert digests.remembered_bytes == sum(len(c) for c, _ in digests._known.values()) <= 5000
