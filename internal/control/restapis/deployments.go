package restapis

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// CreateDeployment freezes an API and, when a stage is named, creates that stage or moves
// it to the new deployment.
func (s *RestAPIs) CreateDeployment(ctx context.Context, in *apigateway.CreateDeploymentInput) (*apigateway.Deployment, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Deployment, error) {
		api, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId))
		if err != nil {
			return nil, err
		}
		if api.EndpointConfiguration.Type() == "PRIVATE" && api.Policy == "" {
			return nil, badRequest("Private REST API doesn't have a resource policy attached to it")
		}
		owner := operation.Scope(ctx).Of(api.ID)
		snapshot, err := freeze(tx, owner, api)
		if err != nil {
			return nil, err
		}
		d := model.Deployment{ID: model.NewID(6), Description: opt.Value(in.Description), CreatedDate: operation.Now(tx), APISummary: summary(snapshot)}
		if err := deployments.Create(tx, owner, d.ID, d); err != nil {
			return nil, err
		}
		if err := snapshots.Create(tx, owner, d.ID, snapshot); err != nil {
			return nil, err
		}
		if opt.Value(in.StageName) != "" {
			if err := s.deployTo(ctx, tx, owner, d.ID, in); err != nil {
				return nil, err
			}
		}
		return wireDeployment(d, false), nil
	})
}

// freeze copies everything that takes effect through a deployment.
func freeze(tx *store.Tx, owner store.Scope, api model.RestAPI) (model.Snapshot, error) {
	snapshot := model.Snapshot{API: api}
	methods := 0
	for r, err := range resources.In(tx, owner) {
		if err != nil {
			return snapshot, err
		}
		for _, m := range r.Value.Methods {
			methods++
			if m.Integration == nil {
				return snapshot, badRequest("No integration defined for method")
			}
		}
		snapshot.Resources = append(snapshot.Resources, r.Value)
	}
	if methods == 0 {
		return snapshot, badRequest("The REST API doesn't contain any methods")
	}
	if err := gather(tx, owner, models, &snapshot.Models); err != nil {
		return snapshot, err
	}
	if err := gather(tx, owner, validators, &snapshot.RequestValidators); err != nil {
		return snapshot, err
	}
	if err := gather(tx, owner, authorizers, &snapshot.Authorizers); err != nil {
		return snapshot, err
	}
	return snapshot, gather(tx, owner, gwResponses, &snapshot.GatewayResponses)
}

// gather appends every document of a collection in scope.
func gather[T any](tx *store.Tx, in store.Scope, c store.Collection[T], to *[]T) error {
	for it, err := range c.In(tx, in) {
		if err != nil {
			return err
		}
		*to = append(*to, it.Value)
	}
	return nil
}

func summary(s model.Snapshot) map[string]map[string]model.MethodSnapshot {
	out := map[string]map[string]model.MethodSnapshot{}
	for _, r := range s.Resources {
		for name, m := range r.Methods {
			if out[r.Path] == nil {
				out[r.Path] = map[string]model.MethodSnapshot{}
			}
			out[r.Path][name] = model.MethodSnapshot{AuthorizationType: m.AuthorizationType, APIKeyRequired: m.APIKeyRequired}
		}
	}
	return out
}

// deployTo creates or moves the stage that CreateDeployment names.
func (s *RestAPIs) deployTo(ctx context.Context, tx *store.Tx, owner store.Scope, deployment string, in *apigateway.CreateDeploymentInput) error {
	name := *in.StageName
	it, err := stages.Item(tx, owner, name)
	switch {
	case err == nil:
		moveStage(&it.Value, deployment, in)
		if err := checkStage(it.Value); err != nil {
			return err
		}
		if err := s.mayPassVariables(ctx, tx, owner, it.Value); err != nil {
			return err
		}
		it.Value.LastUpdatedDate = operation.Now(tx)
		return stages.Replace(tx, it)
	case !isNotFound(err):
		return err
	}
	if in.CanarySettings != nil {
		return badRequest("Canary settings cannot be given for a stage that does not exist yet")
	}
	st := newStage(tx, name, deployment)
	st.Description = opt.Value(in.StageDescription)
	st.Variables = opt.Map(in.Variables)
	st.TracingEnabled = opt.Value(in.TracingEnabled)
	setCacheCluster(&st, opt.Value(in.CacheClusterEnabled), opt.Text(in.CacheClusterSize))
	if err := checkStage(st); err != nil {
		return err
	}
	if err := s.mayPassVariables(ctx, tx, owner, st); err != nil {
		return err
	}
	return stages.Create(tx, owner, name, st)
}

// moveStage points a stage, or its canary, to a new deployment. While a canary exists,
// deployments reach the canary (routing-and-integrations, section 15).
func moveStage(st *model.Stage, deployment string, in *apigateway.CreateDeploymentInput) {
	if c := in.CanarySettings; c != nil {
		st.CanarySettings = &model.CanarySettings{
			PercentTraffic:         opt.Value(c.PercentTraffic),
			DeploymentID:           deployment,
			StageVariableOverrides: opt.Map(c.StageVariableOverrides),
			UseStageCache:          opt.Value(c.UseStageCache),
		}
		return
	}
	if st.CanarySettings != nil {
		st.CanarySettings.DeploymentID = deployment
		return
	}
	st.DeploymentID = deployment
	if in.Variables != nil {
		st.Variables = opt.Map(in.Variables)
	}
	if d := opt.Value(in.StageDescription); d != "" {
		st.Description = d
	}
	if in.TracingEnabled != nil {
		st.TracingEnabled = *in.TracingEnabled
	}
	if in.CacheClusterEnabled != nil || in.CacheClusterSize != nil {
		setCacheCluster(st, opt.Or(in.CacheClusterEnabled, st.CacheClusterEnabled), opt.Or((*string)(in.CacheClusterSize), st.CacheClusterSize))
	}
}

// GetDeployment returns a deployment.
func (s *RestAPIs) GetDeployment(ctx context.Context, in *apigateway.GetDeploymentInput) (*apigateway.Deployment, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.Deployment, error) {
		d, err := getDeployment(ctx, tx, *in.RestApiId, *in.DeploymentId)
		if err != nil {
			return nil, err
		}
		return wireDeployment(d, slices.ContainsFunc(in.Embed, isSummary)), nil
	})
}

func isSummary(embed string) bool { return strings.EqualFold(embed, "apisummary") }

func getDeployment(ctx context.Context, tx *store.Tx, api, id string) (model.Deployment, error) {
	if _, err := getAPI(tx, operation.Scope(ctx), api, noAPI(ctx, api)); err != nil {
		return model.Deployment{}, err
	}
	d, err := deployments.Get(tx, operation.Scope(ctx).Of(api), id)
	return d, operation.OrElse(err, noDeployment())
}

// GetDeployments lists the deployments of an API in order of creation.
func (s *RestAPIs) GetDeployments(ctx context.Context, in *apigateway.GetDeploymentsInput) (*apigateway.GetDeploymentsOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetDeploymentsOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		items, next, err := deployments.List(tx, operation.Scope(ctx).Of(*in.RestApiId), operation.Page(in.Limit, in.Position))
		if err != nil {
			return nil, operation.ListError(err)
		}
		out := &apigateway.GetDeploymentsOutput{Position: opt.NonZero(next)}
		for _, it := range items {
			out.Items = append(out.Items, *wireDeployment(it.Value, false))
		}
		return out, nil
	})
}

// UpdateDeployment changes a deployment's description.
func (s *RestAPIs) UpdateDeployment(ctx context.Context, in *apigateway.UpdateDeploymentInput) (*apigateway.Deployment, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Deployment, error) {
		d, err := getDeployment(ctx, tx, *in.RestApiId, *in.DeploymentId)
		if err != nil {
			return nil, err
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if o.Path != "/description" {
				return nil, patch.InvalidPath(o.Path)
			}
			if err := o.Only("replace"); err != nil {
				return nil, err
			}
			d.Description = o.Value
		}
		return wireDeployment(d, false), deployments.Put(tx, operation.Scope(ctx).Of(*in.RestApiId), d.ID, d)
	})
}

// DeleteDeployment deletes a deployment that no stage points to.
func (s *RestAPIs) DeleteDeployment(ctx context.Context, in *apigateway.DeleteDeploymentInput) (*apigateway.DeleteDeploymentOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteDeploymentOutput, error) {
		d, err := getDeployment(ctx, tx, *in.RestApiId, *in.DeploymentId)
		if err != nil {
			return nil, err
		}
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		for st, err := range stages.In(tx, owner) {
			if err != nil {
				return nil, err
			}
			canary := st.Value.CanarySettings
			if st.Value.DeploymentID == d.ID || canary != nil && canary.DeploymentID == d.ID {
				return nil, badRequest("Active stages pointing to this deployment must be moved or deleted")
			}
		}
		if err := snapshots.Delete(tx, owner, d.ID); err != nil {
			return nil, err
		}
		return nil, deployments.Delete(tx, owner, d.ID)
	})
}

func wireDeployment(d model.Deployment, withSummary bool) *apigateway.Deployment {
	out := &apigateway.Deployment{Id: &d.ID, Description: opt.NonZero(d.Description), CreatedDate: &d.CreatedDate}
	if !withSummary {
		return out
	}
	out.ApiSummary = map[string]map[string]apigateway.MethodSnapshot{}
	for path, methods := range d.APISummary {
		out.ApiSummary[path] = map[string]apigateway.MethodSnapshot{}
		for _, name := range slices.Sorted(maps.Keys(methods)) {
			m := methods[name]
			out.ApiSummary[path][name] = apigateway.MethodSnapshot{AuthorizationType: &m.AuthorizationType, ApiKeyRequired: &m.APIKeyRequired}
		}
	}
	return out
}
