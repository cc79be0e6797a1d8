package restapis

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// Limits of timeoutInMillis (routing-and-integrations, section 9).
const (
	minTimeout       = 50
	defaultTimeout   = 29_000
	maxStreamTimeout = 900_000
)

// PutIntegration says what answers a method, replacing what did.
func (s *RestAPIs) PutIntegration(ctx context.Context, in *apigateway.PutIntegrationInput) (out *apigateway.Integration, err error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	err = s.change(ctx, ref, func(tx *store.Tx, r model.Resource, m *model.Method) error {
		i, err := s.newIntegration(in, r.ID)
		if err != nil {
			return err
		}
		if err := s.checkIntegration(tx, operation.Scope(ctx), m, i); err != nil {
			return err
		}
		if err := s.mayPass(ctx, i.Credentials); err != nil {
			return err
		}
		m.Integration = i
		out = wireIntegration(i)
		return nil
	})
	return out, err
}

// newIntegration keeps of the input what its type has (aws-behaviour-recorded, section 6).
func (s *RestAPIs) newIntegration(in *apigateway.PutIntegrationInput, resource string) (*model.Integration, error) {
	i := &model.Integration{
		Type:                 opt.Text(in.Type),
		HTTPMethod:           opt.Value(in.IntegrationHttpMethod),
		URI:                  opt.Value(in.Uri),
		ConnectionType:       opt.Text(in.ConnectionType),
		ConnectionID:         opt.Value(in.ConnectionId),
		IntegrationTarget:    opt.Value(in.IntegrationTarget),
		Credentials:          opt.Value(in.Credentials),
		RequestParameters:    in.RequestParameters,
		RequestTemplates:     in.RequestTemplates,
		PassthroughBehavior:  strings.ToUpper(opt.Value(in.PassthroughBehavior)),
		ContentHandling:      opt.Text(in.ContentHandling),
		TimeoutInMillis:      int(opt.Or(in.TimeoutInMillis, defaultTimeout)),
		CacheNamespace:       opt.Value(in.CacheNamespace),
		CacheKeyParameters:   slices.Clone(in.CacheKeyParameters),
		ResponseTransferMode: opt.Text(in.ResponseTransferMode),
	}
	if i.PassthroughBehavior == "" {
		i.PassthroughBehavior = "WHEN_NO_MATCH"
	}
	if i.CacheNamespace == "" {
		i.CacheNamespace = resource
	}
	if i.CacheKeyParameters == nil {
		i.CacheKeyParameters = []string{}
	}
	if in.TlsConfig != nil && opt.Value(in.TlsConfig.InsecureSkipVerification) {
		i.TLSConfig = &model.TLSConfig{InsecureSkipVerification: true}
	}
	normaliseIntegration(i)
	return i, nil
}

// normaliseIntegration drops members that the integration's type does not have.
func normaliseIntegration(i *model.Integration) {
	switch i.Type {
	case "MOCK":
		i.HTTPMethod, i.URI, i.ConnectionType, i.ConnectionID, i.Credentials = "", "", "", "", ""
		i.IntegrationTarget = ""
	case "HTTP", "HTTP_PROXY":
		if i.ConnectionType == "" {
			i.ConnectionType = "INTERNET"
		}
	default:
		i.ConnectionType, i.ConnectionID, i.IntegrationTarget = "", "", ""
	}
}

// checkIntegration judges an integration as a whole.
func (s *RestAPIs) checkIntegration(tx *store.Tx, in store.Scope, m *model.Method, i *model.Integration) error {
	if err := checkChoices(i); err != nil {
		return err
	}
	if i.Type != "MOCK" && i.HTTPMethod == "" {
		return badRequest("Enumeration value for HttpMethod must be non-empty")
	}
	if i.HTTPMethod != "" && !slices.Contains(httpMethods, i.HTTPMethod) {
		return badRequest("Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY")
	}
	if !slices.Contains([]string{"WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"}, i.PassthroughBehavior) {
		return badRequest("Invalid PassthroughBehavior specified. Valid options are WHEN_NO_MATCH,WHEN_NO_TEMPLATES,NEVER")
	}
	if err := checkURI(i); err != nil {
		return err
	}
	if err := checkCredentials(i.Credentials); err != nil {
		return err
	}
	if err := s.checkTimeout(i); err != nil {
		return err
	}
	if err := checkConnection(tx, in, i); err != nil {
		return err
	}
	if err := checkTransfer(i); err != nil {
		return err
	}
	return checkIntegrationParameters(m, i)
}

// checkChoices refuses values that their members do not have. Calls are held to the model before;
// patches and documents are not.
func checkChoices(i *model.Integration) error {
	for _, m := range []struct {
		name, value string
		valid       []string
	}{
		{"Type", i.Type, []string{"HTTP", "HTTP_PROXY", "AWS", "AWS_PROXY", "MOCK"}},
		{"ConnectionType", i.ConnectionType, []string{"", "INTERNET", "VPC_LINK"}},
		{"ContentHandling", i.ContentHandling, []string{"", "CONVERT_TO_BINARY", "CONVERT_TO_TEXT"}},
		{"ResponseTransferMode", i.ResponseTransferMode, []string{"", "BUFFERED", "STREAM"}},
	} {
		if !slices.Contains(m.valid, m.value) {
			return badRequest("Invalid " + m.name + " specified. Valid options are " + strings.TrimPrefix(strings.Join(m.valid, ","), ","))
		}
	}
	return nil
}

// checkTransfer refuses response transfer modes that the integration's type or URI does not have
// (routing-and-integrations, section 10: combinations). The service's texts are not recorded.
func checkTransfer(i *model.Integration) error {
	stream := i.ResponseTransferMode == "STREAM"
	if stream && i.Type != "HTTP_PROXY" && i.Type != "AWS_PROXY" {
		return badRequest("Invalid responseTransferMode: STREAM is only supported by HTTP_PROXY and AWS_PROXY integrations")
	}
	if i.Type != "AWS" && i.Type != "AWS_PROXY" {
		return nil
	}
	switch streamed := streamedFunction.MatchString(i.URI); {
	case streamed && i.Type == "AWS":
		return badRequest("Invalid URI: response-streaming-invocations is only supported by AWS_PROXY integrations")
	case streamed && !stream:
		return badRequest("Invalid responseTransferMode: the URI is that of response-streaming-invocations, which requires STREAM")
	case stream && !streamed:
		return badRequest("Invalid responseTransferMode: STREAM requires the URI arn:aws:apigateway:{region}:lambda:path/2021-11-15/functions/{function}/response-streaming-invocations")
	}
	return nil
}

// checkCredentials refuses credentials that are not the ARN of a role, or the one that stands for
// the caller's own. What a stage variable names is the stage's business.
func checkCredentials(role string) error {
	if role == "" || strings.HasPrefix(role, "${stageVariables.") {
		return nil
	}
	if arn, ok := model.ParseARN(placeholder.ReplaceAllString(role, "x")); !ok || arn.Service != "iam" {
		return badRequest("Invalid ARN specified in the request")
	}
	return nil
}

// checkConnection refuses a VPC link that is not there, and a target that the link does not take:
// one of version 2 has no load balancers of its own, so that the integration names one. A link
// that a stage variable names is the stage's business.
func checkConnection(tx *store.Tx, in store.Scope, i *model.Integration) error {
	if i.IntegrationTarget != "" {
		if i.ConnectionType != "VPC_LINK" {
			return badRequest("integrationTarget requires the connectionType VPC_LINK")
		}
		if arn, ok := model.ParseARN(i.IntegrationTarget); !ok || arn.Service != "elasticloadbalancing" {
			return badRequest("Invalid integrationTarget: found '" + i.IntegrationTarget + "', want the ARN of an Application or Network Load Balancer or of its listener")
		}
	}
	if i.ConnectionType != "VPC_LINK" {
		return nil
	}
	if i.ConnectionID == "" {
		return badRequest("VPC_LINK connectionType requires a non-empty connectionId")
	}
	if strings.Contains(i.ConnectionID, "${stageVariables.") {
		return nil
	}
	if _, err := vpcLinksV2.Get(tx, in, i.ConnectionID); err == nil {
		if i.IntegrationTarget == "" {
			return badRequest("A VPC link of version 2 requires an integrationTarget")
		}
		return nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if _, err := vpcLinks.Get(tx, in, i.ConnectionID); err != nil {
		return operation.OrElse(err, badRequest(noVPCLink().Message))
	}
	if i.IntegrationTarget != "" {
		return badRequest("integrationTarget requires a VPC link of version 2")
	}
	return nil
}

func (s *RestAPIs) checkTimeout(i *model.Integration) error {
	limit := s.MaxTimeout
	if limit == 0 {
		limit = defaultTimeout
	}
	if i.ResponseTransferMode == "STREAM" {
		limit = maxStreamTimeout
	}
	if i.TimeoutInMillis < minTimeout || i.TimeoutInMillis > limit {
		return badRequest("Timeout should be between 50 ms and " + itoa(limit) + " ms")
	}
	return nil
}

// checkURI refuses URIs that the integration's type cannot call.
func checkURI(i *model.Integration) error {
	switch i.Type {
	case "HTTP", "HTTP_PROXY":
		return checkHTTPURI(i)
	case "AWS", "AWS_PROXY":
		return checkAWSURI(i)
	}
	return nil
}

// placeholder is anything in braces in a URI: a stage variable or a path parameter.
var placeholder = regexp.MustCompile(`\$?\{[^{}]*\}`)

func checkHTTPURI(i *model.Integration) error {
	invalid := badRequest("Invalid HTTP endpoint specified for URI")
	uri := i.URI
	if strings.HasPrefix(uri, "${stageVariables.") {
		return nil // the whole endpoint is the stage's business
	}
	u, err := url.Parse(placeholder.ReplaceAllString(uri, "x"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return invalid
	}
	if u.User != nil {
		return invalid
	}
	// A request parameter never changes the authority of an integration URI.
	if names := expression.CompileURI(expression.ResolveStageVariables(uri, anyValue)).AuthorityPlaceholders(); len(names) > 0 {
		return badRequest("Invalid HTTP endpoint specified for URI: the host may not hold the request parameter {" + names[0] + "}")
	}
	return nil
}

func anyValue(string) (string, bool) { return "x", true }

// awsURI is an integration's ARN: region, service (with an optional subdomain), and path or action.
var awsURI = regexp.MustCompile(`^arn:[a-z-]+:apigateway:[a-zA-Z0-9-]*:([a-zA-Z0-9.-]+):(path|action)/(.*)$`)

// functionTarget is a path that calls a function by its ARN, with a version or alias if any. A stage
// variable may stand for any part of it.
var functionTarget = regexp.MustCompile(`/functions/arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:[a-zA-Z0-9_-]+(?::[a-zA-Z0-9$_-]+)?/`)

// proxyTargets are the paths that AWS_PROXY integrations may call.
var proxyTargets = regexp.MustCompile(`^(?:2015-03-31/functions/.+/invocations|2021-11-15/functions/.+/response-streaming-invocations)$`)

// streamedFunction is the URI of a function whose answer is streamed, in whatever way its ARN is written.
var streamedFunction = regexp.MustCompile(`:lambda:path/2021-11-15/functions/.+/response-streaming-invocations$`)

func checkAWSURI(i *model.Integration) error {
	uri := placeholder.ReplaceAllString(i.URI, "x")
	if arn, ok := model.ParseARN(uri); !ok || arn.Partition == "" {
		return badRequest("Invalid ARN specified in the request")
	}
	parts := awsURI.FindStringSubmatch(uri)
	if parts == nil {
		return badRequest("AWS ARN for integration must contain path or action")
	}
	service, kind, rest := parts[1], parts[2], parts[3]
	lambda := service == "lambda" && kind == "path" && proxyTargets.MatchString(rest)
	if lambda && !strings.Contains(i.URI, "${stageVariables.") && !functionTarget.MatchString(rest) {
		return badRequest("Invalid function ARN or invalid uri")
	}
	if i.Type != "AWS_PROXY" {
		return nil
	}
	firehose := service == "firehose" && kind == "action"
	if !lambda && !firehose {
		return badRequest("Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.")
	}
	return nil
}

// checkIntegrationParameters refuses request parameter mappings that are no expressions
// or read what the method does not declare.
func checkIntegrationParameters(m *model.Method, i *model.Integration) error {
	declared := func(p expression.Parameter) bool {
		_, ok := m.RequestParameters[p.String()]
		return ok || p.Place == expression.Path
	}
	for _, key := range slices.Sorted(maps.Keys(i.RequestParameters)) {
		if _, err := expression.ParseRequestMapping(key, i.RequestParameters[key], declared); err != nil {
			return badRequest(err.Error())
		}
	}
	for _, key := range i.CacheKeyParameters {
		if _, err := expression.ParseCacheKey(key); err != nil {
			return badRequest(err.Error())
		}
	}
	return nil
}

// GetIntegration returns what answers a method.
func (s *RestAPIs) GetIntegration(ctx context.Context, in *apigateway.GetIntegrationInput) (*apigateway.Integration, error) {
	m, err := s.read(ctx, methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod})
	if err != nil {
		return nil, err
	}
	if m.Integration == nil {
		return nil, noIntegration()
	}
	return wireIntegration(m.Integration), nil
}

// DeleteIntegration takes away what answers a method.
func (s *RestAPIs) DeleteIntegration(ctx context.Context, in *apigateway.DeleteIntegrationInput) (*apigateway.DeleteIntegrationOutput, error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	return nil, s.change(ctx, ref, func(_ *store.Tx, _ model.Resource, m *model.Method) error {
		if m.Integration == nil {
			return noIntegration()
		}
		m.Integration = nil
		return nil
	})
}

// UpdateIntegration patches what answers a method; all operations are judged together.
func (s *RestAPIs) UpdateIntegration(ctx context.Context, in *apigateway.UpdateIntegrationInput) (out *apigateway.Integration, err error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	err = s.change(ctx, ref, func(tx *store.Tx, _ model.Resource, m *model.Method) error {
		if m.Integration == nil {
			return noIntegration()
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchIntegration(m.Integration, o); err != nil {
				return err
			}
		}
		normaliseIntegration(m.Integration)
		if err := s.mayPass(ctx, m.Integration.Credentials); err != nil {
			return err // also when they stay: where the role's power goes may change
		}
		out = wireIntegration(m.Integration)
		return s.checkIntegration(tx, operation.Scope(ctx), m, m.Integration)
	})
	return out, err
}

func patchIntegration(i *model.Integration, o patch.Operation) error {
	if key, ok := o.Key("/requestParameters/"); ok {
		return patchEntry(&i.RequestParameters, key, o.Value, o)
	}
	if key, ok := o.Key("/requestTemplates/"); ok {
		return patchEntry(&i.RequestTemplates, key, o.Value, o)
	}
	if strings.HasPrefix(o.Path, "/cacheKeyParameters") {
		return patchCacheKeys(i, o)
	}
	if o.Path == "/timeoutInMillis" {
		n, ok := o.Int()
		if !ok {
			return badRequest("Invalid timeoutInMillis: found '" + o.Value + "', want a number of milliseconds")
		}
		i.TimeoutInMillis = n
		return o.Only("replace")
	}
	if o.Path == "/tlsConfig/insecureSkipVerification" {
		i.TLSConfig = &model.TLSConfig{InsecureSkipVerification: o.Bool()}
		return o.Only("replace")
	}
	fields := map[string]*string{
		"/httpMethod": &i.HTTPMethod, "/uri": &i.URI, "/connectionType": &i.ConnectionType, "/connectionId": &i.ConnectionID,
		"/credentials": &i.Credentials, "/passthroughBehavior": &i.PassthroughBehavior, "/contentHandling": &i.ContentHandling,
		"/cacheNamespace": &i.CacheNamespace, "/type": &i.Type, "/responseTransferMode": &i.ResponseTransferMode,
		"/integrationTarget": &i.IntegrationTarget,
	}
	field, ok := fields[o.Path]
	if !ok {
		return patch.InvalidPath(o.Path)
	}
	*field = o.Value
	if o.Path == "/contentHandling" || o.Path == "/credentials" || o.Path == "/integrationTarget" {
		if o.Op == "remove" {
			*field = ""
		}
		return o.Only("add", "replace", "remove")
	}
	return o.Only("replace")
}

// patchCacheKeys takes parameters by escaped path or by value.
func patchCacheKeys(i *model.Integration, o patch.Operation) error {
	name, ok := o.Key("/cacheKeyParameters/")
	if !ok {
		name = o.Value
	}
	rest := slices.DeleteFunc(slices.Clone(i.CacheKeyParameters), func(s string) bool { return s == name })
	switch o.Op {
	case "add":
		i.CacheKeyParameters = append(rest, name)
	case "remove":
		i.CacheKeyParameters = rest
	default:
		return patch.InvalidOp("add", "remove")
	}
	return nil
}

// wireIntegration converts an integration with its responses.
func wireIntegration(i *model.Integration) *apigateway.Integration {
	out := &apigateway.Integration{
		Type:                 opt.Convert[apigateway.IntegrationType](i.Type),
		HttpMethod:           opt.NonZero(i.HTTPMethod),
		Uri:                  opt.NonZero(i.URI),
		ConnectionType:       opt.Convert[apigateway.ConnectionType](i.ConnectionType),
		ConnectionId:         opt.NonZero(i.ConnectionID),
		IntegrationTarget:    opt.NonZero(i.IntegrationTarget),
		Credentials:          opt.NonZero(i.Credentials),
		RequestParameters:    opt.Map(i.RequestParameters),
		RequestTemplates:     opt.Map(i.RequestTemplates),
		PassthroughBehavior:  opt.NonZero(i.PassthroughBehavior),
		ContentHandling:      opt.Convert[apigateway.ContentHandlingStrategy](i.ContentHandling),
		TimeoutInMillis:      opt.Of(int32(i.TimeoutInMillis)),
		CacheNamespace:       opt.NonZero(i.CacheNamespace),
		CacheKeyParameters:   i.CacheKeyParameters,
		ResponseTransferMode: opt.Convert[apigateway.ResponseTransferMode](i.ResponseTransferMode),
	}
	if i.TLSConfig != nil {
		out.TlsConfig = &apigateway.TlsConfig{InsecureSkipVerification: &i.TLSConfig.InsecureSkipVerification}
	}
	if len(i.IntegrationResponses) > 0 {
		out.IntegrationResponses = map[string]apigateway.IntegrationResponse{}
		for code, r := range i.IntegrationResponses {
			out.IntegrationResponses[code] = *wireIntegrationResponse(r)
		}
	}
	return out
}
