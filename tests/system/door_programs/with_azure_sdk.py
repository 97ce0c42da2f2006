from azure.ai.vision.face import FaceClient
from azure.core.credentials import AzureKeyCredential

with FaceClient(
    "https://contoso.cognitiveservices.azure.com", AzureKeyCredential("key-of-the-program")
) as client:
    faces = client.detect(
        open("selfie.png", "rb").read(),
        detection_model="detection_03",
        recognition_model="recognition_04",
        return_face_id=True,
    )
print("faces", len(faces))
