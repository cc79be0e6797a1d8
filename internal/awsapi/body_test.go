package awsapi_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/lambda"
)

// Who will be refused in any case fills no memory first: a large body is not read for a key that
// nobody knows, nor beside many others.
func TestLargeBodiesAreNotReadForNothing(t *testing.T) {
	f := serve(t, lambda.Bind(&lambdaBackend{}))
	// announce sends the head of a request alone and returns what waits for the
	// answer's status, 0 when the connection ends without one.
	announce := func(size int) (net.Conn, func() int) {
		t.Helper()
		c, err := net.Dial("tcp", strings.TrimPrefix(f.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "POST /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n", signed("lambda"), size)
		return c, func() int {
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				return 0
			}
			return res.StatusCode
		}
	}
	f.expect = awserr.New("UnrecognizedClientException", 403, "The security token included in the request is invalid.")
	if _, status := announce(60 << 20); status() != 403 {
		t.Error("an unknown key with a large body is not refused at once")
	}
	if _, status := announce(80 << 20); status() != 413 {
		t.Error("a body that is too large is not refused at once")
	}
	f.expect = nil
	answers := make(chan int, 9)
	var waiting []net.Conn
	for range 9 { // 8 of 60 MiB fit
		c, status := announce(60 << 20)
		waiting = append(waiting, c)
		go func() { answers <- status() }()
	}
	if got := <-answers; got != 503 {
		t.Errorf("nine bodies of 60 MiB together: got %d, want 503 for one", got)
	}
	for _, c := range waiting {
		c.Close()
	}
	for { // until the server has noticed
		res := f.raw(t, "POST", "/2015-03-31/functions", strings.Repeat(" ", 60<<20), "Authorization: "+signed("lambda"))
		if res.StatusCode != 503 {
			break
		}
	}
}
