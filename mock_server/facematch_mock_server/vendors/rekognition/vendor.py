"""Rekognition: access control, the operations by name, and settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.vendors.persons import Persons
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.hosted import HostedSessions
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind
from facematch_mock_server.world.variables import Variables

from .access import TARGET, RekognitionCall, check_signature, operation_of
from .calls import collections, pictures, sessions
from .claims import CLAIMS
from .sessions import SESSION_RULES
from .signature import read_access_key, sign_again
from .values import VALUES

#: The id of the first key; its secret is `LIVE_KEY`.
ACCESS_KEY = "mock-access-key"

#: From the AWS General Reference, Amazon Rekognition endpoints and quotas, read 2026-11-23. Each
#: region also has an IPv6 endpoint; regions in North America have FIPS variants of both.
_REGIONS = """
    us-east-1 us-east-2 us-west-1 us-west-2 us-gov-west-1 ca-central-1 sa-east-1 ap-northeast-1
    ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-5 ap-southeast-7
    eu-central-1 eu-south-2 eu-west-1 eu-west-2 il-central-1
"""


def _list_hosts() -> frozenset[str]:
    hosts = set()
    for region in _REGIONS.split():
        services = ["rekognition"]
        if region.startswith(("us-", "ca-")):
            services.append("rekognition-fips")
        for service in services:
            hosts |= {f"{service}.{region}.amazonaws.com", f"{service}.{region}.api.aws"}
    return frozenset(hosts)


#: The error for exceeding a rate limit, by scope.
_LIMITS = {
    "second": "quota.refused",
    "increase": "quota.throttled",
    "capacity": "quota.unavailable",
}


def perform(call: RekognitionCall) -> Response:
    """Perform the operation that X-Amz-Target names."""
    answer = _OPERATIONS.get(operation_of(call.request))
    if answer is None:
        # OURS: Operations other than CompareFaces, DetectFaces, CreateFaceLivenessSession and
        # GetFaceLivenessSessionResults are not supported and are treated as unknown.
        call.hint = f"this mock of Rekognition has only {', '.join(_OPERATIONS)}"
        call.refuse("operation.unknown")
    for scope, refused in _LIMITS.items():
        if call.count_request({scope: 1.0}) is not None:
            call.refuse(refused, f"quota.{scope}")
    body = call.read_object("body.malformed")
    fields = []
    for name in (*_SHOWN, "Attributes"):
        if name in body:
            fields.append((name, str(body[name])))
    call.journal_fields = mask_and_shorten(fields)
    return answer(call, body)


_OPERATIONS: Mapping[str, Callable[[RekognitionCall, Mapping[str, Any]], Response]] = {
    "CompareFaces": pictures.compare_faces,
    "DetectFaces": pictures.detect_faces,
    "CreateCollection": collections.create,
    "DeleteCollection": collections.delete,
    "IndexFaces": collections.index_faces,
    "DeleteFaces": collections.delete_faces,
    "SearchFaces": collections.search,
    "SearchFacesByImage": collections.search_by_image,
    "CreateFaceLivenessSession": sessions.create,
    "GetFaceLivenessSessionResults": sessions.read_results,
}


#: The fields shown in the journal and to fault rules, by operation; pictures are left out.
_COMPARE_FIELDS = ("SimilarityThreshold", "QualityFilter", "CollectionId", "FaceMatchThreshold")
_START_FIELDS = ("ClientRequestToken",)
_READ_FIELDS = ("SessionId",)
_SHOWN = _COMPARE_FIELDS + _START_FIELDS + _READ_FIELDS


def _route(operation: str, name: str | None, fields: tuple[str, ...]) -> base.Route:
    """Return the route of the operation with this name in X-Amz-Target; None for all others."""
    return base.Route(
        pattern="/",
        handlers={"POST": perform},
        checks={"auth.signature": check_signature},
        operation=operation,
        credentials=("x-amz-date",),
        fields=fields,
        extra=name,
    )


class Rekognition(base.ActionVendor):
    """The mock of Rekognition in one world; all operations have one path. Thread-safe."""

    call = RekognitionCall
    action_header = "x-amz-target"
    not_found_claim = "operation.unknown"
    #: Of AWS's API model in botocore 1.44.5, without those of videos, Custom Labels and tags.
    not_imitated = NotImitated(
        "docs/vendors/rekognition.md",
        "AssociateFaces",
        "CreateUser",
        "DeleteUser",
        "DescribeCollection",
        "DetectCustomLabels",
        "DetectLabels",
        "DetectModerationLabels",
        "DetectProtectiveEquipment",
        "DetectText",
        "DisassociateFaces",
        "GetCelebrityInfo",
        "ListCollections",
        "ListFaces",
        "ListUsers",
        "RecognizeCelebrities",
        "SearchUsers",
        "SearchUsersByImage",
    )
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        400: ("image.format",),
        404: ("operation.unknown",),
        500: ("server.error",),
    }
    session_rules = SESSION_RULES
    takes_links = True
    routes = (
        _route("match", None, _COMPARE_FIELDS),
        _route("session_start", "CreateFaceLivenessSession", _START_FIELDS),
        _route("session_read", "GetFaceLivenessSessionResults", _READ_FIELDS),
    )

    def __init__(self, world: World) -> None:
        super().__init__(world)
        #: A lock for creating sessions.
        self.starting = threading.Lock()

    def find(self, head: Request) -> tuple[base.Route | None, tuple[str, ...]]:
        """Return the route of the operation that the header names; all have one path.

        None for another service of AWS, and for another method.
        """
        if self.is_of_another(head):
            return None, ()
        target = head.header("x-amz-target")
        is_rekognition = head.method == "POST" and (target is None or target.startswith(TARGET))
        if not is_rekognition:
            return None, ()
        route, path_values = super().find(head)
        if route is None:
            return None, path_values
        # All operations have the same path; the header names the operation.
        name = operation_of(head)
        for operation_route in self.routes:
            if operation_route.extra == name:
                return operation_route, path_values
        return route, path_values

    def imitates(self, request: Request) -> bool:
        return operation_of(request) in _OPERATIONS and super().imitates(request)

    def name_of_call(self, head: Request) -> str:
        return operation_of(head)


_BYTES = '{{\\"Bytes\\": \\"$(base64 -w0 cards/%s)\\"}}'
_CURL = (
    f"curl --aws-sigv4 aws:amz:eu-west-1:rekognition --user {ACCESS_KEY}:{LIVE_KEY} "
    f"-H 'X-Amz-Target: {TARGET}CompareFaces' -H 'Content-Type: application/x-amz-json-1.1' "
    f'-d "{{{{\\"SourceImage\\": {_BYTES % "p1.png"}, '
    f'\\"TargetImage\\": {_BYTES % "p1-again.png"}}}}}" {{url}}/'
)

VENDOR = base.Vendor(
    name="rekognition",
    title="Amazon Rekognition",
    claims=CLAIMS,
    documented_values=VALUES,
    operations=("match", "session_start", "session_read"),
    hosts=_list_hosts(),
    rate_limits={scope: f"quota.{scope}" for scope in _LIMITS},
    settings={
        "price": ("credit.price", "amount"),
        "session_price": ("credit.price_session", "amount"),
    },
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client=ACCESS_KEY)},
    variables=Variables(
        keys=({"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": LIVE_KEY},),
        # botocore reads both names.
        without=("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
        # botocore 1.44.5, credentials.py and configprovider.py.
        other_sources=(
            "AWS_PROFILE",
            "AWS_DEFAULT_PROFILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "~/.aws/credentials",
            "~/.aws/config",
        ),
        settings={"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"},
        address="AWS_ENDPOINT_URL_REKOGNITION",
        common_address="AWS_ENDPOINT_URL",
        ignores_address="AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    ),
    key_of=read_access_key,
    sign_again=sign_again,
    records=Persons,
    behaviour=Rekognition,
    extensions={"sessions": HostedSessions},
    greeting=(f"access key: {ACCESS_KEY}, secret: {LIVE_KEY}", _CURL),
    drilled=DrillFacts(
        approved={"SUCCEEDED"},
        declined={"FAILED"},
        # What the application makes of a score is its own rule.
        compares_faces=False,
    ),
)
