package usageplans

import (
	"context"
	"errors"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// CreateUsagePlanKey puts a key into a plan.
func (s *UsagePlans) CreateUsagePlanKey(ctx context.Context, in *apigateway.CreateUsagePlanKeyInput) (*apigateway.UsagePlanKey, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.UsagePlanKey, error) {
		p, err := plans.Get(tx, operation.Scope(ctx), *in.UsagePlanId)
		if err != nil {
			return nil, operation.OrElse(err, noPlan())
		}
		if opt.Value(in.KeyType) != "API_KEY" {
			return nil, badRequest("Invalid usage plan key type specified. Must be one of [API_KEY]")
		}
		k, err := keys.Get(tx, operation.Scope(ctx), opt.Value(in.KeyId))
		if err != nil {
			return nil, operation.OrElse(err, noKey())
		}
		if err := checkKeyInPlan(tx, operation.Scope(ctx), p, k.ID); err != nil {
			return nil, err
		}
		pk := model.UsagePlanKey{ID: k.ID, Type: "API_KEY", Name: k.Name}
		err = planKeys.Create(tx, operation.Scope(ctx).Of(p.ID), k.ID, pk)
		if errors.Is(err, store.ErrExists) {
			return nil, apigateway.ConflictException("Usage Plan Key already exists: " + k.ID)
		}
		if err != nil {
			return nil, err
		}
		return s.shownKey(ctx, tx, pk)
	})
}

// shownKey converts a plan's key with its value, which the service always shows.
func (s *UsagePlans) shownKey(ctx context.Context, tx *store.Tx, k model.UsagePlanKey) (*apigateway.UsagePlanKey, error) {
	value, err := tx.Secret(keys.Key(operation.Scope(ctx), k.ID), model.SecretValue)
	if err != nil {
		return nil, err
	}
	return &apigateway.UsagePlanKey{Id: &k.ID, Type: &k.Type, Value: opt.Of(string(value)), Name: opt.NonZero(k.Name)}, nil
}

// GetUsagePlanKey returns a key of a plan.
func (s *UsagePlans) GetUsagePlanKey(ctx context.Context, in *apigateway.GetUsagePlanKeyInput) (*apigateway.UsagePlanKey, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.UsagePlanKey, error) {
		k, err := getPlanKey(ctx, tx, *in.UsagePlanId, *in.KeyId)
		if err != nil {
			return nil, err
		}
		return s.shownKey(ctx, tx, k)
	})
}

func getPlanKey(ctx context.Context, tx *store.Tx, plan, key string) (model.UsagePlanKey, error) {
	if _, err := plans.Get(tx, operation.Scope(ctx), plan); err != nil {
		return model.UsagePlanKey{}, operation.OrElse(err, noPlan())
	}
	k, err := planKeys.Get(tx, operation.Scope(ctx).Of(plan), key)
	return k, operation.OrElse(err, apigateway.NotFoundException("Invalid Usage Plan Key identifier specified"))
}

// GetUsagePlanKeys lists the keys of a plan; name is a prefix.
func (s *UsagePlans) GetUsagePlanKeys(ctx context.Context, in *apigateway.GetUsagePlanKeysInput) (*apigateway.GetUsagePlanKeysOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetUsagePlanKeysOutput, error) {
		if _, err := plans.Get(tx, operation.Scope(ctx), *in.UsagePlanId); err != nil {
			return nil, operation.OrElse(err, noPlan())
		}
		items, next, err := planKeys.List(tx, operation.Scope(ctx).Of(*in.UsagePlanId), operation.Page(in.Limit, in.Position))
		if err != nil {
			return nil, operation.ListError(err)
		}
		out := &apigateway.GetUsagePlanKeysOutput{Position: opt.NonZero(next)}
		for _, it := range items {
			if !strings.HasPrefix(it.Value.Name, opt.Value(in.NameQuery)) {
				continue
			}
			k, err := s.shownKey(ctx, tx, it.Value)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, *k)
		}
		return out, nil
	})
}

// DeleteUsagePlanKey takes a key out of a plan. Its counts stay: put back, it finds them.
func (s *UsagePlans) DeleteUsagePlanKey(ctx context.Context, in *apigateway.DeleteUsagePlanKeyInput) (*apigateway.DeleteUsagePlanKeyOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteUsagePlanKeyOutput, error) {
		if _, err := getPlanKey(ctx, tx, *in.UsagePlanId, *in.KeyId); err != nil {
			return nil, err
		}
		return nil, planKeys.Delete(tx, operation.Scope(ctx).Of(*in.UsagePlanId), *in.KeyId)
	})
}
