import { readFile } from "node:fs/promises";
import { FormData, request } from "undici";

const form = new FormData();
form.append("user_image", new Blob([await readFile("selfie.png")]), "selfie.png");
form.append("ref_image", new Blob([await readFile("id.png")]), "id.png");
const { body } = await request("https://verification.didit.me/v3/face-match/", {
  method: "POST",
  headers: { "x-api-key": "key-of-the-program" },
  body: form,
});
console.log((await body.json()).face_match.status);
