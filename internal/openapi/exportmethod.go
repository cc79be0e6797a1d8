package openapi

import (
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/model"
)

// verbOrder is the order of a path's operations.
var verbOrder = []struct{ verb, member string }{
	{"GET", "get"}, {"PUT", "put"}, {"POST", "post"}, {"DELETE", "delete"}, {"OPTIONS", "options"}, {"HEAD", "head"}, {"PATCH", "patch"},
	{"ANY", "x-amazon-apigateway-any-method"},
}

// extended reports whether any extension was asked for.
func (o ExportOptions) extended() bool {
	return o.Integrations || o.Authorizers || o.Gateway || o.Documentation
}

// paths writes the resources that have methods, and those at the end of a path.
func (x *exporter) paths() (object, error) {
	out := object{}
	parents := map[string]bool{}
	for _, r := range x.Resources {
		parents[r.Path[:strings.LastIndexByte(r.Path, '/')]] = true
	}
	for _, r := range x.Resources {
		if len(r.Methods) == 0 && (parents[r.Path] || r.Path == "/") {
			continue
		}
		item := object{}
		if x.o.OpenAPI3 {
			inject(&item, x.docs.about("RESOURCE", r.Path, "", "", ""), "description", "summary")
		}
		for _, v := range verbOrder {
			m := r.Methods[v.verb]
			if m == nil || v.verb == "ANY" && !x.o.extended() { // its name is an extension
				continue
			}
			op, err := x.operation(r.Path, m)
			if err != nil {
				return nil, err
			}
			item.add(v.member, op)
		}
		out.add(r.Path, item)
	}
	return out, nil
}

func (x *exporter) operation(path string, m *model.Method) (object, error) {
	op := object{}
	inject(&op, x.docs.about("METHOD", path, m.HTTPMethod, "", ""), "tags", "summary", "description", "externalDocs", "deprecated")
	op.addText("operationId", m.OperationName)
	types := slices.Sorted(maps.Keys(m.RequestModels))
	types = slices.DeleteFunc(types, func(t string) bool { return !x.models[m.RequestModels[t]] })
	if len(types) == 0 && len(m.RequestModels) > 0 {
		return nil, errNotJSON(m, path)
	}
	parameters := x.parameters(path, m)
	if x.o.OpenAPI3 {
		if len(parameters) > 0 {
			op.add("parameters", parameters)
		}
		if len(types) > 0 {
			op.add("requestBody", x.requestBody(path, m, types))
		}
	} else {
		x.swaggerBody(&op, path, m, types, parameters)
	}
	op.add("responses", x.responses(path, m))
	if s := x.security(m); len(s) > 0 {
		op.add("security", s)
	}
	if x.o.Gateway {
		for _, v := range x.RequestValidators {
			if v.ID == m.RequestValidatorID && m.RequestValidatorID != "" {
				op.addText("x-amazon-apigateway-request-validator", v.Name)
			}
		}
	}
	if x.o.Integrations && m.Integration != nil {
		op.add("x-amazon-apigateway-integration", x.integration(m.Integration))
	}
	return op, nil
}

// swaggerBody writes media types, parameters and the body of a 2.0 operation. Only one schema
// fits: that of JSON, else of the first media type.
func (x *exporter) swaggerBody(op *object, path string, m *model.Method, types []string, parameters list) {
	consumes := []string{"application/json"}
	if len(types) > 0 {
		name := m.RequestModels[types[0]]
		if slices.Contains(types, "application/json") {
			name = m.RequestModels["application/json"]
		}
		consumes = slices.DeleteFunc(types, func(t string) bool { return m.RequestModels[t] != name })
		body := object{{"in", "body"}, {"name", name}, {"required", true}, {"schema", object{{"$ref", x.ref(name)}}}}
		inject(&body, x.docs.about("REQUEST_BODY", path, m.HTTPMethod, "", ""), "description")
		parameters = append(parameters, body)
	}
	op.add("consumes", texts(consumes))
	op.add("produces", texts(x.produces(m)))
	if len(parameters) > 0 {
		op.add("parameters", parameters)
	}
}

// produces returns the media types of a method's responses.
func (x *exporter) produces(m *model.Method) []string {
	all := map[string]bool{}
	for _, r := range m.MethodResponses {
		for t, name := range r.ResponseModels {
			if x.models[name] {
				all[t] = true
			}
		}
	}
	if len(all) == 0 {
		return []string{"application/json"}
	}
	return slices.Sorted(maps.Keys(all))
}

func (x *exporter) requestBody(path string, m *model.Method, types []string) object {
	content := object{}
	for _, t := range types {
		content.add(t, object{{"schema", object{{"$ref", x.ref(m.RequestModels[t])}}}})
	}
	body := object{}
	inject(&body, x.docs.about("REQUEST_BODY", path, m.HTTPMethod, "", ""), "description")
	body.add("content", content)
	body.add("required", true)
	return body
}

var parameterTypes = map[string]string{"path": "PATH_PARAMETER", "querystring": "QUERY_PARAMETER", "header": "REQUEST_HEADER"}

// parameters writes the declared parameters, and the path's variables whether declared or not.
func (x *exporter) parameters(path string, m *model.Method) list {
	declared := maps.Clone(m.RequestParameters)
	if declared == nil {
		declared = map[string]bool{}
	}
	for _, v := range pathVariable.FindAllStringSubmatch(path, -1) {
		declared["method.request.path."+v[1]] = true
	}
	out := list{}
	for _, key := range slices.Sorted(maps.Keys(declared)) {
		place, name, ok := strings.Cut(strings.TrimPrefix(key, "method.request."), ".")
		if !ok || parameterTypes[place] == "" {
			continue
		}
		in, required := place, declared[key] || place == "path"
		if place == "querystring" {
			in = "query"
		}
		p := object{{"name", name}, {"in", in}}
		inject(&p, x.docs.about(parameterTypes[place], path, m.HTTPMethod, "", name), "description")
		if x.o.OpenAPI3 {
			if required {
				p.add("required", true)
			}
			p.add("schema", object{{"type", "string"}})
		} else {
			p.add("required", required)
			p.add("type", "string")
		}
		out = append(out, p)
	}
	return out
}

func (x *exporter) responses(path string, m *model.Method) object {
	out := object{}
	for _, code := range slices.Sorted(maps.Keys(m.MethodResponses)) {
		r := m.MethodResponses[code]
		o := object{{"description", code + " response"}}
		inject(&o, x.docs.about("RESPONSE", path, m.HTTPMethod, code, ""), "description")
		headers := object{}
		for _, key := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
			name := strings.TrimPrefix(key, "method.response.header.")
			h := object{}
			inject(&h, x.docs.about("RESPONSE_HEADER", path, m.HTTPMethod, code, name), "description")
			if x.o.OpenAPI3 {
				h.add("schema", object{{"type", "string"}})
			} else {
				h.add("type", "string")
			}
			headers.add(name, h)
		}
		types := slices.DeleteFunc(slices.Sorted(maps.Keys(r.ResponseModels)), func(t string) bool { return !x.models[r.ResponseModels[t]] })
		if x.o.OpenAPI3 {
			if len(headers) > 0 {
				o.add("headers", headers)
			}
			content := object{}
			for _, t := range types {
				content.add(t, object{{"schema", object{{"$ref", x.ref(r.ResponseModels[t])}}}})
			}
			o.add("content", content)
		} else {
			if len(types) > 0 {
				o.add("schema", object{{"$ref", x.ref(r.ResponseModels[types[0]])}})
			}
			if len(headers) > 0 {
				o.add("headers", headers)
			}
		}
		out.add(code, o)
	}
	return out
}

// security writes what a method requires: an authorizer or a signature, and an API key.
func (x *exporter) security(m *model.Method) list {
	out := list{}
	switch m.AuthorizationType {
	case "AWS_IAM":
		out = append(out, object{{x.schemes["sigv4"], texts(m.AuthorizationScopes)}})
	case "CUSTOM", "COGNITO_USER_POOLS":
		if name := x.schemes[m.AuthorizerID]; name != "" {
			out = append(out, object{{name, texts(m.AuthorizationScopes)}})
		}
	}
	if m.APIKeyRequired {
		out = append(out, object{{x.schemes["api_key"], list{}}})
	}
	return out
}

func (x *exporter) integration(i *model.Integration) object {
	o := object{}
	o.addText("httpMethod", i.HTTPMethod)
	o.addText("uri", i.URI)
	o.addText("credentials", i.Credentials)
	if i.ConnectionType == "VPC_LINK" {
		o.add("connectionType", i.ConnectionType)
		o.addText("connectionId", i.ConnectionID)
	}
	o.addText("integrationTarget", i.IntegrationTarget)
	if r := integrationResponses(i); len(r) > 0 {
		o.add("responses", r)
	}
	addMap(&o, "requestParameters", i.RequestParameters)
	addMap(&o, "requestTemplates", i.RequestTemplates)
	o.add("passthroughBehavior", strings.ToLower(i.PassthroughBehavior))
	if i.TimeoutInMillis != DefaultTimeout {
		o.add("timeoutInMillis", i.TimeoutInMillis)
	}
	if len(i.CacheKeyParameters) > 0 {
		o.addText("cacheNamespace", i.CacheNamespace)
		o.add("cacheKeyParameters", texts(i.CacheKeyParameters))
	}
	o.addText("contentHandling", i.ContentHandling)
	o.addText("responseTransferMode", i.ResponseTransferMode)
	if i.TLSConfig != nil && i.TLSConfig.InsecureSkipVerification {
		o.add("tlsConfig", object{{"insecureSkipVerification", true}})
	}
	o.add("type", strings.ToLower(i.Type))
	return o
}

func integrationResponses(i *model.Integration) object {
	out := object{}
	for _, code := range slices.Sorted(maps.Keys(i.IntegrationResponses)) {
		r := i.IntegrationResponses[code]
		pattern := "default"
		if r.SelectionPattern != nil && *r.SelectionPattern != "" {
			pattern = *r.SelectionPattern
		}
		if out.has(pattern) {
			continue
		}
		o := object{{"statusCode", r.StatusCode}}
		addMap(&o, "responseParameters", r.ResponseParameters)
		if len(r.ResponseTemplates) > 0 {
			t := object{}
			for _, key := range slices.Sorted(maps.Keys(r.ResponseTemplates)) {
				if text := r.ResponseTemplates[key]; text != nil {
					t.add(key, *text)
				} else {
					t.add(key, nil)
				}
			}
			o.add("responseTemplates", t)
		}
		o.addText("contentHandling", r.ContentHandling)
		out.add(pattern, o)
	}
	return out
}
