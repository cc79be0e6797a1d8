package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/http1"
)

// A peer is a server that tells in its answers how it understood requests.
type peer struct {
	name string
	addr string
	body bool // tells the body too
}

// understood sends raw, ends the sending side, and returns what the server said to each
// request that it found: status and understanding.
func understood(t *testing.T, p peer, raw string) (answers []string) {
	t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, raw) // a server that refuses may close before all is sent
	c.(*net.TCPConn).CloseWrite()
	r := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return answers
		}
		if resp.StatusCode == 100 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return answers
		}
		text := ""
		if resp.StatusCode == 200 {
			text = " " + string(body)
		}
		answers = append(answers, fmt.Sprint(resp.StatusCode, text))
	}
}

// understanding is what a server in Go tells; nginx is configured to tell the same
// but for the body.
func understanding(method, target, host string, body []byte) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return fmt.Sprintf("%s %s %s|%x", method, target, strings.ToLower(strings.TrimSuffix(host, ".")), body)
}

// mutations are put together to requests: what real messages are made of and what
// attacks are made of.
var mutations = struct{ lines, fields, bodies, bytes []string }{
	lines: []string{
		"GET / HTTP/1.1", "POST /a?b=c HTTP/1.1", "PUT /a%20b HTTP/1.1", "GET http://h2/x HTTP/1.1", "GET / HTTP/1.0", "OPTIONS /x HTTP/1.1",
		"POST / HTTP/1.1", "POST / HTTP/1.1", "get / HTTP/1.1", "GET  / HTTP/1.1", "GET /a b HTTP/1.1", "GET / HTTP/1.2", "GET / HTTP/2.0", "GET /%zz HTTP/1.1", "GET x HTTP/1.1", "GET",
	},
	fields: []string{
		"Host: h", "Host: h", "Host: h", "host: H:80", "Host: ", "Host: a/b", "Host: a..b", "Host:h", "X: y", "X:", "X: \t y \t", "X : y", " X: y", "X", ":y", "X\x00: y", "X: y\x01",
		"Content-Length: 3", "Content-Length: 3", "content-length: 0", "Content-Length: 5", "Content-Length: +3", "Content-Length: 03", "Content-Length: 3,3", "Content-Length: 3 3", "Content-Length:", "Content-Length:\t3", "Host:\th", "Transfer-Encoding: chunked\t",
		"Transfer-Encoding: chunked", "Transfer-Encoding: chunked", "transfer-encoding: CHUNKED", "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding:\x0bchunked", "Transfer-Encoding : chunked", "Transfer_Encoding: chunked",
		"Connection: close", "Connection: keep-alive", "Connection: x, close", "Expect: 100-continue", "Expect: x", "X: a\r\n b", "X: a\n\tb",
	},
	bodies: []string{
		"", "", "abc", "abcde", "3\r\nabc\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n", "3\r\nabc\r\n0\r\n", "3\nabc\n0\n\n", "03\r\nabc\r\n00\r\n\r\n", "+3\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n",
		"0\r\n\r\n", "0\r\nContent-Length: 3\r\n\r\n", "0\r\n\r\nGET /evil HTTP/1.1\r\nHost: h\r\n\r\n", "ffffffffffffffff\r\nabc", "3 \r\nabc\r\n0\r\n\r\n",
	},
	bytes: []string{"\x00", "\r", "\n", "\r\n", " ", "\t", ":", ",", ";", "\x7f", "\x80", "\xff", "0", "a", "%", "#", "\"", "\x0b"},
}

// message makes a connection's input: one to three requests, most of them nearly right,
// some with a byte inserted or lost.
func randomMessage(r *rand.Rand) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	var out strings.Builder
	for range 1 + r.IntN(3) {
		eol := "\r\n"
		if r.IntN(30) == 0 {
			eol = "\n"
		}
		line := mutations.lines[r.IntN(8)]
		if r.IntN(8) == 0 {
			line = pick(mutations.lines)
		}
		m := line + eol
		if r.IntN(10) > 0 {
			m += "Host: h" + eol
		}
		for range r.IntN(3) {
			m += pick(mutations.fields) + eol
		}
		switch r.IntN(4) {
		case 0:
			m += eol + pick(mutations.bodies)
		case 1:
			m += "Content-Length: 3" + eol + eol + "abc"
		case 2:
			m += "Transfer-Encoding: chunked" + eol + eol + pick(mutations.bodies[4:])
		default:
			m += eol
		}
		if r.IntN(4) == 0 {
			at := r.IntN(len(m) + 1)
			m = m[:at] + pick(mutations.bytes) + m[at:]
		} else if r.IntN(12) == 0 {
			at := r.IntN(len(m))
			m = m[:at] + m[at+1:]
		}
		out.WriteString(m)
	}
	return out.String()
}

// TestDifferential gives the same random input to our engine, to net/http and to nginx.
// Up to the point where we refuse, the others must have understood the same requests: we
// may be stricter, never laxer and never different.
func TestDifferential(t *testing.T) {
	ours := peer{"ours", start(t, &http1.Server{Handler: tellingHandler, Logger: quiet()}), true}
	std := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(400)
			return
		}
		target := r.RequestURI
		if _, rest, ok := strings.Cut(target, "://"); ok && target[0] != '/' {
			target = "/" + strings.TrimPrefix(rest[strings.IndexAny(rest+"/", "/?"):], "/")
		}
		text := understanding(r.Method, target, r.Host, body)
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		io.WriteString(w, text)
	}))
	std.Config.ErrorLog = nil
	defer std.Close()
	others := []peer{{"net/http", std.Listener.Addr().String(), true}, {"nginx", startNginx(t), false}}

	const inputs = 1500
	r := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range inputs {
		raw := randomMessage(r)
		us := understood(t, ours, raw)
		for _, p := range others {
			them := understood(t, p, raw)
			for i, a := range us {
				if !strings.HasPrefix(a, "200 ") {
					break // refused: the connection ended here
				}
				accepted++
				if !p.body {
					a, _, _ = strings.Cut(a, "|")
				}
				if i >= len(them) || them[i] != a {
					t.Fatalf("of %q we understood\n%q\n%s understood\n%q", raw, us, p.name, them)
				}
			}
		}
	}
	if accepted < inputs/2 {
		t.Errorf("only %d requests were accepted in %d inputs: the generator is too wild", accepted, inputs)
	}
}

// startNginx runs nginx until the test ends and returns its address.
func startNginx(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatal("nginx is missing; run: make test-deps (Debian: apt-get install nginx-light)")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	dir := t.TempDir()
	conf := strings.NewReplacer("DIR", dir, "ADDR", addr).Replace(`
daemon off; master_process off; pid DIR/pid; error_log DIR/err crit;
events { worker_connections 256; }
http {
  access_log off; large_client_header_buffers 8 32k; merge_slashes off;
  client_body_temp_path DIR/1; proxy_temp_path DIR/2; fastcgi_temp_path DIR/3; uwsgi_temp_path DIR/4; scgi_temp_path DIR/5;
  server { listen ADDR; default_type text/plain; location / { return 200 "$request_method $request_uri $host"; } }
}`)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-e", filepath.Join(dir, "err"), "-c", path, "-p", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	for range 2000 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		time.Sleep(10 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "err"))
	t.Fatalf("nginx does not listen: %s", log)
	return ""
}
