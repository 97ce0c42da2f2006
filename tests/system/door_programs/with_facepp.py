import requests

URL = "https://api-us.faceplusplus.com/facepp/v3/compare"

with open("selfie.png", "rb") as selfie, open("id.png", "rb") as document:
    answer = requests.post(
        URL,
        data={"api_key": "key-of-the-program", "api_secret": "secret-of-the-program"},
        files={"image_file1": selfie, "image_file2": document},
    )
print("confidence above 80", answer.json()["confidence"] > 80)
