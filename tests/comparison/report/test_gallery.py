import base64
import io
import os
import pathlib
import re

import PIL.Image
import pytest
from kit.comparison.reading import check_numbers, document, html_of, read_html
from kit.comparison.samples import HOSTILE, two

from facematch_comparison.model import WrongPair, as_json
from facematch_comparison.report import report_html, write_report
from facematch_core import InvalidImage


@pytest.fixture
def pictures(tmp_path):
    large = PIL.Image.effect_noise((1200, 600), 60).convert("RGB")
    large.save(tmp_path / "large.jpg", comment=b"SECRET-OF-THE-CAMERA")
    PIL.Image.new("RGB", (90, 120), "gray").save(tmp_path / "small.png")
    return [str(tmp_path / name) for name in ("large.jpg", "small.png")]


def pair(pictures, **more):
    probe, reference = pictures
    values = {"system": "alpha", "kind": "false match", "pair": 4, "score": 70.25}
    values |= {"probe": probe, "reference": reference, "threshold": 52.82}
    values |= {"probe_subject": "ann", "reference_subject": "bob"}
    return WrongPair(**(values | more))


def embedded(html):
    sources = [image.attributes["src"] for image in read_html(html).all("img")]
    return [base64.b64decode(source.removeprefix("data:image/jpeg;base64,")) for source in sources]


def test_pictures_are_in_the_page_small_and_without_what_else_stood_in_the_file(pictures):
    html = report_html(two(), gallery=[pair(pictures)])
    first, second = embedded(html)
    assert PIL.Image.open(io.BytesIO(first)).size == (240, 120)
    assert PIL.Image.open(io.BytesIO(second)).size == (90, 120)
    assert b"SECRET" not in first
    assert "This file holds faces." in html
    assert "two people, and it passed" in html
    assert "/".join(pathlib.Path(pictures[0]).parts[-2:]) in html
    assert str(pictures[0]) not in html
    assert "default-src 'none'" in html
    assert "<script" not in html
    assert not re.search(r"""(?:src|href)="(?!data:|#)""", html)


def test_a_report_holds_faces_only_if_it_is_asked_to(pictures, tmp_path):
    wrong = [pair(pictures), pair(pictures, kind="false non-match", score=3.5)]
    html = report_html(two(), gallery=wrong)
    root = read_html(html)
    assert [section.attributes["id"] for section in root.all("section")][-1] == "gallery"
    assert len(embedded(html)) == 4
    assert "This file holds faces." in root.text()
    assert "The page holds pictures of people" in root.text()
    check_numbers(
        root, document("two") | {"gallery": [as_json(wrong_pair) for wrong_pair in wrong]}
    )
    assert not embedded(html_of("two"))
    assert "holds no picture of a person" in html_of("two")
    write_report(two(), tmp_path / "report.html", gallery=wrong)
    assert os.name == "nt" or (tmp_path / "report.html").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html
    assert report_html(two(), gallery=[]) == html_of("two")


def test_pairs_without_pictures_hold_no_face(pictures):
    bare = pair(
        (None, None), kind="failure to acquire", score=None, threshold=None, probe_subject=HOSTILE
    )
    root = read_html(report_html(two(), gallery=[bare]))
    assert "holds faces" not in root.text()
    assert "no face was found in one of the pictures" in root.text()
    assert not [*root.all("img")]
    assert "holds no picture of a person" in root.text()
    root = read_html(report_html(two(), gallery=[pair((pictures[0], None)), pair((None, None))]))
    assert root.text().count("no picture") == 3
    assert "holds faces" in root.text()


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(InvalidImage, match=r"gone\.jpg"):
        report_html(two(), gallery=[pair([str(tmp_path / "gone.jpg"), None])])
