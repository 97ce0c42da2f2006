import httpx

client = httpx.Client(base_url="https://verification.didit.me", timeout=30)
pictures = {"user_image": open("selfie.png", "rb"), "ref_image": open("id.png", "rb")}
answer = client.post("/v3/face-match/", headers={"x-api-key": "key-of-the-program"}, files=pictures)
print(answer.json()["face_match"]["status"])
