import certifi
import urllib3

http = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=certifi.where())
fields = {"user_image": ("selfie.png", open("selfie.png", "rb").read())}
answer = http.request(
    "POST",
    "https://verification.didit.me/v3/passive-liveness/",
    headers={"x-api-key": "key-of-the-program"},
    fields=fields,
)
print(answer.json()["liveness"]["status"])
