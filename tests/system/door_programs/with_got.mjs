import got from "got";

const answer = await got
  .post("https://production.deepvue.tech/v1/authorize", {
    form: { client_id: "client-of-the-program", client_secret: "secret-of-the-program" },
  })
  .json();
console.log("token", answer.access_token.length > 20);
