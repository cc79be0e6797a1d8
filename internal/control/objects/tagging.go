package objects

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/s3control"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// A tag is kept in the order in which tags were given.
type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

const (
	maxObjectTags = 10
	maxBucketTags = 50
)

// checkTags applies S3's limits.
func checkTags(tags []tag, limit int) error {
	if len(tags) > limit {
		if limit == maxObjectTags {
			return awserr.New("BadRequest", 400, "Object tags cannot be greater than 10")
		}
		return awserr.New("BadRequest", 400, "Bucket tag count cannot be greater than 50")
	}
	seen := make(map[string]bool)
	for _, t := range tags {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128:
			return s3.InvalidTag("The TagKey you have provided is invalid").With("TagKey", t.Key)
		case utf8.RuneCountInString(t.Value) > 256:
			return s3.InvalidTag("The TagValue you have provided is invalid").With("TagKey", t.Key).With("TagValue", t.Value)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return s3.InvalidTag("System tags cannot be added/updated by requester").With("TagKey", t.Key)
		case seen[t.Key]:
			return s3.InvalidTag("Cannot provide multiple Tags with the same key").With("TagKey", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

func fromTags(in []s3.Tag) (tags []tag) {
	for _, t := range in {
		tags = append(tags, tag{opt.Value(t.Key), opt.Value(t.Value)})
	}
	return tags
}

func toTags(tags []tag) []s3.Tag {
	out := []s3.Tag{}
	for _, t := range tags {
		out = append(out, s3.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out
}

func bucketTags(in []s3.Tag) ([]tag, error) {
	tags := fromTags(in)
	return tags, checkTags(tags, maxBucketTags)
}

// headerTags reads x-amz-tagging: "a=b&c=d", escaped like a query.
func headerTags(header *string) (tags []tag, err error) {
	if opt.Value(header) == "" {
		return nil, nil
	}
	for pair := range strings.SplitSeq(*header, "&") {
		key, value, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(key)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.", "x-amz-tagging", *header)
		}
		tags = append(tags, tag{key, value})
	}
	return tags, checkTags(tags, maxObjectTags)
}

// GetBucketTagging returns the tags of a bucket, an error when it has none.
func (s *Service) GetBucketTagging(ctx context.Context, in *s3.GetBucketTaggingInput) (out *s3.GetBucketTaggingOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		if len(p.Tags) == 0 {
			return s3.NoSuchTagSet("The TagSet does not exist").With("BucketName", p.key.ID)
		}
		out = &s3.GetBucketTaggingOutput{TagSet: toTags(p.Tags)}
		return nil
	})
	return out, err
}

// PutBucketTagging replaces the tags of a bucket.
func (s *Service) PutBucketTagging(ctx context.Context, in *s3.PutBucketTaggingInput) (*s3.PutBucketTaggingOutput, error) {
	tags, err := bucketTags(in.Tagging.TagSet)
	if err != nil {
		return nil, err
	}
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.Tags = tags
		return nil
	})
}

// DeleteBucketTagging removes the tags of a bucket.
func (s *Service) DeleteBucketTagging(ctx context.Context, in *s3.DeleteBucketTaggingInput) (*s3.DeleteBucketTaggingOutput, error) {
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.Tags = nil
		return nil
	})
}

// GetObjectTagging returns the tags of an object's version, which may be none.
func (s *Service) GetObjectTagging(ctx context.Context, in *s3.GetObjectTaggingInput) (out *s3.GetObjectTaggingOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		o, err := findVersion(tx, p, *in.Key, in.VersionId)
		if err != nil {
			return err
		}
		out = &s3.GetObjectTaggingOutput{TagSet: toTags(o.meta.Tags), VersionId: p.version(o.Version)}
		return nil
	})
	return out, err
}

// PutObjectTagging replaces the tags of an object's version.
func (s *Service) PutObjectTagging(ctx context.Context, in *s3.PutObjectTaggingInput) (*s3.PutObjectTaggingOutput, error) {
	tags := fromTags(in.Tagging.TagSet)
	if err := checkTags(tags, maxObjectTags); err != nil {
		return nil, err
	}
	version, err := s.tagObject(ctx, in.Bucket, in.ExpectedBucketOwner, *in.Key, in.VersionId, tags)
	return &s3.PutObjectTaggingOutput{VersionId: version}, err
}

// DeleteObjectTagging removes the tags of an object's version.
func (s *Service) DeleteObjectTagging(ctx context.Context, in *s3.DeleteObjectTaggingInput) (*s3.DeleteObjectTaggingOutput, error) {
	version, err := s.tagObject(ctx, in.Bucket, in.ExpectedBucketOwner, *in.Key, in.VersionId, nil)
	return &s3.DeleteObjectTaggingOutput{VersionId: version}, err
}

func (s *Service) tagObject(ctx context.Context, bucket, expectedOwner *string, key string, id *string, tags []tag) (version *string, err error) {
	err = s.update(ctx, bucket, expectedOwner, func(tx *store.Tx, p place) error {
		o, err := findVersion(tx, p, key, id)
		if err != nil {
			return err
		}
		o.meta.Tags = tags
		version = p.version(o.Version)
		return tx.SetObjectMeta(p.key, o.ObjectVersion, o.meta.encode())
	})
	return version, err
}

// The tag operations of S3 Control name a bucket by its ARN. Newer Terraform providers
// read and write bucket tags through them.

// bucketOf returns the bucket that an ARN names.
func bucketOf(arn *string) (*string, error) {
	name, ok := strings.CutPrefix(opt.Value(arn), "arn:aws:s3:::")
	if !ok || name == "" || strings.Contains(name, "/") {
		return nil, awserr.New("InvalidRequest", 400, "The ARN "+opt.Value(arn)+" does not name a bucket")
	}
	return &name, nil
}

// ListTagsForResource returns the tags of a bucket, which may be none.
func (s *Service) ListTagsForResource(ctx context.Context, in *s3control.ListTagsForResourceInput) (*s3control.ListTagsForResourceOutput, error) {
	name, err := bucketOf(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &s3control.ListTagsForResourceOutput{Tags: []s3control.Tag{}}
	err = s.view(ctx, name, in.AccountId, func(_ *store.Tx, p place) error {
		for _, t := range p.Tags {
			out.Tags = append(out.Tags, s3control.Tag{Key: &t.Key, Value: &t.Value})
		}
		return nil
	})
	return out, err
}

// TagResource adds or replaces single tags of a bucket.
func (s *Service) TagResource(ctx context.Context, in *s3control.TagResourceInput) (*s3control.TagResourceOutput, error) {
	name, err := bucketOf(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return nil, s.configure(ctx, name, in.AccountId, func(b *bucket) error {
		for _, t := range in.Tags {
			i := slices.IndexFunc(b.Tags, func(have tag) bool { return have.Key == opt.Value(t.Key) })
			if i < 0 {
				b.Tags = append(b.Tags, tag{opt.Value(t.Key), opt.Value(t.Value)})
				continue
			}
			b.Tags[i].Value = opt.Value(t.Value)
		}
		return checkTags(b.Tags, maxBucketTags)
	})
}

// UntagResource removes single tags of a bucket.
func (s *Service) UntagResource(ctx context.Context, in *s3control.UntagResourceInput) (*s3control.UntagResourceOutput, error) {
	name, err := bucketOf(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return nil, s.configure(ctx, name, in.AccountId, func(b *bucket) error {
		b.Tags = slices.DeleteFunc(b.Tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
		return nil
	})
}
