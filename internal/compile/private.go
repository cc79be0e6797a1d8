package compile

import (
	"fmt"
	"strings"

	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
)

var associations = store.Collection[model.DomainNameAccessAssociation]{Kind: model.KindAccessAssociation}

// privateDomain compiles what a private domain name has beside a public one; nil for public
// ones.
func privateDomain(tx *store.Tx, u unit, d model.DomainName) (*plan.PrivateDomain, error) {
	if d.EndpointConfiguration.Type() != "PRIVATE" {
		return nil, nil
	}
	out := &plan.PrivateDomain{ARN: "arn:aws:execute-api:" + u.region + ":" + u.account + ":/domainnames/" + d.DomainName + "+" + d.DomainNameID}
	if d.Policy != "" {
		// The short form stands for the domain name itself (authorizers, section 4.3).
		text := strings.ReplaceAll(d.Policy, `"execute-api:/*"`, `"`+out.ARN+`"`)
		policy, err := iampolicy.Parse(text, iampolicy.Resource)
		if err != nil {
			return nil, compileError{fmt.Errorf("policy: %w", err)}
		}
		out.Policy = policy
	}
	for a, err := range associations.In(tx, u.scope()) {
		if err != nil {
			return nil, err
		}
		if name, source, ok := associated(a.Value.ARN); ok && name == d.DomainName {
			out.Endpoints = append(out.Endpoints, source)
		}
	}
	return out, nil
}

// associated returns the domain name and the VPC endpoint in the ARN of an access association:
// "…:/domainnameaccessassociations/domainname/{name}/vpcesource/{id}".
func associated(arn string) (name, endpoint string, ok bool) {
	_, rest, ok := strings.Cut(arn, ":/domainnameaccessassociations/domainname/")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/vpcesource/")
}
