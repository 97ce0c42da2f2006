import json
import urllib.parse
import urllib.request

form = {"client_id": "client-of-the-program", "client_secret": "secret-of-the-program"}
request = urllib.request.Request(
    "https://production.deepvue.tech/v1/authorize", data=urllib.parse.urlencode(form).encode()
)
with urllib.request.urlopen(request) as answer:
    print("token", len(json.load(answer)["access_token"]) > 20)
