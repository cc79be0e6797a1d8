package usageplans

import (
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/counter"
	"gatehouse/internal/keyhash"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// UsagePlans serves the operations. Its fields are set before the first call.
type UsagePlans struct {
	Store    *store.Store
	Hasher   *keyhash.Hasher
	Counters *counter.Set
}

var (
	keys     = store.Collection[model.APIKey]{Kind: model.KindAPIKey}
	plans    = store.Collection[model.UsagePlan]{Kind: model.KindUsagePlan}
	planKeys = store.Collection[model.UsagePlanKey]{Kind: model.KindUsagePlanKey}
	stages   = store.Collection[model.Stage]{Kind: model.KindStage}
)

func badRequest(message string) *awserr.Error { return apigateway.BadRequestException(message) }

func noKey() *awserr.Error {
	return apigateway.NotFoundException("Invalid API Key identifier specified")
}

func noPlan() *awserr.Error {
	return apigateway.NotFoundException("Invalid Usage Plan ID specified")
}
