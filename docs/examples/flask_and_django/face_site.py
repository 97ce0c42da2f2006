from django.db import connection
from django.db.transaction import atomic, non_atomic_requests
from django.http import HttpResponseBadRequest, HttpResponseForbidden, JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST
from faces import FIELDS, MAX_BODY_BYTES, log, refused, signup_of, verify

from facematch_core import FaceMatchError, Use


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


def customer_of(_request):
    raise NotImplementedError("Replace this: return your id of the user who is logged in.")


@require_POST
@non_atomic_requests  # a check commits by itself
def verifications(request):
    if not request.FILES.keys() >= {*FIELDS.values()}:
        return HttpResponseBadRequest()
    selfie, document = (request.FILES[name].read() for name in FIELDS.values())
    return JsonResponse(verify(selfie, document, customer_of(request)))


@require_POST
@atomic  # the verdict is used only if your own rows are committed
def accounts(request):
    customer = customer_of(request)
    use = signup_of(customer).use(connection=connection)
    if use is Use.NO:
        return HttpResponseForbidden()
    if use is Use.FIRST:  # AGAIN: your own rows are committed
        log.info("%s: account opened", customer)  # your own code and rows
    return JsonResponse({"account": customer})


urlpatterns = [path("verifications", verifications), path("accounts", accounts)]
