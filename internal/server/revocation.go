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
	"gatehouse/internal/store"
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
	// settingsLimit bounds a document of settings, in octets.
	settingsLimit = 256 << 10
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
	var document []byte
	var err error
	if place, ok := d.Steering[trust.TagSettings]; ok && d.Steering[trust.TagRevocation] != "off" {
		document, err = r.readSettings(ctx, arn, place)
	}
	var settings trust.Settings
	if err == nil {
		settings, err = trust.ParseSettings(d.Steering, document)
	}
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

func (r *revocations) readSettings(ctx context.Context, arn, place string) ([]byte, error) {
	l, ok := objects.ParseURI(place)
	if !ok {
		return nil, fmt.Errorf("%q is not s3://bucket/key", place)
	}
	f, err := r.s.objects.Read(ctx, l, settingsLimit, r.s.objects.AsService(servicePrincipal, arn))
	return f.Body, err
}

// run fetches, and follows the objects of our own S3, until ctx ends.
func (r *revocations) run(ctx context.Context) error {
	var following sync.WaitGroup
	following.Go(func() { r.follow(ctx) })
	defer following.Wait()
	return r.manager.Run(ctx)
}

// follow tells the manager of objects that were written, and reads settings anew whose
// document was.
func (r *revocations) follow(ctx context.Context) {
	for ctx.Err() == nil {
		var at int64
		if err := r.s.store.View(ctx, func(tx *store.Tx) error { at = tx.Revision(); return nil }); err != nil {
			r.s.log.Warn("following objects: the store cannot be read", "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		r.manager.Changed("") // what happened before at is not told
		r.reapply(ctx, "")
		for commit, err := range r.s.store.Watch(ctx, at) {
			if err != nil {
				break // the log does not reach back: begin anew
			}
			for _, c := range commit.Changes {
				r.changed(ctx, c.Key)
			}
		}
	}
}

func (r *revocations) changed(ctx context.Context, k store.Key) {
	switch k.Kind {
	case store.KindObject:
		r.manager.Changed(k.ID)
		r.reapply(ctx, "/"+k.ID)
	case "s3bucket":
		r.manager.Changed("")
		r.reapply(ctx, "")
	}
}

// reapply reads the settings of domains anew whose document's place ends in suffix.
func (r *revocations) reapply(ctx context.Context, suffix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.domains {
		if place, ok := d.Steering[trust.TagSettings]; ok && strings.HasSuffix(place, suffix) {
			ctx, cancel := context.WithTimeout(ctx, applyLimit)
			r.apply(ctx, d)
			cancel()
		}
	}
}

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
