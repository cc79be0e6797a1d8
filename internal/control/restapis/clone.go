package restapis

import (
	"context"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// clonedKinds are what a clone takes over: the draft, without deployments and stages.
var clonedKinds = []model.Kind{
	model.KindResource, model.KindModel, model.KindRequestValidator, model.KindAuthorizer, model.KindGatewayResponse,
	model.KindDocumentationPart,
}

// clone fills a new API with the draft of another. Ids within an API are the API's own,
// so those of the source stay; what references them stays right.
func (s *RestAPIs) clone(ctx context.Context, tx *store.Tx, from string, api *model.RestAPI) error {
	source, err := getAPI(tx, operation.Scope(ctx), from, noAPI(ctx, from))
	if err != nil {
		return err
	}
	if s.Authorize != nil { // whoever has the clone can read the source
		if err := s.Authorize(ctx, "apigateway:GET", model.APIGatewayARN(awsapi.CallFrom(ctx).Region, "/restapis/"+from)); err != nil {
			return err
		}
	}
	owner := operation.Scope(ctx).Of(api.ID)
	for _, kind := range clonedKinds {
		if _, err := tx.DeleteAll(kind, owner); err != nil {
			return err
		}
		for doc, err := range tx.In(kind, operation.Scope(ctx).Of(from)) {
			if err != nil {
				return err
			}
			if err := tx.Create(owner.Key(kind, doc.ID), doc.Body); err != nil {
				return err
			}
		}
	}
	if err := s.mayPassDraft(ctx, tx, owner); err != nil {
		return err
	}
	api.RootResourceID = source.RootResourceID
	if api.Policy == "" {
		api.Policy = source.Policy
	}
	if api.BinaryMediaTypes == nil {
		api.BinaryMediaTypes = source.BinaryMediaTypes
	}
	return apis.Put(tx, operation.Scope(ctx), api.ID, *api)
}
