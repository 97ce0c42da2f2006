import base64

from alibabacloud_facebody20191230.client import Client
from alibabacloud_facebody20191230.models import CompareFaceRequest
from alibabacloud_tea_openapi.models import Config

config = Config(
    access_key_id="id-of-the-program",
    access_key_secret="secret-of-the-program",
    endpoint="facebody.cn-shanghai.aliyuncs.com",
)
request = CompareFaceRequest(
    image_data_a=base64.b64encode(open("selfie.png", "rb").read()).decode(),
    image_data_b=base64.b64encode(open("id.png", "rb").read()).decode(),
)
data = Client(config).compare_face(request).body.data
print("confidence above the last threshold", data.confidence > data.thresholds[-1])
