package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/lang/variable"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
)

// proxyBench serves an HTTP_PROXY integration to a backend of the test's.
func proxyBench(t testing.TB, backend http.HandlerFunc, set func(*model.Method, *model.Stage, *model.Snapshot)) *bench {
	t.Helper()
	s := httptest.NewServer(backend)
	client := &upstream.Client{}
	t.Cleanup(func() {
		client.CloseIdle()
		s.Close()
	})
	m := &model.Method{Integration: &model.Integration{Type: "HTTP_PROXY", HTTPMethod: "ANY", URI: s.URL}}
	b := newBench(t, m, func(st *model.Stage, snapshot *model.Snapshot) {
		if set != nil {
			set(m, st, snapshot)
		}
	})
	b.Upstream = client
	return b
}

func streaming(timeout int) func(*model.Method, *model.Stage, *model.Snapshot) {
	return func(m *model.Method, _ *model.Stage, s *model.Snapshot) {
		m.Integration.ResponseTransferMode, m.Integration.TimeoutInMillis = "STREAM", timeout
	}
}

// watched is an answer whose parts are seen as they are flushed.
type watched struct {
	answer
	flushed chan string
}

func (w *watched) Flush() error {
	w.flushed <- w.body.String()
	return nil
}

// A stream's head and each of its parts are sent as they come (routing-and-integrations,
// section 10).
func TestStreamIsPassedOnAtOnce(t *testing.T) {
	next := make(chan string)
	b := proxyBench(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "6") // a length is no reason to wait
		w.(http.Flusher).Flush()
		for text := range next {
			io.WriteString(w, text)
			w.(http.Flusher).Flush()
		}
	}, streaming(29000))
	var facts string
	b.Observer = observed(func(r *Record) {
		for _, id := range []variable.ID{variable.ResponseTransferMode, variable.TimeToAllHeaders, variable.TimeToFirstContent, variable.IntegrationLatency} {
			v, ok := r.x.AppendVariable(nil, id, "")
			facts += fmt.Sprint(ok, len(v) > 0, " ")
		}
	})
	a := &watched{flushed: make(chan string, 10)}
	var serving sync.WaitGroup
	serving.Go(func() { b.Serve(t.Context(), getRequest("/prod/x"), a) })
	if got := <-a.flushed; got != "" || a.status != 200 {
		t.Errorf("the head: %d %q", a.status, got)
	}
	for _, c := range []string{"abc", "def"} {
		next <- c
		if got := <-a.flushed; !strings.HasSuffix(got, c) {
			t.Errorf("after %q was written, %q is flushed", c, got)
		}
	}
	close(next)
	serving.Wait()
	if a.aborted || a.body.String() != "abcdef" {
		t.Errorf("aborted %v, %q", a.aborted, a.body.String())
	}
	if facts != "true true true true true true true true " {
		t.Errorf("variables of a stream: %s", facts)
	}
}

// An observed is an Observer that is a function.
type observed func(*Record)

func (f observed) Done(r *Record) { f(r) }

func getRequest(target string, header ...message.Field) *message.Request {
	path, query, _ := strings.Cut(target, "?")
	return &message.Request{Method: "GET", Target: target, Path: path, RawQuery: query, Host: "api1.execute-api.us-east-1.example.com", Header: header,
		Body: strings.NewReader(""), Received: time.Now(), Conn: &message.Conn{}}
}

// A backend that does not begin is a timeout; one that stands still later is cut off, by the
// idle time and by the whole time.
func TestStreamThatStandsStill(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	backend := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.RawQuery, "begin") {
			io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
		}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}
	short := proxyBench(t, backend, streaming(100))
	if a := short.do(t, "GET", "/prod/x", ""); a.String() != `504 InternalServerErrorException {"message": "Endpoint request timed out"}` || a.aborted {
		t.Errorf("nothing at all: %s, aborted %v", a, a.aborted)
	}
	if a := short.do(t, "GET", "/prod/x?begin", ""); a.status != 200 || a.body.String() != "begun" || !a.aborted {
		t.Errorf("the whole time: %s, aborted %v", a, a.aborted)
	}
	idle := proxyBench(t, backend, streaming(900000))
	for s := range idle.Plan().Stages {
		for _, m := range s.Root.Greedy.Resource.Methods {
			if m.Integration.Idle != 5*time.Minute {
				t.Errorf("idle time of a REGIONAL API: %v", m.Integration.Idle)
			}
			m.Integration.Idle = 50 * time.Millisecond
		}
	}
	if a := idle.do(t, "GET", "/prod/x?begin", ""); a.status != 200 || a.body.String() != "begun" || !a.aborted {
		t.Errorf("the idle time: %s, aborted %v", a, a.aborted)
	}
}

// Streams have no limit of size, buffered answers have.
func TestStreamsMayBeLong(t *testing.T) {
	const size = maxBody + 1<<20
	block := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	for _, length := range []bool{true, false} {
		backend := func(w http.ResponseWriter, _ *http.Request) {
			if length {
				w.Header().Set("Content-Length", fmt.Sprint(size))
			}
			for n := 0; n < size; n += len(block) {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}
		if a := proxyBench(t, backend, streaming(29000)).do(t, "GET", "/prod/x", ""); a.status != 200 || a.body.Len() != size || a.aborted {
			t.Errorf("streamed, length %v: %d with %d bytes, aborted %v", length, a.status, a.body.Len(), a.aborted)
		}
		a := proxyBench(t, backend, nil).do(t, "GET", "/prod/x", "")
		if length && (a.String() != internalError || a.aborted) {
			t.Errorf("buffered, length known: %.100s", a)
		}
		if !length && (!a.aborted || a.body.Len() > maxBody) {
			t.Errorf("buffered, length not known: %d bytes, aborted %v", a.body.Len(), a.aborted)
		}
	}
}

// With a StreamRate, the first 10 MB of a stream pass at once and the rest at that rate
// (routing-and-integrations, section 10); buffered answers are not slowed down.
func TestLongStreamsAreSlowedDown(t *testing.T) {
	const beyond = 5 << 20
	block := bytes.Repeat([]byte("x"), 64<<10)
	size := 0
	backend := func(w http.ResponseWriter, _ *http.Request) {
		for n := 0; n < size; n += len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	for _, tt := range []struct {
		name string
		set  func(*model.Method, *model.Stage, *model.Snapshot)
		size int
		rate int64
		want time.Duration
	}{
		{"10 MB and 5 more at 2 MB/s", streaming(29000), freeStream + beyond, 2 << 20, 2500 * time.Millisecond},
		{"10 MB", streaming(29000), freeStream, 2 << 20, 0},
		{"not slowed down", streaming(29000), freeStream + beyond, 0, 0},
		{"buffered", nil, freeStream, 2 << 20, 0},
	} {
		size = tt.size
		b := proxyBench(t, backend, tt.set)
		now := time.Now()
		var slept, longest time.Duration
		b.StreamRate = tt.rate
		b.Now = func() time.Time { return now.Add(slept) }
		b.Sleep = func(d time.Duration) { slept, longest = slept+d, max(longest, d) }
		if a := b.do(t, "GET", "/prod/x", ""); a.status != 200 || a.body.Len() != tt.size || a.aborted {
			t.Errorf("%s: %d with %d bytes, aborted %v", tt.name, a.status, a.body.Len(), a.aborted)
		}
		if slept.Round(time.Millisecond) != tt.want || longest > 50*time.Millisecond {
			t.Errorf("%s: waited %v, at most %v at once, want %v in small parts", tt.name, slept, longest, tt.want)
		}
	}
}

// WebSocket handshakes and gRPC calls are refused in words; gRPC-Web is plain HTTP.
func TestOtherProtocolsAreRefused(t *testing.T) {
	asked := 0
	b := proxyBench(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		io.WriteString(w, "plain")
	}, nil)
	for _, c := range []struct{ name, value, want string }{
		{"upgrade", "h2c, WebSocket", `400 BadRequestException {"message": "WebSocket upgrades are not supported by REST APIs"}`},
		{"content-type", "application/grpc", `415 BadRequestException {"message": "gRPC is not supported by REST APIs"}`},
		{"Content-Type", "Application/grpc+proto; a=b", `415 BadRequestException {"message": "gRPC is not supported by REST APIs"}`},
		{"Content-Type", "application/grpc-web+proto", "200  plain"},
		{"Upgrade", "h2c", "200  plain"},
	} {
		a := &answer{}
		b.Serve(context.Background(), getRequest("/prod/x", message.Field{Name: c.name, Value: c.value}), a)
		if a.String() != c.want {
			t.Errorf("%s %s: %s, want %s", c.name, c.value, a, c.want)
		}
	}
	if asked != 2 {
		t.Errorf("the backend was asked %d times, want twice", asked)
	}
}
