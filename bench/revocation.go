package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatehouse/internal/edge"
	"gatehouse/internal/http1"
	"gatehouse/internal/message"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/crl"
)

// The addresses of the two edges that are compared.
const (
	judgePlain   = "127.0.0.1:18131"
	judgeRevoked = "127.0.0.1:18132"
)

// revocation compares the edge with and without revocation: a list of many entries in hard-fail
// mode. Handshakes with one request each, then requests on connections that stay.
func revocation(args []string) error {
	fs := flag.NewFlagSet("revocation", flag.ExitOnError)
	rounds := fs.Int("rounds", 5, "interleaved rounds")
	length := fs.Duration("seconds", 3*time.Second, "length of one measurement")
	entries := fs.Int("entries", 500_000, "entries of the revocation list")
	idle := fs.Int("idle", 2000, "idle connections to measure memory with; 0 skips it")
	fs.Parse(args)
	dir, err := os.MkdirTemp("", "gatehouse-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeCerts(dir); err != nil {
		return err
	}
	if err := writeList(dir, *entries); err != nil {
		return err
	}
	bin, err := os.Executable()
	if err != nil {
		return err
	}
	if err := moveAside(); err != nil {
		return err
	}
	off, err := launch("without", proxyCPU, judgePlain, bin, "judge", "-addr", judgePlain, "-certs", dir)
	if err != nil {
		return err
	}
	defer off.stop()
	on, err := launch("with", proxyCPU, judgeRevoked, bin, "judge", "-addr", judgeRevoked, "-certs", dir, "-revocation")
	if err != nil {
		return err
	}
	defer on.stop()
	printMachine()
	header("without", "with")
	for _, sc := range []scenario{
		{"handshake", "https://" + judgePlain, "https://" + judgeRevoked, handshakes(dir, "localhost", true), "CPU at most 1.05"},
		{"keep-alive", "https://" + judgePlain, "https://" + judgeRevoked, keepAlive(dir, 16), "CPU at most 1.03"},
	} {
		if err := measure(sc, off, on, *rounds, *length); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	if *idle == 0 {
		return nil
	}
	return idleMutual(dir, on, *idle)
}

// idleMutual prints the memory of an idle connection with a client certificate that was judged.
func idleMutual(dir string, p *process, n int) error {
	collected := func() (int64, error) {
		for _, pid := range p.family() {
			syscall.Kill(pid, syscall.SIGUSR1) // the process is ours; memory shows whether it heard
		}
		time.Sleep(3 * time.Second)
		return p.memory()
	}
	before, err := collected()
	if err != nil {
		return err
	}
	cfg, err := clientConfig(dir)
	if err != nil {
		return err
	}
	var conns []*tls.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range n {
		c, err := tls.Dial("tcp", judgeRevoked, cfg)
		if err != nil {
			return err
		}
		conns = append(conns, c)
		if err := ask(c, make([]byte, 4096)); err != nil {
			return err
		}
	}
	after, err := collected()
	fmt.Printf("idle            %.1f KiB per connection (%d connections), target at most 24\n", float64(after-before)/float64(n)/1024, n)
	return err
}

// writeList writes a revocation list that does not name the client.
func writeList(dir string, entries int) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key"))
	if err != nil {
		return err
	}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(24 * time.Hour)}
	for i := range entries {
		serial := make([]byte, 16)
		rand.Read(serial)
		binary.BigEndian.PutUint32(serial, uint32(i)|1<<30)
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: new(big.Int).SetBytes(serial), RevocationTime: list.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "ca.crl"), der, 0o600)
}

// judge runs the edge of Gatehouse and its HTTP/1 engine; each request is judged as the gateway
// does it, and answered from memory.
func judge(args []string) error {
	fs := flag.NewFlagSet("judge", flag.ExitOnError)
	addr := fs.String("addr", "", "address to serve HTTPS with client certificates on")
	dir := fs.String("certs", "", "folder with server.pem, server.key, ca.pem and ca.crl")
	revoke := fs.Bool("revocation", false, "use ca.crl, in hard-fail mode")
	fs.Parse(args)
	debug.SetGCPercent(400)
	cert, err := tls.LoadX509KeyPair(*dir+"/server.pem", *dir+"/server.key")
	if err != nil {
		return err
	}
	snapshot, err := trustSnapshot(*dir, *revoke)
	if err != nil {
		return err
	}
	st := trust.NewStore(snapshot)
	tickets, err := edge.NewTickets(nil)
	if err != nil {
		return err
	}
	term := edge.NewTerminator(tickets, func(string) (*tls.Certificate, error) { return nil, errors.New("no such name") })
	table, err := edge.NewTable(&edge.Domain{Name: "localhost", Certificate: &cert, Trust: st})
	if err != nil {
		return err
	}
	term.Publish(table)
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	l := &edge.Listener{Kind: message.TLSListener, HTTP1: &http1.Server{Handler: bouncer{st}}, TLS: term}
	context.AfterFunc(ctx, l.Stop)
	collect := make(chan os.Signal, 1)
	signal.Notify(collect, syscall.SIGUSR1)
	go func() {
		for range collect {
			// So that memory says what connections hold: stacks that handshakes grew are halved by
			// each collection.
			for range 4 {
				debug.FreeOSMemory()
			}
		}
	}()
	return l.Serve(ctx, ln)
}

func trustSnapshot(dir string, revoke bool) (*trust.Snapshot, error) {
	text, err := os.ReadFile(dir + "/ca.pem")
	if err != nil {
		return nil, err
	}
	s := new(trust.Snapshot)
	if s.Bundle, err = trust.ParseBundle(text, time.Now(), trust.Options{}); err != nil || !revoke {
		return s, err
	}
	der, err := os.ReadFile(dir + "/ca.crl")
	if err != nil {
		return nil, err
	}
	list, err := crl.Parse(der)
	if err != nil {
		return nil, err
	}
	lists, problems := trust.NewCRLs(s.Bundle, []*crl.List{list})
	if len(problems) > 0 {
		return nil, errors.New(problems[0].Reason)
	}
	s.Revocation = &trust.Revocation{Mode: trust.HardFail, CRLs: lists}
	return s, nil
}

// A bouncer lets trusted clients in.
type bouncer struct{ store *trust.Store }

var kilobyte = make([]byte, 1024)

// Serve implements message.Handler.
func (b bouncer) Serve(ctx context.Context, req *message.Request, w message.Writer) {
	status := http.StatusOK
	if v := trust.From(req.Conn.Trust).Judge(ctx, b.store, time.Now()); !v.Trusted() {
		status = http.StatusForbidden
	}
	if w.WriteHead(status, message.Header{{Name: "Content-Type", Value: "text/plain"}}, int64(len(kilobyte))) == nil {
		w.Write(kilobyte)
	}
}

func clientConfig(dir string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	text, perr := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err = errors.Join(err, perr); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	block, _ := pem.Decode(text)
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	pool.AddCert(ca)
	return &tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}, nil
}

// keepAlive sends requests on n connections that stay open.
func keepAlive(dir string, n int) load {
	return func(base string, d time.Duration) (int, error) {
		cfg, err := clientConfig(dir)
		if err != nil {
			return 0, err
		}
		addr := strings.TrimPrefix(base, "https://")
		end := time.Now().Add(d)
		var done atomic.Int64
		var wg sync.WaitGroup
		failures := make(chan error, n)
		for range n {
			wg.Go(func() {
				c, err := tls.Dial("tcp", addr, cfg)
				if err != nil {
					failures <- err
					return
				}
				defer c.Close()
				buf := make([]byte, 4096)
				for time.Now().Before(end) {
					if err := ask(c, buf); err != nil {
						failures <- err
						return
					}
					done.Add(1)
				}
			})
		}
		wg.Wait()
		close(failures)
		return int(done.Load()), <-failures
	}
}

// ask makes one request and reads its answer whole.
func ask(c net.Conn, buf []byte) error {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	for got := 0; ; {
		n, err := c.Read(buf[got:])
		if err != nil {
			return err
		}
		got += n
		head, body, ok := strings.Cut(string(buf[:got]), "\r\n\r\n")
		if ok && len(body) == len(kilobyte) {
			if !strings.HasPrefix(head, "HTTP/1.1 200 ") {
				return fmt.Errorf("unexpected answer %.40q", head)
			}
			return nil
		}
	}
}
