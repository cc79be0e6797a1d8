package compile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/backendtls"
)

// A Compiler keeps the plan in step with the store. Its fields are set before Run.
type Compiler struct {
	Store  *store.Store
	Suffix string       // what follows the region in default endpoints
	Logger *slog.Logger // nil discards

	// Limits gives stages their limiters and knows API keys and usage plans.
	Limits Limits

	// Firewall compiles the web ACLs of stages.
	Firewall Firewall

	// BackendRoots are the authorities that HTTPS backends are held to; nil means the system's.
	BackendRoots *backendtls.Roots

	// Balancers says where load balancers behind VPC links are, as "host:port" by ARN.
	Balancers map[string]string

	// Services says where AWS integrations lead.
	Services Services

	// Publish is called with each new plan, from one goroutine. When it returns, requests
	// are served with the plan.
	Publish func(*plan.Plan)

	// Now returns the time; nil means time.Now.
	Now func() time.Time

	mu       sync.Mutex
	current  *plan.Plan
	problems map[unit]Problem
	guards   map[unit][]store.Key // what the web ACLs of stages are made of
	advanced chan struct{}        // closed when the plan's revision grows

	trusts map[string]*trust.Store // by domain name; used by the compiling goroutine alone
}

// A Problem is a unit that does not compile. Its last good version, if any, goes on serving.
type Problem struct {
	Unit  string // "stage abc123/prod (us-east-1)"
	Since time.Time
	Err   error
}

// A unit is what is compiled and replaced as a whole.
type unit struct {
	kind                     unitKind
	account, region, api, id string
}

type unitKind uint8

const (
	stageUnit unitKind = iota
	domainUnit
	keyUnit  // an API key
	planUnit // a usage plan
)

func (u unit) String() string {
	switch u.kind {
	case domainUnit:
		return fmt.Sprintf("domain name %s (%s)", u.id, u.region)
	case keyUnit:
		return fmt.Sprintf("API key %s (%s)", u.id, u.region)
	case planUnit:
		return fmt.Sprintf("usage plan %s (%s)", u.id, u.region)
	}
	return fmt.Sprintf("stage %s/%s (%s)", u.api, u.id, u.region)
}

func (u unit) scope() store.Scope { return store.Scope{Account: u.account, Region: u.region} }

// Run compiles everything, then follows the store until ctx ends. It returns nil then, and an
// error when the store cannot be read at the start.
func (c *Compiler) Run(ctx context.Context) error {
	for {
		revision, err := c.rebuild(ctx)
		if err != nil {
			return err
		}
		err = c.follow(ctx, revision)
		if !errors.Is(err, store.ErrRelist) {
			return err
		}
		// A restore, or a log that was cut while this node slept: nothing is wrong, and the plan serves on.
		c.log().Info("everything may have changed since the plan was made; compiling it anew", "revision", revision)
	}
}

// Once compiles everything once, publishes the plan and returns the units that do not
// compile.
func (c *Compiler) Once(ctx context.Context) ([]Problem, error) {
	if _, err := c.rebuild(ctx); err != nil {
		return nil, err
	}
	return c.Problems(), nil
}

// follow publishes a plan for each commit after revision.
func (c *Compiler) follow(ctx context.Context, revision int64) error {
	for commit, err := range c.Store.Watch(ctx, revision) {
		if err != nil {
			return err
		}
		units, err := c.touched(ctx, commit)
		if err == nil {
			err = c.apply(ctx, units, commit.Revision)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			// The store went away between the log and the documents: the plan stands still
			// and everything is compiled when the store is back.
			c.log().Error("a change could not be compiled", "revision", commit.Revision, "error", err)
			return store.ErrRelist
		}
	}
	return nil
}

// Ready is closed when a first plan was published.
func (c *Compiler) Ready(ctx context.Context) error { return c.Wait(ctx, 0) }

// Wait returns when the plan holds all changes up to revision, or with ctx's error.
func (c *Compiler) Wait(ctx context.Context, revision int64) error {
	for {
		c.mu.Lock()
		if c.advanced == nil {
			c.advanced = make(chan struct{})
		}
		done, next := c.current != nil && c.current.Revision >= revision, c.advanced
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Problems lists the units that do not compile, by name.
func (c *Compiler) Problems() []Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Problem, 0, len(c.problems))
	for _, p := range c.problems {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Problem) int { return strings.Compare(a.Unit, b.Unit) })
	return out
}

// rebuild compiles every unit into a new plan.
func (c *Compiler) rebuild(ctx context.Context) (revision int64, err error) {
	var units []unit
	err = c.Store.View(ctx, func(tx *store.Tx) error {
		revision = tx.Revision()
		units, err = allUnits(tx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("compile: %w", err)
	}
	c.mu.Lock()
	c.problems, c.guards = map[unit]Problem{}, nil
	c.mu.Unlock()
	if c.trusts == nil {
		c.trusts = map[string]*trust.Store{}
	}
	return revision, c.build(ctx, nil, units, revision)
}

// apply compiles units over the current plan.
func (c *Compiler) apply(ctx context.Context, units []unit, revision int64) error {
	c.mu.Lock()
	base := c.current
	c.mu.Unlock()
	return c.build(ctx, base, units, revision)
}

// build compiles units over base and publishes the result.
func (c *Compiler) build(ctx context.Context, base *plan.Plan, units []unit, revision int64) error {
	b := plan.NewBuilder(base, c.Suffix)
	err := c.Store.View(ctx, func(tx *store.Tx) error {
		for _, u := range units {
			err := c.compile(tx, b, u)
			if err != nil && (ctx.Err() != nil || !isCompileError(err)) {
				return err
			}
			c.note(u, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	p := b.Build(revision)
	c.Publish(p)
	c.mu.Lock()
	c.current = p
	if c.advanced != nil {
		close(c.advanced)
	}
	c.advanced = make(chan struct{})
	c.mu.Unlock()
	return nil
}

// compile replaces one unit in b, or takes it out when its document is gone.
func (c *Compiler) compile(tx *store.Tx, b *plan.Builder, u unit) error {
	switch u.kind {
	case domainUnit:
		return c.compileDomain(tx, b, u)
	case keyUnit:
		return c.compileKey(tx, u)
	case planUnit:
		return c.compilePlan(tx, u)
	}
	return c.compileStage(tx, b, u)
}

// note records the outcome for a unit.
func (c *Compiler) note(u unit, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.problems, u)
		return
	}
	since := c.now()
	if before, ok := c.problems[u]; ok {
		since = before.Since
	}
	c.problems[u] = Problem{Unit: u.String(), Since: since, Err: err}
	c.log().Error("a unit does not compile; its last good version serves on", "unit", u.String(), "error", err)
}

func (c *Compiler) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Compiler) log() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// A compileError is a fault of what was configured, not of reading it.
type compileError struct{ err error }

func (e compileError) Error() string { return e.err.Error() }
func (e compileError) Unwrap() error { return e.err }

func isCompileError(err error) bool {
	var e compileError
	return errors.As(err, &e)
}

// allUnits lists every unit of the store.
func allUnits(tx *store.Tx) ([]unit, error) {
	var units []unit
	for _, kind := range []model.Kind{model.KindUsagePlan, model.KindAPIKey, model.KindStage, model.KindDomainName} {
		for doc, err := range tx.All(kind) {
			if err != nil {
				return nil, err
			}
			if u, ok := unitOf(doc.Key); ok {
				units = append(units, u)
			}
		}
	}
	return units, nil
}

// unitOf returns the unit that a document belongs to.
func unitOf(k store.Key) (unit, bool) {
	switch k.Kind {
	case model.KindStage:
		return unit{stageUnit, k.Account, k.Region, k.Parent, k.ID}, true
	case model.KindDomainName:
		return unit{domainUnit, k.Account, k.Region, "", k.ID}, true
	case model.KindAPIKey:
		return unit{keyUnit, k.Account, k.Region, "", k.ID}, true
	case model.KindUsagePlanKey:
		return unit{keyUnit, k.Account, k.Region, "", k.ID}, true
	case model.KindUsagePlan:
		return unit{planUnit, k.Account, k.Region, "", k.ID}, true
	case model.KindAccessAssociation:
		name, _, ok := associated(k.ID)
		return unit{domainUnit, k.Account, k.Region, "", name}, ok
	case model.KindBasePathMapping, model.KindRoutingRule, model.KindTrustStore, model.KindTagDocument:
		return unit{domainUnit, k.Account, k.Region, "", k.Parent}, true
	}
	return unit{}, false
}

// touched finds the units that a commit changes, each once.
func (c *Compiler) touched(ctx context.Context, commit store.Commit) ([]unit, error) {
	var units []unit
	seen := map[unit]bool{}
	add := func(u unit) {
		if !seen[u] {
			seen[u] = true
			units = append(units, u)
		}
	}
	var certificates, firewalls, backends []store.Key
	for _, change := range commit.Changes {
		if u, ok := unitOf(change.Key); ok {
			add(u)
		}
		if change.Key.Kind == model.KindCertificate {
			certificates = append(certificates, change.Key)
		}
		if slices.Contains(backendKinds, change.Key.Kind) {
			backends = append(backends, change.Key)
		}
		if slices.Contains(firewallKinds, change.Key.Kind) {
			firewalls = append(firewalls, change.Key)
		}
	}
	for _, u := range c.usersOf(backends) {
		add(u)
	}
	for _, u := range c.guardedBy(firewalls) {
		add(u)
	}
	if len(certificates) == 0 {
		return units, nil
	}
	err := c.Store.View(ctx, func(tx *store.Tx) error {
		for d, err := range domains.All(tx) {
			if err != nil {
				return err
			}
			if slices.ContainsFunc(certificates, func(k store.Key) bool { return usesCertificate(d, k) }) {
				u, _ := unitOf(d.Key)
				add(u)
			}
		}
		return nil
	})
	return units, err
}
