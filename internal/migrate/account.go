package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/model"
	"gatehouse/internal/openapi"
)

// AccountOptions say what is read of an account.
type AccountOptions struct {
	APIs []string // ids; none for all
}

// FromAccount brings the REST APIs of an account, with their stages, usage plans, API keys and
// VPC links, to a server. APIs keep their ids. For each stage the API is first what the stage
// has deployed, and last the draft. The report also tells where the draft read back differs from
// the one read. An API that fails is reported, and the others go on; err is for what ends all.
func FromAccount(ctx context.Context, from, to *Conn, o AccountOptions) (*Report, error) {
	m := &accountMover{mover: mover{to, &Report{}}, from: from, links: map[string]string{}, stages: map[string]bool{}}
	apis, err := all[restAPI](ctx, from, "/restapis")
	if err != nil {
		return m.report, fmt.Errorf("reading the account: %w", err)
	}
	for _, id := range o.APIs {
		if !slices.ContainsFunc(apis, func(a restAPI) bool { return a.ID == id }) {
			return m.report, fmt.Errorf("the account has no API %s", id)
		}
	}
	if err := m.vpcLinks(ctx); err != nil {
		return m.report, err
	}
	for _, a := range apis {
		if len(o.APIs) > 0 && !slices.Contains(o.APIs, a.ID) {
			continue
		}
		what := fmt.Sprintf("API %s %q", a.ID, a.Name)
		if err := m.api(ctx, a, what); err != nil {
			if ctx.Err() != nil {
				return m.report, ctx.Err()
			}
			m.report.add(Refused, what, "%v", err)
		}
	}
	for _, step := range []func(context.Context) error{m.usage, m.domains, m.account} {
		if err := step(ctx); err != nil {
			return m.report, err
		}
	}
	return m.report, nil
}

// accountMover reads one account.
type accountMover struct {
	mover
	from   *Conn
	links  map[string]string // VPC links: id there to id here
	stages map[string]bool   // "api:stage" that are here
}

// api brings one API.
func (m *accountMover) api(ctx context.Context, a restAPI, what string) error {
	draft, err := m.draft(ctx, a)
	if err != nil {
		return err
	}
	if err := m.create(ctx, a); err != nil {
		return err
	}
	var list struct {
		Item []*stage `json:"item"`
	}
	if err := m.from.call(ctx, http.MethodGet, "/restapis/"+a.ID+"/stages", nil, &list); err != nil {
		return err
	}
	for _, s := range list.Item {
		if err := m.stage(ctx, a.ID, s); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			m.report.add(Refused, fmt.Sprintf("stage %s of %s", s.StageName, what), "%v", err)
			continue
		}
		m.stages[a.ID+":"+s.StageName] = true
	}
	tree, err := openapi.Export(m.carried(draft, what), openapi.ExportOptions{OpenAPI3: true, Gateway: true, Stage: "draft", Host: "localhost"})
	if err != nil {
		return err
	}
	if err := m.put(ctx, a.ID, what, m.localLinks(tree.JSON())); err != nil {
		return err
	}
	if err := m.settle(ctx, a); err != nil {
		return err
	}
	m.report.add(Carried, what, "")
	examineAPI(m.report, what, draft)
	return m.compare(ctx, a, draft, what)
}

// carried is a draft without the bodies that no document can show, which are reported.
func (m *accountMover) carried(a *openapi.API, what string) *openapi.API {
	json := map[string]bool{}
	for _, s := range a.Models {
		json[s.Name] = s.ContentType == "application/json"
	}
	out := *a
	out.Resources = slices.Clone(a.Resources)
	for i := range out.Resources {
		methods := maps.Clone(out.Resources[i].Methods)
		for verb, method := range methods {
			c := *method
			c.RequestModels = maps.Clone(c.RequestModels)
			maps.DeleteFunc(c.RequestModels, func(contentType, name string) bool {
				if !json[name] {
					m.report.add(NotCarried, what+", "+verb+" "+out.Resources[i].Path, "model %s of %s bodies, which is not JSON: the body is not described here, nor was it validated there", name, contentType)
				}
				return !json[name]
			})
			methods[verb] = &c
		}
		out.Resources[i].Methods = methods
	}
	return &out
}

// create makes an API with the id that it has there, unless it is here already.
func (m *accountMover) create(ctx context.Context, a restAPI) error {
	fresh := restAPI{Name: a.Name, EndpointConfiguration: a.EndpointConfiguration, DisableExecuteAPIEndpoint: a.DisableExecuteAPIEndpoint, Tags: map[string]string{"_custom_id_": a.ID}}
	for k, v := range a.Tags {
		fresh.Tags[k] = v
	}
	err := m.to.call(ctx, http.MethodPost, "/restapis", fresh, nil)
	if isCode(err, "ConflictException") {
		return m.settle(ctx, a)
	}
	return err
}

// stage makes the API what the stage has deployed, and deploys that.
func (m *accountMover) stage(ctx context.Context, api string, s *stage) error {
	var doc document
	path := "/restapis/" + api + "/stages/" + url.PathEscape(s.StageName) + "/exports/oas30?extensions=apigateway,integrations,authorizers,documentation"
	if err := m.from.call(ctx, http.MethodGet, path, nil, &doc); err != nil {
		return fmt.Errorf("reading its export: %w", err)
	}
	if err := m.put(ctx, api, fmt.Sprintf("stage %s of API %s", s.StageName, api), m.localLinks(doc)); err != nil {
		return err
	}
	if s.DocumentationVersion != "" {
		err := m.to.call(ctx, http.MethodPost, "/restapis/"+api+"/documentation/versions", map[string]string{"documentationVersion": s.DocumentationVersion}, nil)
		if err != nil && !isCode(err, "ConflictException") {
			return err
		}
	}
	return m.deploy(ctx, api, s)
}

// settle sets what documents do not carry, or carry only where it closes something.
func (m *accountMover) settle(ctx context.Context, a restAPI) error {
	ops := []patch{{"replace", "/disableExecuteApiEndpoint", strconv.FormatBool(a.DisableExecuteAPIEndpoint)}, {"replace", "/version", a.Version}}
	return m.to.call(ctx, http.MethodPatch, "/restapis/"+a.ID, patches{ops}, nil)
}

// draft reads the draft of an API.
func (m *accountMover) draft(ctx context.Context, a restAPI) (*openapi.API, error) {
	return readDraft(ctx, m.from, a)
}

// readDraft reads an API as it would be deployed now.
func readDraft(ctx context.Context, c *Conn, a restAPI) (*openapi.API, error) {
	d := &openapi.API{}
	d.Snapshot.API = model.RestAPI{
		ID: a.ID, Name: a.Name, Description: a.Description, Version: a.Version, APIKeySource: a.APIKeySource,
		BinaryMediaTypes: a.BinaryMediaTypes, MinimumCompressionSize: a.MinimumCompressionSize, Policy: plainPolicy(a.Policy),
		DisableExecuteAPIEndpoint: a.DisableExecuteAPIEndpoint, SecurityPolicy: a.SecurityPolicy, EndpointAccessMode: a.EndpointAccessMode,
	}
	if a.EndpointConfiguration != nil {
		d.Snapshot.API.EndpointConfiguration = *a.EndpointConfiguration
	}
	base := "/restapis/" + a.ID
	var err error
	read := func(fetch func() error) {
		if err == nil {
			err = fetch()
		}
	}
	read(func() (e error) {
		d.Resources, e = all[model.Resource](ctx, c, base+"/resources?embed=methods")
		return
	})
	read(func() (e error) { d.Models, e = all[model.APIModel](ctx, c, base+"/models"); return })
	read(func() (e error) {
		d.RequestValidators, e = all[model.RequestValidator](ctx, c, base+"/requestvalidators")
		return
	})
	read(func() (e error) { d.Authorizers, e = all[model.Authorizer](ctx, c, base+"/authorizers"); return })
	read(func() (e error) {
		d.Documentation, e = all[model.DocumentationPart](ctx, c, base+"/documentation/parts")
		return
	})
	read(func() error {
		found, e := all[struct {
			model.GatewayResponse
			DefaultResponse bool `json:"defaultResponse"`
		}](ctx, c, base+"/gatewayresponses")
		for _, r := range found {
			if !r.DefaultResponse {
				d.GatewayResponses = append(d.GatewayResponses, r.GatewayResponse)
			}
		}
		return e
	})
	return d, err
}

// plainPolicy undoes the form that policies have in answers: the text of a JSON string.
func plainPolicy(policy string) string {
	var plain string
	if json.Unmarshal([]byte(`"`+policy+`"`), &plain) != nil {
		return policy
	}
	return plain
}

// compare reads the draft back and reports what is not as it was there. Ids of what belongs to an
// API are each server's own, and do not count.
func (m *accountMover) compare(ctx context.Context, a restAPI, there *openapi.API, what string) error {
	var now restAPI
	if err := m.to.call(ctx, http.MethodGet, "/restapis/"+a.ID, nil, &now); err != nil {
		return err
	}
	here, err := readDraft(ctx, m.to, now)
	if err != nil {
		return err
	}
	x, y := m.facts(there, true), m.facts(here, false)
	for _, name := range sortedKeys(x) {
		got, ok := y[name]
		switch {
		case !ok:
			m.report.add(NotCarried, what, "%s", name)
		default:
			for _, d := range differences(x[name], got, "") {
				m.report.add(Differs, what, "%s%s", name, d)
			}
		}
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// differences names the members in which two values differ.
func differences(there, here any, at string) []string {
	x, isMap := there.(map[string]any)
	y, both := here.(map[string]any)
	if !isMap || !both {
		if reflect.DeepEqual(there, here) {
			return nil
		}
		return []string{fmt.Sprintf("%s: %s there, %s here", at, short(there), short(here))}
	}
	var out []string
	names := maps.Clone(x)
	maps.Copy(names, y)
	for _, name := range sortedKeys(names) {
		out = append(out, differences(x[name], y[name], at+" "+name)...)
	}
	return out
}

func short(v any) string {
	text, err := json.Marshal(v)
	if v == nil {
		return "nothing"
	}
	if err != nil || len(text) > 200 {
		return string(text[:min(len(text), 200)]) + "..."
	}
	return string(text)
}

// facts lists what an API says, by name, without ids. there tells whether VPC links have the ids
// of the account.
func (m *accountMover) facts(a *openapi.API, there bool) map[string]any {
	names := map[string]string{}
	out := map[string]any{}
	for _, z := range a.Authorizers {
		names[z.ID] = z.Name
		z.ID = ""
		out["authorizer "+z.Name] = plain(z)
	}
	for _, v := range a.RequestValidators {
		names[v.ID] = v.Name
		v.ID = ""
		out["request validator "+v.Name] = plain(v)
	}
	for _, s := range a.Models {
		var v any
		if json.Unmarshal([]byte(s.Schema), &v) != nil {
			v = s.Schema
		}
		if o, ok := v.(map[string]any); ok {
			delete(o, "$schema")
		}
		out["model "+s.Name] = v
	}
	for _, r := range a.GatewayResponses {
		out["gateway response "+r.ResponseType] = plain(r)
	}
	a.Methods(func(r *model.Resource, method *model.Method) {
		c := *method
		c.AuthorizerID, c.RequestValidatorID = names[c.AuthorizerID], names[c.RequestValidatorID]
		if c.Integration != nil {
			i := *c.Integration
			if i.CacheNamespace == r.ID {
				i.CacheNamespace = ""
			}
			if id, ok := m.links[i.ConnectionID]; ok && there {
				i.ConnectionID = id
			}
			c.Integration = &i
		}
		out["method "+c.HTTPMethod+" "+r.Path] = plain(c)
	})
	s := a.Snapshot.API
	s.ID, s.RootResourceID, s.Tags = "", "", nil
	var policy any
	if json.Unmarshal([]byte(s.Policy), &policy) == nil {
		s.Policy = ""
		out["resource policy"] = policy
	}
	out["settings"] = plain(s)
	return out
}

// plain turns a value into plain maps without what is empty.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if json.Unmarshal(text, &out) != nil {
		return nil
	}
	return pruned(out)
}

func pruned(v any) any {
	o, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for k, m := range o {
		m = pruned(m)
		inner, isMap := m.(map[string]any)
		list, isList := m.([]any)
		if m == nil || isMap && len(inner) == 0 || isList && len(list) == 0 {
			delete(o, k)
			continue
		}
		o[k] = m
	}
	return o
}

var connectionID = regexp.MustCompile(`"connectionId"\s*:\s*"([^"$]+)"`)

// localLinks puts the ids that VPC links have here into a document.
func (m *accountMover) localLinks(doc []byte) []byte {
	return connectionID.ReplaceAllFunc(doc, func(found []byte) []byte {
		old := string(connectionID.FindSubmatch(found)[1])
		if id := m.links[old]; id != "" {
			return []byte(strings.Replace(string(found), `"`+old+`"`, `"`+id+`"`, 1))
		}
		return found
	})
}
