package functionurl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/functionurl"
	"gatehouse/internal/hold"
	"gatehouse/internal/invoke"
	"gatehouse/internal/message"
)

func TestSplit(t *testing.T) {
	h := &functionurl.Handler{Suffix: "gate.example"}
	for host, want := range map[string]string{
		"abc.lambda-url.eu-west-1.gate.example":        "abc eu-west-1",
		"ABC.Lambda-URL.EU-WEST-1.Gate.Example.:8443":  "abc eu-west-1",
		"abc.lambda-url.eu-west-1.gate.example.org":    "",
		"abc.lambda-url.gate.example":                  "",
		"abc.lambda-url..gate.example":                 "",
		"abc.lambda-url.a.b.gate.example":              "",
		".lambda-url.eu-west-1.gate.example":           "",
		"abc.execute-api.eu-west-1.gate.example":       "",
		"lambda-url.eu-west-1.gate.example":            "",
		"x.abc.lambda-url.eu-west-1.gate.example":      "",
		"abc.lambda-url.eu-west-1.evil-gate.example":   "",
		"abc.lambda-url.eu-west-1.gate.example:8443:1": "abc eu-west-1", // engines refuse such a host before
		"": "",
	} {
		id, region, ok := h.Split(host)
		if got := strings.TrimSpace(id + " " + region); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v, want %q", host, got, ok, want)
		}
	}
}

// fixed is a function with one answer, whole or streamed.
type fixed struct {
	url    functionurl.URL
	answer []byte
	event  []byte
	kind   string // content type of the stream
}

func (f *fixed) URL(string, string) *functionurl.URL { return &f.url }
func (f *fixed) MayInvoke(context.Context, *functionurl.URL, *sigv4.Principal, *message.Request) bool {
	return true
}

func (f *fixed) Call(_ context.Context, _ *functionurl.URL, _ string, event []byte) (*invoke.Result, error) {
	f.event = event
	return &invoke.Result{Status: 200, Payload: f.answer}, nil
}

func (f *fixed) Stream(_ context.Context, _ *functionurl.URL, _ string, event []byte) (*invoke.Stream, error) {
	f.event = event
	return &invoke.Stream{ContentType: f.kind, Body: io.NopCloser(bytes.NewReader(f.answer))}, nil
}

// written is a message.Writer that keeps the response.
type written struct {
	status int
	header message.Header
	body   bytes.Buffer
	broken bool
}

func (w *written) WriteInformational(int, message.Header) error { return nil }
func (w *written) WriteHead(status int, h message.Header, _ int64) error {
	w.status, w.header = status, append(message.Header(nil), h...)
	return nil
}
func (w *written) Write(p []byte) (int, error)       { return w.body.Write(p) }
func (w *written) Flush() error                      { return nil }
func (w *written) WriteTrailer(message.Header) error { return nil }
func (w *written) Abort()                            { w.broken = true }

func serve(f *fixed, req *message.Request) *written {
	h := &functionurl.Handler{Functions: f, Suffix: "gate.example", Log: slog.New(slog.DiscardHandler)}
	w := new(written)
	if req.Body == nil {
		req.Body = strings.NewReader("")
	}
	req.Conn = &message.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:1234")}
	h.Serve(context.Background(), "abc", "eu-west-1", req, w)
	return w
}

// Bodies take of the gateway's memory what comes of them, and are refused when there is none.
func TestBodiesAreBoundedTogether(t *testing.T) {
	f := &fixed{answer: []byte(`"ok"`)}
	memory := &hold.Memory{Limit: 1 << 20}
	h := &functionurl.Handler{Functions: f, Memory: memory, Suffix: "gate.example", Log: slog.New(slog.DiscardHandler)}
	for size, want := range map[int]int{100: 200, 900 << 10: 200, 3 << 20: 503, 7 << 20: 503} {
		w := new(written)
		h.Serve(t.Context(), "abc", "eu-west-1", &message.Request{Method: "POST", Path: "/", Host: "abc.lambda-url.eu-west-1.gate.example", ContentLength: int64(size),
			Body: strings.NewReader(strings.Repeat("x", size)), Conn: &message.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:1234")}}, w)
		if w.status != want || memory.Held() != 0 {
			t.Errorf("a body of %d bytes: got %d and %d held after it, want %d and 0", size, w.status, memory.Held(), want)
		}
	}
}

// A caller cannot claim a client certificate: function URLs verify none.
func TestNoClaimedCertificates(t *testing.T) {
	f := &fixed{answer: []byte(`"ok"`)}
	serve(f, &message.Request{Method: "GET", Path: "/", Host: "abc.lambda-url.eu-west-1.gate.example", Header: message.Header{
		{Name: "Client-Cert", Value: ":x:"}, {Name: "client_cert", Value: ":x:"}, {Name: "X-Forwarded-Client-Cert", Value: "Subject=x"},
		{Name: "X-Amzn-Mtls-Clientcert-Subject", Value: "CN=x"}, {Name: "X-Own", Value: "1"}}})
	var event struct{ Headers map[string]string }
	if err := json.Unmarshal(f.event, &event); err != nil {
		t.Fatal(err)
	}
	for name := range event.Headers {
		if strings.Contains(strings.ReplaceAll(name, "_", "-"), "client") {
			t.Errorf("the function sees %s", name)
		}
	}
	if event.Headers["x-own"] != "1" {
		t.Errorf("headers are %v", event.Headers)
	}
}

// Whatever a function answers, the response has one status and header lines that stay
// lines; text and JSON that describe no response are the body as they are.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"statusCode":200,"headers":{"a":"b"},"body":"x"}`, `"text"`, `[1]`, `{"a":1}`, `{"statusCode":"200"}`, `{"statusCode":200,"headers":{"a\r\nb":"c"}}`,
		`{"statusCode":200,"cookies":["a=1\r\nx: y"]}`, `{"statusCode":200,"body":"%%","isBase64Encoded":true}`, ``, `nonsense`, `{"statusCode":1e9}`,
		"{\"statusCode\":201}\x00\x00\x00\x00\x00\x00\x00\x00body", "{}\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, answer []byte, stream bool) {
		fn := &fixed{url: functionurl.URL{Stream: stream}, answer: answer, kind: "application/vnd.awslambda.http-integration-response"}
		w := serve(fn, &message.Request{Method: "GET", Target: "/", Path: "/", Host: "abc.lambda-url.eu-west-1.gate.example"})
		if w.status < 100 || w.status > 599 {
			t.Fatalf("status %d", w.status)
		}
		for _, line := range w.header {
			if line.Name == "" || strings.ContainsAny(line.Name+line.Value, "\r\n\x00") || strings.ContainsAny(line.Name, " :") {
				t.Fatalf("header line %q: %q", line.Name, line.Value)
			}
		}
		var described struct{ StatusCode *int }
		if !stream && json.Valid(answer) && (json.Unmarshal(answer, &described) != nil || described.StatusCode == nil) {
			want := string(answer)
			var text string
			if json.Unmarshal(answer, &text) == nil && bytes.HasPrefix(bytes.TrimSpace(answer), []byte(`"`)) {
				want = text
			}
			if w.status != 200 || w.body.String() != want {
				t.Fatalf("%q is answered %d %q", answer, w.status, w.body.String())
			}
		}
	})
}

// Whatever is asked, the event is JSON that says what was asked: path and query raw, and
// as many query parameters as there are names.
func FuzzEvent(f *testing.F) {
	f.Add("/a%2Fb", "x=1&x=2&y", "a=1; b=2", []byte("body"))
	f.Add("/%zz", "%zz=%&&=", ";;", []byte{0xff})
	f.Fuzz(func(t *testing.T, path, query, cookie string, body []byte) {
		if strings.ContainsAny(path+query+cookie, "\r\n\x00 #?") || !strings.HasPrefix(path, "/") || len(body) > 1<<20 {
			return
		}
		for _, s := range []string{path, query, cookie} {
			for _, c := range []byte(s) {
				if c >= 0x80 { // engines refuse such targets
					return
				}
			}
		}
		fn := &fixed{answer: []byte("null")}
		req := &message.Request{Method: "POST", Target: path, Path: path, RawQuery: query, Host: "abc.lambda-url.eu-west-1.gate.example", Body: bytes.NewReader(body)}
		req.Header.Add("Cookie", cookie)
		serve(fn, req)
		var ev struct {
			RawPath, RawQueryString string
			QueryStringParameters   map[string]string
			Headers                 map[string]string
			Body                    *string
			IsBase64Encoded         bool
		}
		if err := json.Unmarshal(fn.event, &ev); err != nil {
			t.Fatalf("%s: %v", fn.event, err)
		}
		if ev.RawPath != path || ev.RawQueryString != query || (ev.Body == nil) != (len(body) == 0) || ev.Headers["cookie"] != "" {
			t.Fatalf("%s for %q %q %q", fn.event, path, query, body)
		}
	})
}
