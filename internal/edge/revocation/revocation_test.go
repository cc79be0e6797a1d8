package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	xocsp "golang.org/x/crypto/ocsp"

	"gatehouse/internal/trust"
	"gatehouse/internal/trust/pkitest"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// memoryObjects is an object store of one process.
type memoryObjects struct {
	mu      sync.Mutex
	objects map[string][]byte
	reads   int
}

func (o *memoryObjects) put(place string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.objects == nil {
		o.objects = map[string][]byte{}
	}
	o.objects[place] = data
}

func (o *memoryObjects) Get(_ context.Context, arn, place, etag string) (Object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	data, ok := o.objects[place]
	if !ok {
		return Object{}, errors.New("AccessDenied: s3:GetObject")
	}
	tag := fmt.Sprintf("%s %x", arn, data)
	if tag == etag {
		return Object{}, ErrNotModified
	}
	return Object{Data: data, ETag: tag}, nil
}

// A bench is a Manager that runs, with one domain.
type bench struct {
	t       testing.TB
	m       *Manager
	objects *memoryObjects
	root    *pkitest.Entity
	client  *pkitest.Entity
	store   *trust.Store
	session *trust.Session
}

func newBench(t testing.TB, opts Options, mods ...pkitest.Mod) *bench {
	t.Helper()
	b := &bench{t: t, objects: &memoryObjects{}, root: pkitest.Root(t, "Root", pkitest.Real)}
	b.client = b.root.Client(t, "client", append([]pkitest.Mod{pkitest.Real}, mods...)...)
	opts.Objects = b.objects
	opts.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	b.m = New(opts)
	b.run(b.m)
	b.store = trust.NewStore(&trust.Snapshot{Bundle: b.bundle(b.root)})
	b.session = b.connect(b.client)
	return b
}

func (b *bench) bundle(members ...*pkitest.Entity) *trust.Bundle {
	b.t.Helper()
	bundle, err := trust.ParseBundle(pkitest.Bundle(members...), time.Now(), trust.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	return bundle
}

func (b *bench) connect(client *pkitest.Entity) *trust.Session {
	return trust.NewSession([]*x509.Certificate{client.Cert})
}

func (b *bench) run(m *Manager) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
}

func (b *bench) apply(s trust.Settings) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b.m.Apply(ctx, Domain{Name: "a.example.com", ARN: "arn:a", Store: b.store, Settings: s})
}

// judge is the next request of the open connection.
func (b *bench) judge() trust.Reason { return b.judgeOn(b.session) }

func (b *bench) judgeOn(s *trust.Session) trust.Reason {
	if r := s.Judge(context.Background(), b.store, b.m.opts.Now()).Refusal; r != nil {
		return r.Reason
	}
	return trust.OK
}

func (b *bench) want(what string, want trust.Reason) {
	b.t.Helper()
	if got := b.judge(); got != want {
		b.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// eventually waits for the next request to be judged in a way.
func (b *bench) eventually(what string, want trust.Reason) {
	b.t.Helper()
	var got trust.Reason
	for range 2000 {
		if got = b.judge(); got == want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	b.t.Errorf("%s: still %v, want %v", what, got, want)
}

func (b *bench) source(place string) SourceReport {
	b.t.Helper()
	for _, r := range b.m.Reports() {
		for _, s := range r.Sources {
			if s.Place == place {
				return s
			}
		}
	}
	b.t.Fatalf("no source %s in %+v", place, b.m.Reports())
	return SourceReport{}
}

func settings(mode trust.Mode, crls ...string) trust.Settings {
	s := trust.DefaultSettings()
	s.Mode, s.CRLs, s.OCSP, s.Points = mode, crls, "", false
	return s
}

func (b *bench) revoking() pkitest.CRLMod { return pkitest.Entries(1, b.client.Cert.SerialNumber) }

func TestObjectActsOnOpenConnections(t *testing.T) {
	b := newBench(t, Options{})
	const place = "s3://bucket/ca.crl"
	b.objects.put(place, pkitest.CRLPEM(b.root.CRL(t, 1, pkitest.RealList)))
	b.apply(settings(trust.HardFail, place))
	b.want("a list without the client", trust.OK)

	b.objects.put(place, b.root.CRL(t, 2, pkitest.RealList, b.revoking()))
	b.m.Changed("ca.crl")
	b.eventually("a list with the client", trust.Revoked)

	for what, data := range map[string][]byte{
		"emptied":        {},
		"damaged":        []byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
		"HTML":           []byte("<html>"),
		"older":          b.root.CRL(t, 1, pkitest.RealList, pkitest.Between(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))),
		"wrongly signed": pkitest.Root(t, "Root", pkitest.Real).CRL(t, 9, pkitest.RealList),
		"of a stranger":  pkitest.Root(t, "Stranger", pkitest.Real).CRL(t, 9, pkitest.RealList),
	} {
		reads := b.source(place)
		b.objects.put(place, data)
		b.m.Changed("ca.crl")
		for range 2000 {
			now := b.source(place)
			if now.Failures > reads.Failures || !now.Read.Equal(reads.Read) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		b.want(what, trust.Revoked)
		if s := b.source(place); s.Error == "" && len(b.m.Reports()[0].Problems) == 0 {
			t.Errorf("%s: nothing is reported: %+v", what, b.m.Reports())
		} else if len(s.Lists) != 1 || s.Lists[0].Number != "2" {
			t.Errorf("%s: lists in use %+v, want number 2", what, s.Lists)
		}
	}

	b.objects.put(place, b.root.CRL(t, 3, pkitest.RealList))
	b.m.Changed("ca.crl")
	b.eventually("a newer list without the client", trust.OK)
	if r := b.m.Reports()[0]; len(r.Problems) != 0 || r.Mode != "hard-fail" {
		t.Errorf("report %+v, want no problems", r)
	}

	b.apply(trust.Settings{})
	b.want("switched off", trust.OK)
	if b.store.Load().Revocation != nil || len(b.m.Reports()) != 0 {
		t.Error("switched off, but still there")
	}
}

func TestTrustStoreSwapKeepsRevocation(t *testing.T) {
	b := newBench(t, Options{})
	const place = "s3://bucket/ca.crl"
	b.objects.put(place, b.root.CRL(t, 2, pkitest.RealList, b.revoking()))
	b.apply(settings(trust.SoftFail, place))
	b.want("before", trust.Revoked)
	b.store.Update(func(old *trust.Snapshot) *trust.Snapshot {
		n := *old
		n.Bundle = b.bundle(b.root, pkitest.Root(t, "Another", pkitest.Real))
		return &n
	})
	b.want("after the swap", trust.Revoked)
	b.apply(settings(trust.SoftFail, place))
	b.want("after it was applied", trust.Revoked)
}

// web is an HTTP server whose answers can be changed.
type web struct {
	*httptest.Server
	mu       sync.Mutex
	answer   http.HandlerFunc
	requests atomic.Int64
	notMod   atomic.Int64
}

func newWeb(t testing.TB, answer http.HandlerFunc) *web {
	w := &web{answer: answer}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		w.mu.Lock()
		f := w.answer
		w.mu.Unlock()
		f(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *web) set(f http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

func serveBytes(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tag := fmt.Sprintf(`"%d"`, len(data))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write(data)
	}
}

func TestRestartIsNotBlind(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, Options{Dir: dir})
	list := b.root.CRL(t, 1, pkitest.RealList, b.revoking())
	srv := newWeb(t, serveBytes(list))
	place := srv.URL + "/ca.crl"
	b.apply(settings(trust.SoftFail, place))
	b.want("first start", trust.Revoked)

	restart := func() {
		b.m = New(b.m.opts)
		b.store = trust.NewStore(&trust.Snapshot{Bundle: b.bundle(b.root)})
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // nothing is waited for, and nothing runs: only the copy can speak
		b.m.Apply(ctx, Domain{Name: "a.example.com", ARN: "arn:a", Store: b.store, Settings: settings(trust.SoftFail, place)})
	}
	eventuallyFile(t, dir)
	restart()
	b.want("from the copy alone", trust.Revoked)
	if s := b.source(place); !s.FromDisk || s.Entries != 1 {
		t.Errorf("source %+v, want it from disk", s)
	}
	srv.set(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == "" {
			t.Error("the copy's entity tag was not sent")
		}
		srv.notMod.Add(1)
		serveBytes(list)(w, r)
	})
	b.run(b.m)
	for i := 0; srv.notMod.Load() == 0 || b.source(place).FromDisk; i++ {
		if i == 2000 {
			t.Fatal("the copy was not confirmed")
		}
		time.Sleep(time.Millisecond)
	}
	b.want("confirmed", trust.Revoked)

	files, _ := filepath.Glob(filepath.Join(dir, "*.copy"))
	for _, damage := range []string{"", "{}", "{}\nrubbish"} {
		if err := os.WriteFile(files[0], []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		restart()
		b.want("damaged copy, soft-fail", trust.OK)
	}
}

func eventuallyFile(t *testing.T, dir string) {
	t.Helper()
	for range 2000 {
		if files, _ := filepath.Glob(filepath.Join(dir, "*.copy")); len(files) == 1 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("no copy was kept")
}

func TestListsFailClosed(t *testing.T) {
	b := newBench(t, Options{})
	hard, soft := settings(trust.HardFail), settings(trust.SoftFail)
	hard.AcceptUncovered = true
	hard.Deny, soft.Deny = "s3://b/deny", "s3://b/deny"
	b.apply(soft)
	b.want("deny-list that cannot be read, soft-fail", trust.OK)
	b.apply(hard)
	b.want("deny-list that cannot be read, hard-fail", trust.RevocationUnknown)
	b.objects.put("s3://b/deny", []byte("# nobody\n"))
	b.m.Changed("deny")
	b.eventually("deny-list of nobody", trust.OK)
	b.objects.put("s3://b/deny", fmt.Appendf(nil, "serial %x issuer CN=Root\n", b.client.Cert.SerialNumber))
	b.m.Changed("deny")
	b.eventually("on the deny-list", trust.Denied)

	hard.Deny, hard.Allow = "", "s3://b/allow"
	b.apply(hard)
	b.want("allow-list that cannot be read", trust.NotAllowed)
	b.objects.put("s3://b/allow", fmt.Appendf(nil, "serial %x issuer CN=Root\n", b.client.Cert.SerialNumber))
	b.m.Changed("allow")
	b.eventually("on the allow-list", trust.OK)
}

func TestCheckNamesWhatCannotBeRead(t *testing.T) {
	b := newBench(t, Options{})
	b.objects.put("s3://b/good", []byte("x"))
	s := settings(trust.HardFail, "s3://b/good", "s3://b/missing", "https://192.0.2.1/never-asked")
	s.Deny = "s3://b/deny"
	err := b.m.Check(context.Background(), "arn:a", s)
	if err == nil || !strings.Contains(err.Error(), "s3://b/missing: AccessDenied") || !strings.Contains(err.Error(), "s3://b/deny") || strings.Contains(err.Error(), "good") {
		t.Errorf("got %v", err)
	}
}

func points(urls ...string) pkitest.Mod {
	return func(c *x509.Certificate) { c.CRLDistributionPoints = urls }
}

func TestDistributionPointsActOnTheFirstRequest(t *testing.T) {
	srv := newWeb(t, nil)
	for _, c := range []struct {
		name    string
		private []netip.Prefix
		revoke  bool
		want    trust.Reason
	}{
		{"good", loopback, false, trust.OK},
		{"revoked", loopback, true, trust.Revoked},
		{"private address", nil, false, trust.RevocationUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, Options{Private: c.private}, points("ldap://x", srv.URL+"/a.crl"))
			var mods = []pkitest.CRLMod{pkitest.RealList}
			if c.revoke {
				mods = append(mods, b.revoking())
			}
			srv.set(serveBytes(b.root.CRL(t, 1, mods...)))
			s := settings(trust.HardFail)
			s.Points = true
			b.apply(s)
			b.want("first request", c.want)
			if c.want == trust.RevocationUnknown {
				if r := b.source(srv.URL + "/a.crl"); !strings.Contains(r.Error, "not public") || !r.Foreign {
					t.Errorf("source %+v, want the address refused", r)
				}
			}
			asked := srv.requests.Load()
			b.judgeOn(b.connect(b.client))
			if now := srv.requests.Load(); now != asked {
				t.Errorf("a second connection fetched anew: %d requests, %d before", now, asked)
			}
		})
	}
}

func TestEgressPolicyIsAsked(t *testing.T) {
	srv := newWeb(t, serveBytes(nil))
	var asked atomic.Int64
	b := newBench(t, Options{Egress: func(_ string, addr netip.AddrPort) error {
		asked.Add(1)
		return fmt.Errorf("%s is ours", addr)
	}})
	b.apply(settings(trust.SoftFail, srv.URL))
	if s := b.source(srv.URL); !strings.Contains(s.Error, "is ours") || !strings.Contains(s.Error, ErrBlocked.Error()) {
		t.Errorf("source %+v, want it blocked", s)
	}
	if asked.Load() == 0 || srv.requests.Load() != 0 {
		t.Errorf("policy asked %d times, server reached %d times", asked.Load(), srv.requests.Load())
	}
}

func TestRedirects(t *testing.T) {
	target := newWeb(t, serveBytes(nil))
	srv := newWeb(t, nil)
	f := newFetcher(Options{Private: loopback}, true)
	for name, to := range map[string]string{"file": "file:///etc/passwd", "private address": "http://10.0.0.1/x", "loop": srv.URL} {
		srv.set(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
		if obj, err := f.get(context.Background(), srv.URL, ""); err == nil {
			t.Errorf("%s: got %q, want an error", name, obj.Data)
		}
	}
	srv.set(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, http.StatusFound) })
	if _, err := f.get(context.Background(), srv.URL, ""); err != nil || target.requests.Load() != 1 {
		t.Errorf("to an allowed address: %v", err)
	}
}

// ocspAnswer answers with a status about the bench's client.
func (b *bench) ocspAnswer(status int, change func(*xocsp.Response)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.t.Error(err)
		}
		req, err := xocsp.ParseRequest(body)
		if err != nil {
			b.t.Error(err)
			return
		}
		tmpl := xocsp.Response{Status: status, SerialNumber: req.SerialNumber, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour), RevokedAt: time.Now()}
		if change != nil {
			change(&tmpl)
		}
		der, err := xocsp.CreateResponse(b.root.Cert, b.root.Cert, tmpl, b.root.Key)
		if err != nil {
			b.t.Error(err)
		}
		w.Write(der)
	}
}

func TestOCSP(t *testing.T) {
	srv := newWeb(t, nil)
	aia := func(c *x509.Certificate) { c.OCSPServer = []string{srv.URL} }
	for _, c := range []struct {
		name       string
		answer     func(*bench) http.HandlerFunc
		soft, hard trust.Reason
	}{
		{"good", func(b *bench) http.HandlerFunc { return b.ocspAnswer(xocsp.Good, nil) }, trust.OK, trust.OK},
		{"revoked", func(b *bench) http.HandlerFunc { return b.ocspAnswer(xocsp.Revoked, nil) }, trust.Revoked, trust.Revoked},
		{"unknown", func(b *bench) http.HandlerFunc { return b.ocspAnswer(xocsp.Unknown, nil) }, trust.OK, trust.RevocationUnknown},
		{"about another serial", func(b *bench) http.HandlerFunc {
			return b.ocspAnswer(xocsp.Good, func(r *xocsp.Response) { r.SerialNumber = big.NewInt(7) })
		}, trust.OK, trust.RevocationUnknown},
		{"stale", func(b *bench) http.HandlerFunc {
			return b.ocspAnswer(xocsp.Good, func(r *xocsp.Response) { r.NextUpdate = time.Now().Add(-time.Second) })
		}, trust.OK, trust.RevocationUnknown},
		{"tryLater", func(*bench) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.Write(xocsp.TryLaterErrorResponse) }
		}, trust.OK, trust.RevocationUnknown},
		{"500", func(*bench) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
		}, trust.OK, trust.RevocationUnknown},
		{"endless", func(*bench) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) }
		}, trust.OK, trust.RevocationUnknown},
		{"silent", func(*bench) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body) // the server then notices that the client is gone
				<-r.Context().Done()
			}
		}, trust.OK, trust.RevocationUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			for mode, want := range map[trust.Mode]trust.Reason{trust.SoftFail: c.soft, trust.HardFail: c.hard} {
				b := newBench(t, Options{Private: loopback, AskTimeout: 200 * time.Millisecond}, aia)
				srv.set(c.answer(b))
				s := settings(mode)
				s.OCSP = "aia"
				b.apply(s)
				before := srv.requests.Load()
				b.want("first request", want)
				b.judgeOn(b.connect(b.client))
				if n := srv.requests.Load() - before; n != 1 {
					t.Errorf("%d questions for two connections, want 1", n)
				}
			}
		})
	}
}

func TestOCSPSingleFlight(t *testing.T) {
	release := make(chan struct{})
	srv := newWeb(t, nil)
	b := newBench(t, Options{})
	answer := b.ocspAnswer(xocsp.Good, nil)
	srv.set(func(w http.ResponseWriter, r *http.Request) { <-release; answer(w, r) })
	s := settings(trust.HardFail)
	s.OCSP, s.Nonce = srv.URL, true
	b.apply(s)
	var wg sync.WaitGroup
	var started sync.WaitGroup
	for range 50 {
		started.Add(1)
		wg.Go(func() {
			started.Done()
			if got := b.judgeOn(b.connect(b.client)); got != trust.OK {
				t.Errorf("got %v", got)
			}
		})
	}
	started.Wait()
	close(release)
	wg.Wait()
	if n := srv.requests.Load(); n != 1 {
		t.Errorf("%d questions, want 1", n)
	}
}

// TestOCSPRefreshReachesOpenConnections: the answer is renewed ahead of its end, and a
// certificate that was revoked since is refused on its open connection.
func TestOCSPRefreshReachesOpenConnections(t *testing.T) {
	var clock atomic.Int64 // added to the real time
	now := func() time.Time { return time.Now().Add(time.Duration(clock.Load())) }
	srv := newWeb(t, nil)
	b := newBench(t, Options{Now: now})
	srv.set(b.ocspAnswer(xocsp.Good, nil))
	s := settings(trust.HardFail)
	s.OCSP = srv.URL
	b.apply(s)
	judge := func(s *trust.Session) *trust.Refusal { return s.Judge(context.Background(), b.store, now()).Refusal }
	if r := judge(b.session); r != nil {
		t.Fatal(r)
	}
	clock.Store(int64(55 * time.Minute)) // of an hour: within the last fifth
	srv.set(b.ocspAnswer(xocsp.Revoked, nil))
	judge(b.connect(b.client)) // another connection's question finds out
	for range 2000 {
		if r := judge(b.session); r != nil {
			if r.Reason != trust.Revoked {
				t.Errorf("got %v, want Revoked", r)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the open connection is still served")
}

func TestOCSPFailureTakesNothingBack(t *testing.T) {
	var clock atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(clock.Load())) }
	srv := newWeb(t, nil)
	b := newBench(t, Options{Now: now})
	srv.set(b.ocspAnswer(xocsp.Good, nil))
	s := settings(trust.HardFail)
	s.OCSP = srv.URL
	b.apply(s)
	b.want("good", trust.OK)
	clock.Store(int64(55 * time.Minute))
	srv.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	b.judgeOn(b.connect(b.client))
	for i := 0; srv.requests.Load() < 2; i++ {
		if i == 2000 {
			t.Fatal("the answer was not renewed ahead of its end")
		}
		time.Sleep(time.Millisecond)
	}
	for range 20 {
		b.want("the responder is down, the answer still good", trust.OK)
	}
}

func TestDelay(t *testing.T) {
	now := time.Now()
	b := newBench(t, Options{})
	lists := func(this, next time.Duration) []byte {
		return b.root.CRL(t, 1, pkitest.Between(now.Add(this), now.Add(next)))
	}
	for _, c := range []struct {
		name     string
		source   source
		data     []byte
		fresh    time.Duration
		min, max time.Duration
	}{
		{"no hint", source{}, nil, 0, 54 * time.Minute, 66 * time.Minute},
		{"domain's interval", source{users: map[string]time.Duration{"a": 10 * time.Minute}}, nil, 0, 9 * time.Minute, 11 * time.Minute},
		{"HTTP freshness", source{}, nil, 20 * time.Minute, 18 * time.Minute, 22 * time.Minute},
		{"freshness below the floor", source{}, nil, time.Second, 270 * time.Second, 330 * time.Second},
		{"object floor", source{key: sourceKey{arn: "a"}}, nil, time.Second, 54 * time.Second, 66 * time.Second},
		{"list ends soon", source{}, lists(-9*time.Hour, time.Hour), 0, 54 * time.Second, 66 * time.Second},
		{"list ends in an hour", source{}, lists(-time.Minute, 31*time.Minute), 0, 24 * time.Minute, 33 * time.Minute},
		{"first failure", source{failures: 1}, nil, 0, 4 * time.Second, 6 * time.Second},
		{"fifth failure", source{failures: 5}, nil, 0, 72 * time.Second, 88 * time.Second},
		{"many failures", source{failures: 500}, nil, 0, 13 * time.Minute, 17 * time.Minute},
	} {
		if c.data != nil {
			var err error
			if c.source.lists, _, err = c.source.parse(c.data); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			if d := c.source.delay(now, c.fresh); d < c.min || d > c.max {
				t.Errorf("%s: %v, want %v to %v", c.name, d, c.min, c.max)
			}
		}
	}
}

func TestFreshness(t *testing.T) {
	for v, want := range map[string]time.Duration{
		"max-age=60": time.Minute, "public, Max-Age=60 , x": time.Minute, "no-cache": 0, "max-age=x": 0, "max-age=-1": 0,
		"max-age=99999999999": 365 * 24 * time.Hour,
	} {
		if got := freshness(http.Header{"Cache-Control": {v}}); got != want {
			t.Errorf("%q: got %v, want %v", v, got, want)
		}
	}
}

func TestVerdictsAreCounted(t *testing.T) {
	b := newBench(t, Options{})
	const place = "s3://bucket/ca.crl"
	b.apply(settings(trust.SoftFail, place))
	b.judge() // nothing is there
	b.objects.put(place, b.root.CRL(t, 1, pkitest.Between(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))))
	b.m.Changed("ca.crl")
	for i := 0; b.source(place).Entries == 0 && len(b.source(place).Lists) == 0; i++ {
		if i == 2000 {
			t.Fatal("the list was not read")
		}
		time.Sleep(time.Millisecond)
	}
	b.judge() // stale
	b.objects.put(place, b.root.CRL(t, 2, pkitest.RealList, b.revoking()))
	b.m.Changed("ca.crl")
	b.eventually("revoked", trust.Revoked)
	got := b.m.Reports()[0].Counts
	if got.Unknown < 2 || got.SoftFailed != got.Unknown || got.Stale < 1 || got.Revoked != 1 || got.Good != 0 || got.Denied != 0 {
		t.Errorf("counts %+v", got)
	}
}
