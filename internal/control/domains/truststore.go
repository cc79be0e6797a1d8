package domains

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
)

// trustStore reads and checks the object that mutual TLS settings name, and fills the
// warnings. The copy is what decides from then on.
func (j judgement) trustStore(m *model.MutualTLS) (*model.TrustStore, error) {
	t, bundle, err := j.s.readTrustStore(j.ctx, j.tx, "", m.TruststoreURI, m.TruststoreVersion)
	if err != nil {
		return nil, err
	}
	m.TruststoreWarnings = warnings(bundle)
	if j.incoming != nil {
		err = j.incoming(m, bundle)
	}
	return t, err
}

func warnings(b *trust.Bundle) (out []string) {
	for _, w := range b.Warnings {
		out = append(out, w.String())
	}
	return out
}

// parsePlace reads s3://bucket/key.
func parsePlace(uri string) (bucket, key string, ok bool) {
	rest, isS3 := strings.CutPrefix(uri, "s3://")
	bucket, key, slash := strings.Cut(rest, "/")
	return bucket, key, isS3 && slash && bucket != "" && key != ""
}

// readTrustStore copies and parses a trust store, as the caller or, with the ARN of a domain
// name, as the service on its behalf.
func (s *DomainNames) readTrustStore(ctx context.Context, tx *store.Tx, domainARN, uri, named string) (*model.TrustStore, *trust.Bundle, error) {
	bucket, key, ok := parsePlace(uri)
	if !ok {
		return nil, nil, badRequest("Invalid truststore URI: " + uri + ". It must have the form s3://bucket-name/key-name.")
	}
	version := named
	if version == "" {
		version = "N/A"
	}
	object, err := s.Objects.ReadObject(ctx, tx, domainARN, bucket, key, named, trust.MaxBundleSize)
	if errors.Is(err, ErrTooLarge) {
		return nil, nil, badRequest("Invalid truststore: " + uri + " is larger than the limit of 1 MB.")
	}
	if err != nil {
		return nil, nil, badRequest("Unable to access truststore URI " + uri + " version " + version + ".").Because(err)
	}
	bundle, err := trust.ParseBundle(object.Data, s.now(), trust.Options{Source: trust.Source{URI: uri, Version: object.Version, ETag: object.ETag}})
	if err != nil {
		return nil, nil, badRequest("Invalid truststore: " + uri + " version " + version + ": " + err.Error() + ".")
	}
	return &model.TrustStore{PEM: string(object.Data), URI: uri, Named: named, VersionID: object.Version, ETag: object.ETag, CopiedAt: s.now().UTC()}, bundle, nil
}

// saveTrustStore keeps the copy of a trust store, or drops all copies when mutual TLS was
// turned off.
func saveTrustStore(tx *store.Tx, in store.Scope, d model.DomainName, t *model.TrustStore) error {
	owner := in.Of(d.DomainName)
	if d.MutualTLS == nil {
		_, err := trustStores.DeleteAll(tx, owner)
		return err
	}
	if t == nil {
		return nil
	}
	return replaceTrustStore(tx, owner, *t)
}

// replaceTrustStore makes t the trust store that decides. The one before is kept for a
// rollback; a candidate that says the same has arrived.
func replaceTrustStore(tx *store.Tx, owner store.Scope, t model.TrustStore) error {
	before, err := trustStores.Get(tx, owner, model.CurrentTrustStore)
	if err == nil && before.PEM != t.PEM {
		err = trustStores.Put(tx, owner, model.PreviousTrustStore, before)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	candidate, err := trustStores.Get(tx, owner, model.CandidateTrustStore)
	if err == nil && candidate.PEM == t.PEM {
		err = trustStores.Delete(tx, owner, model.CandidateTrustStore)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return trustStores.Put(tx, owner, model.CurrentTrustStore, t)
}

// putCandidate has t judged beside the trust store; one that says the same as that needs
// no judging.
func putCandidate(tx *store.Tx, owner store.Scope, current string, t model.TrustStore) error {
	if t.PEM == current {
		return dropCandidate(tx, owner)
	}
	return trustStores.Put(tx, owner, model.CandidateTrustStore, t)
}

func dropCandidate(tx *store.Tx, owner store.Scope) error {
	err := trustStores.Delete(tx, owner, model.CandidateTrustStore)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// A lockout is what a trust store means to the clients that were seen lately.
type lockout struct{ stay, lost int }

func (s *DomainNames) lockout(domain string, next *trust.Bundle) (l lockout) {
	if s.Locks != nil {
		l.stay, l.lost = s.Locks(domain, next)
	}
	return l
}

// warning is the text for truststoreWarnings; "" when nobody is locked out.
func (l lockout) warning() string {
	if l.lost == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d clients that were seen lately are locked out by this truststore.", l.lost, l.stay+l.lost)
}

// refusal is why a trust store is not put in force without force: it would lock out everybody.
func (l lockout) refusal() error {
	if l.lost == 0 || l.stay > 0 {
		return nil
	}
	return apigateway.ConflictException(fmt.Sprintf("Every one of the %d clients that were seen lately would be locked out by this truststore. It can be put in force with --force.", l.lost))
}

// ApplyTrustStore puts a trust store in force as UpdateDomainName does, but refuses one that
// would lock out every client that was seen lately, unless force is set.
func (s *DomainNames) ApplyTrustStore(ctx context.Context, name, uri, version string, force bool) (*apigateway.DomainName, error) {
	replace := func(path, value string) apigateway.PatchOperation {
		op := apigateway.OpReplace
		return apigateway.PatchOperation{Op: &op, Path: &path, Value: &value}
	}
	return s.update(ctx, &apigateway.UpdateDomainNameInput{DomainName: &name, PatchOperations: []apigateway.PatchOperation{
		replace("/mutualTlsAuthentication/truststoreUri", uri), replace("/mutualTlsAuthentication/truststoreVersion", version),
	}}, s.guardLockout(name, force))
}

// EnforceTrustStore puts the candidate in force: the copy that was judged beside the trust store,
// whatever its object holds by now. The tag that named it has done its work and goes.
func (s *DomainNames) EnforceTrustStore(ctx context.Context, name string, force bool) (*apigateway.DomainName, error) {
	return s.putInForce(ctx, name, model.CandidateTrustStore, "has no truststore in roll-out", force, func(d *model.DomainName, _, _ *model.TrustStore) {
		delete(d.Tags, trust.TagCandidate)
	})
}

// RollBackTrustStore puts the trust store back in force that decided before. It reads no
// object: the copy was kept. Doing it twice returns to where it began.
func (s *DomainNames) RollBackTrustStore(ctx context.Context, name string, force bool) (*apigateway.DomainName, error) {
	return s.putInForce(ctx, name, model.PreviousTrustStore, "has no earlier truststore", force, func(_ *model.DomainName, current, next *model.TrustStore) {
		next.Passed = current.State() // following does not take it again
	})
}

// putInForce makes a kept copy the trust store that decides.
func (s *DomainNames) putInForce(ctx context.Context, name, id, absent string, force bool, change func(d *model.DomainName, current, next *model.TrustStore)) (*apigateway.DomainName, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DomainName, error) {
		it, err := getDomain(ctx, tx, name, nil)
		if err != nil {
			return nil, err
		}
		owner := operation.Scope(ctx).Of(it.Value.DomainName)
		next, err := trustStores.Get(tx, owner, id)
		if err != nil {
			return nil, operation.OrElse(err, apigateway.NotFoundException("The domain name "+name+" "+absent+"."))
		}
		current, err := trustStores.Get(tx, owner, model.CurrentTrustStore)
		if err != nil {
			return nil, err
		}
		bundle, err := trust.ParseBundle([]byte(next.PEM), s.now(), trust.Options{})
		if err != nil {
			return nil, err
		}
		it.Value.MutualTLS = &model.MutualTLS{TruststoreURI: next.URI, TruststoreVersion: next.Named, TruststoreWarnings: warnings(bundle)}
		if err := s.guardLockout(name, force)(it.Value.MutualTLS, bundle); err != nil {
			return nil, err
		}
		change(&it.Value, &current, &next)
		if err := replaceTrustStore(tx, owner, next); err != nil {
			return nil, err
		}
		return wireDomain(ctx, it.Value), domainNames.Replace(tx, it)
	})
}

// guardLockout refuses trust stores that lock out everybody, or warns with force.
func (s *DomainNames) guardLockout(name string, force bool) func(*model.MutualTLS, *trust.Bundle) error {
	return func(m *model.MutualTLS, next *trust.Bundle) error {
		l := s.lockout(strings.ToLower(name), next)
		if err := l.refusal(); err != nil && !force {
			return err
		}
		if w := l.warning(); w != "" {
			m.TruststoreWarnings = append(m.TruststoreWarnings, w)
		}
		return nil
	}
}

// FollowTrustStore looks at the object of a domain name whose tag gatehouse:truststore says
// so, and takes in what it holds now: as the trust store (follow), or as the candidate (stage).
// The error tells why the copy at hand stays. ctx has the domain's account and region.
func (s *DomainNames) FollowTrustStore(ctx context.Context, name string) error {
	_, err := operation.Update(ctx, s.Store, func(tx *store.Tx) (_ struct{}, err error) {
		it, err := domainNames.Item(tx, operation.Scope(ctx), name)
		if errors.Is(err, store.ErrNotFound) {
			return struct{}{}, nil
		}
		if err != nil {
			return struct{}{}, err
		}
		m, mode := it.Value.MutualTLS, it.Value.Tags[trust.TagFollow]
		if m == nil || m.TruststoreVersion != "" || mode != trust.Stage && mode != trust.Follow {
			return struct{}{}, nil
		}
		owner := operation.Scope(ctx).Of(name)
		current, err := trustStores.Get(tx, owner, model.CurrentTrustStore)
		if err != nil {
			return struct{}{}, err
		}
		next, bundle, err := s.readTrustStore(ctx, tx, model.APIGatewayARN(it.Key.Region, "/domainnames/"+name), m.TruststoreURI, "")
		if err != nil || next.State() == current.State() || next.State() == current.Passed {
			return struct{}{}, err
		}
		if mode == trust.Stage {
			return struct{}{}, s.stage(tx, owner, current, *next)
		}
		m.TruststoreWarnings = warnings(bundle)
		if err := s.guardLockout(name, false)(m, bundle); err != nil {
			return struct{}{}, err
		}
		if err := replaceTrustStore(tx, owner, *next); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, domainNames.Replace(tx, it)
	})
	return err
}

// stage makes a followed object's new content the candidate, once.
func (s *DomainNames) stage(tx *store.Tx, owner store.Scope, current, next model.TrustStore) error {
	have, err := trustStores.Get(tx, owner, model.CandidateTrustStore)
	if err == nil && have.State() == next.State() && have.URI == next.URI {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return putCandidate(tx, owner, current.PEM, next)
}
