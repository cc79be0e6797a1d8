package objects

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// A source is the object that a copy reads.
type source struct {
	object
	place place
	parts []store.Blob
}

// copySource reads x-amz-copy-source: "/bucket/key?versionId=v", escaped.
func copySource(header string) (bucket, key, version string, err error) {
	bad := invalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey", "x-amz-copy-source", header)
	path, query, _ := strings.Cut(header, "?")
	path, err = url.PathUnescape(path)
	if err != nil {
		return "", "", "", bad
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || bucket == "" || key == "" {
		return "", "", "", bad
	}
	if id, ok := strings.CutPrefix(query, "versionId="); ok {
		version = id
	} else if query != "" {
		return "", "", "", bad
	}
	return bucket, key, version, nil
}

// findSource looks up what a copy reads.
func findSource(ctx context.Context, tx *store.Tx, header string, expectedOwner *string, c conditions) (src source, err error) {
	bucket, key, version, err := copySource(header)
	if err != nil {
		return src, err
	}
	if src.place, err = locate(ctx, tx, &bucket, expectedOwner); err != nil {
		return src, err
	}
	if src.object, err = findVersion(tx, src.place, key, &version); err != nil {
		return src, err
	}
	c.notModified = func(object) error { return preconditionFailed(c.noneMatchName) } // a copy has no 304
	if err := c.check(src.object); err != nil {
		return src, err
	}
	src.parts, err = tx.ObjectParts(src.ObjectVersion)
	return src, err
}

func sourceConditions(match, noneMatch *string, modified, unmodified *time.Time) conditions {
	return conditions{match: match, noneMatch: noneMatch, modified: modified, unmodified: unmodified,
		matchName: "x-amz-copy-source-If-Match", noneMatchName: "x-amz-copy-source-If-None-Match"}
}

// CopyObject makes an object with the content of another. The content is shared, not
// copied; it is read only when the copy needs a digest that the source does not have.
func (s *Service) CopyObject(ctx context.Context, in *s3.CopyObjectInput) (*s3.CopyObjectOutput, error) {
	if err := checkCopy(in); err != nil {
		return nil, err
	}
	var src source
	find := func(tx *store.Tx) (err error) {
		src, err = findSource(ctx, tx, *in.CopySource, in.ExpectedSourceBucketOwner,
			sourceConditions(in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince))
		return err
	}
	if err := s.store.View(ctx, find); err != nil {
		return nil, err
	}
	if src.Size > MaxObject {
		return nil, s3.InvalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: " + strconv.Itoa(MaxObject))
	}
	m, err := copyMeta(in, src)
	if err != nil {
		return nil, err
	}
	etag, sum, err := s.digestOf(ctx, src, opt.Text(in.ChecksumAlgorithm))
	if err != nil {
		return nil, err
	}
	m.Checksum = sum
	out := &s3.CopyObjectOutput{ServerSideEncryption: opt.Of(s3.ServerSideEncryptionAes256),
		CopyObjectResult: &s3.CopyObjectResult{ETag: opt.Of(`"` + etag + `"`)}}
	digested := src
	err = s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		if err := checkACL(p.bucket, opt.Text(in.ACL), in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWriteACP); err != nil {
			return err
		}
		if err := checkWrite(tx, p, *in.Key, in.IfMatch, in.IfNoneMatch); err != nil {
			return err
		}
		if err := find(tx); err != nil {
			return err
		}
		if src.Version != digested.Version || !src.Modified.Equal(digested.Modified) {
			return s3.OperationAborted("A conflicting conditional operation is currently in progress against this resource. Please try again.")
		}
		v := store.ObjectVersion{Name: *in.Key, Version: p.newVersion(), ETag: etag, Meta: m.encode()}
		out.VersionId, out.CopySourceVersionId = p.version(v.Version), src.place.version(src.Version)
		out.CopyObjectResult.LastModified = opt.Of(tx.Now())
		return tx.PutObject(p.key, v, src.parts...)
	})
	if err != nil {
		return nil, err
	}
	sum.show(out.CopyObjectResult)
	return out, nil
}

// checkCopy refuses what a copy cannot do.
func checkCopy(in *s3.CopyObjectInput) error {
	if in.ObjectLockMode != nil || in.ObjectLockRetainUntilDate != nil || in.ObjectLockLegalHoldStatus != nil {
		return notServed("object lock")
	}
	return errors.Join(checkKey(*in.Key), checkUser(in.Metadata),
		checkEncryption(in.ServerSideEncryption, in.SSEKMSKeyId, in.SSECustomerAlgorithm, in.SSECustomerKey,
			in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey))
}

// copyMeta returns what is kept with the copy: the source's, or the request's.
func copyMeta(in *s3.CopyObjectInput, src source) (m meta, err error) {
	replace := opt.Text(in.MetadataDirective) == string(s3.MetadataDirectiveReplace)
	class, err := storageClass(in.StorageClass)
	if err != nil {
		return m, err
	}
	_, _, version, _ := copySource(*in.CopySource)
	same := src.place.key.ID == *in.Bucket && src.Name == *in.Key && version == ""
	if same && !replace && in.StorageClass == nil && in.WebsiteRedirectLocation == nil && in.ServerSideEncryption == nil {
		return m, s3.InvalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	m = src.meta
	if replace {
		m = meta{ContentType: opt.Or(in.ContentType, "binary/octet-stream"), Cache: opt.Value(in.CacheControl),
			Disposition: opt.Value(in.ContentDisposition), Encoding: withoutChunked(in.ContentEncoding),
			Language: opt.Value(in.ContentLanguage), Expires: opt.Value(in.Expires), User: in.Metadata, Tags: src.meta.Tags}
	}
	m.Parts, m.StorageClass, m.Redirect = 0, class, opt.Value(in.WebsiteRedirectLocation)
	if opt.Text(in.TaggingDirective) == string(s3.TaggingDirectiveReplace) {
		m.Tags, err = headerTags(in.Tagging)
	}
	return m, err
}

// digestOf returns the ETag and checksum of the copy. Those of a multipart upload are
// made of its parts, while a copy is of one piece.
func (s *Service) digestOf(ctx context.Context, src source, algorithm string) (etag string, sum checksum, err error) {
	have := src.meta.Checksum
	if src.meta.Parts == 0 && (algorithm == "" || algorithm == have.Algorithm) {
		return src.ETag, have, nil
	}
	if algorithm == "" {
		algorithm = have.Algorithm
	}
	d, err := newDigester(algorithm)
	if err != nil {
		return "", sum, err
	}
	if _, err := io.Copy(d, s.store.OpenBlobs(ctx, src.parts...)); err != nil {
		return "", sum, err
	}
	return hex.EncodeToString(d.md5.Sum(nil)), d.checksum(), nil
}
