package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
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

	"gatehouse/internal/http1"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/http2"
	"gatehouse/internal/message"
)

// front runs a proxy made of the engines and the upstream client alone.
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
	for _, l := range []struct {
		addr         string
		tls, clients bool
	}{{*plain, false, false}, {*secure, true, false}, {*mutual, true, true}} {
		if l.addr == "" {
			continue
		}
		ln, err := net.Listen("tcp", l.addr)
		if err != nil {
			return err
		}
		var cfg *tls.Config
		if l.tls {
			if cfg, err = tlsConfig(*dir, l.clients); err != nil {
				return err
			}
		}
		go accept(ctx, ln, cfg, h1, h2)
	}
	<-ctx.Done()
	return nil
}

func tlsConfig(dir string, clients bool) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(dir+"/server.pem", dir+"/server.key")
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{
		Certificates:                []tls.Certificate{cert},
		NextProtos:                  []string{"h2", "http/1.1"},
		MinVersion:                  tls.VersionTLS12,
		DynamicRecordSizingDisabled: true,
	}
	if clients {
		pem, err := os.ReadFile(dir + "/ca.pem")
		if err != nil {
			return nil, err
		}
		cfg.ClientCAs = x509.NewCertPool()
		cfg.ClientCAs.AppendCertsFromPEM(pem)
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}

// accept is the least that an edge does: handshake, look at ALPN, hand over.
func accept(ctx context.Context, ln net.Listener, cfg *tls.Config, h1 *http1.Server, h2 *http2.Server) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "accept:", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go func() {
			info := &message.Conn{Remote: nc.RemoteAddr().(*net.TCPAddr).AddrPort(), Local: nc.LocalAddr().(*net.TCPAddr).AddrPort()}
			if cfg == nil {
				h1.ServeConn(ctx, nc, info)
				return
			}
			tc := tls.Server(nc, cfg)
			hctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			err := tc.HandshakeContext(hctx)
			cancel()
			if err != nil {
				nc.Close()
				return
			}
			state := tc.ConnectionState()
			info.TLS, info.ServerName = &state, state.ServerName
			if state.NegotiatedProtocol == "h2" {
				h2.ServeConn(ctx, tc, info)
			} else {
				h1.ServeConn(ctx, tc, info)
			}
		}()
	}
}

// A proxy passes every request to one backend, or those for /sink to another.
type proxy struct {
	client *upstream.Client
	target *upstream.Target
	sink   *upstream.Target // of /sink
	pool   sync.Pool        // of *passage
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
