package http1_test

import (
	"strings"
	"testing"

	"gatehouse/internal/http1"
)

// corpus is the table of request smuggling payloads in
// reference/dependencies.md section 3, and what else belongs to its families. want is
// the status; everything but 200 must close the connection and must not reach the
// handler.
var corpus = []struct {
	name string
	raw  string
	want int
}{
	// Refused by all engines that were compared.
	{"space before colon in Content-Length", post("Content-Length : 3", "abc"), 400},
	{"space before colon in Transfer-Encoding", post("Transfer-Encoding : chunked", "0\r\n\r\n"), 400},
	{"vertical tab in Transfer-Encoding", post("Transfer-Encoding:\x0bchunked", "0\r\n\r\n"), 400},
	{"length as a list", post("Content-Length: 3, 3", "abc"), 400},
	{"length with plus", post("Content-Length: +3", "abc"), 400},
	{"length in hexadecimal", post("Content-Length: 0x3", "abc"), 400},
	{"length empty", post("Content-Length: ", "abc"), 400},
	{"length negative", post("Content-Length: -3", "abc"), 400},
	{"length 2^64+3", post("Content-Length: 18446744073709551619", "abc"), 400},
	{"folded first header", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
	{"bare CR in a value", get("X: a\rb"), 400},
	{"NUL in a value", get("X: a\x00b"), 400},
	{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
	{"tab in the request line", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"raw space in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"control character in the target", "GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"lower-case version", "GET / http/1.1\r\nHost: x\r\n\r\n", 400},
	{"HTTP/0.9", "GET /\r\n\r\n", 400},

	// Accepted by all.
	{"plain GET", get(""), 200},
	{"POST with length", post("Content-Length: 3", "abc"), 200},
	{"POST chunked", chunked("3\r\nabc\r\n0\r\n\r\n"), 200},
	{"chunked in mixed case", post("Transfer-Encoding: cHuNkEd", "3\r\nabc\r\n0\r\n\r\n"), 200},
	{"absolute form, other Host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 200},
	{"raw byte 0xFF in the target", "GET /a\xffb HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	{"fragment in the target", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	{"GET with body", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 200},
	{"Connection: Content-Length", post("Connection: Content-Length\r\nContent-Length: 3", "abc"), 200},
	{"Content_Length beside Content-Length", post("Content_Length: 9\r\nContent-Length: 3", "abc"), 200},

	// Where the engines differ.
	{"CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nG"), 400},
	{"TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 6", "0\r\n\r\nG"), 400},
	{"coding xchunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), 400},
	{"codings chunked and identity", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"), 400},
	{"coding gzip, chunked", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 400},
	{"coding chunked, chunked", post("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"), 400},
	{"codings chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400},
	{"coding identity with length", post("Transfer-Encoding: identity\r\nContent-Length: 3", "abc"), 400},
	{"coding empty", post("Transfer-Encoding:", "0\r\n\r\n"), 400},
	{"coding on a folded line", post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"), 400},
	{"coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"length twice, equal", post("Content-Length: 3\r\nContent-Length: 3", "abc"), 400},
	{"length twice, different", post("Content-Length: 3\r\nContent-Length: 4", "abcd"), 400},
	{"length with leading zero", post("Content-Length: 03", "abc"), 400},
	{"folded header", get("X: a\r\n b"), 400},
	{"bare LF after the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400},
	{"bare LF between headers", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400},
	{"bare LF ends the head", "GET / HTTP/1.1\r\nHost: x\r\n\n", 400},
	{"NUL in a name", get("X\x00: a"), 400},
	{"line without colon", get("Xa"), 400},
	{"empty name", get(": a"), 400},
	{"space inside a name", get("X Y: a"), 400},
	{"non-ASCII name", get("X\xe9: a"), 400},
	{"DEL in a value", get("X: a\x7fb"), 400},
	{"Host twice", get("Host: x"), 400},
	{"Host with slash", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400},
	{"Host with at sign", "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", 400},
	{"Host with space", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400},
	{"Host empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
	{"Host with bad port", "GET / HTTP/1.1\r\nHost: x:8a\r\n\r\n", 400},
	{"Host with comma", "GET / HTTP/1.1\r\nHost: x,y\r\n\r\n", 400},
	{"empty line before the request", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"two spaces in the request line", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"space after the version", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400},
	{"target without slash", "GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"target asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"target of authority form", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"target of unknown scheme", "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"target with user information", "GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"target of https on a plain connection", "GET https://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 421},
	{"method G(T", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"method in small letters", "get / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"method of 33 letters", strings.Repeat("A", 33) + " / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"incomplete escape in the path", "GET /%z HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"escaped NUL in the path", "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"incomplete escape in the query", "GET /?%z HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", 400},
	{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
	{"TLS on a plain port", "\x16\x03\x01\x02\x00\x01", 400},
	{"chunk size 0x3", chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400},
	{"chunk size +3", chunked("+3\r\nabc\r\n0\r\n\r\n"), 400},
	{"chunk size 2^64+3", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), 400},
	{"chunk size with leading space", chunked(" 3\r\nabc\r\n0\r\n\r\n"), 400},
	{"chunk size empty", chunked("\r\nabc\r\n0\r\n\r\n"), 400},
	{"chunk size ends in bare LF", chunked("3\nabc\r\n0\r\n\r\n"), 400},
	{"LF inside a chunk extension", chunked("3;a\nb\r\nabc\r\n0\r\n\r\n"), 400},
	{"CR inside a chunk extension", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n"), 400},
	{"chunk data not ended by CRLF", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400},
	{"chunk data ended by LF", chunked("3\r\nabc\n0\r\n\r\n"), 400},
	{"chunk size with trailing space", chunked("3 \r\nabc\r\n0\r\n\r\n"), 400},
	{"chunk extension", chunked("3;a=b;c;d=\"e;\\\"f\"\r\nabc\r\n0;z\r\n\r\n"), 200},
	{"chunk extension without name", chunked("3;\r\nabc\r\n0\r\n\r\n"), 400},
	{"chunk extension with open quote", chunked("3;a=\"b\r\nabc\r\n0\r\n\r\n"), 400},
	{"chunk extension too long", chunked("3;a=" + strings.Repeat("b", 1100) + "\r\nabc\r\n0\r\n\r\n"), 400},
	{"trailer", chunked("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"), 200},
	{"trailer Content-Length", chunked("3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"), 400},
	{"trailer Transfer-Encoding", chunked("3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"trailer Host", chunked("3\r\nabc\r\n0\r\nHost: y\r\n\r\n"), 400},
	{"trailer Authorization", chunked("3\r\nabc\r\n0\r\nAuthorization: y\r\n\r\n"), 400},
	{"trailer without colon", chunked("3\r\nabc\r\n0\r\nX\r\n\r\n"), 400},
	{"trailer folded", chunked("3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n"), 400},
	{"last chunk ended by bare LF", chunked("3\r\nabc\r\n0\n\r\n"), 400},
	{"body ended by bare LF", chunked("3\r\nabc\r\n0\r\n\n"), 400},
	{"Expect: bogus", post("Expect: bogus\r\nContent-Length: 3", "abc"), 417},
	{"Expect: 100-continue, bogus", post("Expect: 100-continue, bogus\r\nContent-Length: 3", "abc"), 417},
	{"Expect twice", post("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 3", "abc"), 417},
	{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 200},
	{"Host of IPv6 with port", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200},
	{"Host of open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},

	{"tab before a length", post("Content-Length:\t3", "abc"), 400},
	{"tab behind a coding", post("Transfer-Encoding: chunked\t", "0\r\n\r\n"), 400},
	{"tab around another value", get("X:\ta\t"), 200},

	// Limits.
	{"target of 10,240 bytes", "GET /" + strings.Repeat("a", 10239) + " HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	{"target of 10,241 bytes", "GET /" + strings.Repeat("a", 10240) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
	{"target without end", "GET /" + strings.Repeat("a", 11000), 414},
	{"header of 10,240 bytes", get("X: " + strings.Repeat("a", 10240-14)), 200},
	{"header of 10,241 bytes", get("X: " + strings.Repeat("a", 10240-13)), 431},
	{"header without end", "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 11000), 431},
	{"too many lines", get(strings.TrimSuffix(strings.Repeat("a:b\r\n", 256), "\r\n")), 431},
	{"body of 10,485,761 bytes", post("Content-Length: 10485761", ""), 413},
}

// get is a GET request with Host and one more header line.
func get(line string) string {
	if line != "" {
		line += "\r\n"
	}
	return "GET / HTTP/1.1\r\nHost: x\r\n" + line + "\r\n"
}

// post is a POST request with Host, more header lines and a body.
func post(lines, body string) string {
	return "POST / HTTP/1.1\r\nHost: x\r\n" + lines + "\r\n\r\n" + body
}

// chunked is a POST request with a chunked body as given.
func chunked(body string) string { return post("Transfer-Encoding: chunked", body) }

func TestCorpus(t *testing.T) {
	addr := start(t, &http1.Server{Handler: echo, Logger: quiet()})
	for _, tt := range corpus {
		t.Run(tt.name, func(t *testing.T) {
			status, body, closed := verdict(t, addr, tt.raw)
			if status != tt.want {
				t.Errorf("status %d (%q), want %d", status, body, tt.want)
			}
			if status != 200 && !closed {
				t.Error("refused, but the connection stayed open")
			}
			switch status {
			case 413:
				wantText(t, body, "HTTP content length exceeded 10485760 bytes.")
			case 414:
				wantText(t, body, "Request URI too long")
			case 431:
				wantText(t, body, "HTTP header is larger than 10240 bytes.")
			}
		})
	}
}

func wantText(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("body %q, want %q", got, want)
	}
}
