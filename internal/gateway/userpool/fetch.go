package userpool

import (
	"context"
	"encoding/json"
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
)

// How long keys are fresh: as the issuer says, within bounds.
const (
	minFresh     = 5 * time.Minute
	maxFresh     = 24 * time.Hour
	defaultFresh = time.Hour
)

// maxDiscovery bounds an issuer's configuration document, in bytes.
const maxDiscovery = 256 << 10

// fetch reads an issuer's keys.
func (v *Verifier) fetch(ctx context.Context, issuer *Issuer) (*keySet, []byte, error) {
	place, own := issuer.KeySet, issuer.Own
	if place == "" {
		var err error
		if place, err = v.discover(ctx, issuer); err != nil {
			return nil, nil, err
		}
		own = own && sameHost(place, issuer.Name) // what the issuer names is its word, not the operator's
	}
	raw, header, err := v.get(ctx, place, own, maxKeySet)
	if err != nil {
		return nil, nil, err
	}
	keys, err := parseKeys(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", place, err)
	}
	return &keySet{keys: keys, fetched: v.now(), maxAge: freshness(header.Get("Cache-Control"))}, raw, nil
}

// discover asks the issuer where its keys are.
func (v *Verifier) discover(ctx context.Context, issuer *Issuer) (string, error) {
	at := strings.TrimSuffix(issuer.Name, "/") + "/.well-known/openid-configuration"
	raw, _, err := v.get(ctx, at, issuer.Own, maxDiscovery)
	if err != nil {
		return "", err
	}
	var d struct {
		Issuer string `json:"issuer"`
		KeySet string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return "", fmt.Errorf("%s: %w", at, err)
	}
	if d.Issuer != issuer.Name { // OpenID Connect Discovery 1.0, section 4.3
		return "", fmt.Errorf("%s: found the issuer %q, want %q", at, d.Issuer, issuer.Name)
	}
	u, err := url.Parse(d.KeySet)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && strings.HasPrefix(issuer.Name, "http://")) {
		return "", fmt.Errorf("%s: jwks_uri: found %q, want a URL that starts with https://", at, d.KeySet)
	}
	return d.KeySet, nil
}

func sameHost(a, b string) bool {
	x, errA := url.Parse(a)
	y, errB := url.Parse(b)
	return errA == nil && errB == nil && x.Host == y.Host
}

// get reads a document of at most limit bytes. Redirects are not followed.
func (v *Verifier) get(ctx context.Context, place string, own bool, limit int64) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "application/json")
	client := v.foreign
	if own {
		client = v.own
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s: found status %d, want 200", place, resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", place, err)
	}
	if int64(len(raw)) > limit {
		return nil, nil, fmt.Errorf("%s: found more than %d bytes", place, limit)
	}
	return raw, resp.Header, nil
}

// newClient returns a client whose connections egress allows; strict refuses private and
// loopback addresses that are not listed.
func (o *Options) newClient(strict bool) *http.Client {
	dialer := &net.Dialer{Timeout: fetchTimeout, Control: func(network, at string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(at)
		if err != nil {
			return err
		}
		if o.Egress != nil {
			if err := o.Egress(network, addr); err != nil {
				return err
			}
		}
		ip := addr.Addr().Unmap()
		if !strict || address.IsPublic(ip) {
			return nil
		}
		if o.AllowFetch != nil {
			for _, n := range o.AllowFetch() {
				if n.Contains(ip) {
					return nil
				}
			}
		}
		return fmt.Errorf("address %s is not public and not listed in egress.allow-fetch", ip)
	}}
	t := &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: fetchTimeout, ResponseHeaderTimeout: fetchTimeout,
		MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	if o.TLS != nil {
		t.TLSClientConfig = o.TLS.Clone()
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("redirects are not followed")
	}}
}

// freshness reads max-age of Cache-Control (RFC 9111, section 5.2.2.1), within our bounds.
func freshness(cacheControl string) time.Duration {
	for part := range strings.SplitSeq(cacheControl, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		if n, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil {
			return min(max(time.Duration(min(n, 1<<30))*time.Second, minFresh), maxFresh)
		}
	}
	return defaultFresh
}
