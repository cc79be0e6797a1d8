package objects

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// A content is what was received and is not published yet.
type content struct {
	blob     store.Blob
	etag     string // hexadecimal MD5
	md5      []byte
	checksum checksum
}

// An expectation is what the sender says about a content.
type expectation struct {
	md5      *string  // Content-MD5
	checksum checksum // given in a header; the zero checksum when not
	// algorithm is the one to compute when no checksum is given: it came as a trailer,
	// which the authenticator has compared, or belongs to an upload. "" means CRC64NVME.
	algorithm string
}

// receive takes a content in, piece by piece, and compares it with what is expected.
// On an error nothing of it stays.
func (s *Service) receive(ctx context.Context, body io.Reader, want expectation) (c content, err error) {
	md5, err := checkMD5(want.md5)
	if err != nil {
		return c, err
	}
	if want.checksum.Algorithm != "" {
		want.algorithm = want.checksum.Algorithm
	}
	d, err := newDigester(want.algorithm)
	if err != nil {
		return c, err
	}
	w := s.store.NewBlob(ctx)
	defer func() {
		if err != nil {
			w.Discard()
		}
	}()
	if err := copyContent(w, d, body); err != nil {
		return c, err
	}
	c.md5, c.checksum = d.md5.Sum(nil), d.checksum()
	c.etag = hex.EncodeToString(c.md5)
	switch {
	case md5 != nil && !bytes.Equal(md5, c.md5):
		return c, badDigest("Content-MD5")
	case want.checksum.Algorithm != "" && want.checksum.Value != c.checksum.Value:
		return c, badDigest(want.checksum.Algorithm)
	}
	c.blob, err = w.Finish()
	return c, err
}

// copyContent reads a request's body to its end and tells the sender's failures from ours.
func copyContent(w *store.BlobWriter, d *digester, body io.Reader) error {
	if body == nil {
		return nil
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			d.Write(buf[:n])
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if w.Size() > MaxObject {
				return entityTooLarge(w.Size())
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil && awserr.As(err) != nil:
			return err
		case err != nil:
			return s3.IncompleteBody("You did not provide the number of bytes specified by the Content-Length HTTP header").Because(err)
		}
	}
}

// PutObject stores an object. The content is received before the transaction that
// publishes it.
func (s *Service) PutObject(ctx context.Context, in *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
	m, err := putMeta(in)
	if err != nil {
		return nil, err
	}
	given, err := givenChecksum(in)
	if err != nil {
		return nil, err
	}
	if opt.Value(in.ContentLength) > MaxObject {
		return nil, entityTooLarge(*in.ContentLength)
	}
	// Asked before the content comes, and again when it is published.
	admit := func(tx *store.Tx, p place) error {
		if err := checkACL(p.bucket, opt.Text(in.ACL), in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWriteACP); err != nil {
			return err
		}
		return checkWrite(tx, p, *in.Key, in.IfMatch, in.IfNoneMatch)
	}
	if err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, admit); err != nil {
		return nil, err
	}
	c, err := s.receive(ctx, in.Body, expectation{in.ContentMD5, given, opt.Text(in.ChecksumAlgorithm)})
	if err != nil {
		return nil, err
	}
	m.Checksum = c.checksum
	out := &s3.PutObjectOutput{ETag: opt.Of(`"` + c.etag + `"`), ServerSideEncryption: opt.Of(s3.ServerSideEncryptionAes256)}
	err = s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		if err := admit(tx, p); err != nil {
			return err
		}
		v := store.ObjectVersion{Name: *in.Key, Version: p.newVersion(), ETag: c.etag, Meta: m.encode()}
		out.VersionId = p.version(v.Version)
		return tx.PutObject(p.key, v, c.blob)
	})
	if err != nil {
		return nil, err
	}
	c.checksum.show(out)
	return out, nil
}

// putMeta checks and gathers what is kept with the object.
func putMeta(in *s3.PutObjectInput) (m meta, err error) {
	if in.WriteOffsetBytes != nil {
		return m, notServed("appending to objects")
	}
	if in.ObjectLockMode != nil || in.ObjectLockRetainUntilDate != nil || in.ObjectLockLegalHoldStatus != nil {
		return m, notServed("object lock")
	}
	m = meta{
		ContentType: opt.Or(in.ContentType, "binary/octet-stream"),
		Cache:       opt.Value(in.CacheControl),
		Disposition: opt.Value(in.ContentDisposition),
		Encoding:    withoutChunked(in.ContentEncoding),
		Language:    opt.Value(in.ContentLanguage),
		Expires:     opt.Value(in.Expires),
		Redirect:    opt.Value(in.WebsiteRedirectLocation),
		User:        in.Metadata,
	}
	if m.Tags, err = headerTags(in.Tagging); err != nil {
		return m, err
	}
	if m.StorageClass, err = storageClass(in.StorageClass); err != nil {
		return m, err
	}
	return m, errors.Join(checkKey(*in.Key), checkUser(m.User),
		checkEncryption(in.ServerSideEncryption, in.SSEKMSKeyId, in.SSECustomerAlgorithm, in.SSECustomerKey))
}
