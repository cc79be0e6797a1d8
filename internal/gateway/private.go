package gateway

import (
	"slices"
	"strings"

	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// An Endpoint is a VPC endpoint: a listener through which private APIs are reached. It is not
// modified.
type Endpoint struct {
	ID     string            // "vpce-…"
	VPC    string            // "vpc-…"
	Policy *iampolicy.Policy // nil allows everything
}

// maxPrivateHeader is the largest header of a request to a private API, in bytes: names,
// values and what stands between and after them (quotas).
const maxPrivateHeader = 8000

// The refusals of private APIs (authorizers, section 4.3).
var (
	errNotPrivate        = forbidden("public-through-endpoint")
	errPrivate           = forbidden("private-without-endpoint")
	errNotAssociated     = forbidden("endpoint-not-associated")
	errPrivateHeaderSize = &Refusal{Status: 431, Plain: "HTTP header is larger than 8000 bytes.", Reason: "header-too-large"}
)

// arriveByEndpoint finds the API of a request that came by a VPC endpoint: by a private domain
// name that the endpoint is associated with, by the host of its default endpoint, by that with
// the VPC endpoint's id behind the API's, or under any other host by the header
// x-apigw-api-id. Nothing but private APIs is reached that way.
func (x *exchange) arriveByEndpoint(d *plan.Domain) error {
	if x.endpoint = x.g.Endpoints[x.req.Conn.Endpoint]; x.endpoint == nil {
		return errUnknownHost
	}
	if headerSize(x.req.Header) > maxPrivateHeader {
		return errPrivateHeaderSize
	}
	if d != nil {
		if d.Private == nil || !slices.Contains(d.Private.Endpoints, x.endpoint.ID) {
			return errNotAssociated
		}
		x.domain = d
		return x.arriveByMapping()
	}
	var api *plan.API
	if x.plan.IsDefaultEndpoint(x.host) {
		label, rest, _ := strings.Cut(x.host, ".")
		api = x.plan.Host(strings.TrimSuffix(label, "-"+x.endpoint.ID) + "." + rest).API
	} else if id := x.req.Header.Get("x-apigw-api-id"); id != "" && x.req.Header.Count("x-apigw-api-id") == 1 {
		for _, region := range x.plan.Regions() {
			if api = x.plan.API(region, id); api != nil {
				break
			}
		}
	}
	if api == nil {
		return errUnknownHost
	}
	return x.arriveByStage(api, x.req.Path)
}

// checkPrivate keeps private APIs and public ways apart, in both directions.
func (x *exchange) checkPrivate(s *plan.Stage) error {
	switch private := s.EndpointType == "PRIVATE"; {
	case private && x.endpoint == nil:
		return errPrivate
	case !private && x.endpoint != nil:
		return errNotPrivate
	}
	return nil
}

// authorizeByEndpoint judges a request to a private API by the policy of its VPC endpoint, and
// refuses APIs without a policy of their own, which admit nobody (authorizers, section 4.3).
// What lets it pass decides nothing else: the API's policy is asked after it.
func (x *exchange) authorizeByEndpoint(principal *iampolicy.Principal) error {
	if x.endpoint == nil {
		return nil
	}
	q := x.question(principal)
	if len(q.Resource) > maxMethodARN {
		return errURITooLong
	}
	who := anonymous
	if principal != nil {
		who = principal.ARN
	}
	if x.stage.Policy == nil {
		return x.refuseUnless(iampolicy.Decision{By: iampolicy.ResourceType}, who)
	}
	if x.domain != nil {
		if err := x.authorizeByDomain(principal, who); err != nil {
			return err
		}
	}
	if x.endpoint.Policy == nil {
		return nil
	}
	switch v := x.endpoint.Policy.Evaluate(q); v.Effect {
	case iampolicy.Allow:
		return nil
	case iampolicy.ExplicitDeny:
		return x.accessDenied(who, "endpoint-explicit-deny", " with an explicit deny in a VPC endpoint policy")
	}
	return x.accessDenied(who, "endpoint-implicit-deny", " because no VPC endpoint policy allows the "+invokeAction+" action")
}

// authorizeByDomain judges a request by the policy of its private domain name, which must
// allow.
func (x *exchange) authorizeByDomain(principal *iampolicy.Principal, who string) error {
	p := x.domain.Private
	v := p.Policy.Evaluate(&iampolicy.Request{Action: invokeAction, Resource: p.ARN, Principal: principal, Keys: conditionKeys{x}})
	return x.refuseUnless(iampolicy.Decision{Effect: v.Effect, By: iampolicy.ResourceType, Verdict: v}, who)
}

// vpcKey gives the condition keys of requests that came by a VPC endpoint. Their address is
// one within the VPC: aws:SourceIp, which is about the public internet, has no value then
// (authorizers, section 4.1).
func (k conditionKeys) vpcKey(name string) iampolicy.Value {
	switch name {
	case "aws:vpcsourceip":
		return iampolicy.Addr(k.x.req.Conn.Remote.Addr())
	case "aws:sourcevpc":
		return iampolicy.Text(k.x.endpoint.VPC)
	case "aws:sourcevpce":
		return iampolicy.Text(k.x.endpoint.ID)
	}
	return iampolicy.Value{}
}

// headerSize is the size of a header as HTTP/1.1 writes it, in bytes.
func headerSize(h message.Header) int {
	n := 0
	for i := range h {
		n += len(h[i].Name) + len(h[i].Value) + len(": \r\n")
	}
	return n
}
