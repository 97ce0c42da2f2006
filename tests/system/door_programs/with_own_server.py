import requests

with open("selfie.png", "rb") as selfie, open("id.png", "rb") as document:
    answer = requests.post(
        "http://compreface.corp.example:8000/api/v1/verification/verify",
        headers={"x-api-key": "3f0c9a62-94f3-4c0f-9d55-0e3a3c1b7a11"},
        files={"source_image": selfie, "target_image": document},
    )
print("matches", len(answer.json()["result"][0]["face_matches"]))
