"""What the mock claims about CompreFace, and where each claim stands."""

from __future__ import annotations

from facematch_mock_server.claims import OURS, Known, Origin, Reply, fact, says

#: The project's documentation and source at its last commit, of November 2023 (version 1.2.0).
DOCS = Origin(
    Known.DOCUMENTED, "CompreFace, docs/Rest-API-description.md, commit ddf32da", "2026-11-21"
)
SOURCE = Origin(
    Known.DOCUMENTED, "CompreFace, java/api and java/common, commit ddf32da", "2026-11-21"
)
SPRING = Origin(Known.FRAMEWORK, "Spring MVC 5, ResponseEntityExceptionHandler", "2026-11-21")


def _error(status: int, code: int, message: str) -> Reply:
    return Reply(status, {"message": message, "code": code})


KEY_MISSING = says(
    "compreface.key.missing",
    _error(400, 20, "Missing header: x-api-key"),
    "A request without x-api-key is refused with 400 and code 20.",
    SOURCE,
)
KEY_FORM = says(
    "compreface.key.form",
    _error(400, 26, "Service API key should be UUID"),
    "A key that is no UUID is refused with 400 and code 26, before anybody looks for it.",
    SOURCE,
)
KEY_UNKNOWN = says(
    "compreface.key.unknown",
    _error(404, 10, "Verification service with API Key {key} not found"),
    "A key of no verification service is refused with 404 and code 10, which repeats the key.",
    SOURCE,
)
KEY_OURS = fact(
    "compreface.key.ours",
    "The mock's own key is taken, though it is no UUID; keys that a test adds are taken likewise.",
    OURS,
)
PART_MISSING = says(
    "compreface.part.missing",
    _error(400, 34, "Required part {name} is missing"),
    "A picture that is not there is refused with 400 and code 34, source_image first.",
    SOURCE,
)
EXTENSION = says(
    "compreface.file.extension",
    _error(400, 21, "File [{name}] has an unavailable extension"),
    "A file is judged by the extension of its name: tif tiff jpg jpeg png bmp ico gif webp.",
    SOURCE,
)
TOO_LARGE = says(
    "compreface.file.too_large",
    _error(400, 0, "Something went wrong, please try again"),
    "Files are at most 5 MB and requests 10 MB; what is larger is an undefined error: 400, code 0.",
    SOURCE,
)
NO_FACE = says(
    "compreface.face.none",
    _error(400, 28, "No face is found in the given image"),
    "A picture without a face is refused with 400 and code 28, and so is one that is no picture: "
    "whatever the core refuses becomes this answer, which does not say which picture it is about.",
    SOURCE,
)
MANY_FACES = says(
    "compreface.face.many",
    _error(400, 31, "More than one face in the source image"),
    "Several faces in the source image are refused with 400 and code 31.",
    SOURCE,
)
LIMIT = fact(
    "compreface.face.limit",
    "limit is the largest number of faces of either picture, the biggest first; 0, the default, is "
    "no limit. With limit=1 a second face in the source image goes unnoticed.",
    SOURCE,
)
LIMIT_WRONG = fact(
    "compreface.limit.wrong",
    "A limit that is no whole number is refused with 400 and an empty body.",
    SPRING,
)
VERIFIED = says(
    "compreface.verify.answer",
    Reply(200),
    "result holds one entry: source_image_face with its box, and face_matches with a box and a "
    "similarity for each face of the target image, in the order they were found.",
    DOCS,
)
SIMILARITY = fact(
    "compreface.verify.similarity",
    "A similarity is from 0 to 1 with five decimals.",
    SOURCE,
)
OTHERS = fact(
    "compreface.verify.others",
    "A further face of the target image that no test card describes has a similarity of 0.05.",
    OURS,
)
BOX = fact(
    "compreface.verify.box",
    "A box has probability, x_min, y_min, x_max and y_max, in pixels of the picture that was sent.",
    DOCS,
)
STATUS = fact(
    "compreface.verify.status",
    "With status=true the answer also holds plugins_versions, with the names of detector and "
    "calculator, and execution_time of each face.",
    DOCS,
)
PLUGINS = fact(
    "compreface.verify.plugins",
    "The plugins are facenet.FaceDetector and facenet.Calculator, as in the documentation.",
    DOCS,
)
TIMES = fact("compreface.verify.times", "Execution times are made up.", OURS)
METHOD = says(
    "compreface.path.method",
    _error(404, 0, "Request method '{method}' not supported"),
    "Another method is refused with 404 and code 0, in Spring's words.",
    SOURCE,
)
CORE_DOWN = says(
    "compreface.core.down",
    _error(500, 41, "Error during synchronization between servers: no answer"),
    "If the service that finds faces does not answer, that is a 500 with code 41; what follows the "
    "colon is ours.",
    SOURCE,
)
UNDEFINED = says(
    "compreface.error.undefined",
    _error(400, 0, "Something went wrong, please try again"),
    "Whatever the server did not foresee, faults of its own too, is a 400 with code 0.",
    SOURCE,
)
FREE = fact(
    "compreface.free", "The server is one's own: no call is charged, and there is no credit.", DOCS
)

CLAIMS = tuple(value for value in list(globals().values()) if type(value).__name__ == "Claim")
