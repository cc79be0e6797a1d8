package revocation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/address"
	"gatehouse/internal/trust/crl"
)

// ErrBlocked is matched by the error of an address that policy forbids: a mistake in the
// configuration of the domain or its CAs, to be seen, not an outage.
var ErrBlocked = errors.New("address is forbidden by policy")

// A fetcher gets things by HTTP. It never uses a proxy, follows few redirects, and
// checks each address that it connects to.
type fetcher struct {
	client *http.Client
}

const maxRedirects = 3

// newFetcher makes a fetcher for places that were configured, or for foreign ones:
// taken from certificates, they may lead to no loopback or private address unless listed.
func newFetcher(opts Options, foreign bool) *fetcher {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	dialer.Control = func(network, at string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(at)
		if err != nil {
			return fmt.Errorf("%w: %s", ErrBlocked, at)
		}
		addr = netip.AddrPortFrom(addr.Addr().Unmap().WithZone(""), addr.Port())
		if foreign && !address.IsPublic(addr.Addr()) && !contains(opts.Private, addr.Addr()) {
			return fmt.Errorf("%w: %s was named by a certificate and is not public", ErrBlocked, addr)
		}
		if opts.Egress != nil {
			if err := opts.Egress(network, addr); err != nil {
				return fmt.Errorf("%w: %w", ErrBlocked, err)
			}
		}
		return nil
	}
	return &fetcher{&http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableCompression: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 20 * time.Second, MaxResponseHeaderBytes: 32 << 10,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return fmt.Errorf("more than %d redirects", maxRedirects)
			case req.URL.Scheme != "https" && (req.URL.Scheme != "http" || via[0].URL.Scheme == "https"):
				return fmt.Errorf("redirect from %s to %s", via[0].URL.Scheme, req.URL.Scheme)
			}
			return nil
		},
	}}
}

func contains(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// get fetches an object. etag is what an earlier get returned: an entity tag, or the date
// of modification after "date ".
func (f *fetcher) get(ctx context.Context, place, etag string) (Object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return Object{}, err
	}
	if date, ok := strings.CutPrefix(etag, "date "); ok {
		req.Header.Set("If-Modified-Since", date)
	} else if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return Object{}, bare(err)
	}
	defer resp.Body.Close()
	obj := Object{ETag: resp.Header.Get("ETag"), Fresh: freshness(resp.Header)}
	if obj.ETag == "" && resp.Header.Get("Last-Modified") != "" {
		obj.ETag = "date " + resp.Header.Get("Last-Modified")
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		return obj, ErrNotModified
	case resp.StatusCode != http.StatusOK:
		return Object{}, fmt.Errorf("the server answers %s", resp.Status)
	}
	obj.Data, err = readLimited(resp.Body, crl.MaxSize)
	return obj, err
}

// post asks an OCSP responder.
func (f *fetcher) post(ctx context.Context, place string, body []byte, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, place, strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	req.Header.Set("Accept", "application/ocsp-response")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the responder answers %s", resp.Status)
	}
	return readLimited(resp.Body, limit)
}

func readLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("more than %d octets", limit)
	}
	return data, err
}

// bare drops method and address from an error of net/http: whoever reports it knows them.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// freshness reads how long a response need not be asked for again (RFC 9111 section 5.2.2.1).
func freshness(h http.Header) time.Duration {
	for _, line := range h.Values("Cache-Control") {
		for d := range strings.SplitSeq(line, ",") {
			if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(d)), "max-age="); ok {
				if n, err := strconv.Atoi(v); err == nil && n > 0 {
					return min(time.Duration(n), 365*24*3600) * time.Second
				}
			}
		}
	}
	return 0
}
