package compile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
	"gatehouse/internal/trust/backendtls"
)

var (
	clientCertificates = store.Collection[model.ClientCertificate]{Kind: model.KindClientCertificate}
	vpcLinks           = store.Collection[model.VPCLink]{Kind: model.KindVPCLink}
	vpcLinksV2         = store.Collection[model.VPCLink]{Kind: model.KindVPCLinkV2}
)

// backendKinds are the documents that integrations lead through.
var backendKinds = []model.Kind{model.KindClientCertificate, model.KindCertificate, model.KindVPCLink, model.KindVPCLinkV2}

// Backends is what a stage's integrations need to know about where they lead. The zero value
// believes the system's authorities, presents no certificate and knows no VPC link.
type Backends struct {
	// Client is presented to HTTPS backends of the stage; nil presents nothing.
	Client *backendtls.Client

	// Roots are the authorities that HTTPS backends are held to; nil means the system's.
	Roots *backendtls.Roots

	// Services says where AWS services are called.
	Services Services

	// Links has the VPC links of the stage's account and region, of both versions, by id.
	Links map[string]model.VPCLink

	// Balancers says where load balancers are, as "host:port" by the ARN of a load balancer or
	// of a listener.
	Balancers map[string]string
}

// backends reads what the integrations of a stage of u need. certificate is the stage's
// client certificate: an id, an ACM ARN, or "" for none.
func (c *Compiler) backends(tx *store.Tx, u unit, certificate string, snapshot *model.Snapshot) (Backends, error) {
	out := Backends{Roots: c.BackendRoots, Services: c.Services, Balancers: c.Balancers}
	var err error
	if out.Client, err = c.clientCertificate(tx, u, certificate); err != nil {
		return out, err
	}
	if !usesLinks(snapshot) {
		return out, nil
	}
	out.Links = map[string]model.VPCLink{}
	for _, links := range []store.Collection[model.VPCLink]{vpcLinksV2, vpcLinks} {
		for l, err := range links.In(tx, u.scope()) {
			if err != nil {
				return out, err
			}
			out.Links[l.Value.ID] = l.Value
		}
	}
	return out, nil
}

// usesLinks reports whether any integration goes through a VPC link.
func usesLinks(snapshot *model.Snapshot) bool {
	for i := range snapshot.Resources {
		for _, m := range snapshot.Resources[i].Methods {
			if m.Integration != nil && m.Integration.ConnectionType == "VPC_LINK" {
				return true
			}
		}
	}
	return false
}

// clientCertificate loads a stage's client certificate with its key: one that API Gateway
// generated, by id, or one of ACM, by ARN. nil for none.
func (c *Compiler) clientCertificate(tx *store.Tx, u unit, id string) (*backendtls.Client, error) {
	if id == "" {
		return nil, nil
	}
	var text string
	kind, key := model.KindClientCertificate, id
	if arn := certificateID(id); arn != "" {
		kind, key = model.KindCertificate, arn
		cert, err := certificates.Get(tx, u.scope(), key)
		if err != nil {
			return nil, notThere(err, "client certificate", id)
		}
		text = cert.CertificatePEM + "\n" + cert.ChainPEM
	} else {
		cert, err := clientCertificates.Get(tx, u.scope(), key)
		if err != nil {
			return nil, notThere(err, "client certificate", id)
		}
		text = cert.PEM
	}
	secret, err := tx.Secret(u.scope().Key(kind, key), model.SecretPrivateKey)
	if err != nil {
		return nil, fmt.Errorf("private key of client certificate %s: %w", id, err)
	}
	pair, err := tls.X509KeyPair([]byte(text), secret)
	if err != nil {
		return nil, compileError{fmt.Errorf("client certificate %s: %w", id, err)}
	}
	client, err := backendtls.NewClient(pair)
	if err != nil {
		return nil, compileError{fmt.Errorf("client certificate %s: %w", id, err)}
	}
	return client, nil
}

func notThere(err error, what, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return compileError{fmt.Errorf("%s %s is not there", what, id)}
	}
	return err
}

// target returns where an HTTP integration connects to and what it presents there. A broken
// one answers as the service does; it is no reason not to compile.
func (with Backends) target(s *plan.Stage, i *model.Integration, scheme, authority string) (_ *upstream.Target, broken string) {
	var via string
	if i.ConnectionType == "VPC_LINK" {
		if via, broken = with.link(s, i); broken != "" {
			return nil, broken
		}
	}
	var t *upstream.TLS
	if strings.EqualFold(scheme, "https") {
		o := backendtls.Options{Client: with.Client, Roots: with.Roots, SkipIssuer: i.TLSConfig != nil && i.TLSConfig.InsecureSkipVerification}
		t = &upstream.TLS{}
		t.Config, t.Identity = o.Config()
	}
	target, err := upstream.NewTarget(strings.ToLower(scheme), authority, t)
	if err == nil && via != "" {
		target, err = target.Via(via)
	}
	if err != nil {
		return nil, invalidEndpoint
	}
	return target, ""
}

// link finds the VPC link of an integration, and where to connect to: where the load balancer is
// said to be, else where the link says, else "" for the host of the integration's URI.
func (with Backends) link(s *plan.Stage, i *model.Integration) (via, broken string) {
	id := expression.ResolveStageVariables(i.ConnectionID, func(name string) (string, bool) { v, ok := s.Variables[name]; return v, ok })
	s.Links = append(s.Links, id)
	l, ok := with.Links[id]
	if !ok {
		return "", "Invalid Vpc Link identifier specified"
	}
	if l.Status != "AVAILABLE" {
		return "", "VPC link " + id + " is " + l.Status + ": want AVAILABLE"
	}
	for _, arn := range append([]string{i.IntegrationTarget}, l.TargetARNs...) {
		if at := with.Balancers[arn]; at != "" {
			return at, ""
		}
	}
	return l.Tags[model.LinkTargetTag], ""
}

// usersOf lists the stages whose plans hold something of the changed documents: a client
// certificate, ACM's or API Gateway's, or a VPC link. Stages that do not compile are tried
// again with every such change: it may be what they wait for.
func (c *Compiler) usersOf(changed []store.Key) []unit {
	if len(changed) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var units []unit
	for u := range c.problems {
		if u.kind == stageUnit {
			units = append(units, u)
		}
	}
	if c.current == nil {
		return units
	}
	for s := range c.current.Stages {
		uses := func(k store.Key) bool {
			switch {
			case k.Account != s.Account || k.Region != s.API.Region:
				return false
			case k.Kind == model.KindVPCLink, k.Kind == model.KindVPCLinkV2:
				return slices.Contains(s.Links, k.ID)
			case k.Kind == model.KindCertificate:
				return certificateID(s.ClientCertificateID) == k.ID
			}
			return s.ClientCertificateID == k.ID
		}
		if slices.ContainsFunc(changed, uses) {
			units = append(units, unit{stageUnit, s.Account, s.API.Region, s.API.ID, s.Name})
		}
	}
	return units
}
