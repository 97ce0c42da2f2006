from faces import FIELDS, MAX_BODY_BYTES, refused, verify
from flask import Flask, request

from facematch_core import FaceMatchError

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES  # Flask answers a larger body with 413


def case_of():
    """Return the case of the logged-in user; also limit the attempts, with abort(429)."""
    raise NotImplementedError("Replace this: take the case from the user's login.")


@app.post("/verifications")
def verifications():
    return verify(*(request.files[name].read() for name in FIELDS.values()), case_of())


app.register_error_handler(FaceMatchError, refused)
