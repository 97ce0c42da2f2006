"""What the mock answers as Baidu."""

from urllib.parse import urlencode

import pytest
from kit.mock_world import control_of, draw_picture, new_engine, scene
from vendors.baidu import (
    API_KEY,
    APP_KEY,
    APP_SECRET,
    DETECT,
    FACESET,
    FACEVERIFY,
    MATCH,
    add_user,
    change,
    detect,
    faceverify,
    login,
    match,
    person_verify,
    picture,
    post,
    search,
    token_of,
)

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server import card_sheet, make_card
from facematch_mock_server.recognition.recognizer import Recognizer

CARDS = card_sheet()
DAY_S = 86_400
#: The most bytes whose base64 has 2 MB.
MAX_BYTES = 1_572_864


@pytest.fixture
def engine():
    return new_engine(vendor="baidu", switches={"price": "0.01"})


@pytest.fixture
def reading_engine():
    """A mock that looks at the bytes of the pictures."""
    return new_engine(Recognizer(), vendor="baidu")


def code_of(answer):
    """Return the code of an answer, which is a 200 and has a result or an error."""
    body = answer.json()
    assert answer.status == 200
    if 0 < body["error_code"] < 1000:
        assert body.keys() == {"error_code", "error_msg"}
    else:
        assert (body["result"] is None) is (body["error_code"] != 0)
    return body["error_code"]


def test_score_of_a_match_and_a_token_of_each_face(engine):
    answer = engine.handle(match(scene(score=96.4)))
    assert code_of(answer) == 0
    result = answer.json()["result"]
    assert result["score"] == 96.4
    tokens = [face["face_token"] for face in result["face_list"]]
    assert len(set(tokens)) == 2
    assert type(answer.json()["log_id"]) is int


def test_liveness_is_a_fraction_beside_the_thresholds_of_the_answer(engine):
    answer = engine.handle(faceverify(scene(score=97)))
    assert code_of(answer) == 0
    result = answer.json()["result"]
    assert result["thresholds"] == {"frr_1e-4": 0.05, "frr_1e-3": 0.3, "frr_1e-2": 0.9}
    assert 0 <= result["face_liveness"] <= 1


def test_several_shots_have_one_result(engine):
    answer = engine.handle(post([picture(), picture()], FACEVERIFY))
    assert len(answer.json()["result"]["face_list"]) == 1


def test_video_in_place_of_a_picture_is_named_in_a_hint(engine):
    video = engine.handle(post([{"video_base64": "AAAA"}], FACEVERIFY))
    assert code_of(video) == 222001
    assert "video_base64" in video.header("X-Facematch-Hint")
    missing = engine.handle(post([{"image_type": "BASE64"}], FACEVERIFY))
    assert code_of(missing) == 222001
    assert missing.header("X-Facematch-Hint") is None


def test_no_face_does_not_tell_the_picture_and_is_not_charged(engine, control):
    no_face = scene(faces=0)
    messages = set()
    for request in (match(no_face), match(None, no_face), faceverify(no_face)):
        answer = engine.handle(request)
        assert code_of(answer) == 222202
        messages.add(answer.json()["error_msg"])
    assert len(messages) == 1
    assert control.charges() == ()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", 222001, id="no body"),
        pytest.param(b"{", 222001, id="broken JSON"),
        pytest.param({"image": "x"}, 222001, id="no list"),
        pytest.param([], 222208, id="no picture"),
        pytest.param([picture()], 222208, id="one picture"),
        pytest.param([picture(), picture(), picture()], 222208, id="three pictures"),
        pytest.param([picture(), "text"], 222001, id="item that is a text"),
        pytest.param([picture(image=None), picture()], 222001, id="item without an image"),
        pytest.param([picture(), picture(image="not base64!")], 222013, id="no base64"),
        pytest.param([picture(), picture(image=7)], 222013, id="image that is a number"),
        pytest.param([picture(), picture(image_type=None)], 222015, id="no type"),
        pytest.param([picture(), picture(image_type="FILE")], 222015, id="type FILE"),
        pytest.param([picture(), picture(image_type="URL")], 222204, id="type URL, no link"),
        pytest.param([picture(), picture(image_type="FACE_TOKEN")], 222209, id="unknown token"),
    ],
)
def test_list_that_is_no_pair_of_pictures_is_refused(engine, control, body, code):
    assert code_of(engine.handle(post(body))) == code
    assert control.charges() == ()


def test_liveness_check_needs_a_picture(engine):
    assert code_of(engine.handle(post([], FACEVERIFY))) == 222208


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(draw_picture(), 0, id="PNG"),
        pytest.param(draw_picture("BMP"), 0, id="BMP"),
        pytest.param(draw_picture(size=(1920, 80)), 0, id="1920 pixels"),
        pytest.param(draw_picture(size=(1921, 80)), 222203, id="1921 pixels"),
        pytest.param(draw_picture("GIF"), 222013, id="GIF"),
        pytest.param(b"no picture", 222203, id="no picture"),
        pytest.param(make_card("p1").ljust(MAX_BYTES, b"\0"), 0, id="most bytes"),
        pytest.param(make_card("p1").ljust(MAX_BYTES + 1, b"\0"), 222203, id="one byte more"),
    ],
)
def test_picture_beyond_a_documented_limit_is_refused(reading_engine, content, code):
    sent = [picture(content), picture(CARDS["p1-again"].data)]
    assert code_of(reading_engine.handle(post(sent))) == code


@pytest.mark.parametrize("how", [{}, {"method": "GET"}, {"in_form": True}], ids=str)
def test_login_gives_a_token_that_lasts_30_days(engine, how):
    answer = engine.handle(login(**how))
    body = answer.json()
    assert answer.status == 200
    assert body["expires_in"] == 30 * DAY_S
    assert "brain_all_scope" in body["scope"].split()
    version, digits, life_s, end, app = body["access_token"].split(".")
    assert version == "24"
    assert len(digits) == 32
    assert life_s == str(30 * DAY_S)
    assert end.isdigit()
    assert app == f"282335-{APP_KEY}"


def test_life_of_a_token_can_be_set():
    engine = new_engine(vendor="baidu", switches={"token_life_s": 60})
    assert engine.handle(login()).json()["expires_in"] == 60


def test_token_of_a_revoked_secret_is_refused(engine, control):
    token = token_of(engine)
    control.revoke_key(APP_SECRET)
    assert code_of(engine.handle(match(token=token))) == 110
    assert engine.handle(login()).json()["error_description"] == "unknown client id"


@pytest.mark.parametrize(
    ("changes", "status", "error", "description"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client", "unknown client id"),
        ({"client_id": None}, 401, "invalid_client", "unknown client id"),
        ({"client_secret": "wrong"}, 401, "invalid_client", "Client authentication failed"),
        ({"in_form": True, "client_id": None}, 401, "invalid_client", "unknown client id"),
        (
            {"in_form": True, "client_secret": "wrong"},
            401,
            "invalid_client",
            "Client authentication failed",
        ),
        ({"client_secret": None}, 401, "invalid_client", "Client authentication failed"),
        # A key for the header is no secret of the app.
        ({"client_secret": API_KEY}, 401, "invalid_client", "Client authentication failed"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", None),
        ({"grant_type": None}, 400, "unsupported_grant_type", None),
    ],
)
def test_refused_login(engine, changes, status, error, description):
    answer = engine.handle(login(**changes))
    assert (answer.status, answer.json()["error"]) == (status, error)
    assert description in (None, answer.json()["error_description"])
    assert control_of(engine).tokens.issued() == ()


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (f"Bearer {API_KEY}", 0),
        (f"bearer {API_KEY}", 0),
        (None, 100),
        ("Bearer bce-v3/ALTAK-nobody/key", 110),
        # The secret of the app needs a login.
        (f"Bearer {APP_SECRET}", 110),
        (f"Basic {API_KEY}", 110),
        ("bce-auth-v1/key/2026-11-28T08:00:00Z/1800/host/0", 14),
    ],
)
def test_key_in_the_header(engine, authorization, code):
    assert code_of(engine.handle(match(authorization=authorization))) == code


def test_key_without_permission_is_refused_in_the_header_and_by_its_token(engine, control):
    control.add_key(key="bce-v3/ALTAK-weak/key", allowed=False)
    control.add_key(key="weak-secret", client="weak-app", allowed=False)
    assert code_of(engine.handle(match(authorization="Bearer bce-v3/ALTAK-weak/key"))) == 6
    weak = login(client_id="weak-app", client_secret="weak-secret")
    token = engine.handle(weak).json()["access_token"]
    assert code_of(engine.handle(match(token=token))) == 6


@pytest.mark.parametrize(
    ("path", "method"),
    [("/rest/2.0/face/v3/nothing", "POST"), ("/rest/2.0/face/v2/match", "POST"), (MATCH, "GET")],
)
def test_other_paths_and_methods_are_refused(engine, path, method):
    assert code_of(engine.handle(match(path=path, method=method))) == 3


@pytest.mark.parametrize("in_form", [False, True])
def test_journal_shows_neither_the_secret_nor_the_token_of_a_login(engine, control, in_form):
    token = engine.handle(login(in_form=in_form)).json()["access_token"]
    engine.handle(match(token=token))
    shown = repr([entry.to_dict() for entry in control.journal()])
    assert token not in shown
    assert APP_SECRET not in shown


@pytest.mark.parametrize("in_form", [False, True])
def test_each_account_has_its_own_app_and_key(engine, in_form):
    other = engine.accounts.open("other")
    # In the order of `VENDOR.first_keys`.
    (api_key, _), (secret, app) = other.first_keys["baidu"].items()
    app_login = login(in_form=in_form, client_id=app.client, client_secret=secret)
    token = engine.handle(app_login).json()["access_token"]
    assert code_of(engine.handle(match(token=token))) == 0
    assert code_of(engine.handle(match(authorization=f"Bearer {api_key}"))) == 0
    assert engine.account.worlds["baidu"].ledger.charges.all() == ()
    assert len(other.worlds["baidu"].ledger.charges.all()) == 2


def test_detect_describes_the_largest_face_unless_more_are_asked_for(engine, control):
    one = engine.handle(detect(scene(faces=3))).json()["result"]
    assert one["face_num"] == 1
    (face,) = one["face_list"]
    assert face["location"] == {
        "left": 212.25,
        "top": 148.25,
        "width": 392,
        "height": 542,
        "rotation": 0,
    }
    assert "age" not in face
    assert face["face_probability"] == 1.0
    two = engine.handle(detect(scene(faces=3), max_face_num=2, face_field="age,gender,beauty"))
    faces = two.json()["result"]["face_list"]
    assert [each["age"] for each in faces] == [34, 34]
    assert faces[0]["gender"]["type"] == "female"
    assert "beauty" in faces[0]
    assert [charge.what for charge in control.charges()] == [DETECT, DETECT]


@pytest.mark.parametrize(
    ("asked", "count"), [("2", 2), (2, 2), (99, 3), ("99", 3), (0, 1), ("two", 1), ([2], 1)]
)
def test_number_of_faces_may_be_a_text_and_no_high_one_hides_a_face(engine, asked, count):
    answer = engine.handle(detect(scene(faces=3), max_face_num=asked)).json()
    assert answer["result"]["face_num"] == count


def test_call_with_one_picture_takes_a_form(engine, control):
    sent = picture(scene(faces=3), max_face_num="2", face_field="gender")
    form = urlencode(sent).encode()
    answer = engine.handle(post(form, DETECT, kind="application/x-www-form-urlencoded")).json()
    assert answer["result"]["face_num"] == 2
    assert answer["result"]["face_list"][0]["gender"]["type"] == "female"
    (entry,) = control.journal()
    assert sent["image"][:40] not in f"{entry}"
    two = engine.handle(post(form, MATCH, kind="application/x-www-form-urlencoded"))
    assert code_of(two) == 222001


def test_detect_refuses_a_picture_without_a_face(engine, control):
    assert code_of(engine.handle(detect(scene(faces=0)))) == 222202
    assert control.charges() == ()


def test_face_token_is_the_same_each_time_and_stands_for_its_picture(engine):
    def token(content):
        return engine.handle(detect(content)).json()["result"]["face_list"][0]["face_token"]

    first = token(scene(score=41))
    assert token(scene(score=41)) == first
    assert token(scene(score=42)) != first
    by_token = picture(image=first, image_type="FACE_TOKEN")
    answer = engine.handle(post([by_token, picture()]))
    assert answer.json()["result"]["score"] == 41


def test_token_of_a_smaller_face_is_another_person(engine):
    found = engine.handle(detect(scene(faces=2), max_face_num=2)).json()["result"]["face_list"]
    smaller = picture(image=found[1]["face_token"], image_type="FACE_TOKEN")
    assert engine.handle(post([smaller, picture()])).json()["result"]["score"] == 5


def test_picture_at_a_link_is_compared(engine, control):
    control.pictures["https://shop.example/ada.png"] = scene(score=41)
    linked = picture(image="https://shop.example/ada.png", image_type="URL")
    assert engine.handle(post([linked, picture()])).json()["result"]["score"] == 41


@pytest.mark.parametrize(
    ("control_fields", "facts", "code"),
    [
        ({"liveness_control": "NONE"}, {"score": 4}, 0),
        ({"liveness_control": "LOW"}, {"score": 4}, 223120),
        ({"liveness_control": "LOW"}, {"score": 5}, 0),
        ({"liveness_control": "NORMAL"}, {"score": 29}, 223120),
        ({"liveness_control": "HIGH"}, {"score": 89}, 223120),
        ({"liveness_control": "HIGH"}, {"score": 90}, 0),
        ({"quality_control": "LOW"}, {"quality": 19}, 223114),
        ({"quality_control": "NORMAL"}, {"quality": 40}, 0),
        ({"quality_control": "HIGH"}, {"quality": 59}, 223114),
        ({"quality_control": "HIGH"}, {"faces": 0}, 222202),
    ],
)
def test_picture_that_fails_a_check_that_was_asked_for_is_refused(
    engine, control, control_fields, facts, code
):
    sent = scene(**facts)
    for request in (
        post([picture(), picture(sent, **control_fields)]),
        detect(sent, **control_fields),
        person_verify(sent, **control_fields),
    ):
        assert code_of(engine.handle(request)) == code
    assert bool(control.charges()) is (code == 0)


def test_attack_card_is_refused_by_liveness_control(reading_engine):
    attack = picture(CARDS["spoof"].data, liveness_control="NORMAL")
    assert code_of(reading_engine.handle(post([attack, picture(CARDS["p1"].data)]))) == 223120


def test_person_is_compared_with_the_first_picture_of_the_number(reading_engine):
    def score(card, **fields):
        answer = reading_engine.handle(person_verify(CARDS[card].data, **fields))
        return answer.json()["result"]["score"]

    assert score("p1") > 80
    assert score("p1-again") > 80
    assert score("p2") < 80
    assert score("p2", id_card_number="110101199003070001") > 80


@pytest.mark.parametrize("name", ["id_card_number", "name"])
def test_person_needs_a_number_and_a_name(engine, name):
    assert code_of(engine.handle(person_verify(**{name: None}))) == 222001


# Sets of faces


def card(name):
    return CARDS[name].data


def found(answer):
    assert code_of(answer) == 0
    return [(each["user_id"], each["user_info"]) for each in answer.json()["result"]["user_list"]]


def test_search_finds_the_user_whose_face_was_added(reading_engine):
    added = reading_engine.handle(add_user(card("p1"), user_info="Ada"))
    assert code_of(added) == 0
    assert set(added.json()["result"]) == {"face_token", "location"}
    reading_engine.handle(add_user(card("p2"), user_id="bob"))
    answer = reading_engine.handle(search(card("p1-again"), max_user_num=5))
    assert found(answer) == [("ada", "Ada")]
    (user,) = answer.json()["result"]["user_list"]
    assert (user["group_id"], user["score"] > 80) == ("shop", True)
    assert len(answer.json()["result"]["face_token"]) == 32
    everybody = search(card("p1-again"), max_user_num=5, match_threshold=0)
    assert [name for name, _ in found(reading_engine.handle(everybody))] == ["ada", "bob"]
    assert len(found(reading_engine.handle(search(card("p1"), match_threshold=0)))) == 1


def test_liveness_has_the_attributes_that_are_asked_for(engine):
    asked = post([picture(scene(score=97), face_field="age,beauty,spoofing")], FACEVERIFY)
    answer = engine.handle(asked)
    (face,) = answer.json()["result"]["face_list"]
    assert {"age", "beauty"} <= set(face)
    assert "spoofing" in dict(answer.headers)[HINT_HEADER]


def test_group_that_is_not_searched_is_not_found(reading_engine):
    reading_engine.handle(add_user(card("p1")))
    reading_engine.handle(add_user(card("p1"), group_id="bank"))
    assert code_of(reading_engine.handle(search(card("p1"), group_id_list="pub"))) == 222207
    assert code_of(reading_engine.handle(search(card("p2")))) == 222207
    both = search(card("p1"), group_id_list="shop,bank", max_user_num="9")
    assert len(found(reading_engine.handle(both))) == 2


def test_user_has_several_faces_and_the_last_info(reading_engine):
    for name, info in (("p1", "first"), ("p2", "second")):
        reading_engine.handle(add_user(card(name), user_info=info))
    for name in ("p1-again", "p2"):
        assert found(reading_engine.handle(search(card(name)))) == [("ada", "second")]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (add_user(group_id=None), 222001),
        (add_user(user_id="a b"), 222006),
        (add_user(image=None), 222001),
        (search(group_id_list=None), 222001),
        (search(max_user_num="many"), 222004),
        (search(group_id_list="a,b,c,d,e,f,g,h,i,j,k"), 223104),
    ],
)
def test_wrong_field_of_a_set_of_faces_is_refused_without_a_charge(engine, sent, code):
    assert code_of(engine.handle(sent)) == code
    assert control_of(engine).charges() == ()


def test_search_is_charged_if_somebody_is_found(reading_engine):
    reading_engine.handle(search(card("p1")))
    reading_engine.handle(add_user(card("p1")))
    reading_engine.handle(search(card("p1")))
    services = [each.what for each in control_of(reading_engine).charges()]
    assert services == ["/rest/2.0/face/v3/faceset/user/add", "/rest/2.0/face/v3/search"]


def test_update_replaces_the_faces_of_a_user(reading_engine):
    reading_engine.handle(add_user(card("p1"), user_info="Ada"))
    sent = {**picture(card("p2")), "group_id": "shop", "user_id": "ada"}
    updated = reading_engine.handle(post(sent, f"{FACESET}/user/update"))
    assert set(updated.json()["result"]) == {"face_token", "location"}
    assert code_of(reading_engine.handle(search(card("p1")))) == 222207
    assert found(reading_engine.handle(search(card("p2")))) == [("ada", "Ada")]


def succeeds(answer):
    """Return whether a call succeeded that has no result."""
    body = answer.json()
    return (body["error_code"], body["error_msg"], body["result"]) == (0, "SUCCESS", None)


def test_deleted_faces_users_and_groups_are_not_found(reading_engine):
    added = reading_engine.handle(add_user(card("p1"))).json()["result"]
    reading_engine.handle(add_user(card("p2")))
    token = added["face_token"]
    assert succeeds(reading_engine.handle(change("face/delete", face_token=token)))
    assert code_of(reading_engine.handle(search(card("p1")))) == 222207
    assert found(reading_engine.handle(search(card("p2")))) == [("ada", "")]
    assert succeeds(reading_engine.handle(change("user/delete")))
    assert code_of(reading_engine.handle(search(card("p2")))) == 222207
    reading_engine.handle(add_user(card("p2")))
    assert succeeds(reading_engine.handle(change("group/delete")))
    assert code_of(reading_engine.handle(search(card("p2")))) == 222207


def test_group_is_added_once_by_json_or_by_a_form(engine):
    body = urlencode({"group_id": "shop"}).encode()
    kind = "application/x-www-form-urlencoded"
    assert succeeds(engine.handle(post(body, f"{FACESET}/group/add", kind=kind)))
    assert code_of(engine.handle(change("group/add"))) == 223101
    # A user's group is there, too.
    engine.handle(add_user(group_id="bank"))
    assert code_of(engine.handle(change("group/add", group_id="bank"))) == 223101


UPDATE = post({**picture(), "group_id": "shop", "user_id": "bob"}, f"{FACESET}/user/update")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (UPDATE, 223103),
        (change("user/delete", user_id="bob"), 223103),
        (change("face/delete", user_id="bob", face_token="a"), 223103),
        (change("face/delete", face_token="a"), 223106),
        (change("group/add", group_id=None), 222001),
    ],
)
def test_unknown_user_or_face_is_refused_without_a_charge(engine, sent, code):
    engine.handle(add_user())
    charged = control_of(engine).charges()
    assert code_of(engine.handle(sent)) == code
    assert control_of(engine).charges() == charged


def test_face_without_a_face_is_not_added(engine):
    assert code_of(engine.handle(add_user(scene(faces=0)))) == 222202


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json"])
def test_set_of_faces_takes_a_form(reading_engine, kind):
    fields = {**picture(card("p1")), "group_id": "shop", "user_id": "ada"}
    path = "/rest/2.0/face/v3/faceset/user/add"
    assert code_of(reading_engine.handle(post(urlencode(fields).encode(), path, kind=kind))) == 0
    assert found(reading_engine.handle(search(card("p1")))) == [("ada", "")]


def test_field_of_a_face_that_is_never_filled_has_a_hint(engine):
    asked = engine.handle(detect(face_field="age, race"))
    (face,) = asked.json()["result"]["face_list"]
    assert "age" in face
    assert "race" not in face
    assert "race" in asked.header("X-Facematch-Hint")
    assert engine.handle(detect(face_field="age")).header("X-Facematch-Hint") is None


def test_old_words_of_attributes_are_taken(engine):
    asked = engine.handle(detect(face_field="faceshape,facetype,mask"))
    (face,) = asked.json()["result"]["face_list"]
    assert face["face_shape"]["type"] == "square"
    assert face["face_type"]["type"] == "human"
    assert face["mask"]["type"] == 0
