"""The mutants of a vendor that refuses with a 200, and of ones with more words than a verdict.

Rows are as those of the table, which holds them, too.
"""

import functools
from typing import ClassVar

import attrs
from mutants.faults import nobody
from mutants.making import row
from mutants.reference import (
    ERRORS,
    HttpReference,
    HttpReferenceSimulator,
)

import facematch_core as fm
from facematch_core.http import ErrorRow

FREE = fm.Billing(fm.Charged.NO, "the vendor's page on prices: refusals are free")
#: The vendor's words for what others say by a status.
CODES = {
    400: "InvalidParameterValue.Picture",
    401: "AuthFailure.SecretIdNotFound",
    402: "ResourceUnavailable.InArrears",
    429: "RequestLimitExceeded",
    503: "InternalError",
}


class PoliteReference(HttpReference):
    """Conforms; its vendor answers with a 200, whatever there is to say."""

    codes_in_200 = True
    error_codes: ClassVar = {
        code: ErrorRow(ERRORS[status], FREE.charged, FREE.ground, "the vendor refuses it")
        for status, code in CODES.items()
    }

    def error_code(self, reply):
        return reply.at("Response", "Error", "Code")

    def body(self, reply):
        return reply.json()["Response"]


class PoliteSimulator(HttpReferenceSimulator):
    """The vendor, who refuses with a 200 and charges answers alone."""

    def __init__(self, backend_class=PoliteReference):
        super().__init__(backend_class)

    def answer(self, request, situation, score):
        answer = super().answer(request, situation, score)
        number = next(self._numbers)
        if answer.status == 200:
            body = {"Response": {**answer.body, "RequestId": f"request-{number}"}}
            return attrs.evolve(answer, body=body)
        error = {"Code": CODES[answer.status], "Message": f"It is refused: {answer.status}."}
        body = {"Response": {"Error": error, "RequestId": f"request-{number}"}}
        return attrs.evolve(answer, status=200, body=body, charged=False)


polite = functools.partial(row, base=PoliteReference, simulator=PoliteSimulator)


def is_field(code):
    return str(code).startswith(f"{CODES[400]}.")


# fmt: off
ROWS = (
    # Refusals with a 200
    polite("R38", "FieldsAreNobody", "What begins as the code of a field means that there is no "
        "face.",
        error_code=lambda me, ok, reply: None if is_field(ok(reply)) else ok(reply),
        parse=lambda me, ok, call, reply: nobody(call)
            if is_field(reply.at("Response", "Error", "Code")) else ok(call, reply)),
    polite("R38", "AScoreIsNoRefusal", "A refusal beside which a score stands is passed over.",
        error_code=lambda me, ok, reply: None if reply.at("Response", "score") else ok(reply)),
)
# fmt: on
