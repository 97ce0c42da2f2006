"""Claims about DeepFace's server, with their sources."""

from __future__ import annotations

from facematch_mock_server.vendors.kit import OURS, Reply, documented, fact, observed, row, table

SOURCE = documented("deepface 0.0.103, api folder and modules", "2026-11-28")
#: What public programs send to servers of earlier versions.
#: A server from PyPI, with SFace and YuNet.
COMPARED = observed("deepface 0.0.103, a server from PyPI", "2026-11-29")
#: The api folder with a stub in the place of the engine.
RUN = observed("deepface 0.0.103, api folder, run without an engine", "2026-11-28")


def _page(status: int, title: str) -> Reply:
    return Reply(
        status,
        f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n",
    )


def _exception(text: str) -> Reply:
    return Reply(400, {"exception": text})


def _error(text: str, cause: str, kind: str = "ValueError") -> Reply:
    """Return the error of a call; the cause is in the traceback, and may not be in the text."""
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "/app/deepface/api/src/modules/core/service.py", line 77, in {function}\n'
        f"{kind}: {cause}\n"
    )
    if text != cause:
        traceback += (
            "\nThe above exception was the direct cause of the following exception:\n\n"
            f"Traceback (most recent call last):\nValueError: {text}\n"
        )
    return Reply(400, {"error": "Exception while {service}ing: " + f"{text} - {traceback}"})


def _unrepresented(cause: str, kind: str = "ValueError") -> Reply:
    return _error(cause, cause, kind)


def _of_a_class(name: str) -> str:
    return f"deepface.modules.exceptions.{name}"


_NO_PICTURE = "Input image can be jpg or png, but it is neither"
_UNDETECTED = "Face could not be detected in base64 encoded string.Please confirm that the picture is a face photo or consider to set enforce_detection param to False."
_OF_A_PICTURE = "Exception while processing {name}_path"
_NO_DETECTOR = "Invalid model_name passed - face_detector/{detector}"
_NOT_DETECTED = _of_a_class("FaceNotDetected")
_SPOOFED = _of_a_class("SpoofDetected")
_UNIMPLEMENTED = _of_a_class("UnimplementedError")
_NO_TOKEN = Reply(401, {"message": "Invalid or missing authentication token"})

# One claim per line: key, response, source, and statement.
# fmt: off
CLAIMS = table(
    "deepface",
    fact("key.free", SOURCE, "A server without DEEPFACE_AUTH_TOKEN checks no token.", when=("auth", "none")),
    row("key.missing", _NO_TOKEN, SOURCE, "With DEEPFACE_AUTH_TOKEN, a request without a bearer token is 401; the word Bearer has any case."),
    row("key.wrong", _NO_TOKEN, SOURCE, "A wrong token is 401."),
    row("body.wrong_type", _exception("'img1' not found in request in either json or form data"), RUN, "A body that is neither JSON nor a form has no pictures."),
    row("body.wrong_form", _exception("'img1' not found in request in either json or form data"), OURS, "A form that cannot be read has no pictures."),
    row("body.wrong_json", _page(400, "Bad Request"), RUN, "Malformed JSON is 400, in HTML."),
    row("picture.missing", _exception("'{name}' not found in either json or form data request"), SOURCE, "A missing picture is 400, and is named."),
    row("file.missing", _exception("Request form data doesn't have {name}"), COMPARED, "In a form with a file, a missing picture is named by another text."),
    row("file.unreadable", _exception("Failed to decode image"), COMPARED, "A file that OpenCV cannot decode is 400, and is not named."),
    row("picture.no_base64", _error(_OF_A_PICTURE, _NO_PICTURE), OURS, "A picture is a data URI, a link, or a path on the server. The mock opens no path; a test names the picture at a link or path."),
    row("picture.formats", ("jpeg", "png"), SOURCE, "A picture in a data URI is a JPEG or a PNG. A file has any format that OpenCV decodes, such as WebP and BMP; of these, the mock takes what it decodes itself."),
    row("picture.wrong_format", _error(_OF_A_PICTURE, _NO_PICTURE), SOURCE, "A picture in another format is 400, and is named; the cause is in the traceback."),
    row("model.unknown", _unrepresented("Invalid model_name passed - facial_recognition/{model}", _UNIMPLEMENTED), SOURCE, "A model that the server does not have is 400."),
    row("detector.unknown", _error(_OF_A_PICTURE, _NO_DETECTOR, _UNIMPLEMENTED), COMPARED, "A detector that does not exist is 400, and counts as a fault of the first picture."),
    row("represent.detector.unknown", _unrepresented(_NO_DETECTOR, _UNIMPLEMENTED), COMPARED, "For /represent and /analyze, the cause is in the message."),
    row("face.nullable", ("left_eye", "right_eye"), COMPARED, "The eyes of a face are null if the detector found fewer than two: the default one does for some faces, and skip for all."),
    row("options", Reply(200), COMPARED, "The answer to OPTIONS has no body."),
    row("metric.unknown", _error("('Invalid distance_metric passed - ', '{metric}')", "('Invalid distance_metric passed - ', '{metric}')"), SOURCE, "A metric that does not exist is 400."),
    row("picture.unreadable", _error(_OF_A_PICTURE, _NO_PICTURE), SOURCE, "A picture that is neither JPEG nor PNG is 400, and is named; the cause is in the traceback."),
    row("face.none", _error(_OF_A_PICTURE, _UNDETECTED, _NOT_DETECTED), SOURCE, "A picture without a face is 400, and is named; the cause is in the traceback."),
    row("face.spoof", _error(_OF_A_PICTURE, "Spoof detected in given image.", _SPOOFED), SOURCE, "With anti_spoofing, a spoof in a picture is 400, and the picture is named; the cause is in the traceback."),
    row("match.answer", Reply(200), SOURCE, "verified is whether distance is at most threshold, which follows model and metric; confidence is 51-100 if verified, else 0-49; facial_areas has one face of each picture."),
    row("embedding.wrong_type", _unrepresented("When passing img{number}_path as a list, ensure that all its items are of type float.", _of_a_class("DataTypeError")), RUN, "A list in the place of a picture is an embedding; other items than numbers are 400."),
    row("embedding.wrong_length", _unrepresented("embeddings of {model} should have {dimensions} dimensions, but {number}-th image has {sent} dimensions input", _of_a_class("DimensionMismatchError")), RUN, "An embedding has as many numbers as the model's."),
    row("embedding.unknown", Reply(400, {"exception": "The mock knows the embeddings that its /represent returned, and no others."}), OURS, "DeepFace compares any embeddings; the mock needs the picture of each."),
    row("represent.answer", Reply(200), RUN, "/represent lists each face of a picture with its embedding, in no documented order; with max_faces, the largest ones."),
    row("represent.max_faces", _page(500, "Internal Server Error"), COMPARED, "max_faces that is no number is 500, in HTML."),
    row("represent.picture.no_base64", _unrepresented(_NO_PICTURE), OURS, "A picture is a data URI, a link or a path, as for /verify."),
    row("represent.picture.wrong_format", _unrepresented(_NO_PICTURE), RUN, "A picture in another format is 400, with the cause in the message."),
    row("represent.picture.unreadable", _unrepresented(_NO_PICTURE), RUN, "A picture that is neither JPEG nor PNG is 400."),
    row("represent.face.none", _unrepresented(_UNDETECTED, _NOT_DETECTED), RUN, "A picture without a face is 400, with the cause in the message."),
    row("represent.face.spoof", _unrepresented("Spoof detected in the given image.", _SPOOFED), SOURCE, "With anti_spoofing, a spoof among the faces is 400."),
    row("analyze.answer", Reply(200), SOURCE, "/analyze lists each face with what actions asks for, by default all: emotion, age, gender and race, each with the dominant one, beside its region. In a form, actions is a text such as ['age', 'gender']."),
    row("analyze.action", _error("Invalid action passed ({action})). Valid actions are `emotion`, `age`, `gender`, `race`.", "Invalid action passed ({action})). Valid actions are `emotion`, `age`, `gender`, `race`."), SOURCE, "Another action is 400."),
    row("analyze.no_action", _unrepresented("`actions` must be a list of strings."), COMPARED, "No action at all is 400."),
    row("home", Reply(200, "<h1>Welcome to DeepFace API v0.0.103!</h1>"), SOURCE, "GET / names the version, without a token."),
    row("error.internal", _error("out of memory", "out of memory"), SOURCE, "A fault of the server's own is 400 with such a text; the mock sends it with the status 500 that a test asks for."),
    row("path", _page(405, "Method Not Allowed"), RUN, "Another method is 405, in HTML."),
)
# fmt: on
