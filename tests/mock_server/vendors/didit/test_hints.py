"""A hint says when a score compares no faces."""

import io

from PIL import Image


def test_a_score_by_bytes_says_that_it_compares_no_faces(asking):
    file = io.BytesIO()
    Image.new("RGB", (200, 200), (90, 80, 70)).save(file, "PNG")
    flat = file.getvalue()
    for pictures, has_hint in ((("p1", "p1"), False), ((flat, flat), True), ((b"x", flat), False)):
        hint = asking.didit(*pictures).headers.get("X-Facematch-Hint", "")
        assert ("--engine local" in hint) == has_hint
    asking.control.set_outcome("match", score=80)
    assert "X-Facematch-Hint" not in asking.didit(flat, flat).headers
