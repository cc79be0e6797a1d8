package domains

import (
	"context"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/model"
)

// maySecure refuses callers who may change a domain name, but not who gets in by it: its trust
// store and its policies are more than how it is built, so the service asks for actions of their
// own beside that of the call (Service Authorization Reference, API Gateway Management: "an
// additional authorization control ... due to the sensitive nature of mTLS"). before has only its
// name for a domain name that is made; reread tells that the call names the trust store.
func (s *DomainNames) maySecure(ctx context.Context, before, after model.DomainName, reread bool) error {
	if s.Authorize == nil {
		return nil
	}
	had, has := before.MutualTLS != nil, after.MutualTLS != nil && after.MutualTLS.TruststoreURI != ""
	for _, a := range []struct {
		action string
		needed bool
	}{
		{"apigateway:AddCertificateToDomain", has && (!had || reread)},
		{"apigateway:RemoveCertificateFromDomain", had && !has},
		{"apigateway:UpdateDomainNamePolicy", before.Policy != after.Policy},
		{"apigateway:UpdateDomainNameManagementPolicy", before.ManagementPolicy != after.ManagementPolicy},
	} {
		if !a.needed {
			continue
		}
		if err := s.Authorize(ctx, a.action, model.APIGatewayARN(awsapi.CallFrom(ctx).Region, "/domainnames/"+after.DomainName)); err != nil {
			return err
		}
	}
	return nil
}
