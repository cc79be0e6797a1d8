// Package seen remembers which client certificates were really used on a domain, to
// answer the question that precedes every change of a trust store: who would be locked out?
//
// The gateway tells a Book of each request that came with a trusted certificate. What is
// kept of a client is its certificate (digest, subject, issuer, end), when it was
// first and last seen, and how many requests it made: no address, no path, nothing of
// any request. Memory is bounded, per domain and altogether, by forgetting who was not seen
// for longest; nobody is remembered beyond the retention time.
//
// A Book may be used concurrently. Saw is meant for the request path.
package seen

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/trust"
	"gatehouse/internal/trust/dn"
)

// Options of a Book. Zero fields have the default given.
type Options struct {
	// PerDomain and Total bound how many clients are remembered: 10,000 and 50,000. A
	// client takes about 2 KB.
	PerDomain, Total int
	// Retention is how long a client that was not seen again is remembered: 30 days.
	Retention time.Duration
}

// A Book remembers clients.
type Book struct {
	opts Options

	mu      sync.RWMutex
	domains map[string]map[[32]byte]*client
	total   int
}

type client struct {
	leaf     []byte // DER
	first    int64  // Unix seconds
	last     atomic.Int64
	requests atomic.Int64
}

// New makes an empty Book.
func New(o Options) *Book {
	o.PerDomain = cmp.Or(o.PerDomain, 10_000)
	o.Total = cmp.Or(o.Total, 50_000)
	o.Retention = cmp.Or(o.Retention, 30*24*time.Hour)
	return &Book{opts: o, domains: map[string]map[[32]byte]*client{}}
}

// Saw counts a request on a domain by the client of a trusted verdict. Others, and
// verdicts without a certificate, are passed over.
func (b *Book) Saw(domain string, v *trust.Verdict, now time.Time) {
	if v == nil || v.Leaf == nil || !v.Trusted() {
		return
	}
	b.mu.RLock()
	c := b.domains[domain][v.SHA256]
	b.mu.RUnlock()
	if c == nil {
		c = b.meet(domain, v, now)
	}
	c.requests.Add(1)
	if at := now.Unix(); c.last.Load() < at {
		c.last.Store(at)
	}
}

// meet adds a client.
func (b *Book) meet(domain string, v *trust.Verdict, now time.Time) *client {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.domains[domain][v.SHA256]; c != nil {
		return c
	}
	c := &client{leaf: v.Leaf.Raw, first: now.Unix()}
	c.last.Store(now.Unix())
	b.insert(domain, v.SHA256, c)
	return c
}

// insert makes room where a bound is reached. mu is held.
func (b *Book) insert(domain string, sum [32]byte, c *client) {
	d := b.domains[domain]
	if d == nil {
		d = map[[32]byte]*client{}
		b.domains[domain] = d
	}
	if len(d) >= b.opts.PerDomain || b.total >= b.opts.Total && len(d) > 0 {
		b.forgetOne(d)
	} else if b.total >= b.opts.Total {
		for _, other := range b.domains { // any domain that has somebody
			if len(other) > 0 {
				b.forgetOne(other)
				break
			}
		}
	}
	d[sum] = c
	b.total++
}

// sample is how many clients are looked at to find one that was not seen for long. Exact
// order would cost the request path more than it is worth.
const sample = 16

func (b *Book) forgetOne(d map[[32]byte]*client) {
	var oldest [32]byte
	at, n := int64(1)<<62, 0
	for sum, c := range d { // map order is random enough
		if last := c.last.Load(); last < at {
			oldest, at = sum, last
		}
		if n++; n == sample {
			break
		}
	}
	delete(d, oldest)
	b.total--
}

// Forget drops a domain.
func (b *Book) Forget(domain string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total -= len(b.domains[domain])
	delete(b.domains, domain)
}

// Expire drops clients that were not seen within the retention time.
func (b *Book) Expire(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := now.Add(-b.opts.Retention).Unix()
	for name, d := range b.domains {
		for sum, c := range d {
			if c.last.Load() < limit {
				delete(d, sum)
				b.total--
			}
		}
		if len(d) == 0 {
			delete(b.domains, name)
		}
	}
}

// A Client is one remembered client.
type Client struct {
	SHA256   string    `json:"sha256"` // hexadecimal
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"notAfter"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Requests int64     `json:"requests"`

	cert *x509.Certificate
}

// Clients returns the clients of a domain, the most active first.
func (b *Book) Clients(domain string) []Client {
	b.mu.RLock()
	var out []Client
	for sum, c := range b.domains[domain] {
		cl := Client{
			SHA256: hex.EncodeToString(sum[:]), First: time.Unix(c.first, 0).UTC(),
			Last: time.Unix(c.last.Load(), 0).UTC(), Requests: c.requests.Load(),
		}
		cert, err := x509.ParseCertificate(c.leaf)
		if err != nil {
			continue // it was parsed when it came; a file may have been tampered with
		}
		cl.cert, cl.NotAfter = cert, cert.NotAfter
		cl.Subject, cl.Issuer = name(cert.RawSubject), name(cert.RawIssuer)
		out = append(out, cl)
	}
	b.mu.RUnlock()
	slices.SortFunc(out, func(x, y Client) int {
		return cmp.Or(cmp.Compare(y.Requests, x.Requests), cmp.Compare(x.SHA256, y.SHA256))
	})
	return out
}

func name(der []byte) string {
	n, err := dn.Parse(der)
	if err != nil {
		return ""
	}
	return n.RFC4514()
}

// A Change is what a new trust store means to the clients of a domain.
type Change struct {
	Stay int      // trusted by both
	Lost []Locked // trusted now, refused then
	Won  []Client // refused now, trusted then
}

// A Locked client would be refused, with the reason.
type Locked struct {
	Client
	Refusal *trust.Refusal
}

// Everybody reports whether every client that is trusted now would be locked out. It is
// false when nobody is trusted now.
func (c Change) Everybody() bool { return c.Stay == 0 && len(c.Lost) > 0 }

// Compare judges the clients of a domain seen since a time by two trust stores.
func (b *Book) Compare(domain string, current, next *trust.Bundle, since, now time.Time) Change {
	var out Change
	for _, c := range b.Clients(domain) {
		if c.Last.Before(since) {
			continue
		}
		_, errNow := current.Verify(c.cert, now)
		_, errThen := next.Verify(c.cert, now)
		switch {
		case errNow == nil && errThen == nil:
			out.Stay++
		case errNow == nil:
			out.Lost = append(out.Lost, Locked{c, errThen.(*trust.Refusal)})
		case errThen == nil:
			out.Won = append(out.Won, c)
		}
	}
	return out
}

// A record is a line of the kept form.
type record struct {
	Domain   string `json:"domain"`
	DER      []byte `json:"der"`
	First    int64  `json:"first"`
	Last     int64  `json:"last"`
	Requests int64  `json:"requests"`
}

// Save writes the book, a JSON object per line.
func (b *Book) Save(w io.Writer) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for domain, d := range b.domains {
		for _, c := range d {
			if err := enc.Encode(record{domain, c.leaf, c.first, c.last.Load(), c.requests.Load()}); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// Load adds what Save wrote. An error names the line; what came before it was added.
func (b *Book) Load(r io.Reader) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 256<<10)
	for number := 1; lines.Scan(); number++ {
		var rec record
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return fmt.Errorf("record of seen clients, line %d: %w", number, err)
		}
		if len(rec.DER) == 0 || rec.Domain == "" || rec.Requests < 0 {
			return fmt.Errorf("record of seen clients, line %d: incomplete", number)
		}
		sum := sha256.Sum256(rec.DER)
		if b.domains[rec.Domain][sum] != nil {
			continue
		}
		c := &client{leaf: rec.DER, first: rec.First}
		c.last.Store(rec.Last)
		c.requests.Store(rec.Requests)
		b.insert(rec.Domain, sum, c)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("record of seen clients: %w", err)
	}
	return nil
}
