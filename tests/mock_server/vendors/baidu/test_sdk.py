"""What Baidu's own client, `baidu-aip`, makes of the mock.

Its host is a constant, so it reaches the mock by the door. It verifies no certificate, and returns
errors as they come.
"""

import base64
import importlib
import warnings

import pytest
from kit.cards import CARDS

from facematch_mock_server.vendors.baidu.vendor import APP_KEY, APP_SECRET, LOGIN

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture
def open_client(mock_door):
    # Its import switches off warnings of urllib3, for the whole process.
    with warnings.catch_warnings():
        aip = importlib.import_module("aip")

    def open_client(key=APP_KEY, secret=APP_SECRET):
        return aip.AipFace("1", key, secret)

    return open_client


@pytest.fixture
def baidu(mock_door):
    return mock_door.of("baidu").control


def items(*names):
    images = []
    for name in names:
        text = base64.b64encode(CARDS[name]).decode()
        images.append({"image": text, "image_type": "BASE64"})
    return images


def paths(control):
    return [entry.path for entry in control.journal()]


def test_one_login_serves_a_match_and_a_liveness_check(open_client, baidu):
    client = open_client()
    same = client.match(items("p1", "p1-again"))
    other = client.match(items("p1", "p2"))
    live = client.faceverify(items("p1"))
    spoof = client.faceverify(items("spoof"))
    assert same["result"]["score"] > 80 > other["result"]["score"]
    cut = live["result"]["thresholds"]["frr_1e-3"]
    assert live["result"]["face_liveness"] > cut > spoof["result"]["face_liveness"]
    assert [path == LOGIN for path in paths(baidu)] == [True, False, False, False, False]
    assert len(baidu.charges()) == 4


def test_client_logs_in_again_after_a_revoked_token(open_client, baidu):
    client = open_client()
    client.match(items("p1", "p1-again"))
    baidu.tokens.revoke()
    assert client.match(items("p1", "p1-again"))["error_code"] == 0
    assert [path == LOGIN for path in paths(baidu)] == [True, False, False, True, False]


@pytest.mark.parametrize("keys", [{"key": "nobody"}, {"secret": "wrong"}])
def test_client_signs_after_a_refused_login_and_is_refused(open_client, baidu, keys):
    assert open_client(**keys).match(items("p1", "p1-again"))["error_code"] == 14
    assert baidu.charges() == ()


@pytest.mark.parametrize(
    ("cards", "code"),
    [(["no-face", "p1"], 222202), (["p1"], 222208)],
    ids=["no face", "one picture"],
)
def test_client_returns_the_body_of_a_refusal(open_client, cards, code):
    answer = open_client().match(items(*cards))
    assert answer["error_code"] == code
    assert answer["result"] is None


def test_users_of_a_group_are_added_searched_changed_and_deleted(open_client):
    client = open_client()
    ada, again, bob = (each["image"] for each in items("p1", "p1-again", "p2"))
    user = ("shop", "ada")
    assert client.groupAdd("shop")["error_code"] == 0
    assert client.addUser(ada, "BASE64", *user, {"user_info": "Ada"})["error_code"] == 0
    (found,) = client.search(again, "BASE64", "shop")["result"]["user_list"]
    assert (found["user_id"], found["user_info"]) == ("ada", "Ada")
    updated = client.updateUser(bob, "BASE64", *user)
    assert client.search(again, "BASE64", "shop")["error_msg"] == "match user is not found"
    token = updated["result"]["face_token"]
    assert client.faceDelete("ada", "shop", token)["error_code"] == 0
    assert client.deleteUser(*user)["error_code"] == 0
    assert client.groupDelete("shop")["error_code"] == 0
