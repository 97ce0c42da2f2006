from django.http import HttpResponseBadRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST
from faces import FIELDS, MAX_BODY_BYTES, refused, verify

from facematch_core import FaceMatchError


class FaceMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        length = request.headers.get("Content-Length", "")
        if request.method == "POST" and not (length.isdigit() and int(length) <= MAX_BODY_BYTES):
            return JsonResponse({"next": "smaller"}, status=413)
        return self.get_response(request)

    def process_exception(self, request, error):
        if isinstance(error, FaceMatchError):
            body, status, headers = refused(error)
            return JsonResponse(body, status=status, headers=headers)
        return None


def case_of(_request):
    """Return the case of the logged-in user; also limit the attempts per case."""
    raise NotImplementedError("Replace this: take the case from the user's login.")


@require_POST
def verifications(request):
    if not request.FILES.keys() >= {*FIELDS.values()}:
        return HttpResponseBadRequest()
    selfie, document = (request.FILES[name].read() for name in FIELDS.values())
    return JsonResponse(verify(selfie, document, case_of(request)))


urlpatterns = [path("verifications", verifications)]
