package compile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/lang/awsuri"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/jsonpath"
	"gatehouse/internal/lang/mapping"
	"gatehouse/internal/lang/regex"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

var integrationTypes = map[string]plan.IntegrationType{
	"MOCK": plan.Mock, "HTTP": plan.HTTP, "HTTP_PROXY": plan.HTTPProxy, "AWS": plan.AWS, "AWS_PROXY": plan.AWSProxy,
}

var passthroughs = map[string]plan.Passthrough{
	"": plan.WhenNoMatch, "WHEN_NO_MATCH": plan.WhenNoMatch, "WHEN_NO_TEMPLATES": plan.WhenNoTemplates, "NEVER": plan.Never,
}

var contentHandlings = map[string]plan.ContentHandling{"": plan.ByType, "CONVERT_TO_TEXT": plan.ToText, "CONVERT_TO_BINARY": plan.ToBinary}

// withPath compiles the JSONPath of a mapping that reads into a body.
func withPath(m expression.Mapping) (plan.Mapped, error) {
	out := plan.Mapped{Mapping: m}
	if m.From.Source != expression.BodyPath {
		return out, nil
	}
	var err error
	out.Path, err = jsonpath.Compile(m.From.Name)
	return out, err
}

// compileIntegration compiles what answers a method, with the stage's variables in place.
func compileIntegration(s *plan.Stage, r *model.Resource, m *model.Method, with Backends) (*plan.Integration, error) {
	i := m.Integration
	kind, ok := integrationTypes[i.Type]
	if !ok {
		return nil, fmt.Errorf("integration type %q: no such type", i.Type)
	}
	out := &plan.Integration{
		Type:        kind,
		Timeout:     timeoutOf(i),
		HTTPMethod:  i.HTTPMethod,
		Passthrough: passthroughs[i.PassthroughBehavior],
		Stream:      i.ResponseTransferMode == "STREAM",
		Idle:        streamIdle(s.EndpointType),

		ContentHandling: contentHandlings[i.ContentHandling],
	}
	if out.HTTPMethod == "ANY" {
		out.HTTPMethod = ""
	}
	for _, key := range slices.Sorted(maps.Keys(i.RequestParameters)) {
		m, err := expression.ParseRequestMapping(key, i.RequestParameters[key], nil)
		if err != nil {
			return nil, err
		}
		if m.To == expression.ToHeader && refusedHeader(kind, m.Name) {
			out.Broken = m.Name + " header already present"
		}
		mapped, err := withPath(m)
		if err != nil {
			return nil, fmt.Errorf("request parameter %s: %w", key, err)
		}
		out.Parameters = append(out.Parameters, mapped)
	}
	for _, ct := range typesInOrder(i.RequestTemplates) {
		out.Templates = append(out.Templates, compileTemplate(ct, i.RequestTemplates[ct]))
	}
	switch kind {
	case plan.HTTP, plan.HTTPProxy:
		compileAddress(s, i, out, with)
	case plan.AWS, plan.AWSProxy:
		compileService(s, r, m, out, with)
	}
	return out, compileResponses(m, out)
}

// compileTemplate compiles the template for a content type. As in the service, a text that is no
// template fails the requests that it would render, and no others.
func compileTemplate(contentType, text string) plan.Template {
	t, err := mapping.Compile(text)
	return plan.Template{ContentType: contentType, Template: t, Problem: err}
}

// compileService finds what an AWS or AWS_PROXY integration calls. What cannot be called
// answers as the service does; it is no reason not to compile.
func compileService(s *plan.Stage, r *model.Resource, m *model.Method, out *plan.Integration, with Backends) {
	u, err := awsuri.Parse(expression.ResolveStageVariables(m.Integration.URI, variablesOf(s)))
	if err != nil {
		out.Broken = brokenFunction
		return
	}
	if !compileFunction(s, r, m.HTTPMethod, m.Integration, u, out) {
		compileAWSCall(s, r, m.HTTPMethod, m.Integration, u, out, with)
	}
}

// refusedHeader reports whether a mapping onto the header fails every request of an
// integration (routing-and-integrations, section 6.3).
func refusedHeader(kind plan.IntegrationType, name string) bool {
	switch strings.ToLower(name) {
	case "content-length", "transfer-encoding", "x-amzn-trace-id", "x-amzn-apigateway-api-id":
		return true
	case "authorization", "connection", "expect", "proxy-authenticate", "te":
		return kind == plan.AWS || kind == plan.AWSProxy
	}
	return false
}

// invalidEndpoint is what the execution log says of a backend that cannot be called.
const invalidEndpoint = "Invalid endpoint address"

// compileAddress finds the backend. What cannot be called answers as the service does with
// an invalid endpoint address; it is no reason not to compile.
func compileAddress(s *plan.Stage, i *model.Integration, out *plan.Integration, with Backends) {
	uri := expression.ResolveStageVariables(i.URI, variablesOf(s))
	if !strings.Contains(uri, "://") {
		uri = "http://" + uri // a whole endpoint in a stage variable comes without a scheme
	}
	compiled := expression.CompileURI(uri)
	scheme, rest, _ := strings.Cut(uri, "://")
	authority, path := rest, "/"
	if n := strings.IndexAny(rest, "/?"); n >= 0 {
		authority, path = rest[:n], rest[n:]
	}
	path, _, _ = strings.Cut(path, "#")
	if strings.HasPrefix(path, "?") {
		path = "/" + path
	}
	if len(compiled.AuthorityPlaceholders()) > 0 {
		out.Broken = invalidEndpoint
		return
	}
	target, broken := with.target(s, i, scheme, authority)
	if broken != "" {
		out.Broken = broken
		return
	}
	out.Target = target
	out.URI = expression.CompileURI(path)
	if len(out.URI.Placeholders()) == 0 {
		out.FixedURI = string(out.URI.Append(nil, func(dst []byte, _ string, _ bool) ([]byte, bool) { return dst, false }))
	}
}

// compileResponses compiles the integration responses in order of their status codes. Header
// fields that the method response does not declare (any more) are not answered
// (routing-and-integrations, section 7).
func compileResponses(m *model.Method, out *plan.Integration) error {
	i := m.Integration
	for _, code := range slices.Sorted(maps.Keys(i.IntegrationResponses)) {
		r := i.IntegrationResponses[code]
		status, err := strconv.Atoi(code)
		if err != nil {
			return fmt.Errorf("integration response %q: want a status code", code)
		}
		c := &plan.IntegrationResponse{Status: status, ContentHandling: contentHandlings[r.ContentHandling]}
		for _, key := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
			if d := m.MethodResponses[code]; d != nil && !has(d.ResponseParameters, key) {
				continue
			}
			to, err := expression.ParseResponseMapping(key, r.ResponseParameters[key], nil)
			if err != nil {
				return fmt.Errorf("integration response %s: %w", code, err)
			}
			mapped, err := withPath(to)
			if err != nil {
				return fmt.Errorf("integration response %s: %s: %w", code, key, err)
			}
			c.Parameters = append(c.Parameters, mapped)
		}
		for _, ct := range typesInOrder(r.ResponseTemplates) {
			text := r.ResponseTemplates[ct]
			if text == nil { // null: no template
				continue
			}
			c.Templates = append(c.Templates, compileTemplate(ct, *text))
		}
		if r.SelectionPattern == nil || *r.SelectionPattern == "" {
			if out.Default == nil {
				out.Default = c
			}
			continue
		}
		re, err := regex.Compile(*r.SelectionPattern, regex.Java, false)
		if err != nil { // refused when it is put: it comes from before that
			out.Broken = fmt.Sprintf("Integration response %s: selection pattern: %v", code, err)
			continue
		}
		c.Pattern = pattern{re}
		out.Responses = append(out.Responses, c)
	}
	return nil
}

func has(m map[string]bool, key string) bool { _, ok := m[key]; return ok }
