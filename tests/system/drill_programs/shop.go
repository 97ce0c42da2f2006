// Didit, in Go: a right shop, or one with a mistake. `go run shop.go PORT MISTAKE`
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

type customer struct {
	State    string `json:"state"`
	Sessions []string
	Links    []string
}

var (
	mistake   string
	lock      sync.Mutex
	customers = map[string]*customer{}
)

func didit(method, path string, body any) (map[string]any, error) {
	text, _ := json.Marshal(body)
	request, _ := http.NewRequest(method, "https://verification.didit.me/v3"+path, bytes.NewReader(text))
	request.Header.Set("x-api-key", os.Getenv("DIDIT_API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return nil, errors.New(answer.Status)
	}
	var document map[string]any
	err = json.NewDecoder(answer.Body).Decode(&document)
	return document, err
}

func refresh(each *customer, id string) (string, error) {
	decision, err := didit("GET", "/session/"+id+"/decision/", nil)
	if err != nil {
		return "", err
	}
	status, _ := decision["status"].(string)
	states := map[string]string{"Approved": "approved", "Declined": "declined", "Expired": "none", "Abandoned": "none"}
	state, known := states[status]
	if !known {
		state = "open"
	}
	isNewest := id == each.Sessions[len(each.Sessions)-1]
	if state == "approved" || isNewest {
		each.State = state
	}
	return status, nil
}

func verify(name string) (any, error) {
	lock.Lock()
	defer lock.Unlock()
	each := customers[name]
	if each == nil {
		each = &customer{State: "new"}
		customers[name] = each
	}
	if each.State == "approved" {
		return each, nil
	}
	if last := len(each.Sessions) - 1; last >= 0 {
		status, err := refresh(each, each.Sessions[last])
		if err != nil {
			return nil, err
		}
		if status == "Not Started" || status == "In Progress" {
			return map[string]string{"url": each.Links[last]}, nil
		}
	}
	body := map[string]string{"workflow_id": os.Getenv("DIDIT_WORKFLOW_ID"), "vendor_data": name}
	session, err := didit("POST", "/session/", body)
	if err != nil {
		if mistake == "an outage is a no" {
			each.State = "declined"
		}
		return nil, err
	}
	each.Sessions = append(each.Sessions, session["session_id"].(string))
	each.Links = append(each.Links, session["url"].(string))
	each.State = "open"
	return map[string]string{"url": session["url"].(string)}, nil
}

func receive(body []byte, head http.Header) int {
	sum := hmac.New(sha256.New, []byte(os.Getenv("DIDIT_WEBHOOK_SECRET")))
	sum.Write(body)
	given, _ := hex.DecodeString(head.Get("X-Signature"))
	if !hmac.Equal(given, sum.Sum(nil)) {
		return 401
	}
	var event struct {
		SessionID  string `json:"session_id"`
		VendorData string `json:"vendor_data"`
		Timestamp  int64  `json:"timestamp"`
	}
	json.Unmarshal(body, &event)
	at := event.Timestamp
	if mistake == "believes the unsigned time" {
		at, _ = strconv.ParseInt(head.Get("X-Timestamp"), 10, 64)
	}
	if mistake != "takes any age" && math.Abs(float64(time.Now().Unix()-at)) > 300 {
		return 401
	}
	lock.Lock()
	defer lock.Unlock()
	each := customers[event.VendorData]
	if each == nil || len(each.Sessions) == 0 {
		return 503
	}
	if mistake == "a yes stays" && each.State == "approved" {
		return 200
	}
	if _, err := refresh(each, event.SessionID); err != nil {
		return 503
	}
	return 200
}

func main() {
	mistake = os.Args[2]
	answer := func(response http.ResponseWriter, value any, err error) {
		if err != nil {
			response.WriteHeader(503)
			return
		}
		json.NewEncoder(response).Encode(value)
	}
	http.HandleFunc("/verify", func(response http.ResponseWriter, request *http.Request) {
		value, err := verify(request.URL.Query().Get("customer"))
		answer(response, value, err)
	})
	http.HandleFunc("/state", func(response http.ResponseWriter, request *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		each := customers[request.URL.Query().Get("customer")]
		if each == nil {
			each = &customer{State: "new"}
		}
		answer(response, each, nil)
	})
	http.HandleFunc("/webhook", func(response http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		response.WriteHeader(receive(body, request.Header))
	})
	http.ListenAndServe("127.0.0.1:"+os.Args[1], nil)
}
