"""What the mock claims about CompreFace, and where each claim stands."""

from __future__ import annotations

from facematch_mock_server.claims import OURS, Known, Origin, Reply, fact, row, table

#: The project's documentation and source at its last commit, of November 2023 (version 1.2.0).
DOCS = Origin(
    Known.DOCUMENTED, "CompreFace, docs/Rest-API-description.md, commit ddf32da", "2026-11-21"
)
SOURCE = Origin(
    Known.DOCUMENTED, "CompreFace, java/api and java/common, commit ddf32da", "2026-11-21"
)
SPRING = Origin(Known.FRAMEWORK, "Spring MVC 5, ResponseEntityExceptionHandler", "2026-11-21")

# A fact a line: what it decides, its value or answer, its source, and the sentence that says it.
# fmt: off
CLAIMS = table(
    "compreface",
    row("key.missing", Reply(400, {"message": "Missing header: x-api-key", "code": 20}), SOURCE,
        "A request without x-api-key is refused with 400 and code 20."),
    row("key.form", Reply(400, {"message": "Service API key should be UUID", "code": 26}), SOURCE,
        "A key that is no UUID is refused with 400 and code 26, before anybody looks for it."),
    row("key.unknown",
        Reply(404, {"message": "Verification service with API Key {key} not found", "code": 10}),
        SOURCE, "A key of no verification service is refused with 404 and code 10, which repeats the key."),
    fact("key.ours", OURS,
        "The mock's own key is taken, though it is no UUID; keys that a test adds are taken likewise."),
    row("part.missing", Reply(400, {"message": "Required part {name} is missing", "code": 34}), SOURCE,
        "A picture that is not there is refused with 400 and code 34, source_image first."),
    row("file.extension", Reply(400, {"message": "File [{name}] has an unavailable extension", "code": 21}), SOURCE,
        "A file is judged by the extension of its name: tif tiff jpg jpeg png bmp ico gif webp."),
    row("file.too_large", Reply(400, {"message": "Something went wrong, please try again", "code": 0}), SOURCE,
        "Files are at most 5 MB and requests 10 MB; what is larger is an undefined error: 400, code 0."),
    row("face.none", Reply(400, {"message": "No face is found in the given image", "code": 28}), SOURCE,
        "A picture without a face is refused with 400 and code 28, and so is one that is no picture: whatever the core refuses becomes this answer, which does not say which picture it is about."),
    row("face.many", Reply(400, {"message": "More than one face in the source image", "code": 31}), SOURCE,
        "Several faces in the source image are refused with 400 and code 31."),
    fact("face.limit", SOURCE,
        "limit is the largest number of faces of either picture, the biggest first; 0, the default, is no limit. With limit=1 a second face in the source image goes unnoticed."),
    fact("limit.wrong", SPRING,
        "A limit that is no whole number is refused with 400 and an empty body."),
    row("verify.answer", Reply(200), DOCS,
        "result holds one entry: source_image_face with its box, and face_matches with a box and a similarity for each face of the target image, in the order they were found."),
    fact("verify.similarity", SOURCE, "A similarity is from 0 to 1 with five decimals."),
    fact("verify.others", OURS,
        "A further face of the target image that no test card describes has a similarity of 0.05."),
    fact("verify.box", DOCS,
        "A box has probability, x_min, y_min, x_max and y_max, in pixels of the picture that was sent."),
    fact("verify.status", DOCS,
        "With status=true the answer also holds plugins_versions, with the names of detector and calculator, and execution_time of each face."),
    fact("verify.plugins", DOCS,
        "The plugins are facenet.FaceDetector and facenet.Calculator, as in the documentation."),
    fact("verify.times", OURS, "Execution times are made up."),
    row("path.method", Reply(404, {"message": "Request method '{method}' not supported", "code": 0}), SOURCE,
        "Another method is refused with 404 and code 0, in Spring's words."),
    row("core.down",
        Reply(500, {"message": "Error during synchronization between servers: no answer", "code": 41}),
        SOURCE, "If the service that finds faces does not answer, that is a 500 with code 41; what follows the colon is ours."),
    row("error.undefined", Reply(400, {"message": "Something went wrong, please try again", "code": 0}), SOURCE,
        "Whatever the server did not foresee, faults of its own too, is a 400 with code 0."),
    fact("free", DOCS, "The server is one's own: no call is charged, and there is no credit."),
)
# fmt: on
