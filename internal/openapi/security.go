package openapi

import (
	"slices"
	"strings"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
)

// A scheme is what a security scheme asks of methods that require it.
type scheme struct {
	apiKey     bool              // an API key
	iam        bool              // a signature of AWS
	authorizer *model.Authorizer // its verdict
}

// securitySchemes reads the schemes, and the authorizers that they carry. Authorizers come to
// be whether or not an operation uses them; their names are the schemes'.
func (r *reader) securitySchemes() {
	holder, where := r.object(r.root, "securityDefinitions", ""), "securityDefinitions"
	if !r.v2 {
		holder, where = r.object(r.object(r.root, "components", ""), "securitySchemes", "components"), "components.securitySchemes"
	}
	for name, v := range holder.Members() {
		at := member(where, name)
		if v.Kind() != ojson.Object {
			r.wrong(at, "object")
			continue
		}
		if v = r.follow(v, at); v.Kind() != ojson.Object {
			continue
		}
		if s, ok := r.scheme(name, v, at); ok {
			r.schemes[name] = s
		}
	}
}

func (r *reader) scheme(name string, v ojson.Value, where string) (scheme, bool) {
	kind := r.text(v, "type", where)
	if kind != "apiKey" {
		r.warn("Unsupported security definition type '%s' for '%s'. Ignoring.", clip(kind), clip(name))
		return scheme{}, false
	}
	authType := r.text(v, "x-amazon-apigateway-authtype", where)
	header, in := r.text(v, "name", where), r.text(v, "in", where)
	if a := r.object(v, "x-amazon-apigateway-authorizer", where); a.Kind() == ojson.Object {
		z := r.authorizer(name, authType, v, a, where)
		r.Authorizers = append(r.Authorizers, z)
		return scheme{authorizer: &z}, true
	}
	if strings.EqualFold(authType, "awsSigv4") {
		return scheme{iam: true}, true
	}
	if strings.EqualFold(header, "x-api-key") && in == "header" {
		return scheme{apiKey: true}, true
	}
	r.warn("Unsupported security definition '%s': an API key is sent in the header x-api-key, not in %s '%s'. Ignoring.", clip(name), clip(in), clip(header))
	return scheme{}, false
}

// authorizer reads the extension of a scheme (openapi-extensions, section 3.3). The id is the
// name, by which methods refer to it.
func (r *reader) authorizer(name, authType string, s, v ojson.Value, where string) model.Authorizer {
	in := member(where, "x-amazon-apigateway-authorizer")
	a := model.Authorizer{
		ID: name, Name: name, AuthType: authType, Type: strings.ToUpper(r.text(v, "type", in)),
		AuthorizerURI:                r.text(v, "authorizerUri", in),
		AuthorizerCredentials:        r.text(v, "authorizerCredentials", in),
		IdentitySource:               r.text(v, "identitySource", in),
		IdentityValidationExpression: r.text(v, "identityValidationExpression", in),
		ProviderARNs:                 r.texts(v, "providerARNs", in),
	}
	if n, ok := r.integer(v, "authorizerResultTtlInSeconds", in); ok {
		a.AuthorizerResultTTLInSeconds = &n
	}
	if !slices.Contains([]string{"TOKEN", "REQUEST", "COGNITO_USER_POOLS"}, a.Type) {
		r.problem("Unable to create authorizer '%s': found type %q, expected token, request or cognito_user_pools", clip(name), clip(a.Type))
	}
	if a.AuthType == "" {
		a.AuthType = "custom"
		if a.Type == "COGNITO_USER_POOLS" {
			a.AuthType = "cognito_user_pools"
		}
	}
	header, place := r.text(s, "name", where), r.text(s, "in", where)
	switch {
	case a.Type != "REQUEST":
		a.IdentitySource = "method.request.header." + header
	case a.IdentitySource != "" || header == "" || header == "Unused":
	case place == "header":
		a.IdentitySource = "method.request.header." + header
	case place == "query":
		a.IdentitySource = "method.request.querystring." + header
	}
	return a
}

// authorize reads who may call a method: the operation's own requirements, else the document's.
func (r *reader) authorize(m *model.Method, o operation) {
	m.AuthorizationType = "NONE"
	list, where := r.array(o.v, "security", o.where), o.where
	if _, own := o.v.Get("security"); !own {
		list, where = r.array(r.root, "security", ""), ""
	}
	for req := range list.Elements() {
		if req.Kind() != ojson.Object {
			r.wrong(member(where, "security"), "array of objects")
			continue
		}
		for name, scopes := range req.Members() {
			r.require(m, o, name, scopes)
		}
	}
	auth := r.object(o.v, "x-amazon-apigateway-auth", o.where)
	if auth.Kind() == ojson.None {
		return
	}
	switch t := strings.ToUpper(r.text(auth, "type", member(o.where, "x-amazon-apigateway-auth"))); t {
	case "NONE", "AWS_IAM":
		m.AuthorizationType, m.AuthorizerID, m.AuthorizationScopes = t, "", nil
	default:
		r.problem("Unable to put method '%s' on resource at path '%s': x-amazon-apigateway-auth has type %q, expected NONE or AWS_IAM", o.verb, o.path, clip(t))
	}
}

// require adds one requirement. Requirements beside each other are one authorizer and an API
// key; of two authorizers the method could obey one alone, which would open it.
func (r *reader) require(m *model.Method, o operation, name string, scopes ojson.Value) {
	s, ok := r.schemes[name]
	if !ok {
		r.warn("Security definition '%s' for '%s %s' not found. Ignoring.", clip(name), o.verb, o.path)
		return
	}
	if s.apiKey {
		m.APIKeyRequired = true
		return
	}
	if m.AuthorizationType != "NONE" && m.AuthorizerID != name {
		r.problem("Unable to put method '%s' on resource at path '%s': found the security requirement '%s' beside another, expected one authorizer", o.verb, o.path, clip(name))
		return
	}
	switch {
	case s.iam:
		m.AuthorizationType = "AWS_IAM"
		m.AuthorizerID = ""
	case s.authorizer.Type == "COGNITO_USER_POOLS":
		m.AuthorizationType, m.AuthorizerID = "COGNITO_USER_POOLS", name
	default:
		m.AuthorizationType, m.AuthorizerID = "CUSTOM", name
	}
	for scope := range scopes.Elements() {
		if scope.Kind() != ojson.String {
			r.wrong(member(o.where, "security."+name), "array of strings")
			continue
		}
		m.AuthorizationScopes = append(m.AuthorizationScopes, scope.Text())
	}
	if scopes.Kind() != ojson.Array {
		r.wrong(member(o.where, "security."+name), "array")
	}
}
