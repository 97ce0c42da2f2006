import hashlib
import hmac
import json
import time

import requests

TOKEN, SECRET_KEY = "sbx:token-of-the-program", b"key-of-the-program"


def call(method, path, body=b""):
    timestamp = str(int(time.time()))
    message = f"{timestamp}{method}{path}".encode() + body
    answer = requests.request(
        method,
        f"https://api.sumsub.com{path}",
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-App-Token": TOKEN,
            "X-App-Access-Ts": timestamp,
            "X-App-Access-Sig": hmac.new(SECRET_KEY, message, hashlib.sha256).hexdigest(),
        },
    )
    return answer.json()


person = json.dumps({"externalUserId": "person-of-the-program", "type": "individual"}).encode()
started = call("POST", "/resources/applicants?levelName=basic-kyc-level", person)
read = call("GET", f"/resources/applicants/{started['id']}/one")
print("session", read["review"]["reviewStatus"])
