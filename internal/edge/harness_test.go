package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/message"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/pkitest"
)

// A netEngine is an Engine made of net/http, for both protocols. Its handler answers as
// the gateway does: who may not reach the host, and who is not trusted, is refused. It
// adds the reason, which the gateway never does.
type netEngine struct {
	srv   *http.Server
	feed  chan net.Conn
	quit  chan struct{}
	once  sync.Once
	table func() *Table
	now   func() time.Time
	info  sync.Map // net.Conn to *message.Conn
	ended sync.Map // net.Conn to chan struct{}
}

func newNetEngine(t testing.TB, table func() *Table) *netEngine {
	e := &netEngine{feed: make(chan net.Conn), quit: make(chan struct{}), table: table, now: time.Now}
	e.srv = &http.Server{
		Handler: http.HandlerFunc(e.answer),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			info, _ := e.info.Load(c)
			return context.WithValue(ctx, connKey{}, info)
		},
		ConnState: func(c net.Conn, s http.ConnState) {
			if s == http.StateClosed || s == http.StateHijacked {
				if ch, ok := e.ended.LoadAndDelete(c); ok {
					close(ch.(chan struct{}))
				}
			}
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.srv.Serve(e); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("engine: %v", err)
		}
	}()
	t.Cleanup(func() { e.srv.Close(); <-done })
	return e
}

type connKey struct{}

func (e *netEngine) Accept() (net.Conn, error) {
	select {
	case c := <-e.feed:
		return c, nil
	case <-e.quit:
		return nil, net.ErrClosed
	}
}

func (e *netEngine) Close() error {
	e.once.Do(func() { close(e.quit) })
	return nil
}

func (e *netEngine) Addr() net.Addr { return &net.TCPAddr{} }

func (e *netEngine) ServeConn(_ context.Context, nc net.Conn, info *message.Conn) error {
	ended := make(chan struct{})
	e.info.Store(nc, info)
	e.ended.Store(nc, ended)
	defer e.info.Delete(nc)
	select {
	case e.feed <- nc:
		<-ended
	case <-e.quit:
		nc.Close()
	}
	return nil
}

func (e *netEngine) answer(w http.ResponseWriter, r *http.Request) {
	info := r.Context().Value(connKey{}).(*message.Conn)
	w.Header().Set("Remote", info.Remote.String())
	access := func(d *Domain) trust.Access {
		if d == nil {
			return trust.Access{}
		}
		return trust.Access{MutualTLS: d.Trust != nil}
	}
	table := e.table()
	forHost := table.Lookup(trust.NormalHost(r.Host))
	switch trust.MayReach(info.ServerName, r.Host, access(table.Lookup(info.ServerName)), access(forHost), info.TLS != nil, r.ProtoMajor == 2) {
	case trust.Forbidden:
		http.Error(w, "other domain", http.StatusForbidden)
		return
	case trust.Misdirected:
		http.Error(w, "misdirected", http.StatusMisdirectedRequest)
		return
	}
	if forHost != nil && forHost.Trust != nil {
		if v := trust.From(info.Trust).Judge(r.Context(), forHost.Trust, e.now()); !v.Trusted() {
			http.Error(w, v.Refusal.Reason.String(), http.StatusForbidden)
			return
		}
	}
	fmt.Fprintf(w, "ok resumed=%v", info.TLS != nil && info.TLS.DidResume)
}

// A site is a running HTTPS listener with its PKI.
type site struct {
	t        testing.TB
	listener *Listener
	term     *Terminator
	addr     string
	serverCA *pkitest.Entity
	cert     tls.Certificate // for all names that tests use
	pool     *x509.CertPool
}

func newSite(t testing.TB, tune func(*Listener)) *site {
	t.Helper()
	tickets, err := NewTickets(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, serverCA: pkitest.Root(t, "Server CA", pkitest.Real), pool: x509.NewCertPool()}
	s.pool.AddCert(s.serverCA.Cert)
	s.cert = s.serverCA.Server(t, "a.example.com", "*.example.com", "*.wild.example.com", "other.test").TLS()
	s.term = NewTerminator(tickets, func(string) (*tls.Certificate, error) { return &s.cert, nil })
	s.publish()
	engine := newNetEngine(t, s.term.Table)
	s.listener = &Listener{Kind: message.TLSListener, HTTP1: engine, HTTP2: engine, TLS: s.term}
	if tune != nil {
		tune(s.listener)
	}
	s.addr = serve(t, s.listener, engine)
	return s
}

// serve runs l on a loopback socket until the test ends.
func serve(t testing.TB, l *Listener, engine *netEngine) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, ln) }()
	t.Cleanup(func() {
		l.Stop()
		engine.srv.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

func (s *site) publish(domains ...*Domain) {
	s.t.Helper()
	table, err := NewTable(domains...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.term.Publish(table)
}

// mutual makes a domain with mutual TLS and a trust store of the given members.
func (s *site) mutual(name string, members ...*pkitest.Entity) *Domain {
	return &Domain{Name: name, Certificate: &s.cert, Trust: trust.NewStore(&trust.Snapshot{Bundle: bundle(s.t, members...)})}
}

func (s *site) open(name string) *Domain { return &Domain{Name: name, Certificate: &s.cert} }

func bundle(t testing.TB, members ...*pkitest.Entity) *trust.Bundle {
	t.Helper()
	b, err := trust.ParseBundle(pkitest.Bundle(members...), time.Now(), trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A client is an HTTP client of one server name that dials the site.
type client struct {
	http   *http.Client
	tr     *http.Transport
	tls    *tls.Config
	addr   string
	reused bool // the last request went by a connection that had served one before
}

type clientOptions struct {
	sni     string
	version uint16
	http1   bool
	cert    *pkitest.Entity
	chain   []*pkitest.Entity
	cache   tls.ClientSessionCache
}

func (s *site) client(o clientOptions) *client {
	cfg := &tls.Config{RootCAs: s.pool, ServerName: o.sni, MinVersion: o.version, MaxVersion: o.version, ClientSessionCache: o.cache}
	if net.ParseIP(o.sni) != nil || o.sni == "" {
		cfg.InsecureSkipVerify = true
	}
	if o.cert != nil {
		crt := o.cert.TLS(o.chain...)
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &crt, nil }
	}
	cfg.NextProtos = []string{"h2", "http/1.1"}
	if o.http1 {
		cfg.NextProtos = cfg.NextProtos[1:]
	}
	return s.dialer(cfg)
}

// dialer makes a client of a TLS configuration.
func (s *site) dialer(cfg *tls.Config) *client {
	c := &client{tls: cfg, addr: s.addr}
	c.tr = &http.Transport{ForceAttemptHTTP2: true}
	// net/http would put the Host into the SNI; here the two are chosen apart.
	c.tr.DialTLSContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", s.addr)
	}
	c.http = &http.Client{Transport: c.tr, Timeout: 20 * time.Second}
	s.t.Cleanup(c.tr.CloseIdleConnections)
	return c
}

// anew returns a client of the same certificate and session cache without connections.
func (s *site) anew(c *client) *client { return s.dialer(c.tls) }

// get returns "200 text", or "alert: ..." when the connection ended in the handshake.
func (c *client) get(t testing.TB, host string) string {
	t.Helper()
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { c.reused = i.Reused }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "GET", "https://"+host+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if i := strings.Index(err.Error(), "remote error: tls: "); i >= 0 {
			return "alert: " + err.Error()[i+len("remote error: tls: "):]
		}
		// The HTTP/2 client may report that its connection is gone in words of its own: ask
		// again without HTTP.
		if conn, derr := tls.Dial("tcp", c.addr, c.tls); derr == nil {
			defer conn.Close()
			_, derr = conn.Read(make([]byte, 1))
			if i := strings.Index(derr.Error(), "remote error: tls: "); i >= 0 {
				return "alert: " + derr.Error()[i+len("remote error: tls: "):]
			}
		}
		return "error: " + err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(body)))
}
