package certificates

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// maxTags is how many tags a certificate may have.
const maxTags = 50

// tagMap checks and converts tags.
func tagMap(in []acm.Tag) (map[string]string, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := map[string]string{}
	for _, t := range in {
		key := opt.Value(t.Key)
		if strings.HasPrefix(key, "aws:") {
			return nil, invalid(`Invalid Tag Key: "` + key + `". AWS internal tags cannot be changed with this API`)
		}
		out[key] = opt.Value(t.Value)
	}
	return out, checkCount(out)
}

func checkCount(tags map[string]string) error {
	if len(tags) <= maxTags {
		return nil
	}
	var set []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		set = append(set, k+"="+tags[k])
	}
	return acm.TooManyTagsException("the TagSet: '{" + strings.Join(set, ", ") + "}' contains too many Tags")
}

// AddTagsToCertificate adds or replaces tags.
func (s *Certificates) AddTagsToCertificate(ctx context.Context, in *acm.AddTagsToCertificateInput) (*acm.AddTagsToCertificateOutput, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.AddTagsToCertificateOutput, error) {
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		if it.Value.Tags == nil {
			it.Value.Tags = map[string]string{}
		}
		maps.Copy(it.Value.Tags, tags)
		if err := checkCount(it.Value.Tags); err != nil {
			return nil, err
		}
		return nil, certs.Replace(tx, it)
	})
}

// RemoveTagsFromCertificate removes tags: by key, or only with the value that is given.
func (s *Certificates) RemoveTagsFromCertificate(ctx context.Context, in *acm.RemoveTagsFromCertificateInput) (*acm.RemoveTagsFromCertificateOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.RemoveTagsFromCertificateOutput, error) {
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		for _, t := range in.Tags {
			if value, ok := it.Value.Tags[opt.Value(t.Key)]; ok && (t.Value == nil || *t.Value == value) {
				delete(it.Value.Tags, opt.Value(t.Key))
			}
		}
		return nil, certs.Replace(tx, it)
	})
}

// ListTagsForCertificate lists tags in order of their keys.
func (s *Certificates) ListTagsForCertificate(ctx context.Context, in *acm.ListTagsForCertificateInput) (*acm.ListTagsForCertificateOutput, error) {
	out := &acm.ListTagsForCertificateOutput{Tags: []acm.Tag{}}
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		it, err := get(ctx, tx, *in.CertificateArn)
		for _, k := range slices.Sorted(maps.Keys(it.Value.Tags)) {
			out.Tags = append(out.Tags, acm.Tag{Key: &k, Value: opt.Of(it.Value.Tags[k])})
		}
		return err
	})
	return out, err
}
