package logs

import (
	"context"
	"maps"
	"slices"
	"strings"

	wire "gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// maxTags is how many tags a group may have.
const maxTags = 50

// checkTags refuses tags of AWS's own, and tags that would steer Gatehouse: none does on
// log groups.
func checkTags(tags map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		switch {
		case strings.HasPrefix(k, "aws:"):
			return invalid("User-defined tag keys can't start with 'aws:': " + k)
		case strings.HasPrefix(k, "gatehouse:"):
			return invalid("Unknown tag " + k + " on LogGroup. Tags that start with gatehouse: steer Gatehouse; known here: none")
		}
	}
	return nil
}

func (s *Logs) tag(ctx context.Context, name string, tags map[string]string) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	_, err := s.change(ctx, name, func(g *model.LogGroup) error {
		if g.Tags == nil {
			g.Tags = map[string]string{}
		}
		maps.Copy(g.Tags, tags)
		if len(g.Tags) > maxTags {
			return wire.TooManyTagsException("A log group can have no more than 50 tags.").With("resourceName", name)
		}
		return nil
	})
	return err
}

func (s *Logs) untag(ctx context.Context, name string, keys []string) error {
	_, err := s.change(ctx, name, func(g *model.LogGroup) error {
		for _, k := range keys {
			delete(g.Tags, k)
		}
		return nil
	})
	return err
}

func (s *Logs) tags(ctx context.Context, name string) (map[string]string, error) {
	tags := map[string]string{}
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		g, err := s.group(ctx, tx, name)
		maps.Copy(tags, g.Tags)
		return err
	})
	return tags, err
}

// ListTagsLogGroup lists tags, by the group's name.
func (s *Logs) ListTagsLogGroup(ctx context.Context, in *wire.ListTagsLogGroupInput) (*wire.ListTagsLogGroupOutput, error) {
	tags, err := s.tags(ctx, *in.LogGroupName)
	return &wire.ListTagsLogGroupOutput{Tags: tags}, err
}

// TagLogGroup adds or replaces tags, by the group's name.
func (s *Logs) TagLogGroup(ctx context.Context, in *wire.TagLogGroupInput) (*wire.TagLogGroupOutput, error) {
	return nil, s.tag(ctx, *in.LogGroupName, in.Tags)
}

// UntagLogGroup removes tags, by the group's name.
func (s *Logs) UntagLogGroup(ctx context.Context, in *wire.UntagLogGroupInput) (*wire.UntagLogGroupOutput, error) {
	return nil, s.untag(ctx, *in.LogGroupName, in.Tags)
}

// ListTagsForResource lists tags, by the group's ARN.
func (s *Logs) ListTagsForResource(ctx context.Context, in *wire.ListTagsForResourceInput) (*wire.ListTagsForResourceOutput, error) {
	name, err := fromARN(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, err := s.tags(ctx, name)
	return &wire.ListTagsForResourceOutput{Tags: tags}, err
}

// TagResource adds or replaces tags, by the group's ARN.
func (s *Logs) TagResource(ctx context.Context, in *wire.TagResourceInput) (*wire.TagResourceOutput, error) {
	name, err := fromARN(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return nil, s.tag(ctx, name, in.Tags)
}

// UntagResource removes tags, by the group's ARN.
func (s *Logs) UntagResource(ctx context.Context, in *wire.UntagResourceInput) (*wire.UntagResourceOutput, error) {
	name, err := fromARN(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return nil, s.untag(ctx, name, in.TagKeys)
}
