package restapis

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

var (
	stageName     = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	variableName  = regexp.MustCompile(`^[a-zA-Z0-9_]{1,64}$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9-._~:/?#&=,]{0,512}$`)
)

// cacheSizes are the sizes of cache clusters, in gigabytes.
var cacheSizes = []string{"0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

func newStage(tx *store.Tx, name, deployment string) model.Stage {
	t := operation.Now(tx)
	return model.Stage{
		StageName: name, DeploymentID: deployment, CacheClusterStatus: "NOT_AVAILABLE",
		MethodSettings: map[string]*model.MethodSetting{}, CreatedDate: t, LastUpdatedDate: t,
	}
}

// setCacheCluster switches a stage's cache. It is there as soon as it is asked for.
func setCacheCluster(st *model.Stage, enabled bool, size string) {
	st.CacheClusterEnabled, st.CacheClusterSize, st.CacheClusterStatus = enabled, size, "NOT_AVAILABLE"
	if enabled {
		st.CacheClusterStatus = "AVAILABLE"
		if st.CacheClusterSize == "" {
			st.CacheClusterSize = "0.5"
		}
	}
}

// checkStage judges a stage as a whole.
func checkStage(st model.Stage) error {
	if !stageName.MatchString(st.StageName) {
		return badRequest("Stage name only allows a-zA-Z0-9_-")
	}
	if err := checkVariables(st.Variables); err != nil {
		return err
	}
	if st.CacheClusterSize != "" && !slices.Contains(cacheSizes, st.CacheClusterSize) {
		return badRequest("Invalid cache cluster size: " + st.CacheClusterSize)
	}
	return checkCanary(st.CanarySettings)
}

func checkVariables(variables map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !variableName.MatchString(name) {
			return badRequest("Invalid stage variable name: " + name + ". Only alphanumeric characters and underscores are allowed, at most 64")
		}
		if !variableValue.MatchString(variables[name]) {
			return badRequest("Invalid stage variable value: " + variables[name] + ". Please use values with the following regex: [A-Za-z0-9-._~:/?#&=,]+")
		}
	}
	return nil
}

func checkCanary(c *model.CanarySettings) error {
	if c == nil {
		return nil
	}
	if !(c.PercentTraffic >= 0 && c.PercentTraffic <= 100) { // NaN is neither
		return badRequest("Invalid canarySettings: percentTraffic must be between 0.0 and 100.0")
	}
	return checkVariables(c.StageVariableOverrides)
}

// CreateStage makes a stage of a deployment.
func (s *RestAPIs) CreateStage(ctx context.Context, in *apigateway.CreateStageInput) (*apigateway.Stage, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Stage, error) {
		api := *in.RestApiId
		if _, err := getAPI(tx, operation.Scope(ctx), api, noAPI(ctx, api)); err != nil {
			return nil, err
		}
		owner := operation.Scope(ctx).Of(api)
		st := newStage(tx, opt.Value(in.StageName), opt.Value(in.DeploymentId))
		st.Description = opt.Value(in.Description)
		st.Variables = opt.Map(in.Variables)
		st.DocumentationVersion = opt.Value(in.DocumentationVersion)
		st.TracingEnabled = opt.Value(in.TracingEnabled)
		st.Tags = opt.Map(in.Tags)
		setCacheCluster(&st, opt.Value(in.CacheClusterEnabled), opt.Text(in.CacheClusterSize))
		if c := in.CanarySettings; c != nil {
			st.CanarySettings = &model.CanarySettings{
				PercentTraffic: opt.Value(c.PercentTraffic), DeploymentID: opt.Or(c.DeploymentId, st.DeploymentID),
				StageVariableOverrides: opt.Map(c.StageVariableOverrides), UseStageCache: opt.Value(c.UseStageCache),
			}
		}
		if err := checkStage(st); err != nil {
			return nil, err
		}
		if err := tags.Check(st.Tags, tags.Stage); err != nil {
			return nil, err
		}
		if err := checkStageRefs(tx, owner, st); err != nil {
			return nil, err
		}
		if err := s.mayPassVariables(ctx, tx, owner, st); err != nil {
			return nil, err
		}
		err := stages.Create(tx, owner, st.StageName, st)
		if errors.Is(err, store.ErrExists) {
			return nil, apigateway.ConflictException("Stage already exists")
		}
		return wireStage(st), err
	})
}

// checkStageRefs refuses a stage that names what is not there.
func checkStageRefs(tx *store.Tx, owner store.Scope, st model.Stage) error {
	ids := []string{st.DeploymentID}
	if st.CanarySettings != nil {
		ids = append(ids, st.CanarySettings.DeploymentID)
	}
	for _, id := range ids {
		if id == "" {
			return badRequest("Deployment id does not exist")
		}
		if _, err := deployments.Get(tx, owner, id); err != nil {
			return operation.OrElse(err, badRequest("Deployment id does not exist"))
		}
	}
	if v := st.DocumentationVersion; v != "" {
		if _, err := docVersions.Get(tx, owner, v); err != nil {
			return operation.OrElse(err, apigateway.NotFoundException("Invalid Documentation version specified"))
		}
	}
	if id := st.ClientCertificateID; id != "" {
		if err := checkClientCertificate(tx, owner, id); err != nil {
			return err
		}
	}
	return nil
}

// GetStage returns a stage.
func (s *RestAPIs) GetStage(ctx context.Context, in *apigateway.GetStageInput) (*apigateway.Stage, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.Stage, error) {
		it, err := getStage(ctx, tx, *in.RestApiId, *in.StageName)
		if err != nil {
			return nil, err
		}
		return wireStage(it.Value), nil
	})
}

func getStage(ctx context.Context, tx *store.Tx, api, name string) (store.Item[model.Stage], error) {
	if _, err := getAPI(tx, operation.Scope(ctx), api, noAPI(ctx, api)); err != nil {
		return store.Item[model.Stage]{}, err
	}
	it, err := stages.Item(tx, operation.Scope(ctx).Of(api), name)
	return it, operation.OrElse(err, noStage())
}

// GetStages lists the stages of an API, all or those of one deployment.
func (s *RestAPIs) GetStages(ctx context.Context, in *apigateway.GetStagesInput) (*apigateway.GetStagesOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetStagesOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		out := &apigateway.GetStagesOutput{}
		for st, err := range stages.In(tx, operation.Scope(ctx).Of(*in.RestApiId)) {
			if err != nil {
				return nil, err
			}
			if id := opt.Value(in.DeploymentId); id == "" || st.Value.DeploymentID == id {
				out.Item = append(out.Item, *wireStage(st.Value))
			}
		}
		return out, nil
	})
}

// UpdateStage patches a stage; all operations are judged together.
func (s *RestAPIs) UpdateStage(ctx context.Context, in *apigateway.UpdateStageInput) (*apigateway.Stage, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Stage, error) {
		it, err := getStage(ctx, tx, *in.RestApiId, *in.StageName)
		if err != nil {
			return nil, err
		}
		before := it.Value
		if c := before.CanarySettings; c != nil {
			before.CanarySettings = new(*c) // the operations write to the other
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchStage(&it.Value, o); err != nil {
				return nil, err
			}
		}
		if err := checkPromotion(before, it.Value); err != nil {
			return nil, err
		}
		if err := checkStage(it.Value); err != nil {
			return nil, err
		}
		if err := checkStageRefs(tx, operation.Scope(ctx).Of(*in.RestApiId), it.Value); err != nil {
			return nil, err
		}
		if choosesRoles(in.PatchOperations) {
			if err := s.mayPassVariables(ctx, tx, operation.Scope(ctx).Of(*in.RestApiId), it.Value); err != nil {
				return nil, err
			}
		}
		if err := noteClientCertificate(tx, it.Key, before.ClientCertificateID, it.Value.ClientCertificateID); err != nil {
			return nil, err
		}
		it.Value.LastUpdatedDate = operation.Now(tx)
		return wireStage(it.Value), stages.Replace(tx, it)
	})
}

// DeleteStage deletes a stage.
func (s *RestAPIs) DeleteStage(ctx context.Context, in *apigateway.DeleteStageInput) (*apigateway.DeleteStageOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteStageOutput, error) {
		if _, err := getStage(ctx, tx, *in.RestApiId, *in.StageName); err != nil {
			return nil, err
		}
		if err := checkUnmapped(tx, operation.Scope(ctx), *in.RestApiId, *in.StageName); err != nil {
			return nil, err
		}
		if err := dropFromPlans(tx, operation.Scope(ctx), *in.RestApiId, *in.StageName); err != nil {
			return nil, err
		}
		return nil, stages.Delete(tx, operation.Scope(ctx).Of(*in.RestApiId), *in.StageName)
	})
}

// wireStage converts a stage; empty tags are never shown.
func wireStage(st model.Stage) *apigateway.Stage {
	out := &apigateway.Stage{
		DeploymentId:         &st.DeploymentID,
		ClientCertificateId:  opt.NonZero(st.ClientCertificateID),
		StageName:            &st.StageName,
		Description:          opt.NonZero(st.Description),
		CacheClusterEnabled:  &st.CacheClusterEnabled,
		CacheClusterSize:     opt.Convert[apigateway.CacheClusterSize](st.CacheClusterSize),
		CacheClusterStatus:   opt.Convert[apigateway.CacheClusterStatus](st.CacheClusterStatus),
		MethodSettings:       map[string]apigateway.MethodSetting{},
		Variables:            opt.Map(st.Variables),
		DocumentationVersion: opt.NonZero(st.DocumentationVersion),
		TracingEnabled:       &st.TracingEnabled,
		WebAclArn:            opt.NonZero(st.WebACLARN),
		Tags:                 opt.Map(st.Tags),
		CreatedDate:          &st.CreatedDate,
		LastUpdatedDate:      &st.LastUpdatedDate,
	}
	for key, m := range st.MethodSettings {
		out.MethodSettings[key] = wireMethodSetting(*m)
	}
	if a := st.AccessLogSettings; a != nil {
		out.AccessLogSettings = &apigateway.AccessLogSettings{DestinationArn: opt.NonZero(a.DestinationARN), Format: opt.NonZero(a.Format)}
	}
	if c := st.CanarySettings; c != nil {
		out.CanarySettings = &apigateway.CanarySettings{PercentTraffic: &c.PercentTraffic, DeploymentId: opt.NonZero(c.DeploymentID),
			StageVariableOverrides: opt.Map(c.StageVariableOverrides), UseStageCache: &c.UseStageCache}
	}
	return out
}

func wireMethodSetting(m model.MethodSetting) apigateway.MethodSetting {
	return apigateway.MethodSetting{
		MetricsEnabled:                         &m.MetricsEnabled,
		LoggingLevel:                           opt.NonZero(m.LoggingLevel),
		DataTraceEnabled:                       &m.DataTraceEnabled,
		ThrottlingBurstLimit:                   opt.Of(int32(m.ThrottlingBurstLimit)),
		ThrottlingRateLimit:                    &m.ThrottlingRateLimit,
		CachingEnabled:                         &m.CachingEnabled,
		CacheTtlInSeconds:                      opt.Of(int32(m.CacheTTLInSeconds)),
		CacheDataEncrypted:                     &m.CacheDataEncrypted,
		RequireAuthorizationForCacheControl:    &m.RequireAuthorizationForCacheControl,
		UnauthorizedCacheControlHeaderStrategy: opt.Convert[apigateway.UnauthorizedCacheControlHeaderStrategy](m.UnauthorizedCacheControlHeaderStrategy),
	}
}
