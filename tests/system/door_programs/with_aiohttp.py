import asyncio

import aiohttp


async def main():
    form = aiohttp.FormData()
    form.add_field("user_image", open("selfie.png", "rb"), filename="selfie.png")
    form.add_field("ref_image", open("id.png", "rb"), filename="id.png")
    async with aiohttp.ClientSession(headers={"x-api-key": "key-of-the-program"}) as session:
        url = "https://verification.didit.me/v3/face-match/"
        async with session.post(url, data=form) as answer:
            print((await answer.json())["face_match"]["status"])


asyncio.run(main())
