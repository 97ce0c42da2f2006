import { readFile } from "node:fs/promises";
import { CompareFacesCommand, RekognitionClient } from "@aws-sdk/client-rekognition";

const client = new RekognitionClient({
  region: "us-east-1",
  credentials: { accessKeyId: "AKIAPROGRAMPROGRAM00", secretAccessKey: "secret-of-the-program" },
});
const answer = await client.send(
  new CompareFacesCommand({
    SourceImage: { Bytes: await readFile("id.png") },
    TargetImage: { Bytes: await readFile("selfie.png") },
  }),
);
console.log("matches", answer.FaceMatches.length);
