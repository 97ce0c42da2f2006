"""Baidu AI Cloud's face version 3: pictures, sets of faces, and logins of apps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

from facematch_mock_server.base.messages import URLENCODED, Headers, read_form
from facematch_mock_server.claims import fill
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.kit import (
    Collection,
    FaceTokens,
    FormKey,
    Key,
    KeyKind,
    LivenessOutcome,
    MatchOutcome,
    NotImitated,
    PairCall,
    PairEndpoint,
    PairVendor,
    PictureFields,
    Request,
    Response,
    SeenFace,
    SeenPicture,
    Upload,
    Variables,
)
from facematch_mock_server.vendors.tokens import IssuedToken, TokenRecords, Tokens
from facematch_mock_server.world.vendor import Credentials

from . import calls
from .claims import CLAIMS
from .wire import (
    SUCCESS,
    check_controls,
    describe_answer,
    describe_attributes,
    describe_face,
    name_face,
)

#: The first characters of an API key for the header. Any other key is an app's secret.
API_KEY_PREFIX = "bce-v3/"
#: The key and the secret of the app, and the API key, that are valid from the start.
APP_KEY = "mock-baidu-app-key"
APP_SECRET = "mock-baidu-secret"  # noqa: S105 - of the mock
API_KEY = f"{API_KEY_PREFIX}ALTAK-mock/key"
LOGIN = "/oauth/2.0/token"
MATCH = "/rest/2.0/face/v3/match"
FACEVERIFY = "/rest/2.0/face/v3/faceverify"
DETECT = "/rest/2.0/face/v3/detect"
PERSON = "/rest/2.0/face/v3/person/verify"


class BaiduRecords(TokenRecords, FaceTokens):
    """The tokens of apps and of faces, the register of people, and the users. Thread-safe."""

    def __init__(self) -> None:
        TokenRecords.__init__(self)
        FaceTokens.__init__(self)
        #: The register's picture of a person, by the person's number.
        self.register: Collection[bytes] = Collection(limit=1000)
        self.users = calls.Users()


class BaiduCall(PairCall):
    """A call whose refusals, too, are a 200 with its id."""

    def answer(
        self, key: str, /, body: object = None, headers: Headers = (), **filled: object
    ) -> Response:
        documented = self.claims.get(key).body
        # An error of the gateway, whose code is below 1000, has error_code and error_msg alone.
        # (an answer with 18 in a public program; Baidu's page of 110; read 2026-11-30)
        if body is None and documented and documented.get("error_code", 0) > 1000:
            # Each answer to a call is 200, an error too: error_code tells, and result is null.
            # (public copies of Baidu's table of the error codes of face version 3)
            body = describe_answer(self, fill(documented, filled), result=None)
        return super().answer(key, body, headers)


def _item_of(call: PairCall, index: int) -> Any:
    """Return what the body says of a picture: an item of the list, or the whole object."""
    return call.json_body[index] if isinstance(call.json_body, list) else call.json_body


def _check_caller(call: PairCall) -> None:
    """Accept the token of a login in the query, or else an API key in the header."""
    if "access_token" in call.query:
        _check_token(call, call.query["access_token"])
        return
    header = call.request.header("authorization")
    if header is None:
        call.refuse("caller.missing")
    if header.startswith("bce-auth-v1/"):
        call.key_label = "wrong"
        call.refuse("caller.signature")
    text = base.bearer_token(call.request)
    if text is None or not text.startswith(API_KEY_PREFIX) or not call.authenticate(text):
        call.key_label = "wrong"
        call.refuse("caller.bearer_wrong")
    call.check_permission("caller.denied")
    # An API key is accepted as a bearer token, without a login. (Baidu AI Cloud, API key in a
    # header (2025-02-24), ai.baidu.com/ai-doc/REFERENCE/Rm64sd6cb)


def _check_token(call: PairCall, text: str) -> None:
    """Accept a valid token of an app whose secret is valid."""
    token: IssuedToken | None = call.world.records.tokens.find(text)
    call.key_label = "wrong"
    if token is None or token.revoked:
        call.refuse("caller.token")
    if call.now >= token.expires:
        call.refuse("caller.expired")
    secret = _find_secret(call, token.client)
    if secret is None or not call.authenticate(secret):
        call.refuse("caller.token")
    call.check_permission("caller.denied")


def _find_secret(call: PairCall, client: str) -> str | None:
    """Return the secret of an app that was not revoked; None if the app has none."""
    for text, _ in call.world.keys.of_client(client):
        if not text.startswith(API_KEY_PREFIX):
            return text
    return None


def _new_token(call: PairCall) -> str:
    return call.world.ids.hex()


#: The key and the secret of an app in a login.
_LOGIN_KEY = FormKey("client_id", "client_secret", in_query=True)


def _log_in(call: PairCall) -> Response:
    """Issue a token for an app's key and secret."""
    records: TokenRecords = call.world.records
    records.count_token_request()
    client = _LOGIN_KEY.client_of(call.request) or ""
    if _LOGIN_KEY.read(call.request, "grant_type") != "client_credentials":
        call.refuse("login.grant")
    if _find_secret(call, client) is None:
        call.key_label = "wrong"
        call.refuse("login.client")
    secret = _LOGIN_KEY.secret_of(call.request) or ""
    if secret.startswith(API_KEY_PREFIX) or not call.authenticate_client(client, secret):
        call.key_label = "wrong"
        call.refuse("login.secret")
    life_s = call.claims["login.life_s"]
    expires = call.now + dt.timedelta(seconds=life_s)
    text = f"24.{_new_token(call)}.{life_s}.{int(expires.timestamp())}.282335-{client}"
    records.add(text, at=call.now, client=client, expires=expires)
    # A token has the form 24.<32 hexadecimal digits>.<life>.<end>.282335-<app>. In the mock the app
    # is its key (ours). (Baidu AI Cloud, access token, ai.baidu.com/ai-doc/REFERENCE/Lkru0zoz4)
    # scope contains brain_all_scope: without it, Baidu's client signs its calls instead of sending
    # the token. The login is answered by GET, too. (baidu-aip 4.16.13, Baidu's Python client)
    # The login is answered by a form, too, in the sample at openapi.baidu.com; if a field is in
    # both, the form counts (ours). The page of the face API names the query. (Baidu's sample of
    # speech recognition, github.com/Baidu-AIP/speech-demo, asr_json.py)
    body = {
        "access_token": text,
        "expires_in": life_s,
        "scope": "public brain_all_scope wise_adapt",
        "refresh_token": f"25.{_new_token(call)}",
        "session_key": _new_token(call),
        "session_secret": _new_token(call),
    }
    return call.answer("login.answer", body)


class Baidu(PairVendor):
    """The mock of Baidu AI Cloud's face version 3 in one world. Thread-safe."""

    call = BaiduCall
    endpoints = (
        PairEndpoint(path=MATCH, pictures=PictureFields(json=((0, "image"), (1, "image")))),
        PairEndpoint(
            path=FACEVERIFY, pictures=PictureFields(json=((0, "image"),)), operation="liveness"
        ),
        PairEndpoint(path=DETECT, pictures=PictureFields(json=(("image",),)), operation="detect"),
        PairEndpoint(path=PERSON, pictures=PictureFields(json=(("image",),))),
        *calls.HANDLERS,
    )
    handlers = calls.HANDLERS
    other_routes = (
        base.Route(pattern=LOGIN, handlers={"GET": _log_in, "POST": _log_in}, credentials=()),
    )
    rate_scope = "second"
    extra_prefixes = ("/rest/2.0/face/", "/oauth/2.0/")
    takes_links = True
    not_found_claim = "path"
    #: Of Baidu's SDK for Python, baidu-aip 4.16.13.
    not_imitated = NotImitated(
        "docs/vendors/baidu.md",
        "/rest/2.0/face/v3/person/idmatch",
        "/rest/2.0/face/v3/multi-search",
        "/rest/2.0/face/v3/faceset/face/getlist",
        "/rest/2.0/face/v3/faceset/group/getlist",
        "/rest/2.0/face/v3/faceset/group/getusers",
        "/rest/2.0/face/v3/faceset/user/copy",
        "/rest/2.0/face/v3/faceset/user/get",
        "/rest/2.0/face/v1/faceliveness/*",
        "/rest/2.0/face/v1/feature",
        "/rest/2.0/face/v1/merge",
        "/rest/2.0/face/v1/editattr",
        "/rest/2.0/face/v1/landmark",
        "/rest/2.0/face/v4/faceverify",
        "/rest/2.0/face/v4/mingjing/*",
        "/rest/2.0/face/v4/idmatch_date",
        "/rest/2.0/face/v4/verify_date",
        "/rest/2.0/face/scene/*",
        "/rest/2.0/face/capture/search",
    )
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {500: ("error.internal",)}

    @classmethod
    def checks(cls) -> Mapping[str, Any]:
        return {"caller": _check_caller}

    def read_body(self, call: PairCall) -> None:
        """Read a form, a list of pictures or an object, as the endpoint takes it.

        Refuse a wrong number of pictures, and `person/verify` without a number or a name.
        """
        fields = call.endpoint.pictures
        body = call.request.body
        if call.request.media_type == URLENCODED and not fields.is_json_list:
            call.json_body = call.read_form("body.wrong_json").texts
        elif not fields.is_json_list and body[:1] not in b"{ \r\n" and b"=" in body:
            # Some programs send a form with the content type of JSON.
            # A call with one picture takes a form in the place of JSON; that its content type may
            # be that of JSON is ours, and what public programs send. (a public copy of Baidu's page
            # of detect version 3, free-api.com/doc/39)
            call.json_body = read_form(URLENCODED, body).texts
        elif fields.is_json_list:
            call.json_body = call.read_list("body.wrong_json")
        else:
            call.json_body = call.read_object("body.wrong_json")
        count = fields.count
        if isinstance(call.json_body, list):
            is_comparison = call.endpoint.operation == "match"
            if len(call.json_body) < count or (is_comparison and len(call.json_body) > count):
                call.refuse("body.wrong_count")
        if call.endpoint.path == PERSON:
            for name in ("id_card_number", "name"):
                if not call.json_body.get(name):
                    call.refuse("person.missing", name=name)

    def find_picture(self, call: PairCall, index: int) -> tuple[str, Any]:
        """Return the name and the content of a picture, found by its token or link if it has one.

        Refuse an unknown image_type. None if there is no picture.
        """
        name, content = super().find_picture(call, index)
        item = _item_of(call, index)
        if content is None and isinstance(item, dict) and "video_base64" in item:
            call.hint = "this mock takes no video_base64; Baidu documents it at faceliveness/verify"
        if not isinstance(item, dict) or not isinstance(content, str):
            return name, content
        image_type = item.get("image_type")
        if image_type == "FACE_TOKEN":
            return name, call.picture_of_token(name, content)
        if image_type == "URL":
            return name, call.picture_of_link(name, content)
        if image_type != "BASE64":
            call.refuse("picture.wrong_type")
        return name, content

    def check_pictures(self, call: PairCall) -> None:
        super().check_pictures(call)
        for index, picture in enumerate(call.pictures.values()):
            check_controls(call, picture, _item_of(call, index))
        if call.endpoint.path == PERSON:
            call.pictures["register"] = self._look_up_person(call)

    def _look_up_person(self, call: PairCall) -> Upload:
        """Return the register's picture of the person: the first that was sent with the number."""
        # OURS: person/verify compares with the register's picture of the number. The mock's
        # register takes the first picture that is sent with a number; it does not look at the name.
        (picture,) = call.pictures.values()
        number = str(call.json_body["id_card_number"])
        register: Collection[bytes] = call.world.records.register
        content = register.find(number)
        if content is None:
            content = register.put(number, picture.content)
        return call.upload("register", "", content)

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> dict[str, Any]:
        if call.endpoint.path == PERSON:
            return describe_answer(call, SUCCESS, result={"score": call.score_of(outcome)})
        # The largest face of a picture is compared; the number of faces is not told. (public
        # clients of faceverify version 3)
        tokens = [{"face_token": name_face(call, each, 0)} for each in call.pictures.values()]
        # A score has eight decimals. (three answers in public programs, read 2026-11-30)
        result = {"score": round(call.score_of(outcome) or 0, 8), "face_list": tokens}
        return describe_answer(call, SUCCESS, result=result)

    def liveness_body(self, call: PairCall, outcome: LivenessOutcome) -> dict[str, Any]:
        """Return the liveness of the largest face, 0-1, with the attributes that were asked for."""
        liveness = base.as_fraction(outcome.score or 0)
        largest_face, *_ = outcome.probe.faces
        picture, *_ = call.pictures.values()
        face = {
            **describe_face(call, picture, largest_face, 0),
            **self._describe_asked(call, largest_face, _item_of(call, 0)),
            "liveness": {"livemapscore": liveness},
        }
        result = {
            "face_liveness": liveness,
            "thresholds": call.claims["liveness.thresholds"],
            "face_list": [face],
        }
        return describe_answer(call, SUCCESS, result=result)

    def detect_body(self, call: PairCall, seen: SeenPicture) -> dict[str, Any]:
        (picture,) = call.pictures.values()
        most_faces = _read_most_faces(call)
        face_list = []
        for number, face in enumerate(seen.faces[:most_faces]):
            described = describe_face(call, picture, face, number)
            face_list.append({**described, **self._describe_asked(call, face, call.json_body)})
        result = {"face_num": len(face_list), "face_list": face_list}
        return describe_answer(call, SUCCESS, result=result)

    def _describe_asked(
        self, call: PairCall, face: SeenFace, item: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the attributes of a face that `face_field` of an item asks for."""
        face_field = str(item.get("face_field") or "")
        call.hint_at_unfilled(word.strip() for word in face_field.split(","))
        # OURS: Of the words in face_field, age and gender are those of the card; beauty,
        # expression, face_shape, glasses, eye_status, emotion, face_type, mask and quality are
        # the same for each face.
        return describe_attributes(face, face_field)


def _read_most_faces(call: PairCall) -> int:
    """Return how many faces a call to detect asks for."""
    asked = str(call.json_body.get("max_face_num", 1))
    if not asked.isdecimal():
        call.claims.cite("detect.most")
        return 1
    most_faces: int = call.claims["detect.most"]
    return max(1, min(int(asked[:9]), most_faces))


def _key_of(head: Request) -> str | None:
    """Return the app's key, which a token contains, or else the API key in the header."""
    query = dict(head.query)
    if head.path == LOGIN:
        return _LOGIN_KEY.client_of(head)
    if "access_token" in query:
        _, _, client = query["access_token"].partition("-")
        return client
    return base.bearer_token(head)


def _credentials_of(head: Request) -> Credentials:
    """Return the key and the secret of a login, or else the API key in the header."""
    if head.path == LOGIN:
        return _LOGIN_KEY.credentials_of(head)
    return Credentials(base.bearer_token(head))


#: A picture in the JSON of a shell's echo.
_PICTURE = (
    r"{{\"image_type\":\"BASE64\","
    r'\"image\":\"$(base64 < cards/CARD.png | tr -d "\n")\"}}'
)
_PICTURES = f"{_PICTURE.replace('CARD', 'p1')},{_PICTURE.replace('CARD', 'p1-again')}"
_CURL = (
    f'echo "[{_PICTURES}]" | curl -d @- -H "Authorization: Bearer {API_KEY}" '
    f'-H "Content-Type: application/json" {{url}}{MATCH}'
)


VENDOR = base.Vendor(
    name="baidu",
    title="Baidu",
    claims=CLAIMS,
    settings={
        "price": ("credit.price", "amount"),
        "token_life_s": ("login.life_s", "seconds"),
    },
    rate_limits={"second": "rate.limit"},
    operations=("match", "liveness", "detect"),
    hosts=frozenset({"aip.baidubce.com"}),
    first_keys={
        API_KEY: Key(kind=KeyKind.LIVE, client=APP_KEY),
        APP_SECRET: Key(kind=KeyKind.LIVE, client=APP_KEY),
    },
    variables=Variables(
        keys=(
            {"BAIDU_API_KEY": API_KEY},
            {"BAIDU_API_KEY": APP_KEY, "BAIDU_SECRET_KEY": APP_SECRET},
        )
    ),
    key_of=_key_of,
    credentials_of=_credentials_of,
    records=BaiduRecords,
    behaviour=Baidu,
    extensions={"tokens": Tokens},
    greeting=(
        f"API key: {API_KEY}; app: key {APP_KEY}, secret {APP_SECRET}",
        _CURL,
    ),
)
