"""Claims about Regula's FaceSDK web service, with their sources."""

from __future__ import annotations

from decimal import Decimal

from facematch_mock_server.vendors.kit import OURS, Reply, documented, row, table

SDK = documented("regula-facesdk-webclient 8.4.875", "2026-11-28")
OPENAPI = documented("FaceSDK-web-openapi b962589 (version 7.2.0, 2026-04-23)", "2026-11-28")


def _error(code: int) -> Reply:
    return Reply(200, {"code": code, "detections": [], "results": [], "metadata": {}})


def _detect_error(code: int) -> Reply:
    return Reply(200, {"code": code, "results": {"detections": []}})


# One claim per line: key, response, source, and statement.
# fmt: off
CLAIMS = table(
    "regula",
    row("body.wrong_json", _error(203), SDK, "Parameters that cannot be read have the code 203; that the status is 200 is our choice."),
    row("picture.missing", _error(224), SDK, "Fewer than two pictures have the code 224; that the status is 200 is our choice."),
    row("picture.no_base64", _error(203), OURS, "A picture that is not base64 is a parameter that cannot be read; base64 has no prefix."),
    row("credit.start", Decimal(100), OURS, "The credit starts at USD 100; a real server has a licence instead."),
    row("credit.price", Decimal(0), OURS, "A transaction licence reports each use, whose price is not public; an answer with the similarity of two faces counts as one charge of 0."),
    row("credit.empty", Reply(403, {"code": 200}), OURS, "With a price and no credit, the licence is refused."),
    row("match.answer", Reply(200), OPENAPI, "detections has the faces and the status of each picture, by the picture's index; results has a similarity from 0 to 1, and a score of 0 for the same face, for every two faces."),
    row("detect.answer", Reply(200), OPENAPI, "results.detections has the landmarks and the roi of each face; with onlyCentralFace of one."),
    row("detect.missing", _detect_error(1), SDK, "An empty picture has the code 1; that a missing one has it, too, is our choice, and so is the rest of the answer."),
    row("detect.unreadable", _detect_error(203), SDK, "Parameters that cannot be read have the code 203, and Regula's client reads results as an object; that the status is 200, and that a picture that is not base64 has this code, is our choice."),
    row("answer.unfilled", ("attributes", "outputImageParams", "quality", "thumbnails"), OPENAPI, "The mock never fills what these parameters of match and detect ask for; thumbnails is of older versions. A call that has one has a hint (ours)."),
    row("licence", Reply(403, {"code": 200}), OPENAPI, "With a missing or invalid licence, the status is 403; the body is our choice."),
    row("error.rejected", Reply(400, {"code": 203}), OURS, "The body of a 400 is not documented."),
    row("error.internal", Reply(500, {"code": 7}), OURS, "The body of a 500 is not documented."),
    row("health", Reply(200, {"app": "Regula Face Recognition Web Service", "licenseId": "1F8E1D7C", "licenseSerial": "FL00000", "licenseValidUntil": "2030-01-01T00:00:00Z", "version": "7.2.0"}), OPENAPI, "healthz names the app, its licence and its version; the values are made up."),
    row("ready", Reply(200, {}), OPENAPI, "readyz is 200 with a valid licence; the body is our choice."),
    row("path", Reply(404, {"code": 202}), OURS, "The answer to another method is not documented."),
)
# fmt: on
