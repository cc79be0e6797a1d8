package restapis

import (
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/model"
	"gatehouse/internal/openapi"
	"gatehouse/internal/store"
)

// importer applies one document to one API in one transaction. What is wrong is gathered, in the
// service's words; a failure of the store ends it. Each kind of document is listed once, so
// that the cost is linear however large the API is.
type importer struct {
	apis       *RestAPIs
	tx         *store.Tx
	scope      store.Scope
	owner      store.Scope
	doc        *openapi.Document
	overwrite  bool
	creates    bool // the API is new
	parameters importParameters

	failOnWarnings bool

	problems, warnings []string

	// What the API has now, by name: documents refer to these by name.
	modelNames     map[string]bool
	validatorIDs   map[string]string
	authorizerIDs  map[string]string
	authorizersNow map[string]model.Authorizer // by id
}

// problem notes why something cannot be imported; the service's text is what a caller would be
// answered who made the same call by hand. Failures of the store are returned.
func (i *importer) problem(what string, err error) error {
	if err == nil {
		return nil
	}
	e := awserr.As(err)
	if e == nil {
		return err
	}
	if len(i.problems) < 1000 {
		i.problems = append(i.problems, what+e.Message)
	}
	return nil
}

// settings takes over what the document says about the API itself. Merging leaves alone what the
// document does not mention. Overwriting resets it, but for what opens the API when it is
// forgotten: the default endpoint stays disabled.
func (i *importer) settings(api *model.RestAPI) error {
	from, given := &i.doc.Snapshot.API, i.doc.Given
	has := func(name string) bool { return given[name] || i.overwrite }
	if from.Name != "" {
		api.Name = from.Name
	}
	if from.Description != "" || i.overwrite {
		api.Description = from.Description
	}
	if from.Version != "" || i.overwrite {
		api.Version = from.Version
	}
	if has("apiKeySource") {
		api.APIKeySource = from.APIKeySource
	}
	if i.overwrite {
		api.BinaryMediaTypes = nil
	}
	for _, t := range from.BinaryMediaTypes {
		if !slices.Contains(api.BinaryMediaTypes, t) {
			api.BinaryMediaTypes = append(slices.Clone(api.BinaryMediaTypes), t)
		}
	}
	if has("minimumCompressionSize") {
		api.MinimumCompressionSize = from.MinimumCompressionSize
	}
	if has("policy") {
		api.Policy = expandPolicy(from.Policy, i.scope, api.ID)
	}
	if given["securityPolicy"] {
		api.SecurityPolicy = from.SecurityPolicy
	}
	if given["endpointAccessMode"] {
		api.EndpointAccessMode = from.EndpointAccessMode
	}
	if given["disableExecuteApiEndpoint"] {
		api.DisableExecuteAPIEndpoint = from.DisableExecuteAPIEndpoint
	}
	if err := i.problem("Unable to set the policy: ", checkPolicy(api.Policy)); err != nil {
		return err
	}
	return i.endpoint(api)
}

func (i *importer) endpoint(api *model.RestAPI) error {
	c := &api.EndpointConfiguration
	if t := i.parameters.endpointType; t != "" && t != c.Type() {
		c.Types = []string{t}
		c.IPAddressType = "ipv4"
		if t == "PRIVATE" {
			c.IPAddressType = "dualstack"
		}
	}
	from := i.doc.Snapshot.API.EndpointConfiguration
	if i.doc.Given["ipAddressType"] {
		c.IPAddressType = from.IPAddressType
	}
	if i.doc.Given["vpcEndpointIds"] {
		c.VPCEndpointIDs = from.VPCEndpointIDs
	}
	if i.parameters.vpcEndpoints != nil {
		c.VPCEndpointIDs = i.parameters.vpcEndpoints
	}
	return i.problem("", checkEndpoint(*c))
}

// existing lists a collection of the API by a name of its documents; of several with the same
// name the first counts.
func existing[T any](i *importer, c store.Collection[T], name func(T) string) (map[string]store.Item[T], error) {
	found := map[string]store.Item[T]{}
	for it, err := range c.In(i.tx, i.owner) {
		if err != nil {
			return nil, err
		}
		if _, ok := found[name(it.Value)]; !ok {
			found[name(it.Value)] = it
		}
	}
	return found, nil
}

// drop deletes what an overwriting document does not have.
func drop[T any](i *importer, c store.Collection[T], now map[string]store.Item[T], keep func(name string) bool) error {
	if !i.overwrite {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if keep(name) {
			continue
		}
		if err := c.Delete(i.tx, i.owner, now[name].Key.ID); err != nil {
			return err
		}
		delete(now, name)
	}
	return nil
}

func (i *importer) models(*model.RestAPI) error {
	now, err := existing(i, models, func(m model.APIModel) string { return m.Name })
	if err != nil {
		return err
	}
	i.modelNames = map[string]bool{}
	for _, m := range i.doc.Models {
		i.modelNames[m.Name] = true
	}
	if err := drop(i, models, now, func(name string) bool { return i.modelNames[name] }); err != nil {
		return err
	}
	for name := range now {
		i.modelNames[name] = true
	}
	for _, m := range i.doc.Models {
		if len(m.Schema) > maxSchema {
			if err := i.problem("Unable to create model for '"+m.Name+"': ", badRequest("Model schema must be at most "+itoa(maxSchema)+" bytes")); err != nil {
				return err
			}
		}
		m.ID = model.NewID(6)
		if old, ok := now[m.Name]; ok {
			m.ID = old.Value.ID
		}
		if err := models.Put(i.tx, i.owner, m.Name, m); err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) validators(*model.RestAPI) error {
	now, err := existing(i, validators, func(v model.RequestValidator) string { return v.Name })
	if err != nil {
		return err
	}
	i.validatorIDs = map[string]string{}
	for _, v := range i.doc.RequestValidators {
		i.validatorIDs[v.Name] = model.NewID(6)
		if old, ok := now[v.Name]; ok {
			i.validatorIDs[v.Name] = old.Value.ID
		}
	}
	if err := drop(i, validators, now, func(name string) bool { return i.validatorIDs[name] != "" }); err != nil {
		return err
	}
	for _, v := range i.doc.RequestValidators {
		if v.Name == "" {
			if err := i.problem("Unable to create request validator: ", errValidatorName); err != nil {
				return err
			}
			continue
		}
		v.ID = i.validatorIDs[v.Name]
		if err := validators.Put(i.tx, i.owner, v.ID, v); err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) authorizers(*model.RestAPI) error {
	now, err := existing(i, authorizers, func(a model.Authorizer) string { return a.Name })
	if err != nil {
		return err
	}
	i.authorizerIDs = map[string]string{}
	for _, a := range i.doc.Authorizers {
		i.authorizerIDs[a.Name] = model.NewID(6)
		if old, ok := now[a.Name]; ok {
			i.authorizerIDs[a.Name] = old.Value.ID
		}
	}
	if err := drop(i, authorizers, now, func(name string) bool { return i.authorizerIDs[name] != "" }); err != nil {
		return err
	}
	i.authorizersNow = map[string]model.Authorizer{}
	for _, it := range now {
		i.authorizersNow[it.Value.ID] = it.Value
	}
	for _, a := range i.doc.Authorizers {
		a.ID = i.authorizerIDs[a.Name]
		err := judgeAuthorizer(a)
		if a.Name == "" {
			err = badRequest("Authorizer name cannot be empty")
		}
		if err := i.problem("Unable to create authorizer '"+a.Name+"': ", err); err != nil {
			return err
		}
		i.authorizersNow[a.ID] = a
		if err := authorizers.Put(i.tx, i.owner, a.ID, a); err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) gatewayResponses(*model.RestAPI) error {
	listed := map[string]bool{}
	for _, r := range i.doc.GatewayResponses {
		listed[r.ResponseType] = true
	}
	now, err := existing(i, gwResponses, func(r model.GatewayResponse) string { return r.ResponseType })
	if err != nil {
		return err
	}
	if err := drop(i, gwResponses, now, func(name string) bool { return listed[name] }); err != nil {
		return err
	}
	for _, r := range i.doc.GatewayResponses {
		what := "Unable to put gateway response '" + r.ResponseType + "': "
		if !isResponseType(r.ResponseType) {
			if err := i.problem(what, badRequest("Unsupported gateway response type")); err != nil {
				return err
			}
			continue
		}
		if err := i.problem(what, checkGatewayResponse(r)); err != nil {
			return err
		}
		if err := gwResponses.Put(i.tx, i.owner, r.ResponseType, r); err != nil {
			return err
		}
	}
	return nil
}

func isResponseType(name string) bool {
	for _, t := range responseTypes {
		if t.name == name {
			return true
		}
	}
	return false
}

// documentation merges the parts: attributes of a part about the same place replace those that
// were there, others stay. A version in the document freezes them.
func (i *importer) documentation(*model.RestAPI) error {
	if i.parameters.ignoreDocumentation {
		return nil
	}
	if i.overwrite {
		if _, err := docParts.DeleteAll(i.tx, i.owner); err != nil {
			return err
		}
	}
	ids, warnings, err := mergeParts(i.tx, i.owner, i.doc.Documentation)
	i.warnings = append(i.warnings, warnings...)
	if err != nil || i.doc.DocumentationVersion == "" || len(ids) == 0 {
		return err
	}
	_, err = docVersions.Get(i.tx, i.owner, i.doc.DocumentationVersion)
	if err == nil || !isNotFound(err) {
		return err
	}
	v := model.DocumentationVersion{Version: i.doc.DocumentationVersion, CreatedDate: i.tx.Now().Truncate(1e9)}
	if err := gather(i.tx, i.owner, docParts, &v.Parts); err != nil {
		return err
	}
	return docVersions.Create(i.tx, i.owner, v.Version, v)
}

// expandPolicy writes out the resources that a policy names short: "execute-api:/prod/GET/*" stands
// for the API's own (authorizers, section on resource policies).
func expandPolicy(policy string, in store.Scope, api string) string {
	return strings.ReplaceAll(policy, `"execute-api:/`, `"arn:aws:execute-api:`+in.Region+":"+in.Account+":"+api+"/")
}
