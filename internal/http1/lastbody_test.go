package http1_test

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"gatehouse/internal/http1"
)

// TestLastRequestWithLateBody: a request that ends its connection is answered, also when its
// body comes after its head, as many clients send it.
func TestLastRequestWithLateBody(t *testing.T) {
	addr := start(t, &http1.Server{Handler: echo, Logger: quiet()})
	for _, head := range []string{
		"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.0\r\nHost: h\r\nContent-Length: 3\r\n\r\n",
	} {
		body := "abc"
		if strings.Contains(head, "chunked") {
			body = "3\r\nabc\r\n0\r\n\r\n"
		}
		for _, before := range []string{"", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy"} {
			c := dial(t, addr)
			r := bufio.NewReader(c)
			if before != "" {
				io.WriteString(c, before)
				if resp, got := readResponse(t, r, "POST"); !strings.HasSuffix(got, "\n\nxy") || resp.Close {
					t.Fatalf("the request before: %q, closing %v", got, resp.Close)
				}
			}
			// The head alone, until the server has read it: it asks for the body.
			io.WriteString(c, strings.Replace(head, "\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", 1))
			if !strings.Contains(head, "HTTP/1.0") {
				if line, err := r.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
					t.Fatalf("%q: got %q, %v; want 100 Continue", head, line, err)
				}
				r.ReadString('\n')
			}
			io.WriteString(c, body)
			if resp, got := readResponse(t, r, "POST"); resp.StatusCode != 200 || !strings.HasSuffix(got, "\n\nabc") || !resp.Close {
				t.Errorf("%q: got %d %q, closing %v", head, resp.StatusCode, got, resp.Close)
			}
		}
	}
}
