"""CompreFace: the paths of its services, and the access to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.kit import Key, KeyKind, NotImitated, Response, Variables

from . import calls
from .calls import PICTURES, verify
from .claims import CLAIMS

#: CompreFace's keys are UUIDs, each of one service; these are valid from the start.
KEY = "00000000-0000-4000-8000-000000000000"
RECOGNITION_KEY = "00000000-0000-4000-8001-000000000000"
DETECTION_KEY = "00000000-0000-4000-8002-000000000000"
PATH = "/api/v1/verification/verify"
DETECT = "/api/v1/detection/detect"

#: The service and the refusal of a key that is none of its own, by the beginning of its paths.
_SERVICES: Final = {
    "/api/v1/verification/": ("verification", "key.unknown"),
    "/api/v1/recognition/": ("recognition", "key.unknown_recognition"),
    "/api/v1/detection/": ("detection", "key.unknown_detection"),
}


_ALLOWED_HEADERS: Final = (
    "DNT,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,x-api-key"
)
#: Of the project's ui/nginx/templates/nginx.conf.template.
_CORS: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS, PUT, DELETE"),
    ("Access-Control-Allow-Headers", _ALLOWED_HEADERS),
)


def _check_size(call: base.Call) -> None:
    # ``max_request_size=10M`` in the project's ``.env``; ``max_file_size=5MB`` is checked below.
    if len(call.request.body) > 10 * 1024 * 1024:
        call.refuse("request.too_large")


def _check_key(call: base.Call) -> None:
    """Refuse a key that is missing, no UUID, unknown, or of another service than the path's."""
    text = call.request.header("x-api-key")
    if text is None:
        call.refuse("key.missing")
    if not base.is_uuid(text):
        call.key_label = "wrong"
        call.refuse("key.form")
    for beginning, (service, refusal) in _SERVICES.items():
        if not call.request.path.startswith(beginning):
            continue
        if not call.authenticate(text):
            call.refuse(refusal, key=text)
        if not _is_of_service(call, text, service):
            call.key_label = "wrong"
            # A key is of one service: verification, recognition or detection. In the mock, `client`
            # of a key names it; a key that was added without it is of every service (ours).
            # (CompreFace, java/api and java/common, commit ddf32da)
            call.refuse(refusal, key=text)


def _is_of_service(call: base.Call, text: str, service: str) -> bool:
    """Return whether an accepted key is of a service: `client` names it, or it is of every one."""
    own_service = None if call.key is None else call.key.client
    if own_service is None and text in call.world.account.first_keys["compreface"]:
        own_service = "verification"
    return own_service in (None, service)


def _new_key_or_service(text: str, letters: str) -> str:
    """Return another account's key, a UUID; a key's service stays."""
    return text[:24] + letters[:12] if base.is_uuid(text) else text


def _route(
    path: str,
    handlers: Mapping[str, Callable[[Any], Response]],
    operation: str | None = None,
    picture_fields: tuple[str, ...] = (),
) -> base.Route:
    return base.Route(
        pattern=path,
        handlers=handlers,
        checks={"request.too_large": _check_size, "key.first": _check_key},
        operation=operation,
        is_form=bool(picture_fields),
        picture_fields=picture_fields,
    )


def _list_routes() -> tuple[base.Route, ...]:
    """Return the routes of all services; calls that compare faces have the operation match."""
    routes = [
        _route(PATH, {"POST": verify}, "match", tuple(PICTURES)),
        _route(DETECT, {"POST": calls.detect}, "detect", ("file",)),
    ]
    for path, handlers in calls.ROUTES.items():
        if path == calls.RECOGNIZE:
            routes.append(_route(path, handlers, "match", ("file",)))
        else:
            routes.append(_route(path, handlers))
    return tuple(routes)


class Compreface(base.MockVendor):
    """The mock of CompreFace in one world. Thread-safe."""

    common_prefix = PATH
    slash_claim = "path.slash"
    not_found_claim = "path.method"
    #: Of CompreFace's docs/Rest-API-description.md, commit ddf32da.
    not_imitated = NotImitated(
        "docs/vendors/compreface.md",
        "/api/v1/recognition/embeddings/*",
        "DELETE /api/v1/recognition/subjects",
        "PUT /api/v1/recognition/subjects/{name}",
        "POST /api/v1/recognition/faces/delete",
        "GET /api/v1/recognition/faces/{id}/img",
        "POST /api/v1/recognition/faces/{id}/verify",
        "/api/v1/verification/embeddings/verify",
        "/api/v1/static/*",
    )
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("error.undefined",),
        404: ("key.unknown",),
        413: ("request.too_large",),
        500: ("core.down",),
        503: ("core.down",),
    }
    routes = _list_routes()
    extra_prefixes = ("/api/v1/recognition/", "/api/v1/detection/")

    def answer(self, call: base.Call, route: base.Route) -> Response:
        if call.request.method == "OPTIONS":
            return call.answer("cors.asked", headers=(("Access-Control-Max-Age", "1728000"),))
        return super().answer(call, route)

    def finished(self, call: base.Call, response: Response) -> Response:
        """Allow every origin, as the project's nginx does."""
        # Every answer allows every origin, and some methods and headers. (CompreFace, .env and
        # ui/nginx, commit ddf32da)
        response.headers = (*response.headers, *_CORS)
        return super().finished(call, response)


VENDOR = base.Vendor(
    name="compreface",
    title="CompreFace",
    claims=CLAIMS,
    operations=("match", "detect"),
    first_keys={
        KEY: Key(kind=KeyKind.LIVE),
        RECOGNITION_KEY: Key(kind=KeyKind.LIVE, client="recognition"),
        DETECTION_KEY: Key(kind=KeyKind.LIVE, client="detection"),
    },
    variables=Variables(keys=({"COMPREFACE_API_KEY": KEY},)),
    new_text=_new_key_or_service,
    # The examples by the key of their service.
    records=dict,
    behaviour=Compreface,
    greeting=(
        f"keys: verification {KEY}, recognition {RECOGNITION_KEY}, detection {DETECTION_KEY}",
        (
            f"curl -H 'x-api-key: {KEY}' {{url}}{PATH} "
            "-F source_image=@cards/p1.png -F target_image=@cards/p1-again.png"
        ),
    ),
)
