import asyncio

import httpx


async def main():
    async with httpx.AsyncClient() as client:
        pictures = {"user_image": open("selfie.png", "rb"), "ref_image": open("id.png", "rb")}
        answer = await client.post(
            "https://apx.didit.me/v3/face-match/",
            headers={"x-api-key": "key-of-the-program"},
            files=pictures,
        )
    print(answer.json()["face_match"]["status"])


asyncio.run(main())
