// go run read.go picture.png...     (Debian: golang-go)

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"time"
)

const (
	service = "http://127.0.0.1:8000"
	tries   = 3
)

// Verdict is what the service says of one picture; members that are not named here are left out.
type Verdict struct {
	Digit      int     `json:"digit"`
	Confidence float64 `json:"confidence"`
	IsDigit    *bool   `json:"is_digit"` // nil of a network that does not measure it
}

// Problem is a refusal (RFC 9457): what was wanted and what came, and which picture it was.
type Problem struct {
	Detail string `json:"detail"`
	Errors []struct{ Pointer, Detail string }
}

// form holds several pictures in one request, each a part named image.
func form(names []string) ([]byte, string, error) {
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, "", err
		}
		part, err := writer.CreateFormFile("image", name)
		if err != nil {
			return nil, "", err
		}
		part.Write(content)
	}
	err := writer.Close() // writes the end of the form
	return body.Bytes(), writer.FormDataContentType(), err
}

// classify reads the digit on every picture; it asks again where the service is busy.
func classify(names []string) ([]Verdict, error) {
	body, kind, err := form(names)
	if err != nil {
		return nil, err
	}
	for tried := 1; ; tried++ {
		answer, err := http.Post(service+"/v1/classify", kind, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return nil, err
		}
		if answer.StatusCode == http.StatusServiceUnavailable && tried < tries {
			seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
			time.Sleep(time.Duration(seconds) * time.Second)
			continue
		}
		if answer.StatusCode >= 400 {
			var problem Problem
			json.Unmarshal(text, &problem)
			return nil, fmt.Errorf("%s: %s", answer.Status, problem.Detail)
		}
		var found struct{ Results []Verdict }
		return found.Results, json.Unmarshal(text, &found)
	}
}

func main() {
	verdicts, err := classify(os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	for index, verdict := range verdicts {
		fmt.Printf("%s: %d, %.1f %%\n", os.Args[1+index], verdict.Digit, 100*verdict.Confidence)
	}
}
