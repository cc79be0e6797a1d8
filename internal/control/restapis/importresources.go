package restapis

import (
	"maps"
	"slices"

	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// tree is the resources of an API while a document is applied to it.
type tree struct {
	byPath   map[string]*model.Resource
	variable map[string]string // path of a parent to the part of its child that is a variable
	broken   map[string]bool   // paths that could not be made; what lies below them is not tried
}

// resources makes the document's resources and methods. Resources that are there keep their ids.
func (i *importer) resources(api *model.RestAPI) error {
	t, err := i.tree(api)
	if err != nil {
		return err
	}
	for _, r := range i.doc.Resources {
		if err := i.resource(t, r); err != nil {
			return err
		}
	}
	refs := i.references()
	for _, r := range i.doc.Resources {
		at := t.byPath[r.Path]
		if at == nil {
			continue
		}
		if err := i.methods(refs, at, r.Methods); err != nil {
			return err
		}
		if err := resources.Put(i.tx, i.owner, at.ID, *at); err != nil {
			return err
		}
	}
	return nil
}

// tree loads what is there and, when overwriting, deletes what the document does not have.
func (i *importer) tree(api *model.RestAPI) (*tree, error) {
	now, err := existing(i, resources, func(r model.Resource) string { return r.Path })
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{"/": true}
	for _, r := range i.doc.Resources {
		listed[r.Path] = true
	}
	if err := drop(i, resources, now, func(path string) bool { return listed[path] }); err != nil {
		return nil, err
	}
	t := &tree{byPath: map[string]*model.Resource{}, variable: map[string]string{}, broken: map[string]bool{}}
	for path, it := range now {
		r := it.Value
		t.byPath[path] = &r
		if isVariable(r.PathPart) {
			t.variable[parentPath(path)] = r.PathPart
		}
	}
	if t.byPath["/"] == nil {
		t.byPath["/"] = &model.Resource{ID: api.RootResourceID, Path: "/"}
	}
	return t, nil
}

// parentPath returns the path without its last part.
func parentPath(path string) string {
	for k := len(path) - 1; k > 0; k-- {
		if path[k] == '/' {
			return path[:k]
		}
	}
	return "/"
}

// resource adds one resource, if it is not there. Parents come before their children.
func (i *importer) resource(t *tree, r model.Resource) error {
	if t.byPath[r.Path] != nil {
		return nil
	}
	above := parentPath(r.Path)
	parent := t.byPath[above]
	if parent == nil || t.broken[above] {
		t.broken[r.Path] = true // the parent's problem has been told
		return nil
	}
	err := checkPathPart(r.PathPart)
	switch other := t.variable[above]; {
	case err != nil:
	case isGreedy(parent.PathPart):
		err = badRequest("Cannot create a child of a resource with a greedy path variable: " + parent.PathPart)
	case isVariable(r.PathPart) && other != "":
		err = badRequest("A sibling (" + other + ") of this resource already has a variable path part -- only one is allowed")
	}
	if err != nil {
		t.broken[r.Path] = true
		return i.problem("Unable to create resource at path '"+r.Path+"': ", err)
	}
	made := &model.Resource{ID: model.NewID(6), ParentID: parent.ID, PathPart: r.PathPart, Path: r.Path}
	t.byPath[r.Path] = made
	if isVariable(r.PathPart) {
		t.variable[above] = r.PathPart
	}
	return resources.Create(i.tx, i.owner, made.ID, *made)
}

// references finds what the API will have.
func (i *importer) references() references {
	missing := func(ok bool) error {
		if ok {
			return nil
		}
		return store.ErrNotFound
	}
	ids := map[string]bool{}
	for _, id := range i.validatorIDs {
		ids[id] = true
	}
	return references{
		authorizer: func(id string) (model.Authorizer, error) { a, ok := i.authorizersNow[id]; return a, missing(ok) },
		validator:  func(id string) error { return missing(ids[id]) },
		model:      func(name string) error { return missing(i.modelNames[name]) },
	}
}

// methods puts the document's methods on a resource: each replaces the same method whole.
func (i *importer) methods(refs references, at *model.Resource, from map[string]*model.Method) error {
	if i.overwrite {
		at.Methods = nil
	}
	for _, verb := range slices.Sorted(maps.Keys(from)) {
		m := *from[verb] // the transaction may run again: the document stays as it is
		m.AuthorizerID = i.authorizerIDs[m.AuthorizerID]
		m.RequestValidatorID = i.validatorIDs[m.RequestValidatorID]
		if err := i.problem("Unable to put method '"+verb+"' on resource at path '"+at.Path+"': ", i.judgeMethod(refs, &m)); err != nil {
			return err
		}
		if m.Integration != nil {
			integration := *m.Integration
			m.Integration = &integration
			if integration.CacheNamespace == "" {
				integration.CacheNamespace = at.ID
			}
			normaliseIntegration(&integration)
			err := i.apis.checkIntegration(i.tx, i.scope, &m, &integration)
			if err := i.problem("Unable to put integration on '"+verb+"' for resource at path '"+at.Path+"': ", err); err != nil {
				return err
			}
			for _, code := range slices.Sorted(maps.Keys(integration.IntegrationResponses)) {
				err := checkIntegrationResponse(&m, integration.IntegrationResponses[code])
				if err := i.problem("Unable to put integration response on '"+verb+"' for resource at path '"+at.Path+"': ", err); err != nil {
					return err
				}
			}
		}
		if at.Methods == nil {
			at.Methods = map[string]*model.Method{}
		}
		at.Methods[verb] = &m
	}
	return nil
}

// judgeMethod judges a method with its responses.
func (i *importer) judgeMethod(refs references, m *model.Method) error {
	if err := checkMethod(refs, m); err != nil {
		return err
	}
	for _, code := range slices.Sorted(maps.Keys(m.MethodResponses)) {
		if err := checkMethodResponse(refs, m.MethodResponses[code]); err != nil {
			return err
		}
	}
	return nil
}
