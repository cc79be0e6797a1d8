package restapis

import (
	"context"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// FlushStageCache empties the response cache of a stage. The stage counts its flushes: what
// was cached under another count is not served.
func (s *RestAPIs) FlushStageCache(ctx context.Context, in *apigateway.FlushStageCacheInput) (*apigateway.FlushStageCacheOutput, error) {
	return nil, s.flush(ctx, *in.RestApiId, *in.StageName, func(st *model.Stage) { st.CacheFlushes++ })
}

// FlushStageAuthorizersCache forgets what authorizers said for a stage.
func (s *RestAPIs) FlushStageAuthorizersCache(ctx context.Context, in *apigateway.FlushStageAuthorizersCacheInput) (*apigateway.FlushStageAuthorizersCacheOutput, error) {
	return nil, s.flush(ctx, *in.RestApiId, *in.StageName, func(st *model.Stage) { st.AuthorizerCacheFlushes++ })
}

func (s *RestAPIs) flush(ctx context.Context, api, stage string, count func(*model.Stage)) error {
	_, err := s.Store.Update(ctx, func(tx *store.Tx) error {
		it, err := getStage(ctx, tx, api, stage)
		if err != nil {
			return err
		}
		count(&it.Value)
		return stages.Replace(tx, it)
	})
	return err
}
