import urllib3

pool = urllib3.HTTPSConnectionPool("verification.didit.me")
fields = {
    "user_image": ("selfie.png", open("selfie.png", "rb").read()),
    "ref_image": ("id.png", open("id.png", "rb").read()),
}
answer = pool.request(
    "POST", "/v3/face-match/", headers={"x-api-key": "key-of-the-program"}, fields=fields
)
print(answer.json()["face_match"]["status"])
