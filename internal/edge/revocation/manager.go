package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/trust"
)

// Objects reads S3 objects as the service principal of API Gateway.
type Objects interface {
	// Get reads the object at place ("s3://bucket/key", with "?versionId=V" when fixed) on
	// behalf of the domain with the given ARN, which the bucket's policy must allow. etag is
	// that of the copy at hand; when it is still current the answer is ErrNotModified.
	Get(ctx context.Context, domainARN, place, etag string) (Object, error)
}

// An Object is what was read.
type Object struct {
	Data []byte
	ETag string
	// Fresh is how long the object need not be asked for again; 0 when nothing is known.
	Fresh time.Duration
}

// ErrNotModified says that the copy at hand is current.
var ErrNotModified = errors.New("object is not modified")

// Options of a Manager. Zero fields have the default given.
type Options struct {
	Objects Objects // nil: S3 places are errors
	// Dir is the folder of last good copies, made when absent; "" keeps none.
	Dir string
	// Egress is asked before each connection, after names were resolved; nil allows all.
	Egress func(network string, addr netip.AddrPort) error
	// Private lists the networks, otherwise refused, that addresses taken from certificates
	// may lead to: loopback, private, link-local.
	Private []netip.Prefix
	Now     func() time.Time // time.Now
	Logger  *slog.Logger     // slog.Default
	// FetchTimeout bounds one fetch of an object; 30 s. AskTimeout bounds one OCSP question
	// and what a first request waits for distribution points; 3 s.
	FetchTimeout, AskTimeout time.Duration
}

// A Domain is a domain name with revocation on.
type Domain struct {
	Name     string // the key of the domain
	ARN      string // for reading objects
	Store    *trust.Store
	Settings trust.Settings
}

// A Manager keeps the revocation data of all domains.
type Manager struct {
	opts  Options
	http  [2]*fetcher // for configured places, for foreign ones
	ocsp  *responders
	wake  chan struct{}
	work  work
	slots chan struct{} // concurrent fetches

	mu      sync.Mutex
	sources map[sourceKey]*source
	domains map[string]*domain
}

// New makes a Manager. It does nothing before Run.
func New(opts Options) *Manager {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.FetchTimeout == 0 {
		opts.FetchTimeout = 30 * time.Second
	}
	if opts.AskTimeout == 0 {
		opts.AskTimeout = 3 * time.Second
	}
	m := &Manager{
		opts: opts, wake: make(chan struct{}, 1), slots: make(chan struct{}, 8),
		sources: map[sourceKey]*source{}, domains: map[string]*domain{},
	}
	m.http[0], m.http[1] = newFetcher(opts, false), newFetcher(opts, true)
	m.ocsp = newResponders(m)
	return m
}

// Run fetches what is due until ctx ends, then waits for what is under way.
func (m *Manager) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			m.work.end()
			return nil
		case <-timer.C:
		case <-m.wake:
		}
		timer.Reset(m.startDue(ctx))
	}
}

// startDue starts the fetches that are due and returns how long until the next is.
func (m *Manager) startDue(ctx context.Context) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, wait := m.opts.Now(), time.Hour
	for _, s := range m.sources {
		switch {
		case s.running:
		case s.due.After(now):
			wait = min(wait, s.due.Sub(now))
		default:
			s.running, s.again = true, false
			m.work.start(func() { m.fetch(ctx, s) })
		}
	}
	return wait
}

func (m *Manager) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// work counts goroutines, and starts none once it has ended.
type work struct {
	mu    sync.Mutex
	ended bool
	wg    sync.WaitGroup
}

func (w *work) start(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.wg.Go(f)
	}
	return !w.ended
}

func (w *work) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.wg.Wait()
}

// Apply puts a domain, new or changed, under care. Last good copies from disk are in
// force before anything is fetched; then Apply waits until each new source was tried once, or
// ctx ends, which is no error: what was not reached is tried again, and Report says so. It must
// be called again when the domain's trust store was swapped.
func (m *Manager) Apply(ctx context.Context, d Domain) {
	if !d.Settings.On {
		m.Remove(d.Name)
		d.Store.Update(func(old *trust.Snapshot) *trust.Snapshot { return withRevocation(old, nil) })
		return
	}
	m.mu.Lock()
	dom := m.domains[d.Name]
	if dom == nil {
		dom = &domain{m: m, good: map[*source]goodCopy{}, counts: &counts{m: m, domain: d.Name}}
		m.domains[d.Name] = dom
	}
	dom.Domain = d
	fresh := dom.configure()
	dom.rebuild()
	m.mu.Unlock()
	m.poke()
	for _, s := range fresh {
		if !s.waitFirst(ctx) {
			return
		}
	}
}

// Remove forgets a domain. Its store keeps what it has.
func (m *Manager) Remove(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.domains[name]; d != nil {
		delete(m.domains, name)
		d.release(slices.Concat(d.sources, d.points))
	}
}

// Changed tells that an object of Gatehouse's own S3 was written or deleted: sources with
// that key are fetched at once. Without a key, whether they may be read has changed: all S3
// sources are.
func (m *Manager) Changed(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sources {
		_, object, ok := strings.Cut(strings.TrimPrefix(s.key.place, "s3://"), "/")
		if s.key.arn != "" && ok && (key == "" || object == key) {
			s.due, s.again = m.opts.Now(), s.running
		}
	}
	m.poke()
}

// Check reads every S3 place of settings once, as the domain would, and returns what
// cannot be read: for the call that sets the tags, which is then refused.
func (m *Manager) Check(ctx context.Context, domainARN string, s trust.Settings) error {
	var errs []error
	for _, place := range slices.Concat(s.CRLs, []string{s.Deny, s.Allow}) {
		if !strings.HasPrefix(place, "s3://") {
			continue
		}
		if _, err := m.read(ctx, sourceKey{place: place, arn: domainARN}, ""); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", place, err))
		}
	}
	return errors.Join(errs...)
}

// read gets an object from wherever it is.
func (m *Manager) read(ctx context.Context, k sourceKey, etag string) (Object, error) {
	if strings.HasPrefix(k.place, "s3://") {
		if m.opts.Objects == nil {
			return Object{}, errors.New("no object store is configured")
		}
		return m.opts.Objects.Get(ctx, k.arn, k.place, etag)
	}
	if k.foreign {
		return m.http[1].get(ctx, k.place, etag)
	}
	return m.http[0].get(ctx, k.place, etag)
}

// touchAll has every connection judged again: an OCSP answer changed.
func (m *Manager) touchAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.domains {
		d.Store.Touch()
	}
}

// jitter spreads d by a tenth in both directions, so that nodes and sources do not
// fetch in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}
