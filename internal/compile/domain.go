package compile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/forward"
)

var (
	certificates = store.Collection[model.Certificate]{Kind: model.KindCertificate}
	trustStores  = store.Collection[model.TrustStore]{Kind: model.KindTrustStore}
	tagDocuments = store.Collection[model.TagDocument]{Kind: model.KindTagDocument}
)

// compileDomain compiles a domain name with its mappings, certificate and trust store.
func (c *Compiler) compileDomain(tx *store.Tx, b *plan.Builder, u unit) error {
	d, err := domains.Get(tx, u.scope(), u.id)
	if errors.Is(err, store.ErrNotFound) {
		b.RemoveDomain(u.id)
		delete(c.trusts, u.id)
		return nil
	}
	if err != nil {
		return err
	}
	out := &plan.Domain{
		Name: d.DomainName, Region: u.region, Account: u.account,
		Strict: d.EndpointAccessMode == "STRICT", SecurityPolicy: d.SecurityPolicy,
	}
	if out.Certificate, err = certificateOf(tx, u, d); err != nil {
		return err
	}
	if out.Private, err = privateDomain(tx, u, d); err != nil {
		return err
	}
	if out.Rules, err = routingRules(tx, u, d.RoutingMode); err != nil {
		return err
	}
	for m, err := range mappings.In(tx, u.scope().Of(u.id)) {
		if err != nil {
			return err
		}
		if d.RoutingMode == model.RouteByRule {
			break
		}
		base := m.Value.BasePath
		if base == model.NoBasePath {
			base = ""
		}
		out.Mappings = append(out.Mappings, plan.Mapping{
			BasePath: strings.Trim(base, "/"), API: plan.APIKey{Region: u.region, ID: m.Value.RestAPIID}, Stage: m.Value.Stage,
		})
	}
	for key, value := range d.Tags {
		if strings.HasPrefix(key, "gatehouse:") {
			if out.Steering == nil {
				out.Steering = map[string]string{}
			}
			out.Steering[key] = value
		}
	}
	if v, ok := d.Tags[forward.Tag]; ok {
		form, err := forward.ParseForm(v)
		if err != nil {
			return compileError{fmt.Errorf("tag %s: %w", forward.Tag, err)}
		}
		if out.Certificate != nil {
			form = form.Presenting(out.Certificate.Leaf)
		}
		out.Forward = form
	}
	settings, err := tagDocuments.Get(tx, u.scope().Of(u.id), trust.TagSettings)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	out.Settings = settings.Data
	if d.MutualTLS != nil {
		out.Optional = d.Tags[trust.TagClient] == "optional"
		if out.Trust, err = c.trustOf(tx, u, d); err != nil {
			return err
		}
	} else {
		delete(c.trusts, u.id)
	}
	b.SetDomain(out)
	return nil
}

// trustOf puts the domain's current trust store in force. The store object of a domain
// lives on, so that open connections are judged again.
func (c *Compiler) trustOf(tx *store.Tx, u unit, d model.DomainName) (*trust.Store, error) {
	bundle, err := c.bundle(tx, u, model.CurrentTrustStore)
	if err == nil && bundle == nil {
		err = compileError{errors.New("its trust store was not copied")}
	}
	if err != nil {
		return nil, err
	}
	candidate, err := c.bundle(tx, u, model.CandidateTrustStore)
	if err != nil {
		return nil, err
	}
	next := trust.Snapshot{Bundle: bundle, Candidate: candidate, Optional: d.Tags[trust.TagClient] == "optional"}
	s := c.trusts[u.id]
	if s == nil {
		s = trust.NewStore(&next)
		c.trusts[u.id] = s
		return s, nil
	}
	s.Update(func(old *trust.Snapshot) *trust.Snapshot {
		if old == nil {
			return &next
		}
		n := next
		n.Revocation = old.Revocation
		if same(old.Bundle, n.Bundle) {
			n.Bundle = old.Bundle // with what it has learnt
		}
		if same(old.Candidate, n.Candidate) {
			n.Candidate = old.Candidate
		}
		if n == *old {
			return old
		}
		return &n
	})
	return s, nil
}

func same(a, b *trust.Bundle) bool { return a != nil && b != nil && a.SHA256 == b.SHA256 }

// bundle parses one of the kept trust stores of a domain name; nil when it has none of this id.
func (c *Compiler) bundle(tx *store.Tx, u unit, id string) (*trust.Bundle, error) {
	doc, err := trustStores.Get(tx, u.scope().Of(u.id), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	bundle, err := trust.ParseBundle([]byte(doc.PEM), c.now(), trust.Options{Source: trust.Source{URI: doc.URI, Version: doc.VersionID, ETag: doc.ETag}})
	if err != nil {
		return nil, compileError{fmt.Errorf("trust store %s: %w", doc.URI, err)}
	}
	return bundle, nil
}

// certificateOf loads the key pair that the domain presents; nil when it has none, the
// local CA then stands in.
func certificateOf(tx *store.Tx, u unit, d model.DomainName) (*tls.Certificate, error) {
	arn := d.RegionalCertificateARN
	if arn == "" {
		arn = d.CertificateARN
	}
	id := certificateID(arn)
	if id == "" {
		return nil, nil
	}
	cert, err := certificates.Get(tx, u.scope(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, compileError{fmt.Errorf("certificate %s is not there", arn)}
	}
	if err != nil {
		return nil, err
	}
	key, err := tx.Secret(u.scope().Key(model.KindCertificate, id), model.SecretPrivateKey)
	if err != nil {
		return nil, fmt.Errorf("private key of certificate %s: %w", arn, err)
	}
	pair, err := tls.X509KeyPair([]byte(cert.CertificatePEM+"\n"+cert.ChainPEM), key)
	if err != nil {
		return nil, compileError{fmt.Errorf("certificate %s: %w", arn, err)}
	}
	return &pair, nil
}

// certificateID returns the last part of an ACM ARN.
func certificateID(arn string) string {
	a, ok := model.ParseARN(arn)
	if !ok {
		return ""
	}
	id, _ := strings.CutPrefix(a.Resource, "certificate/")
	return id
}

// usesCertificate reports whether a domain presents the certificate with key k.
func usesCertificate(d store.Item[model.DomainName], k store.Key) bool {
	return d.Key.Account == k.Account && d.Key.Region == k.Region &&
		(certificateID(d.Value.RegionalCertificateARN) == k.ID || certificateID(d.Value.CertificateARN) == k.ID)
}
