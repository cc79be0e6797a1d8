package trust

import (
	"context"
	"crypto/x509"
	"math/big"
	"sync"
	"testing"

	"gatehouse/internal/trust/crl"
	"gatehouse/internal/trust/pkitest"
)

func peer(e *pkitest.Entity) []*x509.Certificate { return []*x509.Certificate{e.Cert} }

func TestVerdictFollowsTheStore(t *testing.T) {
	old, next := pkitest.Root(t, "Old"), pkitest.Root(t, "Next")
	store := NewStore(&Snapshot{Bundle: mustBundle(t, old.PEM())})
	s := NewSession(peer(old.Client(t, "client")))
	ctx := context.Background()

	first := s.Judge(ctx, store, pkitest.Now)
	if !first.Trusted() {
		t.Fatalf("by the old store: %v, want trusted", first.Refusal)
	}
	if again := s.Judge(ctx, store, pkitest.Now); again != first {
		t.Error("nothing changed, but the certificate was judged again")
	}
	store.Swap(&Snapshot{Bundle: mustBundle(t, next.PEM())})
	if v := s.Judge(ctx, store, pkitest.Now); v.Trusted() || v.Refusal.Reason != UnknownIssuer {
		t.Errorf("after the swap: got %v, want UnknownIssuer", v.Refusal)
	}
	store.Swap(&Snapshot{Bundle: mustBundle(t, pkitest.Bundle(old, next))})
	if v := s.Judge(ctx, store, pkitest.Now); !v.Trusted() {
		t.Errorf("after rolling back: got %v, want trusted", v.Refusal)
	}
	if v := s.Judge(ctx, store, pkitest.Now.AddDate(3, 0, 0)); v.Trusted() || v.Refusal.Reason != Expired {
		t.Errorf("three years later on the same connection: got %v, want Expired", v.Refusal)
	}
}

func TestVerdictBelongsToOneStore(t *testing.T) {
	a, b := pkitest.Root(t, "A"), pkitest.Root(t, "B")
	storeA, storeB := NewStore(&Snapshot{Bundle: mustBundle(t, a.PEM())}), NewStore(&Snapshot{Bundle: mustBundle(t, b.PEM())})
	s := NewSession(peer(a.Client(t, "client")))
	for range 2 {
		if v := s.Judge(context.Background(), storeA, pkitest.Now); !v.Trusted() {
			t.Errorf("by its own store: %v", v.Refusal)
		}
		if v := s.Judge(context.Background(), storeB, pkitest.Now); v.Trusted() {
			t.Error("trusted by another domain's store")
		}
	}
}

func TestWithoutCertificate(t *testing.T) {
	bundle := mustBundle(t, pkitest.Root(t, "Root").PEM())
	ctx := context.Background()
	for _, c := range []struct {
		name     string
		session  *Session
		snapshot *Snapshot
		want     Reason
	}{
		{"required", NewSession(nil), &Snapshot{Bundle: bundle}, NoCertificate},
		{"optional", NewSession(nil), &Snapshot{Bundle: bundle, Optional: true}, OK},
		{"optional, presented and bad", NewSession(peer(pkitest.Self(t, "x"))), &Snapshot{Bundle: bundle, Optional: true}, SelfSigned},
		{"plain connection", From(nil), &Snapshot{Bundle: bundle}, NoCertificate},
		{"no trust store", NewSession(nil), nil, UnknownIssuer},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := OK
			if r := c.session.Judge(ctx, NewStore(c.snapshot), pkitest.Now).Refusal; r != nil {
				got = r.Reason
			}
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestCandidateDecidesNothing(t *testing.T) {
	now, next := pkitest.Root(t, "Now"), pkitest.Root(t, "Next")
	store := NewStore(&Snapshot{Bundle: mustBundle(t, now.PEM()), Candidate: mustBundle(t, next.PEM())})
	v := NewSession(peer(now.Client(t, "client"))).Judge(context.Background(), store, pkitest.Now)
	if !v.Trusted() || !v.HasCandidate || v.Candidate == nil || v.Candidate.Reason != UnknownIssuer {
		t.Errorf("got refusal %v, candidate %v; want trusted, and UnknownIssuer by the candidate", v.Refusal, v.Candidate)
	}
}

func TestTouchJudgesAgain(t *testing.T) {
	root := pkitest.Root(t, "Root")
	store := NewStore(&Snapshot{Bundle: mustBundle(t, root.PEM())})
	s := NewSession(peer(root.Client(t, "client")))
	first := s.Judge(context.Background(), store, pkitest.Now)
	store.Touch()
	if again := s.Judge(context.Background(), store, pkitest.Now); again == first {
		t.Error("Touch had no effect")
	}
}

func TestSessionsAreSharedByStreams(t *testing.T) {
	root := pkitest.Root(t, "Root")
	store := NewStore(&Snapshot{Bundle: mustBundle(t, root.PEM())})
	s := NewSession(peer(root.Client(t, "client")))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if v := s.Judge(context.Background(), store, pkitest.Now); !v.Trusted() {
					t.Errorf("got %v, want trusted", v.Refusal)
				}
				store.Touch()
			}
		})
	}
	wg.Wait()
}

func BenchmarkJudgeKept(b *testing.B) {
	root := pkitest.Root(b, "Root")
	store := NewStore(&Snapshot{Bundle: mustBundle(b, root.PEM())})
	s := NewSession(peer(root.Client(b, "client")))
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if !s.Judge(ctx, store, pkitest.Now).Trusted() {
			b.Fatal("refused")
		}
	}
}

func BenchmarkVerifyFresh(b *testing.B) {
	root := pkitest.Root(b, "Root")
	mid := root.CA(b, "Mid")
	bundle := mustBundle(b, pkitest.Bundle(root, mid))
	leaf := newNode(mid.Client(b, "client").Cert)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bundle.search(leaf, pkitest.Now); err != nil {
			b.Fatal(err)
		}
	}
}

// A new connection is judged afresh: what a revocation list of 500,000 entries adds to that.
func BenchmarkJudgeFresh(b *testing.B) {
	root := pkitest.Root(b, "Root")
	client := root.Client(b, "c")
	for _, c := range []struct {
		name    string
		entries int
	}{{"without", -1}, {"one entry", 1}, {"500,000 entries", 500_000}} {
		b.Run(c.name, func(b *testing.B) {
			snapshot := &Snapshot{Bundle: mustBundle(b, root.PEM())}
			if c.entries >= 0 {
				serials := make([]*big.Int, c.entries)
				for i := range serials {
					serials[i] = new(big.Int).Add(new(big.Int).Lsh(big.NewInt(int64(i)*7919+1), 64), big.NewInt(int64(i)))
				}
				list, err := crl.Parse(root.CRL(b, 1, pkitest.Entries(1, serials...)))
				if err != nil {
					b.Fatal(err)
				}
				lists, problems := NewCRLs(snapshot.Bundle, []*crl.List{list})
				if len(problems) > 0 {
					b.Fatal(problems)
				}
				snapshot.Revocation = &Revocation{Mode: HardFail, CRLs: lists}
			}
			store := NewStore(snapshot)
			for b.Loop() {
				if v := NewSession([]*x509.Certificate{client.Cert}).Judge(b.Context(), store, pkitest.Now); !v.Trusted() {
					b.Fatal(v.Refusal)
				}
			}
		})
	}
}
