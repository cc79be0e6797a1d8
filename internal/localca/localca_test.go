package localca

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB) *Authority {
	t.Helper()
	a, err := Open(context.Background(), File(filepath.Join(t.TempDir(), "ca.pem")), start)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestRootIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	var wg sync.WaitGroup
	roots := make([][]byte, 8)
	for i := range roots {
		wg.Go(func() {
			a, err := Open(context.Background(), File(path), start)
			if err != nil {
				t.Error(err)
				return
			}
			roots[i] = a.Certificate().Raw
		})
	}
	wg.Wait()
	for i := range roots {
		if !bytes.Equal(roots[i], roots[0]) {
			t.Fatal("two callers made two roots")
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %#o, want 0600", info.Mode().Perm())
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".local-ca-*")); len(left) > 0 {
		t.Errorf("left %v behind", left)
	}
}

func TestBadRootIsNeverReplaced(t *testing.T) {
	good, err := generate(start)
	if err != nil {
		t.Fatal(err)
	}
	other, err := generate(start)
	if err != nil {
		t.Fatal(err)
	}
	i, j := bytes.Index(good, []byte("-----BEGIN PRIVATE")), bytes.Index(other, []byte("-----BEGIN PRIVATE"))
	for _, c := range []struct {
		name, content string
		mode          fs.FileMode
		now           time.Time
		want          string
	}{
		{"empty", "", 0o600, start, "does not start with a CERTIFICATE"},
		{"no key", string(good[:i]), 0o600, start, "no PRIVATE KEY"},
		{"another key", string(good[:i]) + string(other[j:]), 0o600, start, "does not belong"},
		{"readable by all", string(good), 0o644, start, "want 0600"},
		{"expired", string(good), 0o600, start.Add(RootLifetime + time.Hour), "expired on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Open(context.Background(), File(path), c.now)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if after, _ := os.ReadFile(path); string(after) != c.content {
				t.Error("the file was changed")
			}
		})
	}
}

func TestFileRefusesToOverwrite(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "ca.pem"))
	ctx := context.Background()
	if _, err := f.Load(ctx); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load: got %v, want ErrNotExist", err)
	}
	if err := f.Create(ctx, []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := f.Create(ctx, []byte("b")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Create: got %v, want ErrExist", err)
	}
}

func TestIssue(t *testing.T) {
	a := open(t)
	for _, alg := range []Algorithm{RSA2048, P256, P384, P521} {
		key, err := NewKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		der, err := a.Issue(Request{
			Names: []string{"*.example.com", "example.com", "192.0.2.1"}, Key: key.Public(),
			NotBefore: start, NotAfter: start.AddDate(100, 0, 0),
		})
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(a.Certificate())
		for _, name := range []string{"a.example.com", "example.com", "192.0.2.1"} {
			if _, err := c.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: start.Add(time.Hour)}); err != nil {
				t.Errorf("%s: %v", alg, err)
			}
		}
		if c.NotAfter.After(a.Certificate().NotAfter) {
			t.Errorf("%s: ends %v, after its root", alg, c.NotAfter)
		}
		_, isRSA := key.Public().(*rsa.PublicKey)
		if got := c.KeyUsage&x509.KeyUsageKeyEncipherment != 0; got != isRSA {
			t.Errorf("%s: key encipherment %v", alg, got)
		}
	}
	if _, err := a.Issue(Request{}); err == nil {
		t.Error("no names: got no error")
	}
	if _, err := NewKey("DSA"); err == nil {
		t.Error("unknown algorithm: got no error")
	}
}

func TestServingRenewsAhead(t *testing.T) {
	now := start
	s, err := open(t).Serve([]string{"localhost", "127.0.0.1"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Certificate("localhost")
	if err != nil {
		t.Fatal(err)
	}
	if !first.Leaf.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("addresses %v", first.Leaf.IPAddresses)
	}
	now = start.Add(LeafLifetime/3*2 - time.Minute)
	if same, _ := s.Certificate("other"); same != first {
		t.Error("renewed before its time")
	}
	now = start.Add(LeafLifetime/3*2 + time.Minute)
	next, err := s.Certificate("localhost")
	if err != nil {
		t.Fatal(err)
	}
	if next == first || !s.NotAfter().After(first.Leaf.NotAfter) {
		t.Error("not renewed when two thirds of its life were over")
	}
}
