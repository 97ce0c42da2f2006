// A server that sends customers to Onfido Studio, and believes its signed webhooks.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
)

const onfido = "https://api.eu.onfido.com/v3.6"

var (
	lock     sync.Mutex
	approved = map[string]bool{}
)

func create(path string, fields map[string]string) (string, error) {
	body, _ := json.Marshal(fields)
	request, _ := http.NewRequest("POST", onfido+path, bytes.NewReader(body))
	request.Header.Set("Authorization", "Token token="+os.Getenv("ONFIDO_API_TOKEN"))
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 201 {
		return "", fmt.Errorf("Onfido answered %s", answer.Status)
	}
	var created struct{ ID string }
	return created.ID, json.NewDecoder(answer.Body).Decode(&created)
}

func begin(response http.ResponseWriter, _ *http.Request) {
	applicant, err := create("/applicants", map[string]string{"first_name": "Ada", "last_name": "Lovelace"})
	run := ""
	if err == nil {
		workflow := os.Getenv("ONFIDO_WORKFLOW_ID")
		run, err = create("/workflow_runs", map[string]string{"applicant_id": applicant, "workflow_id": workflow})
	}
	if err != nil {
		log.Print(err)
		http.Error(response, "later", 503)
		return
	}
	fmt.Fprint(response, run)
}

func receive(response http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(http.MaxBytesReader(response, request.Body, 1<<20))
	expected := hmac.New(sha256.New, []byte(os.Getenv("ONFIDO_WEBHOOK_TOKEN")))
	expected.Write(body)
	given, _ := hex.DecodeString(request.Header.Get("X-SHA2-Signature"))
	if !hmac.Equal(given, expected.Sum(nil)) {
		response.WriteHeader(401)
		return
	}
	var event struct {
		Payload struct {
			Object struct{ ID, Status string }
		}
	}
	json.Unmarshal(body, &event)
	run := event.Payload.Object
	lock.Lock()
	approved[run.ID] = run.Status == "approved"
	lock.Unlock()
}

func verdict(response http.ResponseWriter, request *http.Request) {
	lock.Lock()
	defer lock.Unlock()
	if approved[request.URL.Query().Get("session")] {
		fmt.Fprint(response, "yes")
	} else {
		fmt.Fprint(response, "no")
	}
}

func main() {
	http.HandleFunc("/begin", begin)
	http.HandleFunc("/webhook", receive)
	http.HandleFunc("/verdict", verdict)
	log.Fatal(http.ListenAndServe(":8000", nil))
}
