import socket
import ssl

HOST = "verification.didit.me"
REQUEST = f"GET /system/healthcheck HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
plain = socket.socket()
plain.connect((HOST, 443))
with ssl.create_default_context().wrap_socket(plain, server_hostname=HOST) as connection:
    connection.sendall(REQUEST.encode())
    print(connection.recv(100).split(b"\r\n")[0].decode())
