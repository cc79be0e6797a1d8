package restapis

import (
	"context"
	"errors"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

func noDocVersion() *awserr.Error {
	return apigateway.NotFoundException("Invalid Documentation version specified")
}

// CreateDocumentationVersion freezes the documentation parts of an API, and gives a stage
// the version when one is named.
func (s *RestAPIs) CreateDocumentationVersion(ctx context.Context, in *apigateway.CreateDocumentationVersionInput) (*apigateway.DocumentationVersion, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DocumentationVersion, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		v := model.DocumentationVersion{Version: opt.Value(in.DocumentationVersion), CreatedDate: operation.Now(tx), Description: opt.Value(in.Description)}
		if v.Version == "" {
			return nil, badRequest("Documentation version must be non-empty")
		}
		if err := gather(tx, owner, docParts, &v.Parts); err != nil {
			return nil, err
		}
		err := docVersions.Create(tx, owner, v.Version, v)
		if errors.Is(err, store.ErrExists) {
			return nil, apigateway.ConflictException("Documentation version already exists: " + v.Version)
		}
		if err != nil {
			return nil, err
		}
		if name := opt.Value(in.StageName); name != "" {
			it, err := stages.Item(tx, owner, name)
			if err != nil {
				return nil, operation.OrElse(err, noStage())
			}
			it.Value.DocumentationVersion, it.Value.LastUpdatedDate = v.Version, operation.Now(tx)
			if err := stages.Replace(tx, it); err != nil {
				return nil, err
			}
		}
		return wireDocVersion(v), nil
	})
}

// getDocVersion loads a documentation version; an unknown API is told apart.
func getDocVersion(ctx context.Context, tx *store.Tx, api, version string) (store.Item[model.DocumentationVersion], error) {
	if _, err := getAPI(tx, operation.Scope(ctx), api, noAPI(ctx, api)); err != nil {
		return store.Item[model.DocumentationVersion]{}, err
	}
	it, err := docVersions.Item(tx, operation.Scope(ctx).Of(api), version)
	return it, operation.OrElse(err, noDocVersion())
}

// GetDocumentationVersion returns a documentation version.
func (s *RestAPIs) GetDocumentationVersion(ctx context.Context, in *apigateway.GetDocumentationVersionInput) (*apigateway.DocumentationVersion, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.DocumentationVersion, error) {
		it, err := getDocVersion(ctx, tx, *in.RestApiId, *in.DocumentationVersion)
		if err != nil {
			return nil, err
		}
		return wireDocVersion(it.Value), nil
	})
}

// GetDocumentationVersions lists the documentation versions of an API in order of creation.
func (s *RestAPIs) GetDocumentationVersions(ctx context.Context, in *apigateway.GetDocumentationVersionsInput) (*apigateway.GetDocumentationVersionsOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetDocumentationVersionsOutput, error) {
		items, next, err := listOwned(ctx, tx, *in.RestApiId, docVersions, in.Limit, in.Position, wireDocVersion)
		if err != nil {
			return nil, err
		}
		return &apigateway.GetDocumentationVersionsOutput{Items: items, Position: next}, nil
	})
}

var docVersionPatches = patch.Closed{{Path: "/description", Ops: []string{"replace"}}}

// UpdateDocumentationVersion changes a documentation version's description.
func (s *RestAPIs) UpdateDocumentationVersion(ctx context.Context, in *apigateway.UpdateDocumentationVersionInput) (*apigateway.DocumentationVersion, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DocumentationVersion, error) {
		it, err := getDocVersion(ctx, tx, *in.RestApiId, *in.DocumentationVersion)
		if err != nil {
			return nil, err
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := docVersionPatches.Check(o); err != nil {
				return nil, err
			}
			it.Value.Description = o.Value
		}
		return wireDocVersion(it.Value), docVersions.Replace(tx, it)
	})
}

// DeleteDocumentationVersion deletes a documentation version that no stage shows.
func (s *RestAPIs) DeleteDocumentationVersion(ctx context.Context, in *apigateway.DeleteDocumentationVersionInput) (*apigateway.DeleteDocumentationVersionOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteDocumentationVersionOutput, error) {
		it, err := getDocVersion(ctx, tx, *in.RestApiId, *in.DocumentationVersion)
		if err != nil {
			return nil, err
		}
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		for st, err := range stages.In(tx, owner) {
			if err != nil {
				return nil, err
			}
			if st.Value.DocumentationVersion == it.Value.Version {
				return nil, apigateway.ConflictException("Cannot delete documentation version '" + it.Value.Version + "', is referenced in stage: " + st.Value.StageName)
			}
		}
		return nil, docVersions.Delete(tx, owner, it.Value.Version)
	})
}

func wireDocVersion(v model.DocumentationVersion) *apigateway.DocumentationVersion {
	return &apigateway.DocumentationVersion{Version: &v.Version, CreatedDate: &v.CreatedDate, Description: opt.NonZero(v.Description)}
}
