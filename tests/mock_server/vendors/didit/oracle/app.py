"""What Django REST framework answers in Didit's place: an application of the same shape.

Fields, choices, limits and sentences that the documents of the vendor name are written here; all
the rest is left to the framework. Imported once Django is configured; see `asking`.
"""

import datetime as dt

from django import forms
from django.core.validators import FileExtensionValidator
from django.urls import path
from rest_framework import serializers, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import (
    AuthenticationFailed,
    NotFound,
    PermissionDenied,
    ValidationError,
)
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import LimitOffsetPagination, PageNumberPagination
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

#: What every example finds: an outcome that is set in the mock as well.
SCORE, ANGLE = 50, 270
KEY = "mock-live-key"
DAY = dt.date(2026, 7, 2)


class State:
    edition = "2026-07"
    #: As the list of the mock has them, newest first.
    sessions = ()


# --- access ---------------------------------------------------------------------------


class ByKey(BaseAuthentication):
    """The key, where a wrong one is 401 (edition 2026-11)."""

    def authenticate(self, request):
        key = request.headers.get("x-api-key")
        if key and key != KEY:
            raise AuthenticationFailed("Invalid API Key.")
        return (None, key) if key else None

    def authenticate_header(self, request):
        return "Api-Key"


class HasKey(BasePermission):
    def has_permission(self, request, view):
        # Not as `False`: with an authenticator the framework would say 401.
        if request.headers.get("x-api-key") != KEY:
            raise PermissionDenied
        return True


class HasSession(BasePermission):
    """The session of the path, and only then the key."""

    def has_permission(self, request, view):
        view.session = find_session(view.kwargs["session_id"])
        if view.session is None:
            raise NotFound
        if request.headers.get("x-api-key") != KEY:
            raise PermissionDenied("Authentication credentials were not provided or are invalid.")
        return True


def find_session(session_id):
    return next(
        (session for session in State.sessions if session["session_id"] == str(session_id)), None
    )


class View(GenericAPIView):
    renderer_classes = (JSONRenderer,)
    parser_classes = (JSONParser,)
    permission_classes = (HasKey,)
    throttle_classes = ()

    def get_authenticators(self):
        return [ByKey()] if State.edition == "2026-11" else []

    def valid(self, **more):
        serializer = self.get_serializer(data=self.request.data, **more)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


# --- pictures --------------------------------------------------------------------------------


def not_too_large(upload):
    if upload.size > 5 * 1024 * 1024:
        raise ValidationError("File size should not exceed 5 MB")


class Picture(serializers.FileField):
    def __init__(self):
        allowed = ["tiff", "jpg", "jpeg", "png", "webp"]
        super().__init__(validators=[FileExtensionValidator(allowed), not_too_large])


def text(**more):
    """A text of a limit that is ours: no document names one."""
    usual = {"required": False, "allow_blank": True, "max_length": 10_000}
    return serializers.CharField(**usual, **more)


class Metadata(serializers.JSONField):
    """A JSON object in a text; words and limit are ours, and that nothing counts as none."""

    def __init__(self):
        words = {
            "invalid": "Metadata must be a JSON object.",
            "long": "Ensure this field has no more than 50000 characters.",
        }
        super().__init__(required=False, allow_null=True, error_messages=words)

    def get_value(self, dictionary):
        value = super().get_value(dictionary)
        return None if value == "" else value

    def to_internal_value(self, data):
        if len(data) > 50_000:
            self.fail("long")
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            self.fail("invalid")
        return value


def score_threshold():
    kind = serializers.IntegerField if State.edition == "2026-03" else serializers.FloatField
    return kind(default=30, min_value=0, max_value=100)


class Form(serializers.Serializer):
    def get_fields(self):
        return {
            "user_image": Picture(),
            **self.further_fields(),
            "rotate_image": serializers.BooleanField(default=False),
            "save_api_request": serializers.BooleanField(default=True),
            "vendor_data": text(),
            "metadata": Metadata(),
        }

    def further_fields(self):
        return {"face_liveness_score_decline_threshold": score_threshold()}


class MatchForm(Form):
    def further_fields(self):
        return {
            "ref_image": Picture(),
            "face_match_score_decline_threshold": score_threshold(),
        }


class PictureView(View):
    """A form with pictures; answered with what the mock's answer must have, too."""

    parser_classes = (MultiPartParser, FormParser)
    block = ""

    def post(self, request):
        values = self.valid()
        judged = {
            "status": "Approved" if self.approves(values) else "Declined",
            "user_image": {"best_angle": ANGLE if values["rotate_image"] else 0},
        }
        body = {self.block: judged, "kept": values["save_api_request"]}
        if State.edition != "2026-03":
            body["vendor_data"] = values.get("vendor_data") or None
            body["metadata"] = values.get("metadata")
        return Response(body)

    def approves(self, values):
        thresholds = [
            value for name, value in values.items() if name.endswith("score_decline_threshold")
        ]
        threshold = thresholds[0]
        return threshold <= SCORE if State.edition == "2026-03" else threshold < SCORE


class Match(PictureView):
    serializer_class = MatchForm
    block = "face_match"


class Liveness(PictureView):
    serializer_class = Form
    block = "liveness"


# --- sessions --------------------------------------------------------------------------------

STATUSES = (
    *("Not Started", "In Progress", "Awaiting User", "In Review", "Approved", "Declined"),
    *("Resubmitted", "Expired", "Kyc Expired", "Abandoned"),
)


class UpdateBody(serializers.Serializer):
    new_status = serializers.ChoiceField(STATUSES)
    comment = text(allow_null=True)
    nodes_to_resubmit = serializers.ListField(required=False)
    send_email = serializers.BooleanField(required=False)
    email_address = serializers.EmailField(
        required=False, allow_null=True, allow_blank=True, max_length=10_000
    )
    email_language = text(allow_null=True)

    def validate_new_status(self, value):
        if value not in ("Approved", "Declined", "Resubmitted"):
            raise ValidationError(
                "You can only update the status to 'Approved', 'Declined', or 'Resubmitted'."
            )
        return value

    def validate(self, values):
        if values.get("send_email") and not values.get("email_address"):
            words = "Email address is required when send_email is true."
            raise ValidationError({"email_address": [words]})
        return values


class Update(View):
    permission_classes = (HasSession,)
    serializer_class = UpdateBody

    def patch(self, request, session_id):
        values = self.valid()
        new_status = values["new_status"]
        # The nodes that are generated name no feature.
        is_none_named = self.session["status"] == "Approved" or values.get("nodes_to_resubmit")
        if new_status == self.session["status"]:
            raise ValidationError("The new status is the same as the current status.")
        if new_status == "Resubmitted" and is_none_named:
            words = "No features found that need resubmission. All features are already approved."
            return Response({"nodes_to_resubmit": words}, status.HTTP_400_BAD_REQUEST)
        return Response({"session_id": str(session_id)})


class Decision(View):
    permission_classes = (HasSession,)

    def get(self, request, session_id):
        return Response({"session_id": str(session_id), "status": self.session["status"]})


class DeleteBody(serializers.Serializer):
    retain_face_embeddings = serializers.BooleanField(required=False)
    face_retention_days = serializers.IntegerField(min_value=1, max_value=3650, required=False)


class Delete(View):
    permission_classes = (HasSession,)
    serializer_class = DeleteBody

    def delete(self, request, session_id):
        if State.edition == "2026-03":
            return Response(status=status.HTTP_204_NO_CONTENT)
        self.valid()
        return Response({"session_id": str(session_id)})


SERVICES = (
    *("ID_VERIFICATION", "FACE_MATCH", "AGE_ESTIMATION", "FACE_SEARCH", "POA", "AML"),
    *("KYB_REGISTRY", "PASSIVE_LIVENESS", "DATABASE_VALIDATION", "PHONE_VERIFICATION"),
    "EMAIL_VERIFICATION",
)


class Filters(forms.Form):
    """The filters whose values have a form; their words are Django's own, as documented."""

    vendor_data = forms.CharField(required=False)
    date_from = forms.DateField(required=False, input_formats=["%Y-%m-%d"])
    date_to = forms.DateField(required=False, input_formats=["%Y-%m-%d"])
    api_service = forms.ChoiceField(
        required=False, choices=[(service, service) for service in SERVICES]
    )


class ByOffset(LimitOffsetPagination):
    default_limit = 50


class ByPage(PageNumberPagination):
    page_size = 20
    page_size_query_param = "page_size"


class ByOffsetEarly(LimitOffsetPagination):
    default_limit = 20


def respond_with_page(view, rows):
    query = view.request.query_params
    pager = ByOffset()
    if State.edition == "2026-03":
        pager = ByPage() if "page" in query or "page_size" in query else ByOffsetEarly()
    return pager.get_paginated_response(pager.paginate_queryset(rows, view.request, view))


class Sessions(View):
    def get(self, request):
        query = request.query_params
        form = Filters(query)
        if not form.is_valid():
            raise ValidationError(form.errors)
        filters = form.cleaned_data
        rows = [
            session
            for session in State.sessions
            if filters["vendor_data"] in ("", session["vendor_data"])
            and session["status"] in (query.get("status") or session["status"]).split(",")
            and (filters["date_from"] or DAY) <= DAY <= (filters["date_to"] or DAY)
            and filters["api_service"] in ("", "FACE_MATCH")
        ]
        return respond_with_page(self, rows)


urlpatterns = [
    path("v3/face-match/", Match.as_view()),
    path("v3/passive-liveness/", Liveness.as_view()),
    path("v3/sessions/", Sessions.as_view()),
    path("v3/session/<uuid:session_id>/decision/", Decision.as_view()),
    path("v3/session/<uuid:session_id>/update-status/", Update.as_view()),
    path("v3/session/<uuid:session_id>/delete/", Delete.as_view()),
]
