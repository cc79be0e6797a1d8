package restapis

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// pathPart is what one part of a resource path may look like: a literal, {name} or
// {name+} (routing-and-integrations, section 2.3).
var pathPart = regexp.MustCompile(`^(?:[a-zA-Z0-9._\-:,%~!$&'()*+;=@]+|\{[a-zA-Z0-9._\-:,]+\+?\})$`)

// CreateResource adds a resource below a parent.
func (s *RestAPIs) CreateResource(ctx context.Context, in *apigateway.CreateResourceInput) (*apigateway.Resource, error) {
	api, part := *in.RestApiId, opt.Value(in.PathPart)
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Resource, error) {
		owner := operation.Scope(ctx).Of(api)
		parent, err := resources.Get(tx, owner, *in.ParentId)
		if err != nil {
			return nil, operation.OrElse(err, noResource())
		}
		if err := checkPathPart(part); err != nil {
			return nil, err
		}
		if err := checkSiblings(tx, owner, parent, part, ""); err != nil {
			return nil, err
		}
		r := model.Resource{ID: model.NewID(6), ParentID: parent.ID, PathPart: part, Path: joinPath(parent.Path, part)}
		if err := resources.Create(tx, owner, r.ID, r); err != nil {
			return nil, err
		}
		return wireResource(r, false), nil
	})
}

func checkPathPart(part string) error {
	if part == "" {
		return badRequest("Resource's path part must be specified")
	}
	if !pathPart.MatchString(part) {
		return badRequest("Resource's path part only allow a-zA-Z0-9._-:, or a valid greedy path variable and curly braces at the beginning and the end.")
	}
	return nil
}

// checkSiblings refuses what cannot stand below parent beside what is there; self is
// the id of a resource that moves, "" for a new one.
func checkSiblings(tx *store.Tx, owner store.Scope, parent model.Resource, part, self string) error {
	if isGreedy(parent.PathPart) {
		return badRequest("Cannot create a child of a resource with a greedy path variable: " + parent.PathPart)
	}
	for r, err := range resources.In(tx, owner) {
		if err != nil {
			return err
		}
		if r.Value.ParentID != parent.ID || r.Value.ID == self {
			continue
		}
		if r.Value.PathPart == part {
			return apigateway.ConflictException("Another resource with the same parent already has this name: " + part)
		}
		if isVariable(part) && isVariable(r.Value.PathPart) {
			return badRequest("A sibling (" + r.Value.PathPart + ") of this resource already has a variable path part -- only one is allowed")
		}
	}
	return nil
}

func isVariable(part string) bool { return strings.HasPrefix(part, "{") }
func isGreedy(part string) bool   { return strings.HasSuffix(part, "+}") }

func joinPath(parent, part string) string {
	if parent == "/" {
		return "/" + part
	}
	return parent + "/" + part
}

// GetResource returns a resource, with its methods when they are asked for.
func (s *RestAPIs) GetResource(ctx context.Context, in *apigateway.GetResourceInput) (*apigateway.Resource, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.Resource, error) {
		r, err := resources.Get(tx, operation.Scope(ctx).Of(*in.RestApiId), *in.ResourceId)
		if err != nil {
			return nil, operation.OrElse(err, noResource())
		}
		return wireResource(r, slices.Contains(in.Embed, "methods")), nil
	})
}

// GetResources lists the resources of an API in order of creation.
func (s *RestAPIs) GetResources(ctx context.Context, in *apigateway.GetResourcesInput) (*apigateway.GetResourcesOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetResourcesOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		items, next, err := resources.List(tx, operation.Scope(ctx).Of(*in.RestApiId), operation.Page(in.Limit, in.Position))
		if err != nil {
			return nil, operation.ListError(err)
		}
		out := &apigateway.GetResourcesOutput{Position: opt.NonZero(next)}
		for _, it := range items {
			out.Items = append(out.Items, *wireResource(it.Value, slices.Contains(in.Embed, "methods")))
		}
		return out, nil
	})
}

// DeleteResource deletes a resource and all below it.
func (s *RestAPIs) DeleteResource(ctx context.Context, in *apigateway.DeleteResourceInput) (*apigateway.DeleteResourceOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteResourceOutput, error) {
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		r, err := resources.Get(tx, owner, *in.ResourceId)
		if err != nil {
			return nil, operation.OrElse(err, noResource())
		}
		if r.ParentID == "" {
			return nil, badRequest("Root resource cannot be deleted.")
		}
		tree, err := subtree(tx, owner, r)
		if err != nil {
			return nil, err
		}
		for _, it := range tree {
			if err := resources.Delete(tx, owner, it.Value.ID); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// subtree returns r and every resource below it.
func subtree(tx *store.Tx, owner store.Scope, r model.Resource) ([]store.Item[model.Resource], error) {
	children := map[string][]store.Item[model.Resource]{}
	var tree []store.Item[model.Resource]
	for it, err := range resources.In(tx, owner) {
		if err != nil {
			return nil, err
		}
		if it.Value.ID == r.ID {
			tree = append(tree, it)
		}
		children[it.Value.ParentID] = append(children[it.Value.ParentID], it)
	}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].Value.ID]...)
	}
	return tree, nil
}

var resourcePatches = patch.Closed{{Path: "/parentId", Ops: []string{"replace"}}, {Path: "/pathPart", Ops: []string{"replace"}}}

// UpdateResource renames or moves a resource; the paths of all below it follow.
func (s *RestAPIs) UpdateResource(ctx context.Context, in *apigateway.UpdateResourceInput) (*apigateway.Resource, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Resource, error) {
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		r, err := resources.Get(tx, owner, *in.ResourceId)
		if err != nil {
			return nil, operation.OrElse(err, noResource())
		}
		tree, err := subtree(tx, owner, r)
		if err != nil {
			return nil, err
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := resourcePatches.Check(o); err != nil {
				return nil, err
			}
			if err := patchResource(&r, o, tree); err != nil {
				return nil, err
			}
		}
		if len(in.PatchOperations) > 0 {
			if err := s.move(tx, owner, r, tree); err != nil {
				return nil, err
			}
			r, err = resources.Get(tx, owner, r.ID)
		}
		return wireResource(r, false), err
	})
}

func patchResource(r *model.Resource, o patch.Operation, tree []store.Item[model.Resource]) error {
	if o.Path == "/pathPart" {
		if r.ParentID == "" {
			return badRequest("Root resource cannot update its pathPart.")
		}
		r.PathPart = o.Value
		return checkPathPart(o.Value)
	}
	if r.ParentID == "" {
		return badRequest("Root resource cannot update its parentId.")
	}
	if slices.ContainsFunc(tree, func(it store.Item[model.Resource]) bool { return it.Value.ID == o.Value }) {
		return badRequest("Resources cannot be cyclical.")
	}
	r.ParentID = o.Value
	return nil
}

// move writes a renamed or moved resource and the new paths of its subtree.
func (s *RestAPIs) move(tx *store.Tx, owner store.Scope, r model.Resource, tree []store.Item[model.Resource]) error {
	parent, err := resources.Get(tx, owner, r.ParentID)
	if err != nil {
		return operation.OrElse(err, noResource())
	}
	if err := checkSiblings(tx, owner, parent, r.PathPart, r.ID); err != nil {
		return err
	}
	if isGreedy(r.PathPart) && len(tree) > 1 {
		return badRequest("Cannot create a child of a resource with a greedy path variable: " + r.PathPart)
	}
	paths := map[string]string{r.ParentID: parent.Path}
	for _, it := range tree {
		v := it.Value
		if v.ID == r.ID {
			v.ParentID, v.PathPart = r.ParentID, r.PathPart
		}
		v.Path = joinPath(paths[v.ParentID], v.PathPart)
		paths[v.ID] = v.Path
		it.Value = v
		if err := resources.Replace(tx, it); err != nil {
			return err
		}
	}
	return nil
}

// wireResource converts a resource. Methods are shown as empty objects unless embedded.
func wireResource(r model.Resource, embed bool) *apigateway.Resource {
	out := &apigateway.Resource{Id: &r.ID, ParentId: opt.NonZero(r.ParentID), PathPart: opt.NonZero(r.PathPart), Path: &r.Path}
	if len(r.Methods) == 0 {
		return out
	}
	out.ResourceMethods = map[string]apigateway.Method{}
	for name, m := range r.Methods {
		if embed {
			out.ResourceMethods[name] = *wireMethod(m)
		} else {
			out.ResourceMethods[name] = apigateway.Method{}
		}
	}
	return out
}

func isTaken(err error) bool { return errors.Is(err, store.ErrTaken) }
