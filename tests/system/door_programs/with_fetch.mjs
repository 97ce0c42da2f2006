import { readFile } from "node:fs/promises";

const form = new FormData();
form.append("user_image", new Blob([await readFile("selfie.png")]), "selfie.png");
form.append("ref_image", new Blob([await readFile("id.png")]), "id.png");
const answer = await fetch("https://verification.didit.me/v3/face-match/", {
  method: "POST",
  headers: { "x-api-key": "key-of-the-program" },
  body: form,
});
console.log((await answer.json()).face_match.status);
