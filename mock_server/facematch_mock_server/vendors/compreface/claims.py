"""Claims about CompreFace, with their sources."""

from __future__ import annotations

from facematch_mock_server.claims import Origin, inferred
from facematch_mock_server.vendors.kit import Reply, documented, fact, row, table

#: The project's documentation and source at its last commit, from November 2023 (version 1.2.0).


def _document(name: str, read: str = "2026-11-21") -> Origin:
    return documented(f"CompreFace, {name}", read)


DOCS = _document("docs/Rest-API-description.md, commit ddf32da")
SOURCE = _document("java/api and java/common, commit ddf32da")
NGINX = _document(".env and ui/nginx, commit ddf32da", "2026-11-22")
SPRING = inferred("Spring MVC 5, ResponseEntityExceptionHandler", "2026-11-21")


def _error(status: int, code: int, message: str) -> Reply:
    return Reply(status, {"message": message, "code": code})


_NGINX_413 = (
    "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n"
    "<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n"
    "</body>\r\n</html>\r\n"
)
_UNDEFINED = _error(400, 0, "Something went wrong, please try again")

# One claim per line: key, response, source, and statement.
# fmt: off
CLAIMS = table(
    "compreface",
    row("request.too_large", Reply(413, _NGINX_413), NGINX, "The nginx in front refuses requests of more than 10 MB, even without a valid key."),
    row("cors.asked", Reply(204), NGINX, "OPTIONS is 204 on each path of the API, without a key."),
    fact("key.first", SOURCE, "A filter checks the key before the method, content type and body."),
    row("key.missing", _error(400, 20, "Missing header: x-api-key"), SOURCE, "A request without x-api-key is refused with 400 and code 20."),
    row("key.form", _error(400, 26, "Service API key should be UUID"), SOURCE, "A key that is not a UUID is refused with 400 and code 26, before it is looked up."),
    row("key.unknown", _error(404, 10, "Verification service with API Key {key} not found"), SOURCE, "A key without a verification service is refused with 404 and code 10; the message repeats the key."),
    row("key.unknown_recognition", _error(404, 10, "Recognition service with API Key {key} not found"), SOURCE, "A key without a recognition service is refused in the same way."),
    row("key.unknown_detection", _error(404, 10, "Detection service with API Key {key} not found"), SOURCE, "A key without a detection service is refused in the same way."),
    fact("type.wrong", SPRING, "A body that is neither a multipart form nor JSON is refused with 415 and an empty body."),
    row("part.missing", _error(400, 34, "Required part {name} is missing"), SOURCE, "A missing picture is refused with 400 and code 34; source_image is checked first."),
    row("file.extension", _error(400, 21, "File [{name}] has an unavailable extension"), SOURCE, "A file is accepted by its extension: tif, tiff, jpg, jpeg, png, bmp, ico, gif or webp."),
    row("file.max_bytes", 5 * 1024 * 1024, SOURCE, "The limit of a file is 5 MB, which Spring reads as 5 x 1,024 x 1,024 bytes."),
    row("file.too_large", _UNDEFINED, SOURCE, "A file of more than 5 MB is an undefined error: 400, code 0."),
    row("base64.missing", _error(400, 5, "Field {name} cannot be empty"), SOURCE, "In JSON, a missing picture is refused with 400 and code 5; the message contains the server's internal field name."),
    row("base64.wrong", _error(400, 21, "Provided value is not Base64"), SOURCE, "A text with characters that are not Base64, as in the prefix of a data URI, is refused with 400 and code 21."),
    row("face.none", _error(400, 28, "No face is found in the given image"), SOURCE, "A picture without a face is refused with 400 and code 28, and so is a file that is not a picture: any refusal by the core becomes this error, which does not identify the picture."),
    row("face.many", _error(400, 31, "More than one face in the source image"), SOURCE, "Several faces in the source image are refused with 400 and code 31."),
    row("limit.negative", _error(400, 26, "Limit should be equal or greater than 0; "), SOURCE, "A limit below 0 is refused with 400 and code 26."),
    fact("query.wrong", SPRING, "A limit that is not an integer, a det_prob_threshold that is not a number, a status that is not one of Spring's booleans, and malformed JSON are refused with 400 and an empty body."),
    row("verify.answer", Reply(200), DOCS, "result has one entry: source_image_face with its box in pixels, and face_matches with a box and a similarity (0 to 1, five decimals) for each face in the target image, in the order of detection."),
    fact("path.slash", SPRING, "A path with a last slash is read like the path without it."),
    row("subjects.added", Reply(201), SOURCE, "A new subject is 201, with its name."),
    row("subjects.exists", _error(400, 43, "Subject already exists"), SOURCE, "A second subject of the same name, whatever its capitals, is refused with 400 and code 43."),
    row("subjects.blank", _error(400, 26, "Subject name cannot be empty"), SOURCE, "A blank or missing name of a subject is refused with 400 and code 26."),
    row("subjects.most_letters", 50, SOURCE, "A subject that is added by itself has a name of at most 50 letters."),
    row("subjects.long", _error(400, 26, "Subject name size must be between 1 and 50"), SOURCE, "A longer name is refused with 400 and code 26."),
    row("subjects.signs", _error(400, 36, "The name cannot contain the following special characters: ';', '/', '\\'"), SOURCE, "A semicolon, slash or backslash in a name is refused with 400 and code 36."),
    row("subjects.list", Reply(200), DOCS, "subjects is the list of the names."),
    row("subjects.unknown", _error(404, 42, "Subject {subject} not found"), SOURCE, "A subject that does not exist is 404 and code 42."),
    row("subjects.deleted", Reply(200), DOCS, "A deleted subject is told by its name."),
    row("examples.added", Reply(201), SOURCE, "An example is 201, with its image_id and the subject that was sent; a subject that does not exist is added."),
    row("examples.no_subject", _error(400, 33, "Required parameter subject is missing"), SOURCE, "An example without a subject, in the query or the form, is refused with 400 and code 33."),
    row("examples.blank_subject", _error(400, 26, "Subject name is empty; "), SOURCE, "A blank subject is refused with 400 and code 26."),
    row("examples.page_size", 20, DOCS, "A page has 20 examples unless size asks for another number."),
    row("examples.list", Reply(200), DOCS, "faces has the image_id and the subject of each example on the page, and page_number, page_size, total_pages and total_elements are beside it."),
    row("examples.unknown", _error(404, 44, "Image {image_id} not found"), SOURCE, "An example that does not exist is 404 and code 44."),
    row("examples.deleted", Reply(200), DOCS, "A deleted example is told by its image_id and subject. Its subject stays (source)."),
    row("examples.all_deleted", Reply(200), DOCS, "DELETE faces removes the examples of subject, or all without it; deleted is their number. That the subjects stay is ours."),
    row("recognize.count", _error(400, 26, "prediction_count should be equal or greater than 1; "), SOURCE, "A prediction_count below 1 is refused with 400 and code 26."),
    row("recognize.answer", Reply(200), SOURCE, "Each face of the picture has subjects, the most similar first, at most prediction_count, 1 by default. They are those of single examples: a subject with two examples may be there twice."),
    row("detect.answer", Reply(200), DOCS, "result has the box of each face, and the results of the plug-ins."),
    row("path.method", _error(404, 0, "Request method '{method}' not supported"), SOURCE, "Any other method is refused with 404 and code 0, with Spring's message."),
    row("core.down", _error(500, 41, "Error during synchronization between servers: no answer"), SOURCE, "If the service that detects faces does not respond, the response is 500 with code 41; the text after the colon is ours."),
    row("error.undefined", _UNDEFINED, SOURCE, "Any error without a handler, including internal errors and malformed forms, returns 400 with code 0."),
)
# fmt: on
