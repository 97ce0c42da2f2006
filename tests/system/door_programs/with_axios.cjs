const fs = require("node:fs");
const axios = require("axios");

const form = {
  user_image: fs.createReadStream("selfie.png"),
  ref_image: fs.createReadStream("id.png"),
};
axios
  .postForm("https://verification.didit.me/v3/face-match/", form, {
    headers: { "x-api-key": "key-of-the-program" },
  })
  .then((answer) => console.log(answer.data.face_match.status));
