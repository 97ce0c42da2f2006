import base64

from tencentcloud.common.credential import Credential
from tencentcloud.iai.v20200303 import iai_client, models

credential = Credential("id-of-the-program", "secret-of-the-program")
client = iai_client.IaiClient(credential, "ap-singapore")
request = models.CompareFaceRequest()
request.ImageA = base64.b64encode(open("selfie.png", "rb").read()).decode()
request.ImageB = base64.b64encode(open("id.png", "rb").read()).decode()
print("score above 50", client.CompareFace(request).Score > 50)
