package seen

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/trust"
	"gatehouse/internal/trust/pkitest"
)

func bundle(t testing.TB, members ...*pkitest.Entity) *trust.Bundle {
	t.Helper()
	b, err := trust.ParseBundle(pkitest.Bundle(members...), pkitest.Now, trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func verdict(t testing.TB, b *trust.Bundle, e *pkitest.Entity) *trust.Verdict {
	t.Helper()
	var peer []*x509.Certificate
	if e != nil {
		peer = append(peer, e.Cert)
	}
	return trust.NewSession(peer).Judge(context.Background(), trust.NewStore(&trust.Snapshot{Bundle: b}), pkitest.Now)
}

func TestWhoWouldBeLockedOut(t *testing.T) {
	keep, drop, add := pkitest.Root(t, "Keep"), pkitest.Root(t, "Drop"), pkitest.Root(t, "Add")
	both, next := bundle(t, keep, drop), bundle(t, keep, add)
	book := New(Options{})
	now := pkitest.Now
	stays, lost, stale := keep.Client(t, "stays"), drop.Client(t, "lost"), drop.Client(t, "not seen lately")
	won := add.Client(t, "won")
	for i := range 3 {
		book.Saw("a", verdict(t, both, stays), now.Add(time.Duration(i)*time.Minute))
	}
	book.Saw("a", verdict(t, both, lost), now)
	book.Saw("a", verdict(t, both, stale), now.Add(-48*time.Hour))
	book.Saw("a", verdict(t, bundle(t, add), won), now)
	book.Saw("b", verdict(t, both, lost), now)
	book.Saw("a", verdict(t, both, pkitest.Self(t, "refused")), now)
	book.Saw("a", verdict(t, both, nil), now)
	book.Saw("a", nil, now)

	clients := book.Clients("a")
	if len(clients) != 4 || clients[0].Subject != "CN=stays" || clients[0].Requests != 3 || clients[0].Issuer != "CN=Keep" ||
		!clients[0].First.Equal(now) || !clients[0].Last.Equal(now.Add(2*time.Minute)) {
		t.Errorf("clients %+v", clients)
	}
	got := book.Compare("a", both, next, now.Add(-24*time.Hour), now)
	if got.Stay != 1 || len(got.Lost) != 1 || got.Lost[0].Subject != "CN=lost" || got.Lost[0].Refusal.Reason != trust.UnknownIssuer ||
		len(got.Won) != 1 || got.Won[0].Subject != "CN=won" || got.Everybody() {
		t.Errorf("change %+v", got)
	}
	if all := book.Compare("a", both, bundle(t, add), now.Add(-24*time.Hour), now); !all.Everybody() {
		t.Errorf("change %+v, want everybody locked out", all)
	}
	if none := book.Compare("c", both, next, time.Time{}, now); none.Everybody() {
		t.Error("nobody was seen, but everybody would be locked out")
	}
}

func TestBounds(t *testing.T) {
	root := pkitest.Root(t, "Root")
	b := bundle(t, root)
	book := New(Options{PerDomain: 20, Total: 30, Retention: time.Hour})
	regular := verdict(t, b, root.Client(t, "regular"))
	for i := range 60 {
		now := pkitest.Now.Add(time.Duration(i) * time.Second)
		book.Saw("a", regular, now)
		book.Saw(fmt.Sprint("d", i%3), verdict(t, b, root.Client(t, fmt.Sprint(i))), now)
		book.Saw("a", verdict(t, b, root.Client(t, fmt.Sprint(i))), now)
	}
	sum := 0
	for _, d := range []string{"a", "d0", "d1", "d2"} {
		n := len(book.Clients(d))
		if n > 20 {
			t.Errorf("domain %s: %d clients, want at most 20", d, n)
		}
		sum += n
	}
	if sum > 30 || sum != book.total {
		t.Errorf("%d clients, counted %d, want at most 30", sum, book.total)
	}
	if c := book.Clients("a"); c[0].Subject != "CN=regular" || c[0].Requests != 60 {
		t.Errorf("the client seen most: %+v", c[0])
	}
	book.Expire(pkitest.Now.Add(time.Hour + 59*time.Second))
	if c := book.Clients("a"); len(c) == 0 || c[0].Subject != "CN=regular" {
		t.Errorf("after the retention time of the others: %+v", c)
	}
	book.Forget("a")
	book.Expire(pkitest.Now.Add(48 * time.Hour))
	if book.total != 0 || len(book.domains) != 0 {
		t.Errorf("%d clients in %d domains left", book.total, len(book.domains))
	}
}

func TestSaveAndLoad(t *testing.T) {
	root := pkitest.Root(t, "Root")
	b := bundle(t, root)
	book := New(Options{})
	for i := range 5 {
		book.Saw("a", verdict(t, b, root.Client(t, fmt.Sprint(i))), pkitest.Now)
	}
	var buf bytes.Buffer
	if err := book.Save(&buf); err != nil {
		t.Fatal(err)
	}
	again := New(Options{})
	for range 2 { // a second time changes nothing
		if err := again.Load(bytes.NewReader(buf.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	x, y := book.Clients("a"), again.Clients("a")
	if len(x) != 5 || fmt.Sprint(strip(x)) != fmt.Sprint(strip(y)) {
		t.Errorf("saved %v, loaded %v", strip(x), strip(y))
	}
	for _, bad := range []string{"x", `{"domain":"a"}`, `{"domain":"a","der":"AA==","requests":-1}`} {
		if err := New(Options{}).Load(strings.NewReader(buf.String() + bad)); err == nil || !strings.Contains(err.Error(), "line 6") {
			t.Errorf("%s: got %v, want an error at line 6", bad, err)
		}
	}
}

func strip(cs []Client) []Client {
	for i := range cs {
		cs[i].cert = nil
	}
	return cs
}

func TestConcurrentUse(t *testing.T) {
	root := pkitest.Root(t, "Root")
	b := bundle(t, root)
	book := New(Options{PerDomain: 8})
	v := verdict(t, b, root.Client(t, "same"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				book.Saw("a", v, pkitest.Now)
			}
		})
	}
	wg.Wait()
	if c := book.Clients("a"); len(c) != 1 || c[0].Requests != 4000 {
		t.Errorf("clients %+v, want one with 4000 requests", c)
	}
}

func BenchmarkSaw(bm *testing.B) {
	root := pkitest.Root(bm, "Root")
	b := bundle(bm, root)
	book := New(Options{})
	v := verdict(bm, b, root.Client(bm, "x"))
	bm.ReportAllocs()
	for bm.Loop() {
		book.Saw("a", v, pkitest.Now)
	}
}
