package compile

import (
	"maps"

	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
)

// canary compiles the release that a part of a stage's requests goes to
// (routing-and-integrations, section 15).
func (c *Compiler) canary(tx *store.Tx, u unit, st model.Stage) (*plan.Canary, error) {
	s, err := c.release(tx, u, canaryStage(st))
	if err != nil {
		return nil, err
	}
	s.IsCanary = true
	return &plan.Canary{Share: st.CanarySettings.PercentTraffic / 100, Release: s}, nil
}

// canaryStage is the stage as its canary sees it: another deployment, variables overlaid, and
// the stage's cache when it may use it.
func canaryStage(st model.Stage) model.Stage {
	settings := st.CanarySettings
	if settings.DeploymentID != "" {
		st.DeploymentID = settings.DeploymentID
	}
	if len(settings.StageVariableOverrides) > 0 {
		st.Variables = maps.Clone(st.Variables)
		if st.Variables == nil {
			st.Variables = map[string]string{}
		}
		maps.Copy(st.Variables, settings.StageVariableOverrides)
	}
	st.CacheClusterEnabled = st.CacheClusterEnabled && settings.UseStageCache
	return st
}
