package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/message"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/pkitest"
)

const idleClientEnv = "EDGE_TEST_IDLE_CLIENT"

func TestMain(m *testing.M) {
	if addr := os.Getenv(idleClientEnv); addr != "" {
		if err := idleClient(addr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// idleClient is the other process of TestManyIdleConnections: it opens connections, says so,
// and holds them until its standard input ends.
func idleClient(addr string) error {
	n, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		return err
	}
	pair, err := io.ReadAll(io.LimitReader(os.NewFile(3, "certificate"), 64<<10))
	if err != nil {
		return err
	}
	cert, err := tls.X509KeyPair(pair, pair)
	if err != nil {
		return err
	}
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: "a.example.com", Certificates: []tls.Certificate{cert}}
	conns := make(chan net.Conn, n)
	errs := make(chan error, n)
	var wg sync.WaitGroup
	next := make(chan struct{}, n)
	for range n {
		next <- struct{}{}
	}
	close(next)
	for range 8 {
		wg.Go(func() {
			for range next {
				c, err := tls.Dial("tcp", addr, cfg)
				if err != nil {
					errs <- err
					return
				}
				conns <- c
			}
		})
	}
	wg.Wait()
	if len(conns) < n {
		return fmt.Errorf("%d of %d connections: %w", len(conns), n, <-errs)
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(conns)
	return err
}

// readingEngine waits for octets with a buffer as small as an idle engine may have.
type readingEngine struct{}

func (readingEngine) ServeConn(_ context.Context, nc net.Conn, _ *message.Conn) error {
	defer nc.Close()
	_, err := nc.Read(make([]byte, 1))
	if err == io.EOF {
		return nil
	}
	return err
}

// TestManyIdleConnections holds 10,000 connections with client certificates; the clients are
// in a process of their own.
func TestManyIdleConnections(t *testing.T) {
	const n = idleConnections
	root := pkitest.Root(t, "Root", pkitest.Real)
	cert := pkitest.Root(t, "CA", pkitest.Real).Server(t, "a.example.com").TLS()
	tickets, err := NewTickets(nil)
	if err != nil {
		t.Fatal(err)
	}
	term := NewTerminator(tickets, nil)
	table, err := NewTable(&Domain{Name: "a.example.com", Certificate: &cert, Trust: trust.NewStore(&trust.Snapshot{Bundle: bundle(t, root)})})
	if err != nil {
		t.Fatal(err)
	}
	term.Publish(table)
	l := &Listener{Kind: message.TLSListener, HTTP1: readingEngine{}, HTTP2: readingEngine{}, TLS: term}
	l.Update(Settings{HandshakeTimeout: time.Minute})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Serve(context.Background(), ln) }()

	before := memory()
	stop := startIdleClient(t, ln.Addr().String(), root.Client(t, "idle", pkitest.Real), n)
	for l.Stats().Open < n {
		time.Sleep(time.Millisecond) // the last handshakes end on our side after the client's
	}
	after := memory()
	t.Logf("%d connections, %d octets each in heap and stacks", n, (after-before)/n)
	if f := l.Stats().Failures; len(f) > 0 {
		t.Errorf("failures %v", f)
	}
	stop()
	l.Stop()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if open := l.Stats().Open; open != 0 {
		t.Errorf("%d connections left", open)
	}
}

func memory() uint64 {
	runtime.GC()
	runtime.GC() // the first frees what finalizers held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// startIdleClient runs idleClient and waits until it holds n connections.
func startIdleClient(t *testing.T, addr string, cert *pkitest.Entity, n int) (stop func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], strconv.Itoa(n))
	cmd.Env = append(os.Environ(), idleClientEnv+"="+addr)
	cmd.Stderr = os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{r}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := w.Write(append(cert.PEM(), cert.KeyPEM(t)...)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		cmd.Wait()
		t.Fatalf("client process: %q, %v", line, err)
	}
	return func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("client process: %v", err)
		}
	}
}
