package openapi

import (
	"slices"
	"strings"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
)

var integrationTypes = []string{"HTTP", "HTTP_PROXY", "AWS", "AWS_PROXY", "MOCK"}

// DefaultTimeout is the timeoutInMillis of an integration that gives none.
const DefaultTimeout = 29_000

// integration reads what answers an operation (openapi-extensions, section 4.3), nil for
// nothing. A malformed one ends the import, as in the service.
func (r *reader) integration(o operation) *model.Integration {
	const ext = "x-amazon-apigateway-integration"
	v, ok := o.v.Get(ext)
	if !ok {
		return nil
	}
	where := member(o.where, ext)
	problems := len(r.Problems)
	i := r.integrationAt(v, o, where)
	if len(r.Problems) > problems {
		r.halt = &Refusal{"Unable to parse API definition because of a malformed integration at path " + o.path + ". " + r.Problems[problems]}
	}
	return i
}

func (r *reader) integrationAt(v ojson.Value, o operation, where string) *model.Integration {
	if v.Kind() != ojson.Object {
		r.wrong(where, "object")
		return nil
	}
	kind := r.text(v, "type", where)
	if !slices.Contains(integrationTypes, strings.ToUpper(kind)) {
		if kind == "" {
			kind = "null"
		}
		r.warn("Unknown integration type '%s' for '%s %s'. Ignoring.", clip(kind), o.verb, o.path)
		return nil
	}
	i := &model.Integration{
		Type:                 strings.ToUpper(kind),
		HTTPMethod:           strings.ToUpper(r.text(v, "httpMethod", where)),
		URI:                  r.text(v, "uri", where),
		Credentials:          r.text(v, "credentials", where),
		ConnectionType:       strings.ToUpper(r.text(v, "connectionType", where)),
		ConnectionID:         r.text(v, "connectionId", where),
		IntegrationTarget:    r.text(v, "integrationTarget", where),
		PassthroughBehavior:  strings.ToUpper(r.text(v, "passthroughBehavior", where)),
		ContentHandling:      strings.ToUpper(r.text(v, "contentHandling", where)),
		CacheNamespace:       r.text(v, "cacheNamespace", where),
		CacheKeyParameters:   r.texts(v, "cacheKeyParameters", where),
		ResponseTransferMode: strings.ToUpper(r.text(v, "responseTransferMode", where)),
		RequestTemplates:     r.textMap(v, "requestTemplates", where),
		RequestParameters:    r.mappings(v, o, where),
		TimeoutInMillis:      DefaultTimeout,
	}
	if n, ok := r.integer(v, "timeoutInMillis", where); ok {
		i.TimeoutInMillis = n
	}
	if i.PassthroughBehavior == "" {
		i.PassthroughBehavior = "WHEN_NO_MATCH"
	}
	if i.CacheKeyParameters == nil {
		i.CacheKeyParameters = []string{}
	}
	if i.ContentHandling != "" {
		r.oneOf(member(where, "contentHandling"), i.ContentHandling, "CONVERT_TO_BINARY", "CONVERT_TO_TEXT")
	}
	if i.ConnectionType != "" {
		r.oneOf(member(where, "connectionType"), i.ConnectionType, "INTERNET", "VPC_LINK")
	}
	if i.ResponseTransferMode != "" {
		r.oneOf(member(where, "responseTransferMode"), i.ResponseTransferMode, "BUFFERED", "STREAM")
	}
	if t := r.object(v, "tlsConfig", where); r.flag(t, "insecureSkipVerification", member(where, "tlsConfig")) {
		i.TLSConfig = &model.TLSConfig{InsecureSkipVerification: true}
	}
	r.integrationResponses(i, v, o, where)
	return i
}

// mappings reads requestParameters; a value that is no text is left out with the recorded warning.
func (r *reader) mappings(v ojson.Value, o operation, where string) map[string]string {
	m := r.object(v, "requestParameters", where)
	var out map[string]string
	for key, e := range m.Members() {
		if e.Kind() != ojson.String {
			r.warn("Invalid format for 'requestParameters'. Expected type string for property '%s' of resource '%s' and method '%s' but got '%s'",
				clip(key), o.path, o.verb, clip(e.Raw()))
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = e.Text()
	}
	return out
}

// integrationResponses reads the responses: keys are patterns, "default" is what no pattern matches.
func (r *reader) integrationResponses(i *model.Integration, v ojson.Value, o operation, where string) {
	for pattern, e := range r.object(v, "responses", where).Members() {
		at := where + ".responses." + clip(pattern)
		if e.Kind() != ojson.Object {
			r.wrong(at, "object")
			continue
		}
		ir := &model.IntegrationResponse{
			StatusCode:         r.scalar(e, "statusCode", at),
			ResponseParameters: r.textMap(e, "responseParameters", at),
			ContentHandling:    strings.ToUpper(r.text(e, "contentHandling", at)),
		}
		if ir.StatusCode == "" {
			ir.StatusCode = "200"
		}
		if !statusCode.MatchString(ir.StatusCode) {
			r.problem("Parse issue: attribute %s.statusCode is %q, expected a status code", at, clip(ir.StatusCode))
		}
		if ir.ContentHandling != "" {
			r.oneOf(member(at, "contentHandling"), ir.ContentHandling, "CONVERT_TO_BINARY", "CONVERT_TO_TEXT")
		}
		if pattern != "default" {
			ir.SelectionPattern = &pattern
		}
		if t := r.object(e, "responseTemplates", at); t.Kind() == ojson.Object {
			ir.ResponseTemplates = map[string]*string{}
			for contentType, text := range t.Members() {
				switch {
				case text.Kind() == ojson.Null, text.Kind() == ojson.String && text.Text() == "":
					ir.ResponseTemplates[contentType] = nil
				case text.Kind() == ojson.String:
					s := text.Text()
					ir.ResponseTemplates[contentType] = &s
				default:
					r.wrong(at+".responseTemplates."+clip(contentType), "string")
				}
			}
		}
		if i.IntegrationResponses == nil {
			i.IntegrationResponses = map[string]*model.IntegrationResponse{}
		}
		if i.IntegrationResponses[ir.StatusCode] != nil {
			r.warn("More than one integration response with status code %s for '%s %s'. Ignoring all but the last.", ir.StatusCode, o.verb, o.path)
		}
		i.IntegrationResponses[ir.StatusCode] = ir
	}
}
