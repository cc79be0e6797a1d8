package server

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/control/objects"
	"gatehouse/internal/edge/revocation"
	"gatehouse/internal/plan"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/crl"
)

const (
	// servicePrincipal is who reads objects that are followed.
	servicePrincipal = "apigateway.amazonaws.com"
	// revocationFolder is where last good copies are kept, in the data folder.
	revocationFolder = "revocation"
	// applyLimit bounds what a new plan waits for sources that were never read.
	applyLimit = 2 * time.Second
)

// revocations keeps the domains of the plan and their revocation data in step.
type revocations struct {
	s       *Server
	manager *revocation.Manager

	mu      sync.Mutex
	domains map[string]*plan.Domain // by name, those with mutual TLS

	unusable sync.Map // domain name → error: settings that could not be put in force
}

func newRevocations(s *Server) *revocations {
	r := &revocations{s: s, domains: map[string]*plan.Domain{}}
	r.manager = revocation.New(revocation.Options{
		Objects: r, Dir: filepath.Join(s.config.Data, revocationFolder), Egress: s.egress(), Logger: s.log,
		Private: s.config.Networks(s.config.Egress.AllowFetch),
	})
	return r
}

// Get implements revocation.Objects.
func (r *revocations) Get(ctx context.Context, domainARN, place, etag string) (revocation.Object, error) {
	uri, version, _ := strings.Cut(place, "?versionId=")
	l, ok := objects.ParseURI(uri)
	if !ok {
		return revocation.Object{}, fmt.Errorf("%q is not s3://bucket/key", place)
	}
	l.Version = version
	f, err := r.s.objects.Read(ctx, l, crl.MaxSize, r.s.objects.AsService(servicePrincipal, domainARN))
	if err != nil {
		return revocation.Object{}, err
	}
	tag := f.ETag + " " + f.Version
	if tag == etag {
		return revocation.Object{}, revocation.ErrNotModified
	}
	return revocation.Object{Data: f.Body, ETag: tag}, nil
}

// publish puts the revocation settings of a plan in force, before requests are served by
// it. Domains that did not change cost nothing.
func (r *revocations) publish(p *plan.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), applyLimit)
	defer cancel()
	next := map[string]*plan.Domain{}
	var applies sync.WaitGroup
	for d := range p.Domains {
		if d.Trust == nil {
			continue
		}
		next[d.Name] = d
		if r.domains[d.Name] != d {
			applies.Go(func() { r.apply(ctx, d) })
		}
	}
	applies.Wait()
	for name := range r.domains {
		if next[name] == nil {
			r.manager.Remove(name)
			r.unusable.Delete(name)
		}
	}
	r.domains = next
}

// apply puts one domain's settings in force. Settings that cannot be read leave what is in
// force; where nothing is, everybody is refused until they can be.
func (r *revocations) apply(ctx context.Context, d *plan.Domain) {
	arn := "arn:aws:apigateway:" + d.Region + "::/domainnames/" + d.Name
	settings, err := trust.ParseSettings(d.Steering, d.Settings)
	if err != nil {
		r.unusable.Store(d.Name, err)
		r.s.log.Error("the revocation settings of a domain name cannot be used; what was in force stays", "domain", d.Name, "error", err)
		d.Trust.Update(func(old *trust.Snapshot) *trust.Snapshot {
			if old == nil || old.Revocation != nil {
				return old
			}
			n := *old
			n.Revocation = trust.Settings{On: true, Mode: trust.HardFail}.Blank()
			return &n
		})
		return
	}
	r.unusable.Delete(d.Name)
	r.manager.Apply(ctx, revocation.Domain{Name: d.Name, ARN: arn, Store: d.Trust, Settings: settings})
}

// run fetches until ctx ends.
func (r *revocations) run(ctx context.Context) error { return r.manager.Run(ctx) }

// problems says what is wrong with revocation data, for those who watch over the server.
func (r *revocations) problems() []string {
	var out []string
	r.unusable.Range(func(name, err any) bool {
		out = append(out, fmt.Sprintf("domain name %s: the revocation settings cannot be used, what was in force stays: %v", name, err))
		return true
	})
	slices.Sort(out)
	for _, d := range r.manager.Reports() {
		for _, p := range d.Problems {
			out = append(out, "domain name "+d.Domain+": "+p)
		}
		for _, s := range d.Sources {
			if s.Error != "" {
				out = append(out, "domain name "+d.Domain+": reading "+s.Place+": "+s.Error)
			}
		}
	}
	return out
}
