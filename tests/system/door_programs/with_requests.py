import requests

URL = "https://verification.didit.me/v3/face-match/"

with open("selfie.png", "rb") as selfie, open("id.png", "rb") as document:
    answer = requests.post(
        URL,
        headers={"x-api-key": "key-of-the-program"},
        files={"user_image": selfie, "ref_image": document},
    )
print(answer.json()["face_match"]["status"])
