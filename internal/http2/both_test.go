package http2_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/http1"
	"gatehouse/internal/http2"
	"gatehouse/internal/message"
)

// both runs one test body over HTTP/1.1 and HTTP/2, TLS underneath: a handler must not
// be able to tell which engine serves it, nor a client.
func both(t *testing.T, h handlerFunc, test func(t *testing.T, c *http.Client, url string)) {
	limits := http1.Limits{Body: 1 << 20}
	engines := map[string]interface {
		ServeConn(context.Context, net.Conn, *message.Conn) error
		Drain(context.Context) error
	}{
		"http/1.1": &http1.Server{Handler: h, Limits: limits, Logger: quiet()},
		"h2":       &http2.Server{Handler: h, Limits: limits, Logger: quiet()},
	}
	for proto, engine := range engines {
		t.Run(proto, func(t *testing.T) {
			cert, tr := certificate(t)
			if proto != "h2" {
				tr.ForceAttemptHTTP2, tr.TLSClientConfig.NextProtos = false, nil
				tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
			}
			ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{proto}})
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
						if nc.(*tls.Conn).Handshake() != nil {
							nc.Close()
							return
						}
						state := nc.(*tls.Conn).ConnectionState()
						engine.ServeConn(context.Background(), nc, &message.Conn{TLS: &state, ServerName: state.ServerName})
					}()
				}
			}()
			t.Cleanup(func() {
				tr.CloseIdleConnections()
				ln.Close()
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				if err := engine.Drain(ctx); err != nil {
					t.Errorf("drain: %v", err)
				}
			})
			test(t, &http.Client{Transport: tr, Timeout: 20 * time.Second}, "https://"+ln.Addr().String())
		})
	}
}

// do sends a request and returns the response with its body read.
func do(t *testing.T, c *http.Client, method, url string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestBothRequest(t *testing.T) {
	type seen struct {
		Method, Target, Path, RawQuery, Host, ServerName string
		Header                                           []string
		ContentLength                                    int64
		Body                                             string
	}
	got := make(chan seen, 1)
	both(t, func(_ context.Context, req *message.Request, w message.Writer) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		got <- seen{req.Method, req.Target, req.Path, req.RawQuery, req.Host, req.Conn.ServerName, req.Header.Values("x-multi"), req.ContentLength, string(body)}
		w.WriteHead(204, nil, 0)
	}, func(t *testing.T, c *http.Client, url string) {
		authority := strings.TrimPrefix(url, "https://")
		do(t, c, "GET", url+"/a%2Fb/../c?x=1&y=%zz", nil, "X-Multi", "1", "X-Multi", "2")
		want := seen{"GET", "/a%2Fb/../c?x=1&y=%zz", "/a%2Fb/../c", "x=1&y=%zz", authority, "example.com", []string{"1", "2"}, 0, ""}
		if diff := cmp.Diff(want, <-got); diff != "" {
			t.Error(diff)
		}
		do(t, c, "POST", url+"/", strings.NewReader("hello"))
		want = seen{"POST", "/", "/", "", authority, "example.com", nil, 5, "hello"}
		if diff := cmp.Diff(want, <-got); diff != "" {
			t.Error(diff)
		}
		do(t, c, "PUT", url+"/", io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")))
		want = seen{"PUT", "/", "/", "", authority, "example.com", nil, -1, "hello"}
		if diff := cmp.Diff(want, <-got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBothResponse(t *testing.T) {
	large := strings.Repeat("0123456789", 50000)
	handlers := map[string]handlerFunc{
		"/length": func(_ context.Context, _ *message.Request, w message.Writer) {
			w.WriteHead(201, message.Header{{Name: "X-A", Value: "1"}, {Name: "X-A", Value: "2"}}, 3)
			io.WriteString(w, "abc")
		},
		"/unknown": func(_ context.Context, _ *message.Request, w message.Writer) {
			w.WriteHead(200, nil, -1)
			io.WriteString(w, "ab")
			w.Flush()
			io.WriteString(w, "c")
		},
		"/large": func(_ context.Context, _ *message.Request, w message.Writer) {
			w.WriteHead(200, nil, int64(len(large)))
			io.WriteString(w, large)
		},
		"/stream": func(_ context.Context, _ *message.Request, w message.Writer) {
			w.WriteHead(200, nil, -1)
			io.WriteString(w, large)
		},
		"/empty": func(_ context.Context, _ *message.Request, w message.Writer) { w.WriteHead(404, nil, 0) },
		"/none":  func(_ context.Context, _ *message.Request, w message.Writer) { w.WriteHead(204, nil, 0) },
		"/modified": func(_ context.Context, _ *message.Request, w message.Writer) {
			w.WriteHead(304, message.Header{{Name: "ETag", Value: "x"}}, 0)
		},
		"/engine": func(_ context.Context, _ *message.Request, w message.Writer) {
			w.WriteHead(200, message.Header{{Name: "Connection", Value: "x"}, {Name: "Transfer-Encoding", Value: "x"}, {Name: "Content-Length", Value: "9"}, {Name: "Keep-Alive", Value: "x"}, {Name: "a b", Value: "x"}, {Name: "X-Bad", Value: "a\r\nb"}}, 2)
			io.WriteString(w, "ok")
		},
		"/panic": func(context.Context, *message.Request, message.Writer) { panic("x") },
	}
	both(t, func(ctx context.Context, req *message.Request, w message.Writer) {
		handlers[req.Path](ctx, req, w)
	}, func(t *testing.T, c *http.Client, url string) {
		tests := []struct {
			method, path string
			status       int
			length       int64
			body         string
		}{
			{"GET", "/length", 201, 3, "abc"}, {"HEAD", "/length", 201, 3, ""}, {"GET", "/unknown", 200, -1, "abc"},
			{"GET", "/large", 200, int64(len(large)), large}, {"GET", "/stream", 200, -1, large},
			{"GET", "/empty", 404, 0, ""}, {"GET", "/none", 204, 0, ""}, {"GET", "/modified", 304, 0, ""},
			{"GET", "/engine", 200, 2, "ok"}, {"GET", "/panic", 500, 21, "Internal Server Error"},
		}
		for _, tt := range tests {
			resp, body := do(t, c, tt.method, url+tt.path, nil)
			if resp.StatusCode != tt.status || resp.ContentLength != tt.length && tt.status != 304 || body != tt.body {
				t.Errorf("%s %s: %d, length %d, body of %d bytes; want %d, %d, %d", tt.method, tt.path, resp.StatusCode, resp.ContentLength, len(body), tt.status, tt.length, len(tt.body))
			}
			if resp.Header.Get("Date") == "" {
				t.Errorf("%s: no Date", tt.path)
			}
			switch tt.path {
			case "/length":
				if diff := cmp.Diff([]string{"1", "2"}, resp.Header["X-A"]); diff != "" {
					t.Error(diff)
				}
				if ct, ok := resp.Header["Content-Type"]; ok {
					t.Errorf("Content-Type %q was made up", ct)
				}
			case "/engine":
				if resp.Header.Get("X-Bad") != "a  b" || resp.Header.Get("Keep-Alive") != "" {
					t.Errorf("header %v", resp.Header)
				}
			}
		}
	})
}

// TestBothIncomplete checks that a client can tell an answer that breaks off from a
// complete one.
func TestBothIncomplete(t *testing.T) {
	both(t, func(_ context.Context, req *message.Request, w message.Writer) {
		length := int64(-1)
		if req.Path == "/short" {
			length = 10
		}
		w.WriteHead(200, nil, length)
		io.WriteString(w, "abc")
		w.Flush()
		switch req.Path {
		case "/abort":
			w.Abort()
		case "/panic":
			panic("x")
		}
	}, func(t *testing.T, c *http.Client, url string) {
		for _, path := range []string{"/short", "/abort", "/panic"} {
			resp, err := c.Get(url + path)
			if err != nil {
				continue // the head may be lost with the rest
			}
			if b, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("%s: %q was read as complete", path, b)
			}
			resp.Body.Close()
		}
	})
}

func TestBothInterim(t *testing.T) {
	both(t, func(_ context.Context, req *message.Request, w message.Writer) {
		w.WriteInformational(103, message.Header{{Name: "Link", Value: "x"}})
		w.WriteHead(200, nil, -1)
		io.WriteString(w, "ok")
		w.WriteTrailer(message.Header{{Name: "X-Sum", Value: "1"}, {Name: "Content-Length", Value: "9"}})
	}, func(t *testing.T, c *http.Client, url string) {
		var interim []string
		req, _ := http.NewRequest("GET", url, nil)
		req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			interim = append(interim, fmt.Sprint(code, h.Get("Link")))
			return nil
		}}))
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		if fmt.Sprint(interim) != "[103 x]" && fmt.Sprint(interim) != "[103x]" || resp.Header.Get("Link") != "" {
			t.Errorf("interim %v, header %v", interim, resp.Header)
		}
		if resp.Trailer.Get("X-Sum") != "1" || len(resp.Trailer) != 1 {
			t.Errorf("trailer %v", resp.Trailer)
		}
	})
}

func TestBothLimits(t *testing.T) {
	both(t, func(_ context.Context, req *message.Request, w message.Writer) {
		_, err := io.Copy(io.Discard, req.Body)
		if err != nil {
			w.WriteHead(413, message.Header{{Name: "X-Error", Value: err.Error()}}, 0)
			return
		}
		w.WriteHead(200, nil, 0)
	}, func(t *testing.T, c *http.Client, url string) {
		large := bytes.Repeat([]byte("x"), 1<<20+1)
		for _, tt := range []struct {
			name   string
			body   io.Reader
			query  string
			header []string
			status int
			text   string
		}{
			{"fits", bytes.NewReader(large[1:]), "", nil, 200, ""},
			{"announced", bytes.NewReader(large), "", nil, 413, "HTTP content length exceeded 1048576 bytes."},
			{"streamed", io.MultiReader(bytes.NewReader(large)), "", nil, 413, ""},
			{"target", nil, strings.Repeat("a", 10240), nil, 414, "Request URI too long"},
			{"header", nil, "", []string{"X", strings.Repeat("a", 10240)}, 431, "HTTP header is larger than 10240 bytes."},
		} {
			resp, body := do(t, c, "POST", url+"/?"+tt.query, tt.body, tt.header...)
			if resp.StatusCode != tt.status || body != tt.text {
				t.Errorf("%s: %d %q, want %d %q", tt.name, resp.StatusCode, body, tt.status, tt.text)
			}
			if want := message.ErrBodyTooLarge.Error(); tt.name == "streamed" && resp.Header.Get("X-Error") != want {
				t.Errorf("streamed: the handler was told %q, want %q", resp.Header.Get("X-Error"), want)
			}
		}
	})
}

// TestBothGone checks that a handler learns of a client that left: by Gone, or by its
// context.
func TestBothGone(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	both(t, func(ctx context.Context, req *message.Request, w message.Writer) {
		entered <- struct{}{}
		for ctx.Err() == nil && (req.Gone == nil || !req.Gone()) {
			time.Sleep(time.Millisecond)
		}
		left <- struct{}{}
	}, func(t *testing.T, c *http.Client, url string) {
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		done := make(chan error, 1)
		go func() {
			_, err := c.Do(req)
			done <- err
		}()
		<-entered
		cancel()
		<-left
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
