package openapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
)

// Read reads a document. The error is a *Refusal and says that it is no document that could be
// read; what is wrong with parts of it is in the result's Problems, and what was left out in its
// Warnings. What is right here may still be refused beside what an API has already: whoever
// applies the document judges that.
func Read(body []byte, o Options) (*Document, error) {
	r, err := newReader(body, o)
	if err != nil {
		return nil, err
	}
	known := vocabularies[r.v2]
	r.unexpected(r.root, known.root, "")
	if !r.v2 {
		components, _ := r.root.Get("components")
		r.unexpected(components, known.components, "components")
	}
	r.info()
	r.settings()
	r.readModels()
	r.validators()
	r.gatewayResponses()
	r.securitySchemes()
	r.paths()
	r.checkModels() // with those that were made of schemas without a name
	if !o.IgnoreDocumentation {
		r.documentation()
	}
	if r.halt != nil {
		return nil, r.halt
	}
	return &r.Document, nil
}

// ReadDocumentation reads the documentation extension alone.
func ReadDocumentation(body []byte) (*Document, error) {
	r, err := newReader(body, Options{})
	if err != nil {
		return nil, err
	}
	r.documentation()
	return &r.Document, nil
}

// newReader parses a document and finds out its version.
func newReader(body []byte, o Options) (*reader, error) {
	root, err := parse(resolveVariables(body, o))
	if err != nil {
		return nil, &Refusal{"Invalid OpenAPI input. " + err.Error()}
	}
	r := &reader{
		o: o, root: root, Document: Document{Given: map[string]bool{}},
		models: map[string]bool{}, bad: map[string]bool{}, content: map[string]string{}, schemes: map[string]scheme{},
		index: map[string]map[string]ojson.Value{},
	}
	swagger, _ := root.Get("swagger")
	version, _ := root.Get("openapi")
	switch {
	case swagger.Text() == "2.0":
		r.v2 = true
	case version.Kind() == ojson.String && strings.HasPrefix(version.Text(), "3.0."), version.Text() == "3.0":
	case swagger.Kind() != ojson.None || version.Kind() != ojson.None:
		return nil, &Refusal{fmt.Sprintf("Invalid OpenAPI input. Found version %q, expected swagger 2.0 or openapi 3.0", clip(swagger.Text()+version.Text()))}
	default:
		return nil, &Refusal{"Invalid OpenAPI input. Found neither a member swagger nor a member openapi"}
	}
	if paths, ok := root.Get("paths"); ok && paths.Kind() != ojson.Object {
		return nil, &Refusal{"Invalid OpenAPI input. Found " + paths.Kind().String() + " at paths, expected an object"}
	}
	return r, nil
}

// resolveVariables puts in what ${AWS::AccountId}, ${AWS::Region} and ${AWS::Partition} stand for.
func resolveVariables(body []byte, o Options) []byte {
	text := string(body)
	if !strings.Contains(text, "${AWS::") {
		return body
	}
	partition := o.Partition
	if partition == "" {
		partition = "aws"
	}
	return []byte(strings.NewReplacer("${AWS::AccountId}", o.Account, "${AWS::Region}", o.Region, "${AWS::Partition}", partition).Replace(text))
}

// info reads what the API is called.
func (r *reader) info() {
	info := r.object(r.root, "info", "")
	r.unexpected(info, vocabularies[r.v2].info, "info")
	r.Snapshot.API.Name = r.scalar(info, "title", "info")
	r.Snapshot.API.Description = r.scalar(info, "description", "info")
	r.Snapshot.API.Version = r.scalar(info, "version", "info")
	if r.Snapshot.API.Name == "" {
		r.problem("Parse issue: attribute info.title is missing")
	}
}

// settings reads the extensions at the root that are settings of the API.
func (r *reader) settings() {
	a, given := &r.Snapshot.API, r.Given
	has := func(name string) bool {
		v, ok := r.root.Get(name)
		return ok && v.Kind() != ojson.Null
	}
	a.APIKeySource = "HEADER"
	if name := "x-amazon-apigateway-api-key-source"; has(name) {
		given["apiKeySource"] = true
		a.APIKeySource = strings.ToUpper(r.text(r.root, name, ""))
		r.oneOf(name, a.APIKeySource, "HEADER", "AUTHORIZER")
	}
	if name := "x-amazon-apigateway-binary-media-types"; has(name) {
		given["binaryMediaTypes"] = true
		for _, t := range r.texts(r.root, name, "") {
			if !slices.Contains(a.BinaryMediaTypes, t) {
				a.BinaryMediaTypes = append(a.BinaryMediaTypes, t)
			}
		}
	}
	if name := "x-amazon-apigateway-minimum-compression-size"; has(name) {
		given["minimumCompressionSize"] = true
		if n, ok := r.integer(r.root, name, ""); ok {
			a.MinimumCompressionSize = &n
			if n < 0 || n > 10<<20 {
				r.problem("Invalid minimum compression size, must be between 0 and 10485760")
			}
		}
	}
	if name := "x-amazon-apigateway-policy"; has(name) {
		given["policy"] = true
		a.Policy = r.policy(name)
	}
	if name := "x-amazon-apigateway-security-policy"; has(name) {
		given["securityPolicy"] = true
		a.SecurityPolicy = r.text(r.root, name, "")
		if !model.IsSecurityPolicy(a.SecurityPolicy) {
			r.problem("Invalid SecurityPolicy specified: %s", clip(a.SecurityPolicy))
		}
	}
	if name := "x-amazon-apigateway-endpoint-access-mode"; has(name) {
		given["endpointAccessMode"] = true
		a.EndpointAccessMode = strings.ToUpper(r.text(r.root, name, ""))
		r.oneOf(name, a.EndpointAccessMode, "BASIC", "STRICT")
	}
	r.endpoint()
}

func (r *reader) oneOf(where, got string, want ...string) {
	if !slices.Contains(want, got) {
		r.problem("Parse issue: attribute %s is %q, expected one of %s", where, clip(got), strings.Join(want, ", "))
	}
}

// policy returns the resource policy as JSON text: an object, or the text of one.
func (r *reader) policy(name string) string {
	v, _ := r.root.Get(name)
	switch v.Kind() {
	case ojson.Object:
		return v.JSON()
	case ojson.String:
		return v.Text()
	}
	r.wrong(name, "object")
	return ""
}

// endpoint reads the endpoint configuration: at the root in 2.0, with the first server in 3.0.
func (r *reader) endpoint() {
	const name = "x-amazon-apigateway-endpoint-configuration"
	holder, where := r.root, ""
	if !r.v2 {
		servers := r.array(r.root, "servers", "")
		holder, where = servers.At(0), "servers[0]"
		n := 0
		for s := range servers.Elements() {
			if _, ok := s.Get(name); ok {
				n++
			}
		}
		if n > 1 {
			r.warn("More than one server provided. Ignoring all but the first for defining endpoint configuration")
		}
	}
	e := r.object(holder, name, where)
	if e.Kind() == ojson.None {
		return
	}
	where = member(where, name)
	if _, ok := e.Get("disableExecuteApiEndpoint"); ok {
		r.Given["disableExecuteApiEndpoint"] = true
		r.Snapshot.API.DisableExecuteAPIEndpoint = r.flag(e, "disableExecuteApiEndpoint", where)
	}
	if _, ok := e.Get("vpcEndpointIds"); ok {
		r.Given["vpcEndpointIds"] = true
		r.Snapshot.API.EndpointConfiguration.VPCEndpointIDs = r.texts(e, "vpcEndpointIds", where)
	}
	if t := strings.ToLower(r.text(e, "ipAddressType", where)); t != "" {
		r.Given["ipAddressType"] = true
		r.Snapshot.API.EndpointConfiguration.IPAddressType = t
		r.oneOf(member(where, "ipAddressType"), t, "ipv4", "dualstack")
	}
}

// validators reads the request validators; ids are their names.
func (r *reader) validators() {
	const where = "x-amazon-apigateway-request-validators"
	for name, v := range r.object(r.root, where, "").Members() {
		at := member(where, name)
		if v.Kind() != ojson.Object {
			r.wrong(at, "object")
			continue
		}
		r.RequestValidators = append(r.RequestValidators, model.RequestValidator{
			ID: name, Name: name,
			ValidateRequestBody:       r.flag(v, "validateRequestBody", at),
			ValidateRequestParameters: r.flag(v, "validateRequestParameters", at),
		})
	}
}

// gatewayResponses reads customised gateway responses; whoever applies them judges their types.
func (r *reader) gatewayResponses() {
	const where = "x-amazon-apigateway-gateway-responses"
	for name, v := range r.object(r.root, where, "").Members() {
		at := member(where, name)
		if v.Kind() != ojson.Object {
			r.wrong(at, "object")
			continue
		}
		r.GatewayResponses = append(r.GatewayResponses, model.GatewayResponse{
			ResponseType:       strings.ToUpper(name),
			StatusCode:         r.scalar(v, "statusCode", at),
			ResponseParameters: r.textMap(v, "responseParameters", at),
			ResponseTemplates:  r.textMap(v, "responseTemplates", at),
		})
	}
}

// basePath is the prefix of all paths, by the option: "" or "/a/b".
func (r *reader) basePath() string {
	var base string
	switch {
	case r.o.BasePath == "" || r.o.BasePath == "ignore":
		return ""
	case r.v2:
		base = r.text(r.root, "basePath", "")
	default:
		base = r.serverPath()
	}
	base = strings.Trim(base, "/")
	if r.o.BasePath == "split" {
		_, base, _ = strings.Cut(base, "/")
	}
	if base == "" {
		return ""
	}
	return "/" + base
}

// serverPath is the base path of a 3.0 document: the default of the first server variable called
// basePath, else the path of the first server's URL.
func (r *reader) serverPath() string {
	servers := r.array(r.root, "servers", "")
	for s := range servers.Elements() {
		vars, _ := s.Get("variables")
		if v, ok := vars.Get("basePath"); ok {
			def, _ := v.Get("default")
			return def.Text()
		}
	}
	url, _ := servers.At(0).Get("url")
	_, rest, found := strings.Cut(url.Text(), "://")
	if !found {
		return url.Text()
	}
	_, path, _ := strings.Cut(rest, "/")
	return path
}

// verbs are the members of a path item that are operations.
var verbs = map[string]string{
	"get": "GET", "put": "PUT", "post": "POST", "delete": "DELETE", "options": "OPTIONS", "head": "HEAD", "patch": "PATCH",
	"x-amazon-apigateway-any-method": "ANY",
}

// paths reads resources and methods, in the order of the document. The root and what lies
// between it and a path are resources too.
func (r *reader) paths() {
	byPath := map[string]int{}
	bytes := 0
	add := func(path string) int {
		i, ok := byPath[path]
		if !ok {
			i = len(r.Resources)
			byPath[path] = i
			bytes += len(path)
			part := path[strings.LastIndexByte(path, '/')+1:]
			r.Resources = append(r.Resources, model.Resource{Path: path, PathPart: part})
		}
		return i
	}
	add("/")
	base := r.basePath()
	for written, item := range r.object(r.root, "paths", "").Members() {
		if strings.HasPrefix(written, "x-") {
			continue
		}
		where := "paths.'" + clip(written) + "'"
		if !strings.HasPrefix(written, "/") {
			r.problem("Unable to create resource at path '%s': a path begins with /", clip(written))
			continue
		}
		if len(written) > maxPath {
			r.problem("Unable to create resource at path '%s': a path has at most %d bytes", clip(written), maxPath)
			continue
		}
		if item = r.follow(item, where); item.Kind() != ojson.Object {
			if item.Kind() != ojson.None {
				r.wrong(where, "object")
			}
			continue
		}
		path := "/"
		for part := range strings.SplitSeq(base+written, "/") {
			if part == "" {
				continue
			}
			if path != "/" {
				path += "/"
			}
			path += part
			add(path)
		}
		if len(r.Resources) > maxResources || bytes > maxPaths {
			r.halt = &Refusal{fmt.Sprintf("Invalid OpenAPI input. Found more than %d resources or %d bytes of paths at %s", maxResources, maxPaths, where)}
			return
		}
		r.pathItem(&r.Resources[byPath[path]], written, item, where)
		if r.halt != nil {
			return
		}
	}
}

// Limits of paths: each part of one becomes a resource.
const (
	maxPath      = 4096     // bytes of one
	maxPaths     = 64 << 20 // bytes of all resources' paths
	maxResources = 100_000
)

// pathItem reads the methods of one path.
func (r *reader) pathItem(to *model.Resource, written string, item ojson.Value, where string) {
	r.unexpected(item, vocabularies[r.v2].pathItem, where)
	shared := r.array(item, "parameters", where)
	for name, op := range item.Members() {
		verb, ok := verbs[name]
		switch {
		case ok:
		case name == "trace":
			r.warn("Unsupported HTTP method 'TRACE' at path '%s'. Ignoring.", clip(written))
			continue
		default:
			continue
		}
		at := where + "(" + name + ")"
		if op.Kind() != ojson.Object {
			r.wrong(at, "object")
			continue
		}
		if to.Methods[verb] != nil {
			r.problem("Unable to put method '%s' on resource at path '%s': the document has it twice", verb, to.Path)
			continue
		}
		r.unexpected(op, vocabularies[r.v2].operation, at)
		m := r.method(operation{path: to.Path, verb: verb, v: op, shared: shared, where: at})
		if r.halt != nil {
			return
		}
		if to.Methods == nil {
			to.Methods = map[string]*model.Method{}
		}
		to.Methods[verb] = m
	}
}

// Methods calls f for each method, in the order of paths, then by name.
func (a *API) Methods(f func(r *model.Resource, m *model.Method)) {
	for i := range a.Resources {
		for _, verb := range slices.Sorted(maps.Keys(a.Resources[i].Methods)) {
			f(&a.Resources[i], a.Resources[i].Methods[verb])
		}
	}
}
