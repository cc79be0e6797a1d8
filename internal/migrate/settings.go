package migrate

import (
	"strings"

	"gatehouse/internal/model"
	"gatehouse/internal/openapi"
)

// examineAPI reports what of an API is kept without effect, and what it needs from elsewhere.
func examineAPI(r *Report, what string, a *openapi.API) {
	switch a.Snapshot.API.EndpointConfiguration.Type() {
	case "EDGE":
		r.add(NotEnforced, what, "endpoint type EDGE: served as REGIONAL, there are no edge locations")
	case "PRIVATE":
		r.add(NotEnforced, what, "endpoint type PRIVATE: there are no VPC endpoints; the resource policy and the listeners decide who reaches it")
	}
	for _, z := range a.Authorizers {
		if z.Type == "COGNITO_USER_POOLS" {
			r.add(Differs, what, "authorizer %q asks the user pools %s: tokens are judged by the issuer's published keys", z.Name, strings.Join(z.ProviderARNs, ", "))
		} else {
			r.add(Differs, what, "authorizer %q calls %s: the function has to be here, or routed", z.Name, functionIn(z.AuthorizerURI))
		}
	}
	a.Methods(func(res *model.Resource, m *model.Method) {
		i := m.Integration
		at := what + ", " + m.HTTPMethod + " " + res.Path
		switch {
		case i == nil:
			r.add(NotCarried, at, "no integration: the API cannot be deployed")
			return
		case i.ConnectionType == "VPC_LINK":
			r.add(Differs, at, "connection through VPC link %s: it goes to the host of %s, or where the link's tag gatehouse:target says", i.ConnectionID, i.URI)
		}
		if f := functionIn(i.URI); f != "" {
			r.add(Differs, at, "calls the function %s, which has to be here, or routed", f)
		} else if i.Type == "AWS" || i.Type == "AWS_PROXY" {
			r.add(Differs, at, "calls %s: the service has to be reachable from here", i.URI)
		}
	})
}

// functionIn returns the function that an integration's URI names, "" for none.
func functionIn(uri string) string {
	_, rest, ok := strings.Cut(uri, "/functions/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// stage is a stage as the management API shows it.
type stage struct {
	StageName            string                          `json:"stageName"`
	DeploymentID         string                          `json:"deploymentId,omitempty"`
	Description          string                          `json:"description,omitempty"`
	ClientCertificateID  string                          `json:"clientCertificateId,omitempty"`
	CacheClusterEnabled  bool                            `json:"cacheClusterEnabled"`
	CacheClusterSize     string                          `json:"cacheClusterSize,omitempty"`
	MethodSettings       map[string]*model.MethodSetting `json:"methodSettings,omitempty"`
	Variables            map[string]string               `json:"variables,omitempty"`
	DocumentationVersion string                          `json:"documentationVersion,omitempty"`
	AccessLogSettings    *model.AccessLogSettings        `json:"accessLogSettings,omitempty"`
	CanarySettings       *model.CanarySettings           `json:"canarySettings,omitempty"`
	TracingEnabled       bool                            `json:"tracingEnabled"`
	WebACLARN            string                          `json:"webAclArn,omitempty"`
	Tags                 map[string]string               `json:"tags,omitempty"`
}

// examine reports what of a stage does not come along by itself.
func (s *stage) examine(r *Report, what string) {
	if s.ClientCertificateID != "" {
		r.add(NotCarried, what, "client certificate %s: its private key stays where it is; generate one here and give it to the backends", s.ClientCertificateID)
	}
	if s.WebACLARN != "" {
		r.add(NotCarried, what, "web ACL %s: the stage is open until one is associated here", s.WebACLARN)
	}
	if s.CanarySettings != nil {
		r.add(NotCarried, what, "canary at %g%%: all traffic goes to the stage's own deployment", s.CanarySettings.PercentTraffic)
	}
	if s.TracingEnabled {
		r.add(NotEnforced, what, "tracing: no X-Ray segments are written; trace headers are passed on")
	}
	if s.CacheClusterSize != "" {
		r.add(NotEnforced, what, "cache cluster size %s: no cluster is made", s.CacheClusterSize)
	}
	if l := s.AccessLogSettings; l != nil && !strings.Contains(l.DestinationARN, ":logs:") {
		r.add(NotCarried, what, "access log to %s: only log groups are offered", l.DestinationARN)
	}
}
