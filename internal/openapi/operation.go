package openapi

import (
	"regexp"
	"strings"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
)

// An operation is one operation of a document, which becomes a method.
type operation struct {
	path, verb string
	v          ojson.Value
	shared     ojson.Value // parameters of the path
	where      string
}

// method reads an operation (openapi-extensions, section 4.2).
func (r *reader) method(o operation) *model.Method {
	m := &model.Method{HTTPMethod: o.verb, OperationName: r.scalar(o.v, "operationId", o.where)}
	r.authorize(m, o)
	r.requestValidator(m, o)
	r.parameters(m, o)
	if !r.v2 {
		r.requestBody(m, o)
	}
	r.responses(m, o)
	m.Integration = r.integration(o)
	return m
}

// requestValidator reads the operation's validator, else the document's.
func (r *reader) requestValidator(m *model.Method, o operation) {
	const ext = "x-amazon-apigateway-request-validator"
	name := r.text(o.v, ext, o.where)
	if name == "" {
		name = r.text(r.root, ext, "")
	}
	if name == "" {
		return
	}
	for _, v := range r.RequestValidators {
		if v.Name == name {
			m.RequestValidatorID = name
			return
		}
	}
	r.warn("Request validator '%s' for '%s %s' not found. Ignoring.", clip(name), o.verb, o.path)
}

// places are the parameters' places, as request parameters name them.
var places = map[string]string{"path": "path", "query": "querystring", "header": "header"}

var pathVariable = regexp.MustCompile(`\{([^{}+]+)\}`)

// parameters reads the operation's parameters over those of its path. A variable of the path
// that nobody declares is declared; a greedy one has to be, before a mapping may read it.
func (r *reader) parameters(m *model.Method, o operation) {
	type key struct{ name, in string }
	own := map[key]bool{}
	set := func(name, in string, required bool) {
		if m.RequestParameters == nil {
			m.RequestParameters = map[string]bool{}
		}
		m.RequestParameters["method.request."+places[in]+"."+name] = required
	}
	read := func(list ojson.Value, inherited bool) {
		for p := range list.Elements() {
			where := o.where + ".parameters"
			if p = r.follow(p, where); p.Kind() != ojson.Object {
				if p.Kind() != ojson.None {
					r.wrong(where, "array of objects")
				}
				continue
			}
			name, in := r.scalar(p, "name", where), r.text(p, "in", where)
			where += ".[" + clip(name) + "]"
			if inherited && own[key{name, in}] {
				continue
			}
			own[key{name, in}] = true
			if name == "" {
				r.problem("Parse issue: attribute %s.name is missing", where)
				continue
			}
			if _, typed := p.Get("type"); typed && !r.v2 {
				r.warn("Parse issue: attribute %s.type is unexpected", where)
			}
			switch in {
			case "path", "query", "header":
				set(name, in, r.flag(p, "required", where) || in == "path")
			case "body":
				if r.v2 {
					r.body2(m, o, p, where)
				}
			case "cookie", "formData":
			default:
				r.problem("Parse issue: attribute %s.in is %q, expected path, query or header", where, clip(in))
			}
		}
	}
	read(r.array(o.v, "parameters", o.where), false)
	read(o.shared, true)
	for _, v := range pathVariable.FindAllStringSubmatch(o.path, -1) {
		if !own[key{v[1], "path"}] {
			set(v[1], "path", true)
		}
	}
}

// contentTypes returns the media types of a 2.0 operation: its own, the document's, else JSON.
func (r *reader) contentTypes(o operation, name string) []string {
	types := r.texts(o.v, name, o.where)
	if len(types) == 0 {
		types = r.texts(r.root, name, "")
	}
	if len(types) == 0 {
		types = []string{"application/json"}
	}
	return types
}

// body2 reads the body parameter of a 2.0 operation.
func (r *reader) body2(m *model.Method, o operation, p ojson.Value, where string) {
	schema, _ := p.Get("schema")
	for _, t := range r.contentTypes(o, "consumes") {
		r.requestModel(m, o, t, schema, where+".schema")
	}
}

func (r *reader) requestModel(m *model.Method, o operation, contentType string, schema ojson.Value, where string) {
	name, err := r.modelOf(schema, where)
	if err != nil {
		r.warn("Invalid format for model %s for method %s", clip(contentType), o.verb)
	}
	if name == "" {
		return
	}
	if m.RequestModels == nil {
		m.RequestModels = map[string]string{}
	}
	m.RequestModels[contentType] = name
}

// requestBody reads the body of a 3.0 operation.
func (r *reader) requestBody(m *model.Method, o operation) {
	b := r.object(o.v, "requestBody", o.where)
	where := member(o.where, "requestBody")
	if b = r.follow(b, where); b.Kind() != ojson.Object {
		return
	}
	r.flag(b, "required", where) // bodies are required by validators, not here
	for t, media := range r.object(b, "content", where).Members() {
		at := where + ".content." + clip(t)
		if media.Kind() != ojson.Object {
			r.wrong(at, "object")
			continue
		}
		schema, _ := media.Get("schema")
		r.requestModel(m, o, t, schema, at+".schema")
	}
}

var statusCode = regexp.MustCompile(`^[1-5]\d\d$`)

// responses reads the declared responses.
func (r *reader) responses(m *model.Method, o operation) {
	list := r.object(o.v, "responses", o.where)
	if list.Len() == 0 {
		r.warn("No responses specified for '%s %s'", o.verb, o.path)
	}
	for code, v := range list.Members() {
		where := o.where + ".responses." + clip(code)
		if strings.HasPrefix(code, "x-") {
			continue
		}
		if v = r.follow(v, where); v.Kind() != ojson.Object {
			if v.Kind() != ojson.None {
				r.wrong(where, "object")
			}
			continue
		}
		if !statusCode.MatchString(code) {
			r.warn("Unsupported response '%s' to method '%s %s'. Ignoring.", clip(code), o.verb, o.path)
			continue
		}
		mr := &model.MethodResponse{StatusCode: code}
		for name, h := range r.object(v, "headers", where).Members() {
			if h.Kind() != ojson.Object {
				r.wrong(where+".headers."+clip(name), "object")
				continue
			}
			if mr.ResponseParameters == nil {
				mr.ResponseParameters = map[string]bool{}
			}
			mr.ResponseParameters["method.response.header."+name] = false
		}
		r.responseModels(mr, o, v, where)
		if m.MethodResponses == nil {
			m.MethodResponses = map[string]*model.MethodResponse{}
		}
		m.MethodResponses[code] = mr
	}
}

// responseModels reads what a response's bodies look like.
func (r *reader) responseModels(mr *model.MethodResponse, o operation, v ojson.Value, where string) {
	set := func(contentType string, schema ojson.Value, at string) {
		name, err := r.modelOf(schema, at)
		if err != nil {
			kind, _ := schema.Get("type")
			r.warn("Unsupported model type '%s' in %s response to method '%s %s'. Ignoring.", clip(kind.Text()), mr.StatusCode, o.verb, o.path)
		}
		if name == "" {
			return
		}
		if mr.ResponseModels == nil {
			mr.ResponseModels = map[string]string{}
		}
		mr.ResponseModels[contentType] = name
	}
	if r.v2 {
		if schema, ok := v.Get("schema"); ok {
			for _, t := range r.contentTypes(o, "produces") {
				set(t, schema, where+".schema")
			}
		}
		return
	}
	for t, media := range r.object(v, "content", where).Members() {
		if media.Kind() != ojson.Object {
			r.wrong(where+".content."+clip(t), "object")
			continue
		}
		schema, _ := media.Get("schema")
		set(t, schema, where+".content.schema")
	}
}
