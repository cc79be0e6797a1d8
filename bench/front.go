package main

import (
	"context"
	"crypto/tls"
	"flag"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/edge"
	"gatehouse/internal/http1"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/http2"
	"gatehouse/internal/message"
	"gatehouse/internal/trust"
)

// front runs a proxy made of the edge, the engines and the upstream client alone.
func front(args []string) error {
	fs := flag.NewFlagSet("front", flag.ExitOnError)
	plain := fs.String("http", "", "address to serve HTTP on")
	secure := fs.String("https", "", "address to serve HTTPS on, HTTP/2 included")
	mutual := fs.String("mtls", "", "address to serve HTTPS with client certificates on")
	backend := fs.String("backend", "", "authority of the backend")
	sink := fs.String("sink", "", "authority of the backend for /sink")
	dir := fs.String("certs", "", "folder with server.pem, server.key and ca.pem")
	gogc := fs.Int("gogc", 400, "garbage collection target, percent")
	pprof := fs.String("pprof", "", "address for net/http/pprof")
	fs.Parse(args)
	debug.SetGCPercent(*gogc)

	target, err := upstream.NewTarget("http", *backend, nil)
	if err != nil {
		return err
	}
	sinkTarget := target
	if *sink != "" {
		if sinkTarget, err = upstream.NewTarget("http", *sink, nil); err != nil {
			return err
		}
	}
	client := new(upstream.Client)
	p := &proxy{client: client, target: target, sink: sinkTarget}
	h1 := &http1.Server{Handler: p}
	h2 := &http2.Server{Handler: p}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go client.Run(ctx)
	if *pprof != "" {
		go http.ListenAndServe(*pprof, nil)
	}
	listeners := map[string]*edge.Listener{*plain: {Kind: message.PlainListener, HTTP1: h1}}
	if *secure != "" {
		if listeners[*secure], err = secureListener(*dir, nil); err != nil {
			return err
		}
		listeners[*secure].HTTP1, listeners[*secure].HTTP2 = h1, h2
	}
	if *mutual != "" {
		snapshot, err := trustSnapshot(*dir, false)
		if err != nil {
			return err
		}
		clients := trust.NewStore(snapshot)
		if listeners[*mutual], err = secureListener(*dir, clients); err != nil {
			return err
		}
		listeners[*mutual].HTTP1 = &http1.Server{Handler: &proxy{client: client, target: target, sink: sinkTarget, clients: clients}}
	}
	delete(listeners, "")                   // not asked for
	with := net.ListenConfig{KeepAlive: -1} // as the server listens
	for addr, l := range listeners {
		ln, err := with.Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		go l.Serve(ctx, ln)
	}
	<-ctx.Done()
	for _, l := range listeners {
		l.Stop()
	}
	return nil
}

// secureListener returns a listener with the certificate of dir, which asks for client
// certificates when it is given those whom to trust.
func secureListener(dir string, clients *trust.Store) (*edge.Listener, error) {
	cert, err := tls.LoadX509KeyPair(dir+"/server.pem", dir+"/server.key")
	if err != nil {
		return nil, err
	}
	tickets, err := edge.NewTickets(nil)
	if err != nil {
		return nil, err
	}
	term := edge.NewTerminator(tickets, func(string) (*tls.Certificate, error) { return &cert, nil })
	if clients != nil {
		term.NoHTTP2 = true
		table, err := edge.NewTable(&edge.Domain{Name: "localhost", Certificate: &cert, Trust: clients})
		if err != nil {
			return nil, err
		}
		term.Publish(table)
	}
	return &edge.Listener{Kind: message.TLSListener, TLS: term}, nil
}

// A proxy passes every request to one backend, or those for /sink to another.
type proxy struct {
	client  *upstream.Client
	target  *upstream.Target
	sink    *upstream.Target // of /sink
	clients *trust.Store     // whom to serve; nil: everybody
	pool    sync.Pool        // of *passage
}

// A passage is what one exchange needs, kept for the next.
type passage struct {
	req  upstream.Request
	resp upstream.Response
	out  message.Header
	addr netip.Addr
	xff  string // text of addr
}

// Serve implements message.Handler.
func (p *proxy) Serve(ctx context.Context, req *message.Request, w message.Writer) {
	if p.clients != nil && !trust.From(req.Conn.Trust).Judge(ctx, p.clients, time.Now()).Trusted() {
		w.WriteHead(http.StatusForbidden, nil, 0)
		return
	}
	x, _ := p.pool.Get().(*passage)
	if x == nil {
		x = new(passage)
	}
	defer p.pool.Put(x)
	x.request(req)
	target := p.target
	if req.Path == "/sink" {
		target = p.sink
	}
	if err := p.client.Do(ctx, target, &x.req, &x.resp); err != nil {
		const text = "Bad Gateway\n"
		w.WriteHead(502, message.Header{{Name: "Content-Type", Value: "text/plain"}}, int64(len(text)))
		io.WriteString(w, text)
		return
	}
	defer x.resp.Close()
	if err := x.answer(w); err != nil {
		w.Abort()
	}
}

func (x *passage) request(req *message.Request) {
	out := x.req.Header[:0]
	for _, f := range req.Header {
		if !strings.EqualFold(f.Name, "X-Forwarded-For") {
			out = append(out, f)
		}
	}
	if addr := req.Conn.Remote.Addr(); addr != x.addr {
		x.addr, x.xff = addr, addr.String()
	}
	out.Add("X-Forwarded-For", x.xff)
	x.req = upstream.Request{
		Method: req.Method, Target: req.Target, Host: req.Host, Header: out,
		Deadline: req.Received.Add(29 * time.Second), Gone: req.Gone,
	}
	if req.ContentLength != 0 {
		x.req.Body, x.req.Length = req.Body, req.ContentLength
	}
}

func (x *passage) answer(w message.Writer) error {
	x.out = x.out[:0]
	for _, f := range x.resp.Header {
		if len(f.Name) == 4 && strings.EqualFold(f.Name, "Date") {
			continue
		}
		x.out = append(x.out, f)
	}
	if err := w.WriteHead(x.resp.Status, x.out, x.resp.Length); err != nil {
		return err
	}
	for {
		b, err := x.resp.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
}
