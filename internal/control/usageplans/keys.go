package usageplans

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/keyhash"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// Limits of API keys (throttling-and-usage-plans, section 6).
const (
	minValue       = 20
	maxName        = 1024
	maxDescription = 1024
)

// CreateApiKey makes a key; its value is in the answer.
func (s *UsagePlans) CreateApiKey(ctx context.Context, in *apigateway.CreateApiKeyInput) (*apigateway.ApiKey, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.ApiKey, error) {
		k := model.APIKey{
			ID: model.NewID(10), Name: opt.Value(in.Name), CustomerID: opt.Value(in.CustomerId), Description: opt.Value(in.Description),
			Enabled: opt.Value(in.Enabled), Tags: opt.Map(in.Tags), CreatedDate: operation.Now(tx), LastUpdatedDate: operation.Now(tx),
		}
		for _, st := range in.StageKeys {
			k.StageKeys = append(k.StageKeys, opt.Value(st.RestApiId)+"/"+opt.Value(st.StageName))
		}
		value := opt.Value(in.Value)
		if value == "" {
			value = model.NewID(40)
		}
		if err := tags.Check(k.Tags, tags.APIKey); err != nil {
			return nil, err
		}
		if err := s.create(ctx, tx, k, value); err != nil {
			return nil, err
		}
		out := wireKey(k)
		out.Value = &value
		return out, nil
	})
}

// create stores a key with its sealed value. Two keys cannot share a value.
func (s *UsagePlans) create(ctx context.Context, tx *store.Tx, k model.APIKey, value string) error {
	if err := checkKey(k, value); err != nil {
		return err
	}
	k.ValueHash = s.Hasher.Sum(value).String()
	in := operation.Scope(ctx)
	if _, err := tx.Holder(hashScope(in), k.ValueHash); err == nil {
		return apigateway.ConflictException("API Key already exists")
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := keys.Create(tx, in, k.ID, k); err != nil {
		return err
	}
	if err := tx.Claim(hashScope(in), k.ValueHash, keys.Key(in, k.ID)); err != nil {
		return err
	}
	return tx.PutSecret(keys.Key(in, k.ID), model.SecretValue, store.Secret(value))
}

// hashScope is where the hashes of values are unique.
func hashScope(in store.Scope) string { return "apikey/" + in.Account + "/" + in.Region }

func checkKey(k model.APIKey, value string) error {
	switch {
	case len(value) < minValue:
		return badRequest("API Key value should be at least 20 characters")
	case len(value) > keyhash.MaxValue:
		return badRequest("API Key value exceeds maximum size of 128 characters")
	case len(k.Name) > maxName:
		return badRequest("Invalid API Key name, can be at most 1024 characters.")
	case len(k.Description) > maxDescription:
		return badRequest("Invalid API Key description specified.")
	}
	return nil
}

// GetApiKey returns a key, with its value when that is asked for.
func (s *UsagePlans) GetApiKey(ctx context.Context, in *apigateway.GetApiKeyInput) (*apigateway.ApiKey, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.ApiKey, error) {
		it, err := keys.Item(tx, operation.Scope(ctx), *in.ApiKey)
		if err != nil {
			return nil, operation.OrElse(err, noKey())
		}
		return s.shown(tx, it, opt.Value(in.IncludeValue))
	})
}

func (s *UsagePlans) shown(tx *store.Tx, it store.Item[model.APIKey], withValue bool) (*apigateway.ApiKey, error) {
	out := wireKey(it.Value)
	if withValue {
		value, err := tx.Secret(it.Key, model.SecretValue)
		if err != nil {
			return nil, err
		}
		out.Value = opt.Of(string(value))
	}
	return out, nil
}

// GetApiKeys lists keys, newest first; name is a prefix, case-sensitive.
func (s *UsagePlans) GetApiKeys(ctx context.Context, in *apigateway.GetApiKeysInput) (*apigateway.GetApiKeysOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetApiKeysOutput, error) {
		var found []store.Item[model.APIKey]
		for it, err := range keys.In(tx, operation.Scope(ctx)) {
			if err != nil {
				return nil, err
			}
			customer := opt.Value(in.CustomerId)
			if strings.HasPrefix(it.Value.Name, opt.Value(in.NameQuery)) && (customer == "" || it.Value.CustomerID == customer) {
				found = append(found, it)
			}
		}
		slices.Reverse(found)
		out := &apigateway.GetApiKeysOutput{}
		if after := opt.Value(in.Position); after != "" {
			i := slices.IndexFunc(found, func(it store.Item[model.APIKey]) bool { return it.Key.ID == after })
			if i < 0 {
				return nil, badRequest("Invalid position parameter specified")
			}
			found = found[i+1:]
		}
		if limit := operation.Page(in.Limit, nil).Limit; len(found) > limit {
			found = found[:limit]
			out.Position = &found[limit-1].Key.ID
		}
		for _, it := range found {
			k, err := s.shown(tx, it, opt.Value(in.IncludeValues))
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, *k)
		}
		return out, nil
	})
}

var keyPatches = patch.Closed{
	{Path: "/description", Ops: []string{"replace"}}, {Path: "/enabled", Ops: []string{"replace"}},
	{Path: "/name", Ops: []string{"replace"}}, {Path: "/customerId", Ops: []string{"replace"}},
}

// UpdateApiKey patches a key; the answer is without the value.
func (s *UsagePlans) UpdateApiKey(ctx context.Context, in *apigateway.UpdateApiKeyInput) (*apigateway.ApiKey, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.ApiKey, error) {
		it, err := keys.Item(tx, operation.Scope(ctx), *in.ApiKey)
		if err != nil {
			return nil, operation.OrElse(err, noKey())
		}
		k := &it.Value
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := keyPatches.Check(o); err != nil {
				return nil, err
			}
			switch o.Path {
			case "/description":
				k.Description = o.Value
			case "/enabled":
				k.Enabled = o.Bool()
			case "/name":
				k.Name = o.Value
			case "/customerId":
				k.CustomerID = o.Value
			}
		}
		if err := checkKey(*k, strings.Repeat("x", minValue)); err != nil {
			return nil, err
		}
		k.LastUpdatedDate = operation.Now(tx)
		out := wireKey(*k)
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		return out, keys.Replace(tx, it)
	})
}

// DeleteApiKey deletes a key and takes it out of every plan. Its counts stay.
func (s *UsagePlans) DeleteApiKey(ctx context.Context, in *apigateway.DeleteApiKeyInput) (*apigateway.DeleteApiKeyOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteApiKeyOutput, error) {
		if _, err := keys.Get(tx, operation.Scope(ctx), *in.ApiKey); err != nil {
			return nil, operation.OrElse(err, noKey())
		}
		in, key := operation.Scope(ctx), *in.ApiKey
		held, err := planKeys.Parents(tx, in, key)
		if err != nil {
			return nil, err
		}
		for _, plan := range held {
			if err := planKeys.Delete(tx, in.Of(plan), key); err != nil {
				return nil, err
			}
		}
		return nil, keys.Delete(tx, in, key)
	})
}

func wireKey(k model.APIKey) *apigateway.ApiKey {
	out := &apigateway.ApiKey{
		Id: &k.ID, Name: opt.NonZero(k.Name), CustomerId: opt.NonZero(k.CustomerID), Description: opt.NonZero(k.Description),
		Enabled: &k.Enabled, CreatedDate: &k.CreatedDate, LastUpdatedDate: &k.LastUpdatedDate, StageKeys: k.StageKeys, Tags: opt.Map(k.Tags),
	}
	if out.StageKeys == nil {
		out.StageKeys = []string{}
	}
	return out
}
