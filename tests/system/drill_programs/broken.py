"""A shop at Stripe in Flask that is broken in the way of its second argument."""

import os
import sys

import requests
from flask import Flask, request

KEY = os.environ["STRIPE_SECRET_KEY"]
SESSIONS = "https://api.stripe.com/v1/identity/verification_sessions"
WAY = sys.argv[2]
app = Flask(__name__)
states = {}


@app.post("/verify")
def verify():
    if WAY == "no migration":
        raise RuntimeError("no such table: customers")
    customer = request.args["customer"]
    fields = {"type": "document", "metadata[customer]": customer}
    key = {"Idempotency-Key": customer}
    session = requests.post(SESSIONS, auth=(KEY, ""), data=fields, headers=key, timeout=10).json()
    states[customer] = "open"
    return {"url": session["url"]}


@app.post("/webhook")
def webhook():
    if WAY == "crashes":
        sys.stderr.write("out of memory\n")
        sys.stderr.flush()
        os._exit(9)
    if WAY == "bug in the receiver":
        raise RuntimeError("no column named session")
    session = request.json["data"]["object"]
    if session["status"] == "verified":
        states[session["metadata"]["customer"]] = "approved"
    return ""


@app.get("/state")
def state():
    return {"state": states.get(request.args["customer"], "new"), "booked": 0}


app.run(port=int(sys.argv[1]))
