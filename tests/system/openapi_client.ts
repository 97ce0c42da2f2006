// Uploads two files by the generated client; reads a typed score and a typed error.
import { readFileSync } from "node:fs";
import { client } from "./client/client.gen";
import { postV3FaceMatch } from "./client";

const [url, key, picture] = process.argv.slice(2);
const file = new File([readFileSync(picture!)], "p1.png", { type: "image/png" });
const body = { user_image: file, ref_image: file, vendor_data: "case-7" };

async function main(): Promise<void> {
  client.setConfig({ baseUrl: url!, headers: { "x-api-key": key! } });
  const good = await postV3FaceMatch({ body });
  const score: number | null = good.data!.face_match.score;
  const refused = await postV3FaceMatch({ body, headers: { "x-api-key": "wrong" } });
  const error = refused.error!;
  const words: string | undefined = "detail" in error ? error.detail : undefined;
  console.log(JSON.stringify({ score, status: refused.response!.status, words }));
}

void main();
