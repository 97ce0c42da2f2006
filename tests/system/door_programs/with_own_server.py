import requests

with open("selfie.png", "rb") as selfie, open("id.png", "rb") as document:
    answer = requests.post(
        "http://compreface.corp.example:8000/api/v1/verification/verify",
        headers={"x-api-key": "key-of-the-program"},
        files={"source_image": selfie, "target_image": document},
    )
print("matches", len(answer.json()["result"][0]["face_matches"]))
