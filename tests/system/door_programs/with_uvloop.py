import asyncio

try:
    import uvloop

    uvloop.install()
except ImportError:
    pass

HOST = "verification.didit.me"
REQUEST = f"GET /system/healthcheck HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"


async def main():
    reader, writer = await asyncio.open_connection(HOST, 443, ssl=True)
    writer.write(REQUEST.encode())
    print((await reader.readline()).decode())
    writer.close()


asyncio.run(main())
