package userpool

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Options say where issuers are and how they are reached. They are not modified by New.
type Options struct {
	// Issuers are those that the operator mapped, by the ARN of the pool; others are
	// Cognito's own.
	Issuers map[string]Issuer

	// Dir keeps keys for a start without the network; "" keeps none.
	Dir string

	// Keep is how long keys serve after they were read for the last time; 0 means 24 hours.
	Keep time.Duration

	// Egress judges each address that is connected to; nil allows all.
	Egress func(network string, addr netip.AddrPort) error

	// AllowFetch are private networks that issuers may live in which the operator did not
	// name; nil means none.
	AllowFetch func() []netip.Prefix

	TLS    *tls.Config // of connections to issuers; nil trusts the system's authorities
	Logger *slog.Logger
	Now    func() time.Time // nil means time.Now
}

// DefaultKeep is how long keys serve that cannot be renewed.
const DefaultKeep = 24 * time.Hour

// A Verifier verifies the tokens of user pools.
type Verifier struct {
	options      Options
	own, foreign *http.Client
	due          chan *source
	verified     verified

	mu      sync.RWMutex
	sources map[string]*source // by ARN; nil for one that is no pool's
}

// New makes a Verifier. Keys are renewed while Run runs.
func New(o Options) *Verifier {
	if o.Keep == 0 {
		o.Keep = DefaultKeep
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Verifier{options: o, own: o.newClient(false), foreign: o.newClient(true), due: make(chan *source, 16), sources: map[string]*source{}}
}

func (v *Verifier) now() time.Time {
	if v.options.Now != nil {
		return v.options.Now()
	}
	return time.Now()
}

// source returns the keys of a pool, nil when the ARN is no pool's.
func (v *Verifier) source(arn string) *source {
	v.mu.RLock()
	s, known := v.sources[arn]
	v.mu.RUnlock()
	if known {
		return s
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, known = v.sources[arn]; known {
		return s
	}
	issuer, mapped := v.options.Issuers[arn]
	if mapped {
		issuer.Own = true
	} else if cognito, err := IssuerOf(arn); err == nil {
		issuer = cognito
	} else {
		v.sources[arn] = nil
		return nil
	}
	s = &source{v: v, issuer: issuer}
	s.load()
	v.sources[arn] = s
	return s
}

// Verify judges a token, which must be one of the pools'. It may wait for an issuer, at most
// a few seconds. Errors are an *Error.
func (v *Verifier) Verify(ctx context.Context, pools []string, token string) (*Token, error) {
	token = bare(token)
	if len(token) > maxToken {
		return nil, invalid("not a signed token in compact form", nil)
	}
	digest := sha256.Sum256([]byte(token))
	if t, ok := v.remembered(digest, pools); ok {
		return t, nil
	}
	s, set, t, err := v.verify(ctx, pools, token)
	if err != nil {
		return nil, err
	}
	v.verified.put(digest, verifiedToken{s, set, t, t.end})
	return t, nil
}

// remembered returns a token that was verified before, as long as nothing has changed for it:
// the pool is one of those that are asked for, its keys are the same and may be used, and the
// token has not ended.
func (v *Verifier) remembered(digest [sha256.Size]byte, pools []string) (*Token, bool) {
	t, ok := v.verified.get(digest)
	now := v.now()
	if !ok || !now.Before(t.end) || t.source.keys.Load() != t.set || !t.set.usable(now, v.options.Keep) {
		return nil, false
	}
	if !slices.ContainsFunc(pools, func(arn string) bool { return v.source(arn) == t.source }) {
		return nil, false
	}
	if !t.set.fresh(now) {
		v.renew(t.source)
	}
	return t.token, true
}

// verify judges a token by its signature and claims, and says whose keys it was.
func (v *Verifier) verify(ctx context.Context, pools []string, token string) (*source, *keySet, *Token, error) {
	name, err := issuerOf(token)
	if err != nil {
		return nil, nil, nil, err
	}
	var s *source
	for _, arn := range pools {
		if at := v.source(arn); at != nil && at.issuer.Name == name {
			s = at
			break
		}
	}
	if s == nil {
		return nil, nil, nil, invalid("the token is of another issuer", nil)
	}
	algorithms := s.issuer.algorithms()
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, nil, nil, invalid("the token cannot be read", err)
	}
	header := signed.Signatures[0].Protected
	alg := jose.SignatureAlgorithm(header.Algorithm)
	if !slices.Contains(algorithms, alg) {
		return nil, nil, nil, invalid("the token is signed with "+header.Algorithm, nil)
	}
	set, keys, err := s.find(ctx, header.KeyID, alg)
	if err != nil {
		return nil, nil, nil, &Error{Unavailable, "the keys of " + name + " cannot be read", err}
	}
	for _, k := range keys {
		if payload, err := signed.Verify(k.Key); err == nil {
			t, err := s.issuer.judge(header, payload, v.now())
			return s, set, t, err
		}
	}
	if len(keys) == 0 {
		return nil, nil, nil, invalid("the token names a key that its issuer does not have", nil)
	}
	return nil, nil, nil, invalid("the token's signature is wrong", nil)
}

// bare takes the scheme off: both "Bearer TOKEN" and TOKEN are accepted (authorizers, section
// 2).
func bare(token string) string {
	const scheme = "Bearer "
	if len(token) > len(scheme) && strings.EqualFold(token[:len(scheme)], scheme) {
		return strings.TrimLeft(token[len(scheme):], " ")
	}
	return token
}

// renew has a source's keys fetched in the background, when there is somebody to do it.
func (v *Verifier) renew(s *source) {
	select {
	case v.due <- s:
	default: // asked again with the next token
	}
}

// Run renews keys that are not fresh any more until ctx ends; it returns nil.
func (v *Verifier) Run(ctx context.Context) error {
	defer v.own.CloseIdleConnections()
	defer v.foreign.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-v.due:
			if !s.keys.Load().fresh(v.now()) {
				s.refresh(ctx, unknownKeyPause) // its failure is logged, and tried again
			}
		}
	}
}

// A Report says what is known of an issuer's keys.
type Report struct {
	Issuer  string
	Keys    int
	Fetched time.Time // zero: never
	Until   time.Time // tokens are refused from here on, unless the keys are read again
	Err     error     // of the last attempt
}

// Reports lists the issuers that tokens were asked about, by name.
func (v *Verifier) Reports() []Report {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var out []Report
	for _, s := range v.sources {
		if s == nil {
			continue
		}
		s.mu.Lock()
		r := Report{Issuer: s.issuer.Name, Err: s.err}
		s.mu.Unlock()
		if set := s.keys.Load(); set != nil {
			r.Keys, r.Fetched, r.Until = len(set.keys), set.fetched, set.fetched.Add(v.options.Keep)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Report) int { return strings.Compare(a.Issuer, b.Issuer) })
	return out
}
