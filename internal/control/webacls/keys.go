package webacls

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"

	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// firewallKeys are API keys for puzzles in pages. No puzzle is served here: the keys are
// kept for the tools that manage them, and open nothing.
var firewallKeys = store.Collection[model.FirewallKey]{Kind: model.KindFirewallKey}

// keyID is where a key is stored: a hash, since ids have a length.
func keyID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// CreateAPIKey makes an API key for token domains.
func (s *WebACLs) CreateAPIKey(ctx context.Context, in *wafv2.CreateAPIKeyInput) (*wafv2.CreateAPIKeyOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.CreateAPIKeyOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		var random [96]byte
		rand.Read(random[:]) // never fails (crypto/rand)
		key := base64.StdEncoding.EncodeToString(random[:])
		return &wafv2.CreateAPIKeyOutput{APIKey: &key}, firewallKeys.Create(tx, operation.Scope(ctx), keyID(key), model.FirewallKey{Key: key, TokenDomains: in.TokenDomains})
	})
}

// DeleteAPIKey deletes an API key.
func (s *WebACLs) DeleteAPIKey(ctx context.Context, in *wafv2.DeleteAPIKeyInput) (*wafv2.DeleteAPIKeyOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.DeleteAPIKeyOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		err := firewallKeys.Delete(tx, operation.Scope(ctx), keyID(*in.APIKey))
		if errors.Is(err, store.ErrNotFound) {
			err = nonexistent()
		}
		return &wafv2.DeleteAPIKeyOutput{}, err
	})
}

// GetDecryptedAPIKey tells what an API key is for.
func (s *WebACLs) GetDecryptedAPIKey(ctx context.Context, in *wafv2.GetDecryptedAPIKeyInput) (*wafv2.GetDecryptedAPIKeyOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.GetDecryptedAPIKeyOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		v, err := firewallKeys.Item(tx, operation.Scope(ctx), keyID(*in.APIKey))
		if errors.Is(err, store.ErrNotFound) {
			return nil, nonexistent()
		}
		return &wafv2.GetDecryptedAPIKeyOutput{TokenDomains: v.Value.TokenDomains, CreationTimestamp: &v.Created}, err
	})
}

// ListAPIKeys lists API keys in order of creation.
func (s *WebACLs) ListAPIKeys(ctx context.Context, in *wafv2.ListAPIKeysInput) (*wafv2.ListAPIKeysOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.ListAPIKeysOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		vs, next, err := firewallKeys.List(tx, operation.Scope(ctx), store.Page{After: opt.Value(in.NextMarker), Limit: int(opt.Or(in.Limit, maxPage))})
		if errors.Is(err, store.ErrCursor) {
			err = badMarker(opt.Value(in.NextMarker))
		}
		out := &wafv2.ListAPIKeysOutput{NextMarker: opt.NonZero(next), APIKeySummaries: []wafv2.APIKeySummary{}}
		for _, v := range vs {
			out.APIKeySummaries = append(out.APIKeySummaries, wafv2.APIKeySummary{APIKey: &v.Value.Key, TokenDomains: v.Value.TokenDomains,
				CreationTimestamp: &v.Created, Version: opt.Of(int32(1))})
		}
		return out, err
	})
}
