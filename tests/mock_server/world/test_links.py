"""Pictures that a client names by a link: put there by a test, or fetched from this machine."""

import socket

import pytest
import requests
from kit.rawserver import RawServer, close, closed_port, dribble, http_reply, one_each, read_request
from kit.rawserver import send as giving

from facematch_mock_server import MockServer, card_sheet, make_card
from facematch_mock_server.world import links
from facematch_mock_server.world.links import NamedPictures, fetch_picture, find_card

P1 = card_sheet()["p1"].data
SIX_MB = 6 * 1024 * 1024
FAR = "https://cdn.example/faces/ada.png"


@pytest.fixture
def mock():
    with MockServer(vendor="azure") as running:
        yield running


def detect(mock, link, **more):
    """Let Microsoft's `detect` look for a face at a link."""
    return requests.post(
        f"{mock.url}/face/v1.2/detect",
        json={"url": link},
        headers={"Ocp-Apim-Subscription-Key": mock.live_key},
        timeout=10,
        **more,
    )


def refusal_of(answer):
    """Return the code of a refused call, which has cost nothing."""
    assert answer.status_code == 400
    return answer.json()["error"]["code"]


@pytest.mark.parametrize(
    ("name", "link"),
    [
        (FAR, FAR),
        (FAR, f"{FAR}?X-Amz-Signature=1"),
        (f"{FAR}?id=7", f"{FAR}?id=7"),
        ("https://cdn.example/", FAR),
        ("https://cdn.example/faces/", FAR),
    ],
)
def test_a_named_picture_is_found_at_its_link(mock, name, link):
    mock.control.pictures[name] = "p1"
    assert len(detect(mock, link).json()) == 1


def test_the_closest_name_counts():
    pictures = NamedPictures({"b/": b"all", "b/k/": b"some", "b/k/1": b"one", "b/k/1?v=2": b"old"})
    looked_for = {"b/k/1?v=2": b"old", "b/k/1?v=3": b"one", "b/k/12": b"some", "b/x": b"all"}
    assert {link: pictures.find(link) for link in looked_for} == looked_for
    assert pictures.find("c/k/1") is None
    assert pictures.find("b") is None


@pytest.mark.parametrize(("card", "faces"), [("no-face", 0), ("p1", 1), ("two-faces", 2)])
def test_a_named_picture_has_the_faces_of_its_card(mock, card, faces):
    mock.control.pictures[FAR] = card
    assert len(detect(mock, FAR).json()) == faces
    assert len(mock.control.charges()) == 1


def test_a_named_picture_may_be_bytes_or_a_file(mock, tmp_path):
    (tmp_path / "two.png").write_bytes(make_card("p1", faces=2))
    for source in (tmp_path / "two.png", str(tmp_path / "two.png"), make_card("p1", faces=2)):
        mock.control.pictures[FAR] = source
        assert len(detect(mock, FAR).json()) == 2


@pytest.mark.parametrize(
    ("link", "card"),
    [
        ("https://cdn.example/faces/p1.png", "p1"),
        ("http://cdn.example/two-faces.png?X-Amz-Signature=1", "two-faces"),
        ("https://cdn.example/?name=p1.png", None),
        ("file:///srv/p1.png", None),
        ("http://127.0.0.1:8000/p1.png", None),
        ("http://localhost/p1.png", None),
        # Mistakes of a program, which the vendor would refuse.
        ("p1.png", None),
        ("//cdn.example/p1.png", None),
        ("/srv/faces/p1.png", None),
    ],
)
def test_a_cards_file_name_elsewhere_is_that_card(link, card):
    assert find_card(link) == (None if card is None else card_sheet()[card].data)


@pytest.mark.parametrize(
    ("key", "card"),
    [
        ("photos/people/p1-again.png?versionId=7", "p1-again"),
        ("photos/no-face.png", "no-face"),
        ("photos/p1", None),
        ("photos/p1.jpg", None),
        ("photos/p1.png/", None),
        ("photos/.png", None),
    ],
)
def test_a_key_that_ends_with_a_cards_file_name_is_that_card(key, card):
    assert find_card(key, is_s3_key=True) == (None if card is None else card_sheet()[card].data)


def test_a_picture_that_was_named_counts_before_the_card_of_its_file_name(mock):
    link = "https://cdn.example/two-faces.png"
    assert len(detect(mock, link).json()) == 2
    mock.control.pictures["https://cdn.example/"] = "no-face"
    assert len(detect(mock, link).json()) == 0


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("", "p1"),
        ("two\nlines", "p1"),
        (7, "p1"),
        (FAR, 7),
        (FAR, "p9"),
        (FAR, "."),
    ],
)
def test_a_wrong_name_or_picture_is_refused_and_changes_nothing(name, source):
    pictures = NamedPictures({"a/b": b"x"})
    with pytest.raises(ValueError, match="picture"):
        pictures[name] = source
    assert dict(pictures) == {"a/b": b"x"}


def test_the_mock_fetches_its_own_card_from_itself(mock):
    """While it answers the call, it has to answer the request for the card, too."""
    assert len(detect(mock, f"{mock.url}/__mock__/cards/two-faces.png").json()) == 2
    (entry,) = mock.control.journal()
    assert entry.files[0].size == len(card_sheet()["two-faces"].data)


def test_the_mock_fetches_its_own_card_for_a_link_in_capitals(mock):
    link = f"{mock.url}/__mock__/cards/p1.png"
    assert len(detect(mock, link.replace("http", "HTTP")).json()) == 1


def test_an_unreadable_link_is_refused_with_a_hint_that_names_it(mock):
    link = "https://me:secret@cdn.example/faces/ada.png?sig=secret"
    answer = detect(mock, link)
    assert refusal_of(answer) == "InvalidURL"
    hint = answer.headers["X-Facematch-Hint"]
    assert "name this link: --picture https://cdn.example/faces/ada.png=FILE" in hint
    (entry,) = mock.control.journal()
    assert "https://cdn.example/faces/ada.png" in entry.note
    assert "secret" not in f"{hint} {entry}"
    assert mock.control.charges() == ()


def test_no_link_breaks_the_header_with_the_hint(mock):
    answer = detect(mock, "https://cdn.example/a\r\nX-Evil: 1/é\ud83d.png")
    assert refusal_of(answer) == "InvalidURL"
    assert "X-Evil" not in answer.headers
    assert "name this link" in answer.headers["X-Facematch-Hint"]
    assert len(detect(mock, f"https://cdn.example/{'a' * 9000}").headers["X-Facematch-Hint"]) < 500


@pytest.mark.parametrize(
    "link",
    [
        FAR,
        "http://127.0.0.1@cdn.example/p1.png",
        "http://127.0.0.1.cdn.example/p1.png",
        "http://10.0.0.1/p1.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/p1.png",
        "file:///etc/passwd",
        "ftp://127.0.0.1/p1.png",
        "http://127.0.0.1:0/p1.png",
        "http://127.0.0.1:99999/p1.png",
        "http://[::1/p1.png",
        "http://127.0.0.1/a b",
        "photos/p1.png",
        "",
    ],
)
def test_nothing_is_sent_elsewhere(monkeypatch, link):
    """Neither a connection nor a question for a name's address."""
    tried = []
    monkeypatch.setattr(socket, "create_connection", lambda *where, **_: tried.append(where))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **_: tried.append(where))
    assert fetch_picture(link, SIX_MB) is None
    assert tried == []


@pytest.mark.parametrize(
    "reply",
    [
        http_reply(302, P1, "Location: /p1.png"),
        http_reply(404, P1),
        http_reply(206, P1),
        http_reply(200, P1, length=len(P1) + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + P1,
        b"no answer\r\n\r\n",
        b"",
    ],
    ids=["redirect", "missing", "partial", "short", "chunk", "no HTTP", "nothing"],
)
def test_anything_but_a_whole_answer_is_unreadable(mock, reply):
    with one_each(reply) as server:
        assert refusal_of(detect(mock, f"{server.url}p1.png")) == "InvalidURL"
        assert len(server.requests) == 1


def test_a_link_at_which_nobody_listens_is_unreadable(mock):
    with closed_port() as port:
        assert refusal_of(detect(mock, f"http://127.0.0.1:{port}/p1.png")) == "InvalidURL"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_picture_on_this_machine_is_asked_for_once_without_a_key(mock, host):
    with one_each(http_reply(200, P1)) as server:
        assert len(detect(mock, f"http://{host}:{server.port}/p1.png?x=1").json()) == 1
        (request,) = server.requests
    line, _, headers = request.partition(b"\r\n")
    assert line == b"GET /p1.png?x=1 HTTP/1.1"
    assert mock.live_key.encode() not in headers
    assert b"cookie" not in headers.lower()


def test_a_slow_picture_is_given_up(monkeypatch):
    monkeypatch.setattr(links, "FETCH_TIMEOUT_S", 0.1)
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
    with RawServer([read_request, giving(start), dribble(b"z" * 9999, 0.02)]) as server:
        assert fetch_picture(server.url, SIX_MB) is None


@pytest.mark.parametrize("is_named", [True, False])
def test_a_picture_above_the_vendors_limit_gets_the_vendors_refusal(mock, is_named):
    content = P1.ljust(SIX_MB + 1_000_000)
    if is_named:
        mock.control.pictures[FAR] = content
        assert refusal_of(detect(mock, FAR)) == "InvalidImageSize"
        return
    with one_each(http_reply(200, content)) as server:
        assert refusal_of(detect(mock, server.url)) == "InvalidImageSize"


def test_a_mock_that_others_can_reach_fetches_nothing():
    """Others could reach the services of its machine through it."""
    with (
        RawServer([[read_request, giving(http_reply(200, P1)), close]]) as server,
        MockServer(vendor="azure", host="0.0.0.0", control=False) as mock,
    ):
        assert refusal_of(detect(mock, server.url)) == "InvalidURL"
        assert server.requests == []
        mock.control.pictures[server.url] = "p1"
        assert len(detect(mock, server.url).json()) == 1


def test_each_account_has_its_own_pictures_and_a_reset_restores_the_first():
    with MockServer(vendor=["azure", "rekognition"], pictures={"b/p1.png": "p1"}) as mock:
        mock.control.pictures["b/p2.png"] = "p2"
        assert [*mock.of("rekognition").control.pictures] == ["b/p1.png", "b/p2.png"]
        assert [*mock.new_account().control.pictures] == ["b/p1.png"]
        mock.control.reset()
        assert [*mock.control.pictures] == ["b/p1.png"]


def test_pictures_are_named_over_http(mock):
    def post(path, **body):
        return requests.post(f"{mock.control_url}{path}", json=body, timeout=10)

    assert post("pictures", name=FAR, card="two-faces").status_code == 200
    assert len(detect(mock, FAR).json()) == 2
    assert post("pictures", name="b/k", base64="iVBORw==").status_code == 200
    listed = requests.get(f"{mock.control_url}pictures", timeout=10).json()
    assert listed == {"pictures": [FAR, "b/k"]}
    for wrong in (
        {"name": "b/k"},
        {"name": "b/k", "card": "p1", "base64": "iVBORw=="},
        {"name": "b/k", "base64": "*"},
        {"name": "", "card": "p1"},
        # A file of this machine is not for whoever reaches the control API.
        {"name": "b/k", "card": __file__},
    ):
        assert post("pictures", **wrong).status_code == 400
    assert mock.control.pictures["b/k"] == b"\x89PNG"
    assert post("pictures/clear").status_code == 200
    assert [*mock.control.pictures] == []
