package domains

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
)

// DomainNames serves the operations. Its fields are set before the first call.
type DomainNames struct {
	Store   *store.Store
	Objects Objects
	Suffix  string // of the target names that domain names show

	// Authorize reports whether the caller may do a further action on a resource; the error is the
	// denial. Nil lets everybody.
	Authorize func(ctx context.Context, action, resource string) error

	// Steering judges the tags of new domain names; nil lets all through.
	Steering tags.Guard

	// Locks says, of a trust store that is about to replace a domain name's, how many of the clients
	// that were seen lately it would let in and how many not. Nil knows nobody.
	Locks func(domain string, next *trust.Bundle) (stay, lost int)

	// Now returns the time; nil means time.Now.
	Now func() time.Time
}

// Objects reads trust stores and what tags name, for the caller or, when a domain name's ARN
// is given, as the service principal on behalf of it.
type Objects interface {
	// ReadObject returns an object, its current version when version is "", and which version
	// it was. The error is safe to show. More than limit bytes are an error that matches
	// ErrTooLarge.
	ReadObject(ctx context.Context, tx *store.Tx, domainARN, bucket, key, version string, limit int64) (Object, error)
	// MayRead returns why ReadObject would fail, but for the limit, without reading.
	MayRead(ctx context.Context, tx *store.Tx, domainARN, bucket, key, version string) error
}

// An Object is what ReadObject found.
type Object struct {
	Data    []byte
	Version string // "" in buckets without versions
	ETag    string
}

// ErrTooLarge is matched by the error for objects over the limit.
var ErrTooLarge = errors.New("object is larger than the limit")

var (
	domainNames  = store.Collection[model.DomainName]{Kind: model.KindDomainName}
	mappings     = store.Collection[model.BasePathMapping]{Kind: model.KindBasePathMapping}
	trustStores  = store.Collection[model.TrustStore]{Kind: model.KindTrustStore}
	certificates = store.Collection[model.Certificate]{Kind: model.KindCertificate}
	apis         = store.Collection[model.RestAPI]{Kind: model.KindRestAPI}
	stages       = store.Collection[model.Stage]{Kind: model.KindStage}
)

func badRequest(message string) *awserr.Error { return apigateway.BadRequestException(message) }

func noDomain() *awserr.Error {
	return apigateway.NotFoundException("Invalid domain name identifier specified")
}

func (s *DomainNames) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// CreateDomainName makes a domain name. Host names reach every region by one listener, so
// a name exists once, whoever owns it.
func (s *DomainNames) CreateDomainName(ctx context.Context, in *apigateway.CreateDomainNameInput) (*apigateway.DomainName, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DomainName, error) {
		d, err := s.newDomain(ctx, tx, in)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Holder("domainname", d.DomainName); err == nil {
			return nil, badRequest("The domain name you provided already exists.")
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err := s.maySecure(ctx, model.DomainName{DomainName: d.DomainName}, d, false); err != nil {
			return nil, err
		}
		judge := judgement{s: s, ctx: ctx, tx: tx, now: s.now()}
		object, err := judge.domain(&d, nil)
		if err != nil {
			return nil, err
		}
		if err := domainNames.Create(tx, operation.Scope(ctx), d.DomainName, d); err != nil {
			return nil, err
		}
		if err := tx.Claim("domainname", d.DomainName, domainNames.Key(operation.Scope(ctx), d.DomainName)); err != nil {
			return nil, err
		}
		if err := saveTrustStore(tx, operation.Scope(ctx), d, object); err != nil {
			return nil, err
		}
		if s.Steering != nil {
			c := tags.Set(tags.DomainName, model.APIGatewayARN(awsapi.CallFrom(ctx).Region, "/domainnames/"+d.DomainName), nil, d.Tags, in)
			c.New = true
			if err := s.Steering.Change(ctx, tx, c); err != nil {
				return nil, err
			}
		}
		return wireDomain(ctx, d), nil
	})
}

// newDomain fills a domain name from the input and the defaults.
func (s *DomainNames) newDomain(ctx context.Context, tx *store.Tx, in *apigateway.CreateDomainNameInput) (model.DomainName, error) {
	d := model.DomainName{
		DomainName:              strings.ToLower(opt.Value(in.DomainName)),
		CertificateName:         opt.Value(in.CertificateName),
		CertificateARN:          opt.Value(in.CertificateArn),
		RegionalCertificateName: opt.Value(in.RegionalCertificateName),
		RegionalCertificateARN:  opt.Value(in.RegionalCertificateArn),
		SecurityPolicy:          opt.Text(in.SecurityPolicy),
		EndpointAccessMode:      opt.Text(in.EndpointAccessMode),
		OwnershipCertificateARN: opt.Value(in.OwnershipVerificationCertificateArn),
		Policy:                  opt.Value(in.Policy),
		RoutingMode:             opt.Text(in.RoutingMode),
		Tags:                    opt.Map(in.Tags),
		Status:                  "AVAILABLE",
		CreatedDate:             tx.Now().Truncate(time.Second),
	}
	if d.CertificateARN != "" {
		d.CertificateUploadDate = &d.CreatedDate
	}
	if in.CertificateBody != nil || in.CertificatePrivateKey != nil || in.CertificateChain != nil {
		return d, badRequest("certificateBody, certificatePrivateKey and certificateChain are not offered: import the certificate into ACM and name it by certificateArn or regionalCertificateArn")
	}
	d.EndpointConfiguration = model.EndpointConfiguration{Types: []string{"EDGE"}, IPAddressType: "ipv4"}
	if e := in.EndpointConfiguration; e != nil {
		if e.Types != nil {
			d.EndpointConfiguration.Types = nil
			for _, t := range e.Types {
				d.EndpointConfiguration.Types = append(d.EndpointConfiguration.Types, string(t))
			}
		}
		if d.EndpointConfiguration.Type() == "PRIVATE" {
			d.EndpointConfiguration.IPAddressType = "dualstack"
		}
		if e.IpAddressType != nil {
			d.EndpointConfiguration.IPAddressType = string(*e.IpAddressType)
		}
		d.EndpointConfiguration.VPCEndpointIDs = slices.Clone(e.VpcEndpointIds)
	} else if d.RegionalCertificateARN != "" {
		d.EndpointConfiguration.Types = []string{"REGIONAL"}
	}
	if d.SecurityPolicy == "" {
		d.SecurityPolicy = "TLS_1_2"
	}
	if d.RoutingMode == "" {
		d.RoutingMode = "BASE_PATH_MAPPING_ONLY"
	}
	if m := in.MutualTlsAuthentication; m != nil && opt.Value(m.TruststoreUri) != "" {
		d.MutualTLS = &model.MutualTLS{TruststoreURI: *m.TruststoreUri, TruststoreVersion: opt.Value(m.TruststoreVersion)}
	}
	s.target(ctx, &d)
	return d, tags.Check(d.Tags, tags.DomainName)
}

// target fills the name that DNS records of the domain would point to.
func (s *DomainNames) target(ctx context.Context, d *model.DomainName) {
	region := awsapi.CallFrom(ctx).Region
	switch d.EndpointConfiguration.Type() {
	case "REGIONAL":
		d.RegionalDomainName = "d-" + model.NewID(10) + ".execute-api." + region + "." + s.Suffix
		d.RegionalHostedZoneID = hostedZones[region]
	case "EDGE":
		d.DistributionDomainName = "d" + model.NewID(13) + ".cloudfront." + s.Suffix
		d.DistributionHostedZoneID = "Z2FDTNDATAQYW2"
	case "PRIVATE":
		d.DomainNameID = model.NewID(10)
	}
}

// GetDomainName returns a domain name.
func (s *DomainNames) GetDomainName(ctx context.Context, in *apigateway.GetDomainNameInput) (*apigateway.DomainName, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.DomainName, error) {
		d, err := getDomain(ctx, tx, *in.DomainName, in.DomainNameId)
		if err != nil {
			return nil, err
		}
		if in.DomainNameId != nil && *in.DomainNameId != d.Value.DomainNameID {
			return nil, noDomain()
		}
		if err := s.judgeStatus(ctx, tx, &d.Value); err != nil {
			return nil, err
		}
		return wireDomain(ctx, d.Value), nil
	})
}

// getDomain loads a domain name. An id, which private ones have, must be its own.
func getDomain(ctx context.Context, tx *store.Tx, name string, id *string) (store.Item[model.DomainName], error) {
	d, err := domainNames.Item(tx, operation.Scope(ctx), strings.ToLower(name))
	if err == nil && opt.Value(id) != "" && *id != d.Value.DomainNameID {
		return d, noDomain()
	}
	return d, operation.OrElse(err, noDomain())
}

// GetDomainNames lists domain names in order of creation.
func (s *DomainNames) GetDomainNames(ctx context.Context, in *apigateway.GetDomainNamesInput) (*apigateway.GetDomainNamesOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetDomainNamesOutput, error) {
		out := &apigateway.GetDomainNamesOutput{}
		if opt.Text(in.ResourceOwner) == "OTHER_ACCOUNTS" {
			return out, nil
		}
		items, next, err := domainNames.List(tx, operation.Scope(ctx), operation.Page(in.Limit, in.Position))
		if err != nil {
			return nil, operation.ListError(err)
		}
		out.Position = opt.NonZero(next)
		for _, d := range items {
			if err := s.judgeStatus(ctx, tx, &d.Value); err != nil {
				return nil, err
			}
			out.Items = append(out.Items, *wireDomain(ctx, d.Value))
		}
		return out, nil
	})
}

// DeleteDomainName deletes a domain name with its mappings and trust store.
func (s *DomainNames) DeleteDomainName(ctx context.Context, in *apigateway.DeleteDomainNameInput) (*apigateway.DeleteDomainNameOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteDomainNameOutput, error) {
		d, err := getDomain(ctx, tx, *in.DomainName, in.DomainNameId)
		if err != nil {
			return nil, err
		}
		for _, kind := range []model.Kind{model.KindBasePathMapping, model.KindRoutingRule, model.KindTrustStore, model.KindTagDocument} {
			if _, err := tx.DeleteAll(kind, operation.Scope(ctx).Of(d.Value.DomainName)); err != nil {
				return nil, err
			}
		}
		if err := dropAssociations(ctx, tx, d.Value.DomainName); err != nil {
			return nil, err
		}
		arn := model.APIGatewayARN(d.Key.Region, "/domainnames/"+d.Value.DomainName)
		if err := tx.Delete(operation.Scope(ctx).Key(model.KindWeakening, arn)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		return nil, domainNames.Delete(tx, operation.Scope(ctx), d.Value.DomainName)
	})
}

// UpdateDomainName patches a domain name. All operations apply first; the result is judged
// as a whole. A trust store that would lock out the clients that were seen lately is not
// refused, as the service would not: truststoreWarnings tells of it.
func (s *DomainNames) UpdateDomainName(ctx context.Context, in *apigateway.UpdateDomainNameInput) (*apigateway.DomainName, error) {
	return s.update(ctx, in, func(m *model.MutualTLS, next *trust.Bundle) error {
		if w := s.lockout(strings.ToLower(*in.DomainName), next).warning(); w != "" {
			m.TruststoreWarnings = append(m.TruststoreWarnings, w)
		}
		return nil
	})
}

// update is UpdateDomainName with a say on the trust store that comes in.
func (s *DomainNames) update(ctx context.Context, in *apigateway.UpdateDomainNameInput, incoming func(*model.MutualTLS, *trust.Bundle) error) (*apigateway.DomainName, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DomainName, error) {
		it, err := getDomain(ctx, tx, *in.DomainName, in.DomainNameId)
		if err != nil {
			return nil, err
		}
		before := it.Value
		if before.MutualTLS != nil {
			m := *before.MutualTLS
			before.MutualTLS = &m
		}
		reread := false
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchDomain(&it.Value, o); err != nil {
				return nil, err
			}
			reread = reread || strings.HasPrefix(o.Path, "/mutualTlsAuthentication/")
		}
		if err := s.maySecure(ctx, before, it.Value, reread); err != nil {
			return nil, err
		}
		if it.Value.EndpointConfiguration.Type() != before.EndpointConfiguration.Type() {
			it.Value.RegionalDomainName, it.Value.RegionalHostedZoneID, it.Value.DistributionDomainName, it.Value.DistributionHostedZoneID, it.Value.DomainNameID = "", "", "", "", ""
			s.target(ctx, &it.Value)
		}
		if it.Value.CertificateARN != before.CertificateARN {
			if it.Value.CertificateUploadDate = nil; it.Value.CertificateARN != "" {
				it.Value.CertificateUploadDate = opt.Of(tx.Now().Truncate(time.Second))
			}
		}
		judge := judgement{s: s, ctx: ctx, tx: tx, now: s.now(), reread: reread, incoming: incoming}
		object, err := judge.domain(&it.Value, &before)
		if err != nil {
			return nil, err
		}
		if err := domainNames.Replace(tx, it); err != nil {
			return nil, err
		}
		if err := saveTrustStore(tx, operation.Scope(ctx), it.Value, object); err != nil {
			return nil, err
		}
		return wireDomain(ctx, it.Value), nil
	})
}

// patchDomain applies one operation (mutual-tls, section A1.4).
func patchDomain(d *model.DomainName, o patch.Operation) error {
	set := func(to *string, ops ...string) error {
		if err := o.Only(ops...); err != nil {
			return err
		}
		if o.Op == "remove" {
			o.Value = ""
		}
		*to = o.Value
		return nil
	}
	switch o.Path {
	case "/mutualTlsAuthentication/truststoreUri":
		return patchTrustStore(d, o, func(m *model.MutualTLS) *string { return &m.TruststoreURI })
	case "/mutualTlsAuthentication/truststoreVersion":
		return patchTrustStore(d, o, func(m *model.MutualTLS) *string { return &m.TruststoreVersion })
	case "/ownershipVerificationCertificateArn":
		return set(&d.OwnershipCertificateARN, "add", "replace", "remove")
	case "/certificateArn":
		return set(&d.CertificateARN, "add", "replace", "remove")
	case "/certificateName":
		return set(&d.CertificateName, "add", "replace", "remove")
	case "/regionalCertificateArn":
		return set(&d.RegionalCertificateARN, "add", "replace", "remove")
	case "/regionalCertificateName":
		return set(&d.RegionalCertificateName, "add", "replace", "remove")
	case "/securityPolicy":
		if !model.IsSecurityPolicy(o.Value) {
			return badRequest("Invalid SecurityPolicy specified: " + o.Value)
		}
		return set(&d.SecurityPolicy, "replace")
	case "/endpointAccessMode":
		if o.Value != "" && o.Value != "BASIC" && o.Value != "STRICT" {
			return badRequest("Invalid endpointAccessMode specified. Valid options are BASIC,STRICT")
		}
		return set(&d.EndpointAccessMode, "replace")
	case "/endpointConfiguration/types", "/endpointConfiguration/types/0":
		return patchType(d, o)
	case "/endpointConfiguration/ipAddressType":
		if o.Value != "ipv4" && o.Value != "dualstack" {
			return badRequest("ipAddressType must be either ipv4 or dualstack.")
		}
		return set(&d.EndpointConfiguration.IPAddressType, "replace")
	case "/routingMode":
		if !slices.Contains([]string{"BASE_PATH_MAPPING_ONLY", "ROUTING_RULE_ONLY", "ROUTING_RULE_THEN_BASE_PATH_MAPPING"}, o.Value) {
			return badRequest("Invalid routingMode specified. Valid options are BASE_PATH_MAPPING_ONLY,ROUTING_RULE_ONLY,ROUTING_RULE_THEN_BASE_PATH_MAPPING")
		}
		return set(&d.RoutingMode, "replace")
	case "/policy":
		return set(&d.Policy, "replace")
	case "/managementPolicy":
		return set(&d.ManagementPolicy, "replace")
	}
	return patch.InvalidPath(o.Path)
}

// patchTrustStore changes one member of the mutual TLS settings; an empty uri turns mutual
// TLS off.
func patchTrustStore(d *model.DomainName, o patch.Operation, member func(*model.MutualTLS) *string) error {
	if err := o.Only("add", "replace", "remove"); err != nil {
		return err
	}
	if o.Op == "remove" {
		o.Value = ""
	}
	if d.MutualTLS == nil {
		d.MutualTLS = &model.MutualTLS{}
	}
	*member(d.MutualTLS) = o.Value
	return nil
}

func patchType(d *model.DomainName, o patch.Operation) error {
	if !slices.Contains([]string{"REGIONAL", "EDGE", "PRIVATE"}, o.Value) {
		return badRequest("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
	}
	if o.Op == "remove" {
		d.EndpointConfiguration.Types = slices.DeleteFunc(slices.Clone(d.EndpointConfiguration.Types), func(t string) bool { return t == o.Value })
		return nil
	}
	d.EndpointConfiguration.Types = []string{o.Value}
	return o.Only("add", "replace", "remove")
}

// wireDomain converts a domain name.
func wireDomain(ctx context.Context, d model.DomainName) *apigateway.DomainName {
	out := &apigateway.DomainName{
		DomainName:                          &d.DomainName,
		DomainNameId:                        opt.NonZero(d.DomainNameID),
		DomainNameArn:                       opt.Of(d.ARN(awsapi.CallFrom(ctx).Region, awsapi.CallFrom(ctx).Account)),
		CertificateName:                     opt.NonZero(d.CertificateName),
		CertificateArn:                      opt.NonZero(d.CertificateARN),
		CertificateUploadDate:               d.CertificateUploadDate,
		RegionalDomainName:                  opt.NonZero(d.RegionalDomainName),
		RegionalHostedZoneId:                opt.NonZero(d.RegionalHostedZoneID),
		RegionalCertificateName:             opt.NonZero(d.RegionalCertificateName),
		RegionalCertificateArn:              opt.NonZero(d.RegionalCertificateARN),
		DistributionDomainName:              opt.NonZero(d.DistributionDomainName),
		DistributionHostedZoneId:            opt.NonZero(d.DistributionHostedZoneID),
		DomainNameStatus:                    opt.Convert[apigateway.DomainNameStatus](d.Status),
		DomainNameStatusMessage:             opt.NonZero(d.StatusMessage),
		SecurityPolicy:                      opt.Convert[apigateway.SecurityPolicy](d.SecurityPolicy),
		EndpointAccessMode:                  opt.Convert[apigateway.EndpointAccessMode](d.EndpointAccessMode),
		Tags:                                opt.Map(d.Tags),
		OwnershipVerificationCertificateArn: opt.NonZero(d.OwnershipCertificateARN),
		ManagementPolicy:                    opt.NonZero(d.ManagementPolicy),
		Policy:                              opt.NonZero(d.Policy),
		RoutingMode:                         opt.Convert[apigateway.RoutingMode](d.RoutingMode),
		EndpointConfiguration: &apigateway.EndpointConfiguration{
			IpAddressType: opt.Convert[apigateway.IpAddressType](d.EndpointConfiguration.IPAddressType),
		},
	}
	for _, t := range d.EndpointConfiguration.Types {
		out.EndpointConfiguration.Types = append(out.EndpointConfiguration.Types, apigateway.EndpointType(t))
	}
	if m := d.MutualTLS; m != nil {
		out.MutualTlsAuthentication = &apigateway.MutualTlsAuthentication{
			TruststoreUri: &m.TruststoreURI, TruststoreVersion: opt.NonZero(m.TruststoreVersion), TruststoreWarnings: m.TruststoreWarnings,
		}
	}
	return out
}

// hostedZones are the hosted zone ids of Regional domains (mutual-tls, section A6.6).
var hostedZones = map[string]string{
	"us-east-1": "Z1UJRXOUMOOFQ8", "us-east-2": "ZOJJZC49E0EPZ", "us-west-1": "Z2MUQ32089INYE", "us-west-2": "Z2OJLYMUO9EFXC",
	"ca-central-1": "Z19DQILCV0OWEC", "eu-central-1": "Z1U9ULNL0V5AJ3", "eu-west-1": "ZLY8HYME6SFDD", "eu-west-2": "ZJ5UAJN8Y3Z2Q",
	"eu-west-3": "Z3KY65QIEKYHQQ", "eu-north-1": "Z3UWIKFBOOGXPP", "eu-south-1": "Z3BT4WSQ9TDYZV", "ap-south-1": "Z3VO1THU9YC4UR",
	"ap-northeast-1": "Z1YSHQZHG15GKL", "ap-northeast-2": "Z20JF4UZKIW1U8", "ap-northeast-3": "Z22ILHG95FLSZ2",
	"ap-southeast-1": "ZL327KTPIQFUL", "ap-southeast-2": "Z2RPCDW04V8134", "ap-east-1": "Z3FD1VL90ND7K5", "sa-east-1": "ZCMLWB8V5SYIT",
	"af-south-1": "Z2DHW2332DAMTN", "me-south-1": "Z20ZBPC0SS8806",
}
