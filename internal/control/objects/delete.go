package objects

import (
	"context"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// A deletion says what became of one key.
type deletion struct {
	version *string // removed, or of the marker that was put
	marker  bool    // whether that is a delete marker
	put     bool    // whether a marker was put
}

// remove deletes one version for good, or puts a delete marker where versions are kept.
// What is not there is deleted already.
func remove(tx *store.Tx, p place, key string, id *string) (d deletion, err error) {
	if opt.Value(id) != "" {
		v, err := lookUp(tx, p, key, id)
		switch {
		case awserr.Code(err) == "NoSuchVersion":
			return deletion{version: id}, nil
		case err != nil:
			return d, err
		}
		return deletion{version: id, marker: v.Marker}, tx.DeleteObjectVersion(p.key, key, *id)
	}
	if p.Versioning == "" {
		err := tx.DeleteObjectVersion(p.key, key, nullVersion)
		return d, absent(err, nil)
	}
	v := store.ObjectVersion{Name: key, Version: p.newVersion(), Marker: true}
	return deletion{version: &v.Version, marker: true, put: true}, tx.PutObject(p.key, v)
}

// DeleteObject deletes one key.
func (s *Service) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if in.IfMatchLastModifiedTime != nil || in.IfMatchSize != nil {
		return nil, notServed("conditions of directory buckets")
	}
	if err := checkKey(*in.Key); err != nil {
		return nil, err
	}
	var d deletion
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) (err error) {
		if in.IfMatch != nil {
			if err := checkDelete(tx, p, *in.Key, in.VersionId, *in.IfMatch); err != nil {
				return err
			}
		}
		d, err = remove(tx, p, *in.Key, in.VersionId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &s3.DeleteObjectOutput{VersionId: d.version, DeleteMarker: opt.NonZero(d.marker)}, nil
}

// checkDelete applies If-Match of a deletion.
func checkDelete(tx *store.Tx, p place, key string, id *string, match string) error {
	v, err := lookUp(tx, p, key, id)
	if err != nil {
		return err
	}
	if v.Marker || !etagMatches(match, v.ETag) {
		return preconditionFailed("If-Match")
	}
	return nil
}

// DeleteObjects deletes up to a thousand keys, each for itself as far as errors go.
func (s *Service) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (*s3.DeleteObjectsOutput, error) {
	if n := len(in.Delete.Objects); n == 0 || n > 1000 {
		return nil, malformedXML()
	}
	var out *s3.DeleteObjectsOutput
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		out = &s3.DeleteObjectsOutput{} // anew for each attempt
		for _, o := range in.Delete.Objects {
			d, err := removeListed(tx, p, o)
			if e := awserr.As(err); e != nil {
				out.Errors = append(out.Errors, s3.Error{Key: o.Key, VersionId: o.VersionId, Code: &e.Code, Message: &e.Message})
				continue
			}
			if err != nil {
				return err
			}
			if opt.Value(in.Delete.Quiet) {
				continue
			}
			done := s3.DeletedObject{Key: o.Key, VersionId: o.VersionId, DeleteMarker: opt.NonZero(d.marker)}
			if d.marker {
				done.DeleteMarkerVersionId = d.version
			}
			out.Deleted = append(out.Deleted, done)
		}
		return nil
	})
	return out, err
}

func removeListed(tx *store.Tx, p place, o s3.ObjectIdentifier) (d deletion, err error) {
	if o.LastModifiedTime != nil || o.Size != nil {
		return d, notServed("conditions of directory buckets")
	}
	if err := checkKey(*o.Key); err != nil {
		return d, err
	}
	if *o.Key == "" {
		return d, s3.InvalidRequest("A key must be specified")
	}
	if o.ETag != nil {
		if err := checkDelete(tx, p, *o.Key, o.VersionId, *o.ETag); err != nil {
			return d, err
		}
	}
	return remove(tx, p, *o.Key, o.VersionId)
}
