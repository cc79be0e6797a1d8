package domains

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

var associations = store.Collection[model.DomainNameAccessAssociation]{Kind: model.KindAccessAssociation}

func noAssociation() *awserr.Error {
	return apigateway.NotFoundException("Invalid domain name access association identifier specified")
}

// vpcEndpoint is the id of a VPC endpoint.
var vpcEndpoint = regexp.MustCompile(`^vpce-[0-9a-z]{1,64}$`)

// CreateDomainNameAccessAssociation lets a VPC endpoint use a private domain name.
func (s *DomainNames) CreateDomainNameAccessAssociation(ctx context.Context, in *apigateway.CreateDomainNameAccessAssociationInput) (*apigateway.DomainNameAccessAssociation, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DomainNameAccessAssociation, error) {
		d, err := privateDomain(ctx, tx, *in.DomainNameArn)
		if err != nil {
			return nil, err
		}
		a := model.DomainNameAccessAssociation{
			DomainNameARN: *in.DomainNameArn, SourceType: opt.Text(in.AccessAssociationSourceType),
			Source: opt.Value(in.AccessAssociationSource), Tags: opt.Map(in.Tags),
		}
		if !vpcEndpoint.MatchString(a.Source) {
			return nil, badRequest("Invalid accessAssociationSource: found '" + a.Source + "', want the id of a VPC endpoint (vpce-…)")
		}
		if err := tags.Check(a.Tags, tags.AccessAssociation); err != nil {
			return nil, err
		}
		c := awsapi.CallFrom(ctx)
		a.ARN = model.ARN{Partition: "aws", Service: "apigateway", Region: c.Region, Account: c.Account,
			Resource: "/domainnameaccessassociations/domainname/" + d.DomainName + "/vpcesource/" + a.Source}.String()
		err = associations.Create(tx, operation.Scope(ctx), a.ARN, a)
		if errors.Is(err, store.ErrExists) {
			return nil, apigateway.ConflictException("Domain name access association already exists")
		}
		return wireAssociation(a), err
	})
}

// privateDomain finds the private domain name that an ARN names. The ARNs of private domain
// names may end in their id: "…/domainnames/{name}+{id}".
func privateDomain(ctx context.Context, tx *store.Tx, arn string) (model.DomainName, error) {
	a, ok := model.ParseARN(arn)
	name, isDomain := strings.CutPrefix(a.Resource, "/domainnames/")
	if !ok || !isDomain || a.Service != "apigateway" || a.Region != awsapi.CallFrom(ctx).Region {
		return model.DomainName{}, badRequest("Invalid ARN specified in the request")
	}
	name, id, _ := strings.Cut(name, "+")
	d, err := getDomain(ctx, tx, name, nil)
	if err != nil {
		return model.DomainName{}, err
	}
	if id != "" && id != d.Value.DomainNameID {
		return model.DomainName{}, noDomain()
	}
	if d.Value.EndpointConfiguration.Type() != "PRIVATE" {
		return model.DomainName{}, badRequest("Domain name access associations are for private domain names only: " + d.Value.DomainName + " is not private")
	}
	return d.Value, nil
}

// GetDomainNameAccessAssociations lists associations in order of creation.
func (s *DomainNames) GetDomainNameAccessAssociations(ctx context.Context, in *apigateway.GetDomainNameAccessAssociationsInput) (*apigateway.GetDomainNameAccessAssociationsOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetDomainNameAccessAssociationsOutput, error) {
		out := &apigateway.GetDomainNameAccessAssociationsOutput{}
		if opt.Text(in.ResourceOwner) == "OTHER_ACCOUNTS" {
			return out, nil
		}
		items, next, err := associations.List(tx, operation.Scope(ctx), operation.Page(in.Limit, in.Position))
		if err != nil {
			return nil, operation.ListError(err)
		}
		out.Position = opt.NonZero(next)
		for _, it := range items {
			out.Items = append(out.Items, *wireAssociation(it.Value))
		}
		return out, nil
	})
}

// DeleteDomainNameAccessAssociation takes an association away, by the side of the endpoint.
func (s *DomainNames) DeleteDomainNameAccessAssociation(ctx context.Context, in *apigateway.DeleteDomainNameAccessAssociationInput) (*apigateway.DeleteDomainNameAccessAssociationOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteDomainNameAccessAssociationOutput, error) {
		return nil, operation.OrElse(associations.Delete(tx, operation.Scope(ctx), *in.DomainNameAccessAssociationArn), noAssociation())
	})
}

// RejectDomainNameAccessAssociation takes an association away, by the side of the domain name.
func (s *DomainNames) RejectDomainNameAccessAssociation(ctx context.Context, in *apigateway.RejectDomainNameAccessAssociationInput) (*apigateway.RejectDomainNameAccessAssociationOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.RejectDomainNameAccessAssociationOutput, error) {
		d, err := privateDomain(ctx, tx, *in.DomainNameArn)
		if err != nil {
			return nil, err
		}
		a, err := associations.Get(tx, operation.Scope(ctx), *in.DomainNameAccessAssociationArn)
		if err != nil {
			return nil, operation.OrElse(err, noAssociation())
		}
		if !strings.Contains(a.ARN, "/domainname/"+d.DomainName+"/vpcesource/") {
			return nil, noAssociation()
		}
		return nil, associations.Delete(tx, operation.Scope(ctx), a.ARN)
	})
}

// dropAssociations takes away the associations of a domain name that goes.
func dropAssociations(ctx context.Context, tx *store.Tx, name string) error {
	for it, err := range associations.In(tx, operation.Scope(ctx)) {
		if err != nil {
			return err
		}
		if strings.Contains(it.Value.ARN, "/domainname/"+name+"/vpcesource/") {
			if err := associations.Delete(tx, operation.Scope(ctx), it.Value.ARN); err != nil {
				return err
			}
		}
	}
	return nil
}

func wireAssociation(a model.DomainNameAccessAssociation) *apigateway.DomainNameAccessAssociation {
	return &apigateway.DomainNameAccessAssociation{
		DomainNameAccessAssociationArn: &a.ARN, DomainNameArn: &a.DomainNameARN,
		AccessAssociationSourceType: opt.Convert[apigateway.AccessAssociationSourceType](a.SourceType),
		AccessAssociationSource:     &a.Source, Tags: opt.Map(a.Tags),
	}
}
