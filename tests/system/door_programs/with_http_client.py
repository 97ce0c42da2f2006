import http.client
import json

connection = http.client.HTTPSConnection("production.deepvue.tech", timeout=30)
connection.request(
    "POST",
    "/v1/authorize",
    body="client_id=client-of-the-program&client_secret=secret-of-the-program",
    headers={"Content-Type": "application/x-www-form-urlencoded"},
)
token = json.load(connection.getresponse())["access_token"]
print("token", len(token) > 20)
