package objects

import (
	"context"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// ListObjectVersions lists all versions and delete markers by key, the newest first.
func (s *Service) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (*s3.ListObjectVersionsOutput, error) {
	q, err := newQuery(in.Prefix, in.Delimiter, in.KeyMarker, in.MaxKeys, "max-keys")
	if err != nil {
		return nil, err
	}
	sh, err := newShower(in.EncodingType)
	if err != nil {
		return nil, err
	}
	marker := opt.Value(in.VersionIdMarker)
	switch {
	case marker != "" && q.after == "":
		return nil, invalidArgument("A version-id marker cannot be specified without a key marker.", "version-id-marker", marker)
	case marker != "" && !versionForm.MatchString(marker):
		return nil, invalidVersion(marker)
	}
	out := &s3.ListObjectVersionsOutput{Name: in.Bucket, Prefix: sh.show(q.prefix), KeyMarker: sh.show(q.after), VersionIdMarker: &marker,
		Delimiter: sh.optional(in.Delimiter), MaxKeys: opt.Of(int32(q.limit)), EncodingType: in.EncodingType, IsTruncated: new(false)}
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, at place) error {
		p, err := q.versions(tx, at, marker)
		if err != nil {
			return err
		}
		for _, o := range p.objects {
			showVersion(out, sh, o, at)
		}
		out.CommonPrefixes = sh.prefixes(p.prefixes)
		if p.last != "" {
			out.IsTruncated, out.NextKeyMarker, out.NextVersionIdMarker = new(true), sh.show(p.last), opt.NonZero(p.version)
		}
		return nil
	})
	return out, err
}

func showVersion(out *s3.ListObjectVersionsOutput, sh shower, o object, at place) {
	who := owner(at.key.Account)
	if o.Marker {
		out.DeleteMarkers = append(out.DeleteMarkers, s3.DeleteMarkerEntry{Owner: who, Key: sh.show(o.Name), VersionId: &o.Version,
			IsLatest: &o.Latest, LastModified: &o.Modified})
		return
	}
	out.Versions = append(out.Versions, s3.ObjectVersion{Owner: who, Key: sh.show(o.Name), VersionId: &o.Version, IsLatest: &o.Latest,
		LastModified: &o.Modified, ETag: o.etag(), Size: &o.Size,
		StorageClass:      opt.Of(s3.ObjectVersionStorageClass(opt.Or(o.class(), s3.StorageClassStandard))),
		ChecksumAlgorithm: o.meta.Checksum.algorithms(), ChecksumType: opt.Convert[s3.ChecksumType](o.meta.Checksum.Type)})
}

// A versionPage is a page whose last entry is a version of a key.
type versionPage struct {
	page
	version string // of the last entry; "" when that is a common prefix
}

// versions lists versions from behind the marker, a version of the key after which the
// page begins.
func (q query) versions(tx *store.Tx, at place, marker string) (p versionPage, err error) {
	from, end := q.from()
	if marker != "" {
		from = q.after
		// A client that deletes page by page has deleted the marker by now. What is
		// left of its key is older, so the list goes on with that.
		if _, err := lookUp(tx, at, from, &marker); awserr.Code(err) == "NoSuchVersion" {
			marker = ""
		} else if err != nil {
			return p, err
		}
	}
	last, version := "", ""
	for q.limit > 0 {
		found, err := tx.ObjectVersions(at.key, from, marker, end, q.limit-p.size()+1)
		if err != nil || len(found) == 0 {
			return p, err
		}
		jumped := false
		for _, v := range found {
			if p.size() == q.limit {
				p.last, p.version = last, version
				return p, nil
			}
			if group := q.group(v.Name); group != "" {
				p.prefixes = append(p.prefixes, group)
				last, version = group, ""
				from, marker, jumped = successor(group), "", true
				break
			}
			o, err := decodeObject(v)
			if err != nil {
				return p, err
			}
			p.objects = append(p.objects, o)
			last, version = v.Name, v.Version
			from, marker = v.Name, v.Version
		}
		if jumped && from == "" {
			return p, nil
		}
	}
	return p, nil
}
