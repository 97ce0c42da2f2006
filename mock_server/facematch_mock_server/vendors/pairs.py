"""`PairVendor`: a mock of a vendor that compares two pictures in one request, as tables.

A subclass states what the documents state: the paths, where pictures and key stand in a request,
and `match_body`, which writes the documented answer. Limits and refusals are claims, under the keys
that `PairVendor` lists. Write them from the documents, never from the backend's tables: otherwise a
slip would be on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import attrs

from facematch_core import Image, InvalidImage
from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import (
    MULTIPART,
    URLENCODED,
    Request,
    Response,
    Upload,
    form_of,
)
from facematch_mock_server.base.state import Collection
from facematch_mock_server.claims import JSON
from facematch_mock_server.recognition.outcomes import (
    LivenessOutcome,
    MatchOutcome,
    SeenFace,
    SeenPicture,
)
from facematch_mock_server.world.vendor import Credentials

from . import base

#: What a call has found in its pictures.
CallOutcome: TypeAlias = MatchOutcome | LivenessOutcome | SeenPicture
#: Keys and indices that lead to a value in a JSON body.
JsonPath: TypeAlias = tuple[str | int, ...]


@attrs.frozen(kw_only=True)
class PictureFields:
    """Where the pictures stand in a request: the probe first, then the reference, if there is one.

    Attributes:
        files: Names of the parts of a multipart form.
        texts: Names of the form's fields with a picture in base64. A file takes precedence.
        json: Paths in a JSON body of texts in base64.
        tokens: Names of the form's fields with a face token, which takes precedence over a picture.
        links: Names of the form's fields with a picture's link, which counts if nothing else is
            sent.
    """

    files: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    json: tuple[JsonPath, ...] = ()
    tokens: tuple[str, ...] = ()
    links: tuple[str, ...] = ()

    @property
    def takes_form(self) -> bool:
        return bool(self.files or self.texts or self.tokens)

    @property
    def form_fields(self) -> tuple[str, ...]:
        """The names of all fields of a form that can hold a picture, or stand for one."""
        return self.files + self.texts + self.tokens + self.links

    @property
    def is_json_list(self) -> bool:
        """Whether the JSON body is a list, not an object."""
        return any(isinstance(path[0], int) for path in self.json)

    @property
    def count(self) -> int:
        """The number of pictures in a request."""
        return len(self.files or self.texts or self.json or self.links)


@attrs.frozen(kw_only=True)
class PairEndpoint:
    """A call of the vendor.

    Attributes:
        path: The path.
        pictures: Where the pictures stand.
        operation: ``match``, ``liveness`` or ``detect``; None for a call that looks at no picture.
        action: The name of the call in a header, for a vendor with one path for all calls; else "".
        size_limit: The claim with the most bytes of a picture.
        formats: The claim with the formats of a picture.
    """

    path: str
    pictures: PictureFields
    operation: str | None = "match"
    action: str = ""
    size_limit: str = "picture.max_bytes"
    formats: str = "picture.formats"

    @property
    def service(self) -> str:
        """The name of the call in the ledger."""
        return self.action or self.path


@attrs.frozen
class KnownFace:
    """A face that an answer named by a token.

    Attributes:
        digest: The SHA-256 of its picture, in hexadecimal.
        number: Its number among the faces of the picture; 0 for the largest.
        seen: The face, for a vendor that describes it again; else None.
    """

    digest: str | None
    number: int
    seen: SeenFace | None = None


class FaceTokens:
    """The faces of one world by the tokens that answers named: the newest 10,000. Thread-safe."""

    def __init__(self) -> None:
        self.faces: Collection[KnownFace] = Collection(limit=10_000)


@attrs.define(kw_only=True, eq=False)
class PairCall(base.NumberedCall):
    """A call with the values read from its body.

    Attributes:
        texts: The values of the form's fields that are not files, by name.
        uploads: The form's files, by name.
        json_body: The JSON object or list that was sent; None if a form was sent.
        pictures: The decoded pictures, by the name of their field or the path in the JSON body.
        names_smaller_face: Whether a face token stands for another face than a picture's largest.
    """

    texts: dict[str, str] = attrs.field(factory=dict, init=False)
    uploads: dict[str, Upload] = attrs.field(factory=dict, init=False)
    json_body: Any = attrs.field(default=None, init=False)
    pictures: dict[str, Upload] = attrs.field(factory=dict, init=False)
    names_smaller_face: bool = attrs.field(default=False, init=False)

    @property
    def endpoint(self) -> PairEndpoint:
        """The endpoint of the route, which every `PairCall` that is handled has."""
        route: Any = self.route
        endpoint: PairEndpoint = route.extra
        return endpoint

    @property
    def picture(self) -> Upload:
        """The picture of a call that has one."""
        (picture,) = self.pictures.values()
        return picture

    def pay(self) -> None:
        """Charge the call; see `PairVendor.charge`."""
        vendor: PairVendor = self.world.behaviour
        vendor.charge(self)

    def find_faces(self) -> SeenPicture:
        """Return the faces of the picture; refuse one that has none, or cannot be decoded."""
        seen = self.detect_faces(self.picture)
        if not seen.decodes:
            (name,) = self.pictures
            self.refuse("picture.unreadable", name=name)
        if not seen.faces:
            self.refuse("face.none")
        return seen

    def picture_of_token(self, name: str, token: str) -> Upload:
        """Return the picture of a face token, recorded as sent in a field.

        Refuse an unknown token with the claim ``face.token_unknown``; so is one whose picture
        `world.pictures` had no more room for.
        """
        face: KnownFace | None = self.world.records.faces.find(token)
        content = None if face is None else self.world.pictures.find(face.digest)
        if face is None or content is None:
            self.refuse("face.token_unknown", token=token)
        self.names_smaller_face = self.names_smaller_face or face.number > 0
        return self.upload(name, "", content)

    def picture_of_link(self, name: str, link: str) -> Upload:
        """Return the picture at a link; refuse by ``picture.no_download`` if it is unreadable."""
        max_bytes: int = self.claims[self.endpoint.size_limit]
        return self.picture_at(
            name, link, max_bytes=max_bytes, refusal="picture.no_download", name=name
        )

    def look_closely(self, picture: Upload) -> LivenessOutcome:
        """Return the quality and the liveness of a picture, for a check that a caller asks for.

        A set outcome of a liveness check decides, too.
        """
        return self.world.recognizer.liveness(
            picture.content, rotate=False, digest=picture.digest, fields=self.fields
        )

    def score_of(self, outcome: MatchOutcome) -> float | None:
        """Return the score of the faces that were compared; None if a picture has no face."""
        return outcome.smaller_face_score if self.names_smaller_face else outcome.score


@attrs.frozen
class HeaderKey:
    """A key in a header, which is checked before the body is read.

    If an id and a key stand in two headers, name that of the id, and override `check`: it refuses
    by ``key.wrong`` unless ``call.authenticate_client(client, key)``. The key of the vendor's
    `first_keys` has the id as its ``client``.

    Attributes:
        name: Name of the header, in lower case.
        prefix: Text before the key, such as ``"Bearer "``.
    """

    name: str
    prefix: str = ""

    def client_of(self, head: Request) -> str | None:
        """Return the key in a request; it identifies the account."""
        text = head.header(self.name)
        if text is None or not text.startswith(self.prefix):
            return None
        return text.removeprefix(self.prefix)

    def check(self, call: PairCall) -> None:
        """Refuse a missing or a wrong key."""
        text = self.client_of(call.request)
        if text is None:
            call.refuse("key.missing", name=self.name)
        if not call.authenticate(text):
            call.refuse("key.wrong", key=text)


@attrs.frozen
class FormKey:
    """A client id and its secret in two fields of the form, checked once the form is read.

    With `in_query`, a field that the form lacks may stand in the query.
    """

    client_field: str
    secret_field: str
    in_query: bool = False

    def client_of(self, head: Request) -> str | None:
        """Return the client id in a request; it identifies the account."""
        return self.read(head, self.client_field)

    def secret_of(self, head: Request) -> str | None:
        """Return the secret in a request."""
        return self.read(head, self.secret_field)

    def credentials_of(self, head: Request) -> Credentials:
        """Return the secret and the client id in a request."""
        return Credentials(self.secret_of(head), client=self.client_of(head))

    def read(self, head: Request, field: str) -> str | None:
        """Return a field of a request; None if it is missing."""
        texts = form_of(head).texts
        if self.in_query:
            texts = {**dict(head.query), **texts}
        return texts.get(field)

    def check(self, call: PairCall) -> None:
        """Refuse a missing field, or a secret that is not this client's."""
        for name in (self.client_field, self.secret_field):
            if not call.texts.get(name):
                call.refuse("key.missing", name=name)
        secret = call.texts[self.secret_field]
        if not call.authenticate_client(call.texts[self.client_field], secret):
            call.refuse("key.wrong", key=secret)


class PairVendor(base.MockVendor):
    """A vendor that compares two pictures in one request. Thread-safe.

    Its claims have these keys, in the order in which a request is checked. A limit without a claim
    does not exist.

    - ``request.max_bytes``, a number, and ``request.too_large``;
    - ``body.wrong_type``, ``body.wrong_form``, ``body.wrong_json``: the body cannot be read;
    - ``key.missing``, with the ``{name}``, and ``key.wrong``, with the ``{key}``, unless the vendor
      has no key;
    - ``rate.exceeded``, if there is a `rate_scope`, whose limit is a claim too;
    - ``picture.missing`` and ``picture.no_base64``, with the ``{name}``;
    - ``picture.max_bytes``, a number, and ``picture.too_large``, with the ``{name}``;
    - ``picture.formats``, such as ``("jpeg", "png")``, and ``picture.wrong_format``, with the
      ``{name}``;
    - ``picture.sides_px``, the least and the greatest, and ``picture.wrong_size``;
    - ``picture.unreadable``, with the ``{name}``, unless `bodies_tell_unreadable`;
    - ``face.token_unknown``, with the ``{token}``, and ``picture.no_download``, with the
      ``{name}``, if the vendor takes face tokens and links;
    - ``face.none``, with the ``{name}``, unless the answer itself says that there is no face
      (`bodies_tell_no_face`);
    - ``credit.price`` and ``credit.start``, amounts, and ``credit.empty``;
    - ``match.answer``, ``liveness.answer`` and ``detect.answer``, with the bodies that
      `match_body`, `liveness_body` and `detect_body` return.

    Attributes:
        endpoints: The vendor's calls.
        key: Where the key stands; None if the vendor has none.
        rate_scope: The scope in `Vendor.rate_limits`, counted per second; None: no limit. For
            another window override `check_rate`: ``call.count_request({"match": 60.0})`` counts a
            call in the last minute, and returns None if the limit allows it.
        bodies_tell_unreadable, bodies_tell_no_face: Whether a picture that cannot be read, or has
            no face, is told by the body of an answer rather than by a refusal.
        handlers: What answers a call of an endpoint, once it is read; a call of any other endpoint
            is looked at as its operation says.
        other_routes: The vendor's other paths.
    """

    endpoints: ClassVar[tuple[PairEndpoint, ...]]
    key: ClassVar[HeaderKey | FormKey | None] = None
    rate_scope: ClassVar[str | None] = None
    bodies_tell_unreadable: ClassVar[bool] = False
    bodies_tell_no_face: ClassVar[bool] = False
    handlers: ClassVar[Mapping[PairEndpoint, Callable[[Any], Response]]] = {}
    other_routes: ClassVar[tuple[base.Route, ...]] = ()
    call = PairCall

    def __init_subclass__(cls, **rest: Any) -> None:
        """Make a vendor's routes from its endpoints; a base class without endpoints has none."""
        super().__init_subclass__(**rest)
        if not cls.endpoints:
            return  # a base class of vendors
        cls.common_prefix = cls.endpoints[0].path
        routes = []
        for endpoint in cls.endpoints:
            routes.append(
                base.Route(
                    pattern=endpoint.path,
                    handlers={"POST": _handle},
                    checks=cls.checks(),
                    operation=endpoint.operation,
                    # The account is found by the body if a route has no credentials.
                    credentials=(cls.key.name,) if isinstance(cls.key, HeaderKey) else (),
                    is_form=not endpoint.pictures.json,
                    picture_fields=endpoint.pictures.form_fields,
                    extra=endpoint,
                )
            )
        cls.routes = tuple(routes) + cls.other_routes

    @classmethod
    def checks(cls) -> Mapping[str, Any]:
        """Return the checks before the method and the body are looked at, in order, by name."""
        checks = {"request.too_large": check_request_size}
        if isinstance(cls.key, HeaderKey):
            # No claim has this name: a check cites the claim by which it refuses.
            checks["key"] = cls.key.check
        return checks

    def match_body(self, call: PairCall, outcome: MatchOutcome) -> Any:
        """Return the documented answer to a comparison; a call refused here is not charged."""
        raise NotImplementedError(f"{type(self).__name__} has no match_body.")

    def liveness_body(self, call: PairCall, outcome: LivenessOutcome) -> Any:
        """Return the documented answer to a liveness check."""
        raise NotImplementedError(f"{type(self).__name__} has no liveness_body.")

    def detect_body(self, call: PairCall, seen: SeenPicture) -> Any:
        """Return the documented answer to a search for faces."""
        raise NotImplementedError(f"{type(self).__name__} has no detect_body.")

    def is_charged(self, outcome: CallOutcome) -> bool:
        """Return whether an answer with this outcome is charged; by default every answer."""
        return True

    def handle_call(self, call: PairCall) -> Response:
        """Read a request, look at its pictures, charge the call, and answer."""
        self.read(call)
        if call.endpoint in self.handlers:
            return self.handlers[call.endpoint](call)
        uploads = list(call.pictures.values())
        operation = self.operation_of(call)
        rotate = self.looks_at_turned_faces(call)
        outcome: CallOutcome
        if operation == "match":
            outcome = call.compare(*uploads, rotate=rotate)
            seen_pictures = [outcome.probe, outcome.reference]
        elif operation == "liveness":
            outcome = call.check_liveness(*uploads, rotate=rotate)
            seen_pictures = [outcome.probe]
        else:
            outcome = call.detect_faces(*uploads, rotate=rotate)
            seen_pictures = [outcome]
        for name, seen_picture in zip(call.pictures, seen_pictures, strict=True):
            if not seen_picture.decodes and not self.bodies_tell_unreadable:
                call.refuse("picture.unreadable", name=name)
            if not seen_picture.faces and self.needs_faces(call):
                call.refuse("face.none", name=name)
        if isinstance(outcome, MatchOutcome):
            body = self.match_body(call, outcome)
        elif isinstance(outcome, LivenessOutcome):
            body = self.liveness_body(call, outcome)
        else:
            body = self.detect_body(call, outcome)
        if "credit.price" in call.claims and self.is_charged(outcome):
            self.charge(call)
        return call.answer(f"{operation}.answer", body)

    def charge(self, call: PairCall) -> None:
        """Charge a call by the claim ``credit.price``; refuse it if there is no credit left."""
        price = call.claims["credit.price"]
        if not call.charge(price, service=call.endpoint.service, request_id=call.request_id):
            call.refuse("credit.empty", "credit.start")

    def operation_of(self, call: PairCall) -> str | None:
        """Return what a call that was read does: ``match``, ``liveness`` or ``detect``."""
        return call.endpoint.operation

    def needs_faces(self, call: PairCall) -> bool:
        """Return whether a picture without a face is refused."""
        return not self.bodies_tell_no_face

    def looks_at_turned_faces(self, call: PairCall) -> bool:
        """Return whether faces are found in turned pictures, too; by default never."""
        return False

    def read(self, call: PairCall) -> None:
        """Read the body into `call`; check key, rate and pictures in the vendor's order."""
        self.read_body(call)
        if isinstance(self.key, FormKey):
            self.key.check(call)
        self.check_rate(call)
        self.read_pictures(call)
        self.check_pictures(call)

    def read_body(self, call: PairCall) -> None:
        """Read the form or the JSON, whichever was sent."""
        content_type = call.request.media_type
        fields = call.endpoint.pictures
        if fields.takes_form and content_type in (MULTIPART, URLENCODED):
            self.read_fields(call)
        elif fields.json and (content_type == JSON or not fields.takes_form):
            if fields.is_json_list:
                call.json_body = call.read_list("body.wrong_json")
            else:
                call.json_body = call.read_object("body.wrong_json")
        else:
            call.refuse("body.wrong_type")

    def read_fields(self, call: PairCall) -> None:
        """Read the form's fields and files; the journal shows the fields that are no pictures."""
        form = call.read_form("body.wrong_form")
        call.texts = form.texts
        call.uploads = {name: files[0] for name, files in form.files.items()}
        bodies = []
        for name, text in call.texts.items():
            if name not in call.endpoint.pictures.texts:
                bodies.append((name, text))
        call.journal_fields = mask_and_shorten(bodies)

    def check_rate(self, call: PairCall) -> None:
        """Refuse a call above the limit of calls per second."""
        if self.rate_scope is None:
            return
        if call.count_request({self.rate_scope: 1.0}) is not None:
            call.refuse("rate.exceeded", call.world.vendor.rate_limits[self.rate_scope])

    def read_pictures(self, call: PairCall) -> None:
        """Find and decode the pictures; refuse a request that lacks one."""
        for index in range(call.endpoint.pictures.count):
            name, content = self.find_picture(call, index)
            if content is None:
                call.refuse("picture.missing", name=name)
            if not isinstance(content, Upload):
                content = self.decode(call, name, content)
            call.pictures[name] = content

    def find_picture(self, call: PairCall, index: int) -> tuple[str, Any]:
        """Return the name of a picture's field and its content: a file, a text, or None."""
        fields = call.endpoint.pictures
        if call.json_body is not None:
            path = fields.json[index]
            return ".".join(map(str, path)), find_value(call.json_body, path)
        if fields.tokens and call.texts.get(fields.tokens[index]):
            name = fields.tokens[index]
            return name, call.picture_of_token(name, call.texts[name])
        if fields.files and fields.files[index] in call.uploads:
            return fields.files[index], call.uploads[fields.files[index]]
        if fields.texts and fields.texts[index] in call.texts:
            return fields.texts[index], call.texts[fields.texts[index]]
        if fields.links and call.texts.get(fields.links[index]):
            name = fields.links[index]
            return name, call.picture_of_link(name, call.texts[name])
        return (fields.files or fields.texts or fields.links)[index], None

    def decode(self, call: PairCall, name: str, text: object) -> Upload:
        """Return the picture in a text in base64. White space is ignored."""
        if not isinstance(text, str):
            call.refuse("picture.no_base64", name=name)
        return call.upload_base64(name, text, refusal="picture.no_base64", name=name)

    def check_pictures(self, call: PairCall) -> None:
        """Refuse pictures beyond the documented limits."""
        for name, picture in call.pictures.items():
            if is_above_limit(call, call.endpoint.size_limit, len(picture.content)):
                call.refuse("picture.too_large", name=name)
            facts = call.facts_of(picture)
            if facts.size is None:
                continue  # whether it can be decoded is told once the pictures are compared
            if has_wrong_format(call, picture.content):
                call.refuse("picture.wrong_format", name=name)
            if has_wrong_size(call, facts.size):
                call.refuse("picture.wrong_size", name=name)


def refuse_action(call: PairCall) -> Response:
    """Refuse an unknown action with the claim ``action.unknown``."""
    call.refuse("action.unknown")


class ActionPairVendor(base.ActionVendor, PairVendor):
    """A `PairVendor` whose calls have one path, and a header that names the call. Thread-safe.

    Its last route, without an endpoint, refuses unknown actions.
    """

    endpoints: ClassVar[tuple[PairEndpoint, ...]] = ()
    other_routes = (
        base.Route(pattern="/", handlers={"POST": refuse_action}, credentials=("authorization",)),
    )

    def find(self, head: Request) -> tuple[base.Route | None, tuple[str, ...]]:
        """Return the route of the action; None for a call to another vendor with this path."""
        if head.method != "POST" or head.path != "/" or self.is_of_another(head):
            return None, ()
        action = self.name_of_call(head)
        for route in self.routes:
            if route.extra is None or route.extra.action == action:
                return route, ()
        return None, ()

    def imitates(self, request: Request) -> bool:
        route, _ = self.find(request)
        return route is not None and route.extra is not None and super().imitates(request)


def check_request_size(call: PairCall) -> None:
    """Refuse a request above the vendor's limit, if it has one."""
    if is_above_limit(call, "request.max_bytes", len(call.request.body)):
        call.refuse("request.too_large")


def is_above_limit(call: PairCall, claim: str, size: int) -> bool:
    """Return whether a size in bytes is above the limit of a claim, if there is this claim."""
    return claim in call.claims and size > call.claims[claim]


def _handle(call: PairCall) -> Response:
    vendor: PairVendor = call.world.behaviour
    return vendor.handle_call(call)


def find_value(body: Any, path: JsonPath) -> Any:
    """Return the value at a path in a JSON body; None if there is none."""
    value = body
    try:
        for step in path:
            value = value[step]
    except (LookupError, TypeError):
        return None
    return value


def has_wrong_format(call: PairCall, content: bytes) -> bool:
    """Return whether a picture is in none of the formats of a claim, if there is this claim."""
    if call.endpoint.formats not in call.claims:
        return False
    formats: tuple[str, ...] = call.claims[call.endpoint.formats]
    try:
        return Image.from_bytes(content).format not in formats
    except InvalidImage:
        return True


def has_wrong_size(call: PairCall, size: tuple[int, int]) -> bool:
    """Return whether a picture's sides are beyond the limits of a claim, if there is this claim."""
    if "picture.sides_px" not in call.claims:
        return False
    limits_px: tuple[int, int] = call.claims["picture.sides_px"]
    shortest_px, longest_px = limits_px
    return min(size) < shortest_px or max(size) > longest_px


def box_in_pixels(face: SeenFace) -> dict[str, int]:
    """Return the box of a face as left, top, width and height, in whole pixels."""
    left, top, right, bottom = face.box
    return {"left": left, "top": top, "width": right - left, "height": bottom - top}


def landmark_points(face: SeenFace) -> list[list[int]]:
    """Return five made-up points in pixels, at the same places of every box.

    They are the eyes at the left and at the right of the picture, the nose, and the corners of the
    mouth.
    """
    left, top, right, bottom = face.box
    points = []
    for x_percent, y_percent in ((30, 40), (70, 40), (50, 60), (35, 80), (65, 80)):
        x = left + (right - left) * x_percent // 100
        y = top + (bottom - top) * y_percent // 100
        points.append([x, y])
    return points
