package http2_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/http2"
	"gatehouse/internal/message"
)

type handlerFunc func(ctx context.Context, req *message.Request, w message.Writer)

func (f handlerFunc) Serve(ctx context.Context, req *message.Request, w message.Writer) {
	f(ctx, req, w)
}

// echo answers with what it understood of the request.
var echo = handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHead(413, nil, 0)
		return
	}
	text := req.Method + " " + req.Target + " " + req.Host + " " + req.Proto.String() + " " + req.Conn.ServerName + "\n"
	for _, f := range req.Header {
		text += f.Name + ": " + f.Value + "\n"
	}
	text += "\n" + string(body)
	w.WriteHead(200, message.Header{{Name: "Content-Type", Value: "text/plain"}, {Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}}, int64(len(text)))
	io.WriteString(w, text)
})

// certificate returns the certificate of httptest servers and a pool that trusts it.
func certificate(t testing.TB) (tls.Certificate, *http.Transport) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	tr := s.Client().Transport.(*http.Transport).Clone()
	tr.ForceAttemptHTTP2 = true
	tr.TLSClientConfig.ServerName = "example.com"
	return s.TLS.Certificates[0], tr
}

// start serves s over TLS until the test ends; it returns its address and a transport
// that trusts it.
func start(t testing.TB, s *http2.Server) (string, *http.Transport) {
	t.Helper()
	cert, tr := certificate(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				tc := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
				if tc.Handshake() != nil {
					nc.Close()
					return
				}
				state := tc.ConnectionState()
				s.ServeConn(context.Background(), tc, &message.Conn{TLS: &state, ServerName: state.ServerName})
			}()
		}
	}()
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		ln.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
	})
	return ln.Addr().String(), tr
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestExchange(t *testing.T) {
	addr, tr := start(t, &http2.Server{Handler: echo, Logger: quiet()})
	req, _ := http.NewRequest("POST", "https://"+addr+"/a%2Fb?x=1", strings.NewReader("hello"))
	req.Header = http.Header{"X-B": {"2", "3"}, "User-Agent": {"t"}, "X-A": {"1"}, "Accept-Encoding": {"identity"}}
	req.Host = "api.example.com:8443"
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := "POST /a%2Fb?x=1 api.example.com:8443 HTTP/2.0 example.com\n" +
		"accept-encoding: identity\ncontent-length: 5\nuser-agent: t\nx-a: 1\nx-b: 2\nx-b: 3\n\nhello"
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"1", "2"}, resp.Header["X-A"]); diff != "" || resp.ProtoMajor != 2 {
		t.Errorf("protocol %s, header %s", resp.Proto, diff)
	}
}

func TestRefused(t *testing.T) {
	addr, tr := start(t, &http2.Server{Handler: echo, Logger: quiet()})
	tests := []struct {
		name   string
		change func(*http.Request)
		want   int
		text   string
	}{
		{"good", func(r *http.Request) {}, 200, ""},
		{"target too long", func(r *http.Request) { r.URL.RawQuery = strings.Repeat("a", 10240) }, 414, "Request URI too long"},
		{"header too large", func(r *http.Request) { r.Header.Set("X", strings.Repeat("a", 10240)) }, 431, "HTTP header is larger than 10240 bytes."},
		{"body too large", func(r *http.Request) {
			r.Method, r.ContentLength, r.Body = "POST", 10485761, io.NopCloser(bytes.NewReader(make([]byte, 10485761)))
		}, 413, "HTTP content length exceeded 10485760 bytes."},
		{"body too large without length", func(r *http.Request) {
			r.Method, r.ContentLength, r.Body = "POST", -1, io.NopCloser(bytes.NewReader(make([]byte, 10485761)))
		}, 413, ""},
		{"expect", func(r *http.Request) { r.Header.Set("Expect", "bogus") }, 417, "Expectation Failed: Expect is not 100-continue"},
		{"authority", func(r *http.Request) { r.Host = "a,b" }, 400, "Bad Request: :authority is not a host with an optional port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, _ := http.NewRequest("GET", "https://"+addr+"/", nil)
			tt.change(req)
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.want || tt.text != "" && string(body) != tt.text {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, tt.want, tt.text)
			}
		})
	}
}
