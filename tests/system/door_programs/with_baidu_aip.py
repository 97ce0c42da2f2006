import base64
import warnings

warnings.simplefilter("ignore")  # the client verifies no certificate
from aip import AipFace

client = AipFace("1", "key-of-the-program", "secret-of-the-program")
images = []
for name in ("selfie.png", "id.png"):
    picture = base64.b64encode(open(name, "rb").read()).decode()
    images.append({"image": picture, "image_type": "BASE64"})
print("score above 80", client.match(images)["result"]["score"] > 80)
