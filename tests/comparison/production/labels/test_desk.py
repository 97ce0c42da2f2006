"""The page to label: what it serves and to whom, and what it writes."""

import csv
import http.client
import io
import stat
from urllib.parse import urlsplit

import numpy as np
import PIL.Image
import pytest
import requests
from kit.comparison.logs import simulate_month

import facematch_core as fm
from facematch_comparison.production.calls import Selection
from facematch_comparison.production.labels.desk import Desk
from facematch_comparison.production.labels.pictures import find_pictures, read_picture
from facematch_comparison.production.labels.review import draw_calls, review_as_csv
from facematch_comparison.production.labels.sheet import ReviewSheet
from facematch_comparison.production.shadow import find_sides


@pytest.fixture(scope="module")
def review_text():
    month = simulate_month(np.random.default_rng(7), calls=100, people=70, frr=(0.3, 0.05))
    sides = find_sides(month.table(), Selection())
    drawn = draw_calls(sides.compared, sides.disagrees, agreements=0)
    return review_as_csv(drawn, sides.question, {"x": "=cmd()"})


@pytest.fixture
def review(review_text, tmp_path):
    path = tmp_path / "review.csv"
    path.write_text(review_text, newline="")
    return path


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def picture(path, kind="JPEG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (6, 8), (200, 40, 40)).save(path, kind)
    return path


@pytest.fixture
def pictures(review, tmp_path):
    """Two pictures of the first call in a folder of its own, one of the second."""
    first, second, *_ = [row["call"] for row in rows_of(review)]
    folder = tmp_path / "pictures"
    picture(folder / first / "document.jpg")
    picture(folder / first / "selfie.png", "PNG")
    picture(folder / f"{second}-1.webp", "WEBP")
    return folder


@pytest.fixture
def desk(review, pictures):
    with Desk(review, pictures) as desk:
        yield desk


def answer(desk, place, label, remark="", **headers):
    body = {"place": place, "label": label, "remark": remark}
    return requests.post(f"{desk.url}answers", json=body, headers=headers, timeout=30)


def test_each_answer_is_in_the_file_at_once(desk, review):
    before = rows_of(review)
    for place, label in enumerate(["yes", "no", "?"]):
        assert answer(desk, place, label).status_code == 200
        assert rows_of(review)[place]["same_person"] == label
    assert answer(desk, 1, "yes", "  a twin?\n").status_code == 200
    after = rows_of(review)
    assert [row["same_person"] for row in after[:4]] == ["yes", "yes", "?", ""]
    assert after[1]["remark"] == "a twin?"
    for column in before[0].keys() - {"same_person", "remark"}:
        assert [row[column] for row in after] == [row[column] for row in before]
    assert stat.S_IMODE(review.stat().st_mode) == 0o600
    assert ReviewSheet(review).labelled == 3


def test_a_remark_is_no_formula_in_a_spreadsheet(desk, review):
    answer(desk, 0, "yes", "=1+1")
    assert rows_of(review)[0]["remark"] == "'=1+1"


@pytest.mark.parametrize(
    ("place", "label", "status"),
    [(1, "yes", 409), (-1, "yes", 409), (0, "maybe", 409), (0, 1, 400), ("0", "yes", 400)],
)
def test_an_answer_out_of_order_or_of_another_kind_is_refused(desk, review, place, label, status):
    before = review.read_bytes()
    refused = answer(desk, place, label)
    assert refused.status_code == status
    assert refused.json()["error"]
    assert review.read_bytes() == before


def test_a_file_that_another_program_changed_is_not_overwritten(desk, review):
    changed = review.read_text().replace("same_person", "same_person ")
    review.write_text(changed, newline="")
    refused = answer(desk, 0, "yes")
    assert refused.status_code == 409
    assert "changed by another program" in refused.json()["error"]
    assert review.read_text() == changed.replace("\r\n", "\n")


def test_the_page_knows_nothing_about_who_accepted(desk, review):
    """Neither the systems, nor the question, the time or the person."""
    texts = [requests.get(f"{desk.url}{name}", timeout=30).text for name in ("", "calls")]
    row = rows_of(review)[0]
    for text in texts:
        for hidden in ("didit", "deepvue", row["written_for"], row["at"], row["person"]):
            assert hidden not in text
    document = requests.get(f"{desk.url}calls", timeout=30).json()
    assert [call["call"] for call in document["calls"]] == [
        each["call"] for each in rows_of(review)
    ]
    assert document["calls"][0]["pictures"] == 2


def test_pictures_are_read_when_they_are_shown_and_stored_nowhere(desk, pictures):
    for place, number, media_type in ((0, 0, "jpeg"), (0, 1, "png"), (1, 0, "webp")):
        shown = requests.get(f"{desk.url}pictures/{place}/{number}", timeout=30)
        assert shown.status_code == 200
        assert shown.headers["Content-Type"] == f"image/{media_type}"
        assert shown.headers["Cache-Control"] == "no-store"
    for path in ("pictures/0/2", "pictures/99/0", "pictures/0", "pictures/0/../../review.csv"):
        assert requests.get(f"{desk.url}{path}", timeout=30).status_code == 404
    for file in pictures.rglob("*.*"):
        file.unlink()
    assert requests.get(f"{desk.url}pictures/0/0", timeout=30).status_code == 404


def ask(desk, method, path, headers=()):
    """A request with exactly these headers and this path."""
    connection = http.client.HTTPConnection(*urlsplit(desk.url).netloc.split(":"), timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_nobody_else_can_open_the_page(desk, review):
    address = urlsplit(desk.url)
    host = [("Host", address.netloc)]
    assert ask(desk, "GET", address.path, host) == 200
    # Without the secret; with it, but by a name that another site may resolve to this machine.
    for path in ("/", "/calls", f"/{'a' * 22}/calls", address.path[:-2]):
        assert ask(desk, "GET", path, host) == 404
    assert ask(desk, "GET", address.path, [("Host", f"rebound.example:{address.port}")]) == 404
    assert ask(desk, "GET", address.path) == 404
    before = review.read_bytes()
    assert answer(desk, 0, "yes", Origin="https://evil.example").status_code == 404
    length = [*host, ("Content-Length", "99999")]
    assert ask(desk, "POST", f"{address.path}answers", length) == 400
    assert review.read_bytes() == before
    policy = requests.get(desk.url, timeout=30).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_the_server_listens_on_this_machine_only(desk):
    assert urlsplit(desk.url).hostname == "127.0.0.1"


def test_labels_of_a_spreadsheet_are_understood(review, pictures):
    rows = rows_of(review)
    rows[0]["same_person"], rows[1]["same_person"], rows[2]["same_person"] = "Y", "0", "unclear"
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0], delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    review.write_text(file.getvalue(), newline="")
    sheet = ReviewSheet(review)
    assert [row.label for row in sheet.rows[:4]] == ["yes", "no", "?", ""]
    sheet.answer(3, "no", "")
    assert review.read_text().splitlines()[0].count(";") == len(rows[0]) - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "a,b\n1,2\n", "is no review file"),
        (lambda text: text.split("\n")[0], "lists no call"),
        (lambda text: text.replace("1,,,", "1,maybe,,", 1), "write yes, no or"),
        (lambda text: "\0", "is not text"),
    ],
)
def test_another_file_is_refused(review, pictures, change, message):
    review.write_text(change(review.read_text()))
    with pytest.raises(fm.InvalidRequest, match=message):
        Desk(review, pictures)


def test_a_folder_without_pictures_of_the_calls_is_refused_with_an_example(review, tmp_path):
    picture(tmp_path / "others" / "somebody.jpg")
    first = rows_of(review)[0]["call"]
    with pytest.raises(fm.InvalidRequest, match=rf"{first}/selfie\.jpg"):
        Desk(review, tmp_path / "others")
    with pytest.raises(fm.InvalidRequest, match="cannot be read"):
        Desk(review, tmp_path / "missing")


def test_the_longest_id_owns_a_picture(tmp_path):
    for name in ("a-1.jpg", "a-b.jpg", "a-b_2.jpg", "ab.jpg", "b"):
        picture(tmp_path / name, "JPEG")
    found = find_pictures(tmp_path, ["a", "a-b"])
    assert {call: [file.name for file in files] for call, files in found.items()} == {
        "a": ["a-1.jpg"],
        "a-b": ["a-b.jpg", "a-b_2.jpg"],
    }


def test_a_file_that_is_no_picture_is_not_sent(tmp_path):
    text = tmp_path / "x.jpg"
    text.write_text("<script>")
    assert read_picture(text) is None
    assert read_picture(tmp_path / "missing.jpg") is None
    sent = read_picture(picture(tmp_path / "y.jpg"))
    assert sent.media_type == "image/jpeg"
    assert "content" not in repr(sent)


def test_calls_of_liveness_ask_whether_the_person_is_live(review, pictures):
    review.write_text(review.read_text().replace("same_person", "live_person"), newline="")
    with Desk(review, pictures) as desk:
        question = requests.get(f"{desk.url}calls", timeout=30).json()["question"]
        assert "live person" in question
        assert answer(desk, 0, "no").status_code == 200
    assert rows_of(review)[0]["live_person"] == "no"


def test_a_file_that_cannot_be_written_keeps_its_answers(desk, review, monkeypatch):
    before = review.read_bytes()

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("facematch_comparison.production.labels.sheet.write_file", fail)
    refused = answer(desk, 0, "yes")
    assert refused.status_code == 409
    assert "No space left on device" in refused.json()["error"]
    assert desk.sheet.labelled == 0
    assert review.read_bytes() == before
