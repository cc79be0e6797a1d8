package objects

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// ListParts lists the parts of an upload by number.
func (s *Service) ListParts(ctx context.Context, in *s3.ListPartsInput) (*s3.ListPartsOutput, error) {
	limit := opt.Or(in.MaxParts, maxKeys)
	after := opt.Value(in.PartNumberMarker)
	if limit < 0 || after < 0 {
		return nil, invalidArgument("Argument max-parts must be an integer between 0 and 2147483647", "max-parts", fmt.Sprint(limit))
	}
	limit = min(limit, maxKeys)
	out := &s3.ListPartsOutput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, MaxParts: &limit, PartNumberMarker: &after, IsTruncated: new(false)}
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		item, err := findUpload(tx, p, *in.Key, *in.UploadId)
		if err != nil {
			return err
		}
		u := item.Value
		out.Owner, out.Initiator = owner(p.key.Account), initiator(u)
		out.StorageClass = opt.Of(s3.StorageClass(cmp.Or(u.Meta.StorageClass, "STANDARD")))
		out.ChecksumAlgorithm, out.ChecksumType = opt.Convert[s3.ChecksumAlgorithm](u.Algorithm), opt.Convert[s3.ChecksumType](u.shownType())
		there, err := allParts(tx, item.Key)
		if err != nil {
			return err
		}
		for n := after + 1; n <= maxParts; n++ {
			p, ok := there[int(n)]
			if !ok {
				continue
			}
			if len(out.Parts) == int(limit) {
				out.IsTruncated = new(true)
				break
			}
			shown := s3.Part{PartNumber: &n, ETag: opt.Of(`"` + p.ETag + `"`), Size: &p.blob.Size, LastModified: &p.Modified}
			if u.Algorithm != "" {
				p.Checksum.show(&shown)
			}
			out.Parts = append(out.Parts, shown)
			out.NextPartNumberMarker = &n
		}
		return nil
	})
	return out, err
}

func initiator(u upload) *s3.Initiator { return &s3.Initiator{ID: &u.Initiator} }

// ListMultipartUploads lists the uploads in progress by key, and of one key by age. All
// uploads of the bucket are read: they are few, and clients finish them.
func (s *Service) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (*s3.ListMultipartUploadsOutput, error) {
	q, err := newQuery(in.Prefix, in.Delimiter, in.KeyMarker, in.MaxUploads, "max-uploads")
	if err != nil {
		return nil, err
	}
	sh, err := newShower(in.EncodingType)
	if err != nil {
		return nil, err
	}
	out := &s3.ListMultipartUploadsOutput{Bucket: in.Bucket, KeyMarker: sh.show(q.after), UploadIdMarker: opt.Of(opt.Value(in.UploadIdMarker)), Prefix: sh.show(q.prefix),
		Delimiter: sh.optional(in.Delimiter), MaxUploads: opt.Of(int32(q.limit)), EncodingType: in.EncodingType, IsTruncated: new(false)}
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		all, _, err := uploads.List(tx, p.uploads(), store.Page{})
		if err != nil {
			return err
		}
		q.showUploads(out, sh, q.uploadsAfter(all, opt.Value(in.UploadIdMarker)), p)
		return nil
	})
	return out, err
}

// uploadsAfter sorts uploads by key, keeping those of a key in order of age, and cuts
// off what earlier pages held.
func (q query) uploadsAfter(all []store.Item[upload], marker string) []store.Item[upload] {
	slices.SortStableFunc(all, func(a, b store.Item[upload]) int { return cmp.Compare(a.Value.Key, b.Value.Key) })
	seen := marker == "" // of the key of the marker, uploads after it belong to the page
	return slices.DeleteFunc(all, func(item store.Item[upload]) bool {
		key := item.Value.Key
		switch {
		case !strings.HasPrefix(key, q.prefix), key < q.after:
			return true
		case q.after != "" && q.group(key) == q.after:
			return true
		case key == q.after && q.after != "":
			gone := marker == "" || !seen
			seen = seen || item.Key.ID == marker
			return gone
		}
		return false
	})
}

func (q query) showUploads(out *s3.ListMultipartUploadsOutput, sh shower, all []store.Item[upload], p place) {
	shown := 0
	for _, item := range all {
		u, group := item.Value, q.group(item.Value.Key)
		if n := len(out.CommonPrefixes); group != "" && n > 0 && *out.CommonPrefixes[n-1].Prefix == *sh.show(group) {
			continue
		}
		if shown == q.limit {
			out.IsTruncated = opt.Of(q.limit > 0)
			return
		}
		shown++
		if group != "" {
			out.CommonPrefixes = append(out.CommonPrefixes, s3.CommonPrefix{Prefix: sh.show(group)})
			out.NextKeyMarker, out.NextUploadIdMarker = sh.show(group), nil
			continue
		}
		out.Uploads = append(out.Uploads, s3.MultipartUpload{Key: sh.show(u.Key), UploadId: &item.Key.ID, Initiated: &item.Created,
			Owner: owner(p.key.Account), Initiator: initiator(u), StorageClass: opt.Of(s3.StorageClass(cmp.Or(u.Meta.StorageClass, "STANDARD"))),
			ChecksumAlgorithm: opt.Convert[s3.ChecksumAlgorithm](u.Algorithm), ChecksumType: opt.Convert[s3.ChecksumType](u.shownType())})
		out.NextKeyMarker, out.NextUploadIdMarker = sh.show(u.Key), &item.Key.ID
	}
}
