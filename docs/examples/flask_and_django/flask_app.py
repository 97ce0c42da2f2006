from faces import FIELDS, MAX_BODY_BYTES, log, refused, signup_of, verify
from flask import Flask, abort, request

from facematch_core import FaceMatchError, Use

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES  # Flask answers a larger body with 413


def customer_of():
    raise NotImplementedError("Replace this: return your id of the user who is logged in.")


@app.post("/verifications")
def verifications():
    return verify(*(request.files[name].read() for name in FIELDS.values()), customer_of())


@app.post("/accounts")
def accounts():
    customer = customer_of()
    use = signup_of(customer).use()
    if use is Use.NO:
        abort(403)
    if use is Use.FIRST:  # the others send the same request again
        log.info("%s: account opened", customer)  # your own code
    return {"account": customer}


app.register_error_handler(FaceMatchError, refused)
