"""Groups of users with their faces, and the users in them whose faces a picture's face is like."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from facematch_mock_server.vendors.kit import PairCall, PairEndpoint, PictureFields, Response
from facematch_mock_server.vendors.kit import persons as stored
from facematch_mock_server.vendors.persons import PersonFace, score_person

from .wire import SUCCESS, describe_answer, describe_face, name_face

_PICTURE = PictureFields(json=(("image",),))
_ROOT: Final = "/rest/2.0/face/v3"

#: The time zone of `ctime`.
_CHINA: Final = dt.timezone(dt.timedelta(hours=8))
#: What the id of a group or a user consists of.
_ID = re.compile(r"\w+", re.ASCII)


@attrs.frozen(kw_only=True)
class User(stored.Person):
    """A user in a group. Another group may have a user with the same name.

    Attributes:
        info: The text that was sent last as `user_info`; "" if none was.
    """

    info: str


Users = stored.Persons[stored.Group, User]


def add_user(call: PairCall) -> Response:
    """Add a picture's largest face to a user; make the group and the user if there are none."""
    key = _find_key(call)
    picture = call.picture
    face, *_ = call.find_faces().faces
    info = call.json_body.get("user_info")
    users = _users_of(call)
    with users.lock:
        user = users.persons.find(key)
        if user is None:
            group_id, _, user_id = key.partition("/")
            user = User(id=key, name=user_id, group_id=group_id, info="")
        if len(user.faces) >= call.claims["faceset.most_faces"]:
            call.refuse("faceset.many_faces")
        token = name_face(call, picture, 0)
        added = f"{call.now.astimezone(_CHINA):%Y-%m-%d %H:%M:%S}"
        faces = (*user.faces, PersonFace(id=token, picture=picture, data=added))
        if info is not None:
            user = attrs.evolve(user, info=str(info))
        users.persons.put(key, attrs.evolve(user, faces=faces))
    described = describe_face(call, picture, face, 0)
    result = {name: described[name] for name in ("face_token", "location")}
    return _answer(call, "faceset.added", result)


def update_user(call: PairCall) -> Response:
    """Replace the faces of a user by a picture's largest face."""
    key = _find_key(call)
    call.find_faces()
    users = _users_of(call)
    with users.lock:
        users.persons.put(key, attrs.evolve(_find_user(call, key), faces=()))
        return add_user(call)


def delete_user(call: PairCall) -> Response:
    if _users_of(call).persons.remove(_find_key(call)) is None:
        call.refuse("faceset.no_user")
    return _answer(call, "faceset.changed", None)


def delete_face(call: PairCall) -> Response:
    """Delete a face of a user; refuse an unknown user or face. A user may stay without a face."""
    key = _find_key(call)
    token = call.json_body.get("face_token")
    users = _users_of(call)
    with users.lock:
        user = _find_user(call, key)
        kept = tuple(face for face in user.faces if face.id != token)
        if len(kept) == len(user.faces):
            call.refuse("faceset.no_face")
        users.persons.put(key, attrs.evolve(user, faces=kept))
    return _answer(call, "faceset.changed", None)


def add_group(call: PairCall) -> Response:
    group_id = _read_id(call, "group_id")
    users = _users_of(call)
    with users.lock:
        if users.groups.find(group_id) is not None or users.persons_of([group_id]):
            call.refuse("faceset.group_exists")
        users.groups.put(group_id, stored.Group(id=group_id, name=group_id, model=""))
    return _answer(call, "faceset.changed", None)


def delete_group(call: PairCall) -> Response:
    _users_of(call).remove_group(_read_id(call, "group_id"))
    return _answer(call, "faceset.changed", None)


def search(call: PairCall) -> Response:
    """Return the users of groups whose face is like a picture's, the most like first."""
    most_users = _read_number(call, "max_user_num", default=1, highest=50)
    group_ids = [_check_id(call, "group_id_list", text) for text in _read_groups(call)]
    threshold = _read_number(call, "match_threshold", default=80, highest=100)
    call.find_faces()
    users = _users_of(call).persons_of(group_ids)
    if not users:
        call.refuse("search.no_group")
    found = _find_users(call, users, threshold)
    if not found:
        call.refuse("search.no_user")
    token = name_face(call, call.picture, 0)
    return _answer(call, "search.answer", {"face_token": token, "user_list": found[:most_users]})


def _find_users(call: PairCall, users: Iterable[User], threshold: int) -> list[dict[str, Any]]:
    """Return the users who are like the picture's largest face, the most like first."""
    found = list[dict[str, Any]]()
    for user in users:
        score = score_person(call, call.picture, 0, user)
        if score >= threshold:
            found.append(
                {
                    "group_id": user.group_id,
                    "user_id": user.name,
                    "user_info": user.info,
                    "score": round(score, 11),
                }
            )
    found.sort(key=lambda each: each["score"], reverse=True)
    return found


#: The handlers by endpoint.
HANDLERS: Final[Mapping[PairEndpoint, Callable[[PairCall], Response]]] = {
    PairEndpoint(path=f"{_ROOT}/faceset/user/add", pictures=_PICTURE, operation="detect"): add_user,
    PairEndpoint(
        path=f"{_ROOT}/faceset/user/update", pictures=_PICTURE, operation="detect"
    ): update_user,
    PairEndpoint(path=f"{_ROOT}/search", pictures=_PICTURE): search,
    **{
        PairEndpoint(
            path=f"{_ROOT}/faceset/{name}", pictures=PictureFields(), operation=None
        ): handle
        for name, handle in (
            ("user/delete", delete_user),
            ("face/delete", delete_face),
            ("group/add", add_group),
            ("group/delete", delete_group),
        )
    },
}


def _users_of(call: PairCall) -> Users:
    users: Users = call.world.records.users
    return users


def _answer(call: PairCall, key: str, result: Mapping[str, Any] | None) -> Response:
    """Charge the call, and return its answer."""
    call.pay()
    return call.answer(key, describe_answer(call, SUCCESS, result=result))


def _find_key(call: PairCall) -> str:
    """Return the key of the user that a call names."""
    return f"{_read_id(call, 'group_id')}/{_read_id(call, 'user_id')}"


def _find_user(call: PairCall, key: str) -> User:
    user = _users_of(call).persons.find(key)
    if user is None:
        call.refuse("faceset.no_user")
    return user


def _read_id(call: PairCall, name: str) -> str:
    return _check_id(call, name, call.json_body.get(name))


def _read_groups(call: PairCall) -> list[str | None]:
    """Return the names of the groups to search, which are separated by commas."""
    text = call.json_body.get("group_id_list")
    group_ids: list[str | None] = [None]
    if text:
        group_ids = [*str(text).split(",")]
    if len(group_ids) > call.claims["search.most_groups"]:
        call.refuse("search.many_groups")
    return group_ids


def _check_id(call: PairCall, name: str, text: object) -> str:
    if text is None or text == "":
        call.refuse("faceset.missing", name=name)
    if not _ID.fullmatch(str(text)):
        call.refuse("faceset.wrong_id", name=name)
    return str(text)


def _read_number(call: PairCall, name: str, *, default: int, highest: int) -> int:
    """Return a number, which a form has as text; refuse another one, or one that is too high."""
    text = str(call.json_body.get(name, default))
    if not text.isdecimal() or not int(text[:9]) <= highest:
        call.refuse("search.number", name=name)
    return int(text)
