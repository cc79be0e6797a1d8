package server

import (
	"context"
	"slices"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/apigatewayv2"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/lambda"
	logswire "gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/s3control"
	"gatehouse/internal/awsapi/gen/sts"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/control/clientcertificates"
	"gatehouse/internal/control/domains"
	"gatehouse/internal/control/identities"
	"gatehouse/internal/control/logs"
	"gatehouse/internal/control/objects"
	"gatehouse/internal/control/restapis"
	"gatehouse/internal/control/steering"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/control/usageplans"
)

// openIdentities loads who may call, and what. --dev serves every region.
func (s *Server) openIdentities(ctx context.Context) (err error) {
	c := s.config
	s.identities, err = identities.New(ctx, identities.Config{
		Store: s.store, Account: c.Account(), Log: s.log, Root: s.root, HomeRegion: c.Region(), Dev: c.Dev,
		Region:         func(r string) bool { return c.Dev || slices.Contains(c.Regions, r) },
		ResourcePolicy: s.resourcePolicy,
		ResourceTags:   s.resourceTags,
	})
	return err
}

// Services returns the services of the control port with what serves them. Whoever asks a
// Bound for its Implemented operations learns what is offered: docs/coverage.md is made so.
func (s *Server) Services() []schema.Bound {
	return []schema.Bound{
		apigateway.Bind(&apiGateway{
			RestAPIs: &restapis.RestAPIs{
				Store: s.store, MaxTimeout: int(s.config.Limits.IntegrationTimeout.Milliseconds()), Steering: s.steering, Endpoint: s.endpoint,
				Tester: &methodTester{s.compiler, s.gateway}, MayPass: s.mayPassToGateway, Authorize: s.mayAlso,
			},
			ClientCertificates: &clientcertificates.ClientCertificates{Store: s.store},
			UsagePlans:         &usageplans.UsagePlans{Store: s.store, Hasher: s.hasher, Counters: s.counters},
			DomainNames:        s.domainNames,
		}),
		apigatewayv2.Bind(&apiGatewayV2{DomainNames: s.domainNames, VPCLinksV2: &restapis.VPCLinksV2{Store: s.store}}),
		wafv2.Bind(s.firewall.operations(s.store, s.mayAlso)),
		acm.Bind(s.acm),
		s3.Bind(s.objects),
		s3control.Bind(s.objects),
		iam.Bind(s.identities.IAM()),
		logswire.Bind(&logGroups{Logs: s.logGroups}),
		lambda.Bind(&functionService{Functions: s.functions}),
		sts.Bind(s.identities.STS()),
	}
}

// openDomainNames makes what serves domain names, and judges the tags that steer them.
func (s *Server) openDomainNames() {
	s.domainNames = &domains.DomainNames{
		Store: s.store, Suffix: s.config.DomainSuffix, Locks: s.locks, Authorize: s.mayAlso,
		Objects: trustStoreObjects{s.objects, objects.AsCaller(s.identities)},
	}
	s.steering = &steering.Guard{Authorizer: s.identities, Judges: map[tags.Resource]steering.Judge{tags.DomainName: s.domainNames.JudgeTags}}
	s.domainNames.Steering = s.steering
	s.follower = newFollower(s, s.domainNames)
}

// managementAPI puts the control plane together.
func (s *Server) managementAPI() *awsapi.Server {
	return awsapi.NewServer(awsapi.Config{
		Services:      s.Services(),
		Authenticator: s.identities,
		Authorizer:    s.identities,
		Log:           s.log,
		Account:       s.config.Account(),
		Region:        s.config.Region(),
		S3Domains:     []string{"localhost", s.config.DomainSuffix},
	})
}

// apiGateway is the backend of API Gateway, from the packages that fill its parts.
type apiGateway struct {
	*restapis.RestAPIs
	*domains.DomainNames
	*usageplans.UsagePlans
	*clientcertificates.ClientCertificates
	apigateway.Unimplemented
}

// apiGatewayV2 is the backend of version 2 of API Gateway: how domain names lead to APIs, and VPC
// links of version 2.
type apiGatewayV2 struct {
	*domains.DomainNames
	*restapis.VPCLinksV2
	apigatewayv2.Unimplemented
}

// logGroups is the backend of CloudWatch Logs.
type logGroups struct {
	*logs.Logs
	logswire.Unimplemented
}
