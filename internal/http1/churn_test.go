package http1_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"

	"gatehouse/internal/http1"
)

// TestChurn opens and closes many connections, which end in all ways that connections
// end, and checks that nothing of them stays.
func TestChurn(t *testing.T) {
	conns := 3000
	if os.Getenv("GATEHOUSE_TEST_LONG") != "" {
		conns = 100_000
	}
	s := &http1.Server{Handler: echo, Logger: quiet()}
	addr := start(t, s)
	ends := []func(c net.Conn, r *bufio.Reader){
		func(c net.Conn, r *bufio.Reader) {},                                                                      // at once
		func(c net.Conn, r *bufio.Reader) { io.WriteString(c, "GET / HTTP/1.1\r\nHo") },                           // in a head
		func(c net.Conn, r *bufio.Reader) { io.WriteString(c, post("Content-Length: 1000", "abc")) },              // in a body
		func(c net.Conn, r *bufio.Reader) { io.WriteString(c, get("")); http.ReadResponse(r, nil) },               // idle
		func(c net.Conn, r *bufio.Reader) { io.WriteString(c, get("")) },                                          // before the answer
		func(c net.Conn, r *bufio.Reader) { io.WriteString(c, get("")); c.(*net.TCPConn).SetLinger(0) },           // by a reset
		func(c net.Conn, r *bufio.Reader) { io.WriteString(c, "rubbish\r\n\r\n"); io.Copy(io.Discard, r) },        // refused
		func(c net.Conn, r *bufio.Reader) { io.WriteString(c, get("Connection: close")); io.Copy(io.Discard, r) }, // in order
		func(c net.Conn, r *bufio.Reader) {
			io.WriteString(c, get(""))
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, r)
		},
	}
	round := func(n int) {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := w; i < n; i += 8 {
					c, err := net.Dial("tcp", addr)
					if err != nil {
						t.Error(err)
						return
					}
					// No orderly wait at the end: a test of thousands must not fill the table of
					// local ports.
					ends[i%len(ends)](c, bufio.NewReaderSize(c, 512))
					c.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
			})
		}
		wg.Wait()
		for s.Count() > 0 {
			runtime.Gosched()
		}
	}
	memory := func() (heap uint64, goroutines int) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, runtime.NumGoroutine()
	}
	round(conns / 10)
	heap, goroutines := memory()
	round(conns)
	heap2, goroutines2 := memory()
	if heap2 > heap+1<<20 || goroutines2 > goroutines+10 {
		t.Errorf("after %d connections: heap %d KiB, was %d; %d goroutines, were %d", conns, heap2>>10, heap>>10, goroutines2, goroutines)
	}
}
