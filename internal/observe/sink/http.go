package sink

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// A Collector takes log lines as POST requests with a line of JSON each
// (application/x-ndjson).
type Collector struct {
	URL   string
	Token string // sent as bearer token, "" for none
	// Allow judges an address after its name was resolved; nil allows all.
	Allow func(network string, addr netip.AddrPort) error
}

const (
	postTimeout = 10 * time.Second
	attempts    = 5
	firstPause  = 250 * time.Millisecond // doubles with each attempt
)

// HTTP delivers to a collector. A batch that is refused or lost is sent again, a few times
// with growing pauses: a collector may see lines twice.
func HTTP(c Collector, log *slog.Logger) *Sink {
	dialer := net.Dialer{Timeout: postTimeout}
	if c.Allow != nil {
		dialer.Control = func(network, address string, _ syscall.RawConn) error {
			addr, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return c.Allow(network, addr)
		}
	}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: postTimeout}
	client := &http.Client{Transport: transport, Timeout: postTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // a token goes nowhere else
	return newSink(c.URL, log, func(ctx context.Context, batch []byte) error { return c.deliver(ctx, client, batch) }, transport.CloseIdleConnections)
}

func (c *Collector) deliver(ctx context.Context, client *http.Client, batch []byte) (err error) {
	pause := firstPause
	for range attempts {
		var again bool
		if again, err = c.post(ctx, client, batch); err == nil || !again {
			return err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return err
		}
	}
	return err
}

// post sends a batch once; again says that it may succeed another time.
func (c *Collector) post(ctx context.Context, client *http.Client, batch []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(batch))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode/100 == 2 {
		return false, nil
	}
	return resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests, fmt.Errorf("the collector answers %s", resp.Status)
}
