import boto3

client = boto3.client(
    "rekognition",
    region_name="eu-west-1",
    aws_access_key_id="AKIAPROGRAMPROGRAM00",
    aws_secret_access_key="secret-of-the-program",
)
answer = client.compare_faces(
    SourceImage={"Bytes": open("id.png", "rb").read()},
    TargetImage={"Bytes": open("selfie.png", "rb").read()},
    SimilarityThreshold=90,
)
print("matches", len(answer["FaceMatches"]))
