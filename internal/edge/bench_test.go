package edge

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"gatehouse/internal/message"
	"gatehouse/internal/trust/pkitest"
)

// BenchmarkHandshake opens and closes connections, both ends in one process.
func BenchmarkHandshake(b *testing.B) {
	cert := pkitest.Root(b, "CA", pkitest.Real).Server(b, "a.example.com").TLS()
	tickets, err := NewTickets(nil)
	if err != nil {
		b.Fatal(err)
	}
	term := NewTerminator(tickets, nil)
	table, err := NewTable(&Domain{Name: "a.example.com", Certificate: &cert})
	if err != nil {
		b.Fatal(err)
	}
	term.Publish(table)
	l := &Listener{Kind: message.TLSListener, HTTP1: readingEngine{}, HTTP2: readingEngine{}, TLS: term}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Serve(context.Background(), ln) }()
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: "a.example.com", CurvePreferences: []tls.CurveID{tls.CurveP256}, SessionTicketsDisabled: true}
	b.ReportAllocs()
	for b.Loop() {
		c, err := tls.Dial("tcp", ln.Addr().String(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
	l.Stop()
	if err := <-done; err != nil {
		b.Error(err)
	}
}
