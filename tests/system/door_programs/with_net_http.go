package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

func main() {
	login := url.Values{"client_id": {"client-of-the-program"}, "client_secret": {"secret-of-the-program"}}
	answer, err := http.PostForm("https://production.deepvue.tech/v1/authorize", login)
	if err != nil {
		panic(err)
	}
	body, _ := io.ReadAll(answer.Body)
	fmt.Println("token", strings.Contains(string(body), "access_token"))
}
