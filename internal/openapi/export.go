package openapi

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/jsonschema"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
)

// ExportOptions say what an export shows.
type ExportOptions struct {
	OpenAPI3 bool   // 3.0.1, else Swagger 2.0
	Host     string // of the default endpoint, with a port where it needs one
	Stage    string
	Version  string // shown when the API has none

	// The extensions (openapi-extensions, section 6). Gateway includes the others.
	Integrations, Authorizers, Gateway, Documentation bool
}

// Export writes an API as a document. What belongs to no document is left out: stage
// settings, the type of the endpoint. Two integration responses of a method with the same
// pattern, which cannot both be chosen, are one in a document: that of the lower status code.
func Export(a *API, o ExportOptions) (Tree, error) {
	if o.Gateway {
		o.Integrations, o.Authorizers, o.Documentation = true, true, true
	}
	x := &exporter{API: a, o: o, docs: documents(a.Documentation), models: map[string]bool{}, schemes: map[string]string{}}
	return x.document()
}

type exporter struct {
	*API
	o       ExportOptions
	docs    docs
	models  map[string]bool   // those that a document can hold
	schemes map[string]string // names of the security schemes: by authorizer id, and of "api_key" and "sigv4"
	root    object
}

func (x *exporter) document() (Tree, error) {
	for _, m := range x.Models {
		x.models[m.Name] = m.ContentType == "application/json"
	}
	x.nameSchemes()
	if x.o.OpenAPI3 {
		x.root.add("openapi", "3.0.1")
	} else {
		x.root.add("swagger", "2.0")
	}
	x.info()
	x.address()
	paths, err := x.paths()
	if err != nil {
		return Tree{}, err
	}
	x.root.add("paths", paths)
	schemes, schemas := x.securitySchemes(), x.schemas()
	if x.o.OpenAPI3 {
		components := object{}
		if len(schemas) > 0 {
			components.add("schemas", schemas)
		}
		if len(schemes) > 0 {
			components.add("securitySchemes", schemes)
		}
		if len(components) > 0 {
			x.root.add("components", components)
		}
	} else {
		if len(schemes) > 0 {
			x.root.add("securityDefinitions", schemes)
		}
		if len(schemas) > 0 {
			x.root.add("definitions", schemas)
		}
	}
	x.extensions()
	return Tree{x.root}, nil
}

func (x *exporter) info() {
	api := x.Snapshot.API
	info := object{}
	info.add("title", api.Name)
	info.addText("description", api.Description)
	info.add("version", cmp.Or(api.Version, x.o.Version))
	about := x.docs.about("API", "", "", "", "")
	inner, _ := about.Get("info")
	for name, v := range inner.Members() {
		if !info.has(name) {
			info.add(name, v)
		}
	}
	if d, ok := about.Get("description"); ok && !info.has("description") {
		info.add("description", d)
	}
	x.root.add("info", info)
	inject(&x.root, about, "tags", "externalDocs")
}

// address says where the stage is.
func (x *exporter) address() {
	if !x.o.OpenAPI3 {
		x.root.add("host", x.o.Host)
		x.root.add("basePath", "/"+x.o.Stage)
		x.root.add("schemes", list{"https"})
		return
	}
	server := object{
		{"url", "https://" + x.o.Host + "/{basePath}"},
		{"variables", object{{"basePath", object{{"default", x.o.Stage}}}}},
	}
	if e := x.endpoint(); e != nil {
		server.add("x-amazon-apigateway-endpoint-configuration", e)
	}
	x.root.add("servers", list{server})
}

// endpoint is the endpoint configuration where it closes something: what was closed stays so
// when the document is imported elsewhere.
func (x *exporter) endpoint() object {
	if !x.o.Gateway {
		return nil
	}
	var e object
	if x.Snapshot.API.DisableExecuteAPIEndpoint {
		e.add("disableExecuteApiEndpoint", true)
	}
	if ids := x.Snapshot.API.EndpointConfiguration.VPCEndpointIDs; len(ids) > 0 {
		e.add("vpcEndpointIds", texts(ids))
	}
	return e
}

// extensions writes what the API as a whole has.
func (x *exporter) extensions() {
	api := x.Snapshot.API
	if x.o.Gateway {
		if api.APIKeySource == "AUTHORIZER" {
			x.root.add("x-amazon-apigateway-api-key-source", api.APIKeySource)
		}
		if e := x.endpoint(); e != nil && !x.o.OpenAPI3 {
			x.root.add("x-amazon-apigateway-endpoint-configuration", e)
		}
		if api.MinimumCompressionSize != nil {
			x.root.add("x-amazon-apigateway-minimum-compression-size", *api.MinimumCompressionSize)
		}
		if len(api.BinaryMediaTypes) > 0 {
			x.root.add("x-amazon-apigateway-binary-media-types", texts(api.BinaryMediaTypes))
		}
		if api.Policy != "" {
			x.root.add("x-amazon-apigateway-policy", parsed(api.Policy))
		}
		x.root.addText("x-amazon-apigateway-security-policy", api.SecurityPolicy)
		x.root.addText("x-amazon-apigateway-endpoint-access-mode", api.EndpointAccessMode)
		x.gatewayResponses()
		x.requestValidators()
	}
	if x.o.Documentation && len(x.Documentation) > 0 {
		x.documentation()
	}
}

func (x *exporter) gatewayResponses() {
	all := object{}
	for _, r := range x.GatewayResponses {
		o := object{}
		o.addText("statusCode", r.StatusCode)
		addMap(&o, "responseParameters", r.ResponseParameters)
		addMap(&o, "responseTemplates", r.ResponseTemplates)
		all.add(r.ResponseType, o)
	}
	if len(all) > 0 {
		x.root.add("x-amazon-apigateway-gateway-responses", all)
	}
}

func (x *exporter) requestValidators() {
	all := object{}
	for _, v := range x.RequestValidators {
		if v.Name != "" && !all.has(v.Name) {
			all.add(v.Name, object{{"validateRequestParameters", v.ValidateRequestParameters}, {"validateRequestBody", v.ValidateRequestBody}})
		}
	}
	if len(all) > 0 {
		x.root.add("x-amazon-apigateway-request-validators", all)
	}
}

// addMap adds a map in the order of its names, unless it is empty.
func addMap(o *object, name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	inner := object{}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		inner.add(key, m[key])
	}
	o.add(name, inner)
}

// nameSchemes gives each security scheme its name. Authorizers have theirs; an API key and a
// signature take the service's names unless an authorizer has them.
func (x *exporter) nameSchemes() {
	taken := map[string]bool{}
	for _, a := range x.Authorizers {
		x.schemes[a.ID] = a.Name
		taken[a.Name] = true
	}
	for _, name := range []string{"api_key", "sigv4"} {
		given := name
		for taken[given] {
			given += "_"
		}
		x.schemes[name] = given
	}
}

func (x *exporter) securitySchemes() object {
	out := object{}
	key, iam := false, false
	x.API.Methods(func(_ *model.Resource, m *model.Method) {
		key = key || m.APIKeyRequired
		iam = iam || m.AuthorizationType == "AWS_IAM"
	})
	if key {
		out.add(x.schemes["api_key"], object{{"type", "apiKey"}, {"name", "x-api-key"}, {"in", "header"}})
	}
	if iam {
		s := object{{"type", "apiKey"}, {"name", "Authorization"}, {"in", "header"}}
		if x.o.Authorizers || x.o.Integrations {
			s.add("x-amazon-apigateway-authtype", "awsSigv4")
		}
		out.add(x.schemes["sigv4"], s)
	}
	for _, a := range x.Authorizers {
		out.add(a.Name, x.authorizer(a))
	}
	return out
}

func (x *exporter) authorizer(a model.Authorizer) object {
	name, in := "Unused", "header"
	if sources, err := expression.ParseIdentitySource(a.IdentitySource); err == nil && len(sources) == 1 {
		if n, ok := strings.CutPrefix(strings.TrimSpace(a.IdentitySource), "method.request.header."); ok {
			name = n
		} else if n, ok := strings.CutPrefix(strings.TrimSpace(a.IdentitySource), "method.request.querystring."); ok {
			name, in = n, "query"
		}
	}
	s := object{{"type", "apiKey"}, {"name", name}, {"in", in}}
	if !x.o.Authorizers {
		return s
	}
	s.addText("x-amazon-apigateway-authtype", a.AuthType)
	z := object{}
	if len(a.ProviderARNs) > 0 {
		z.add("providerARNs", texts(a.ProviderARNs))
	}
	z.addText("authorizerUri", a.AuthorizerURI)
	z.addText("authorizerCredentials", a.AuthorizerCredentials)
	if a.AuthorizerResultTTLInSeconds != nil {
		z.add("authorizerResultTtlInSeconds", *a.AuthorizerResultTTLInSeconds)
	}
	if a.Type == "REQUEST" {
		z.addText("identitySource", a.IdentitySource)
	}
	z.addText("identityValidationExpression", a.IdentityValidationExpression)
	z.add("type", strings.ToLower(a.Type))
	s.add("x-amazon-apigateway-authorizer", z)
	inject(&s, x.docs.about("AUTHORIZER", "", "", "", a.Name), "description")
	return s
}

// schemas writes the models that are JSON.
func (x *exporter) schemas() object {
	out := object{}
	for _, m := range x.Models {
		if !x.models[m.Name] {
			continue
		}
		v, err := ojson.Parse(m.Schema, ojson.Limits{})
		if err != nil {
			continue // no schema: there is nothing to show
		}
		s, _ := x.schema(v, m.Name, true).(object)
		if !x.o.Documentation { // the extension carries it without changing the model
			inject(&s, x.docs.about("MODEL", "", "", "", m.Name), "description", "title")
		}
		out.add(m.Name, s)
	}
	return out
}

// schema turns references between models into references within the document.
func (x *exporter) schema(v ojson.Value, name string, top bool) any {
	switch v.Kind() {
	case ojson.Object:
		out := object{}
		for key, m := range v.Members() {
			switch {
			case top && key == "$schema":
			case key == "$ref" && m.Kind() == ojson.String:
				out.add(key, x.reference(m.Text(), name))
			default:
				out.add(key, x.schema(m, name, false))
			}
		}
		return out
	case ojson.Array:
		out := list{}
		for e := range v.Elements() {
			out = append(out, x.schema(e, name, false))
		}
		return out
	}
	return fromValue(v)
}

// ref is a reference to a model within the document.
func (x *exporter) ref(name string) string {
	if x.o.OpenAPI3 {
		return root3 + name
	}
	return root2 + name
}

func (x *exporter) reference(ref, self string) string {
	uri, fragment, _ := strings.Cut(ref, "#")
	fragment = strings.TrimSuffix(fragment, "/")
	if uri == "" {
		return x.ref(self) + fragment
	}
	if _, name, ok := jsonschema.ParseModelURI(uri); ok {
		return x.ref(name) + fragment
	}
	return ref
}

// errNotJSON is the service's refusal of methods whose body models no document can show.
func errNotJSON(m *model.Method, path string) error {
	return errors.New("Only found non-JSON body models for method " + m.HTTPMethod + " on resource " + path)
}
