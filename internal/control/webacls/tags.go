package webacls

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/firewall"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// maxTags is how many tags a resource can have.
const maxTags = 50

// setTags adds tags to an item.
func setTags(it *model.FirewallItem, list []wafv2.Tag) error {
	if len(list) > 0 && it.Tags == nil {
		it.Tags = map[string]string{}
	}
	for _, t := range list {
		key := opt.Value(t.Key)
		switch {
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return wafv2.WAFTagOperationException("An error occurred during the tagging operation. Keys must not begin with aws:.")
		case strings.HasPrefix(key, tags.Prefix):
			return invalid(msgUnsupported, "TAGS", key) // none of these acts on WAFv2 resources
		}
		it.Tags[key] = opt.Value(t.Value)
	}
	if len(it.Tags) > maxTags {
		return wafv2.WAFLimitsExceededException("AWS WAF couldn’t perform the operation because you exceeded your resource limit.").With("SourceType", "NUM_TAGS")
	}
	return nil
}

// retag changes the tags of the item that an ARN names.
func retag(ctx context.Context, tx *store.Tx, arn string, change func(*model.FirewallItem) error) error {
	a, ok := firewall.ParseARN(arn)
	if !ok {
		return invalid(msgARN, "RESOURCE_ARN", arn)
	}
	switch a.Kind {
	case model.KindWebACL:
		return retagOf(ctx, tx, acls, arn, change)
	case model.KindRuleGroup:
		return retagOf(ctx, tx, groups, arn, change)
	case model.KindIPSet:
		return retagOf(ctx, tx, ipSets, arn, change)
	}
	return retagOf(ctx, tx, patternSets, arn, change)
}

func retagOf[T any](ctx context.Context, tx *store.Tx, k kind[T], arn string, change func(*model.FirewallItem) error) error {
	v, err := k.byARN(ctx, tx, arn)
	if err != nil {
		return err
	}
	it := k.item(&v.Value)
	before := maps.Clone(it.Tags)
	if err := change(it); err != nil || maps.Equal(before, it.Tags) {
		return err
	}
	return k.Replace(tx, v)
}

// TagResource adds tags to a resource.
func (s *WebACLs) TagResource(ctx context.Context, in *wafv2.TagResourceInput) (*wafv2.TagResourceOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.TagResourceOutput, error) {
		return &wafv2.TagResourceOutput{}, retag(ctx, tx, *in.ResourceARN, func(it *model.FirewallItem) error { return setTags(it, in.Tags) })
	})
}

// UntagResource removes tags from a resource.
func (s *WebACLs) UntagResource(ctx context.Context, in *wafv2.UntagResourceInput) (*wafv2.UntagResourceOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.UntagResourceOutput, error) {
		return &wafv2.UntagResourceOutput{}, retag(ctx, tx, *in.ResourceARN, func(it *model.FirewallItem) error {
			for _, key := range in.TagKeys {
				delete(it.Tags, key)
			}
			return nil
		})
	})
}

// ListTagsForResource lists the tags of a resource by key.
func (s *WebACLs) ListTagsForResource(ctx context.Context, in *wafv2.ListTagsForResourceInput) (*wafv2.ListTagsForResourceOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.ListTagsForResourceOutput, error) {
		list := []wafv2.Tag{}
		if err := retag(ctx, tx, *in.ResourceARN, func(it *model.FirewallItem) error {
			for _, key := range slices.Sorted(maps.Keys(it.Tags)) {
				list = append(list, wafv2.Tag{Key: &key, Value: opt.Of(it.Tags[key])})
			}
			return nil
		}); err != nil {
			return nil, err
		}
		page, next, err := slicePage(list, in.NextMarker, in.Limit)
		return &wafv2.ListTagsForResourceOutput{NextMarker: next, TagInfoForResource: &wafv2.TagInfoForResource{ResourceARN: in.ResourceARN, TagList: page}}, err
	})
}
