package objects

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// An upload is the document of a multipart upload in progress. Its parts are
// attachments of the document, named by their numbers.
type upload struct {
	Key          string `json:"key"`
	Meta         meta   `json:"meta"` // of the object to be
	Algorithm    string `json:"algorithm,omitempty"`
	ChecksumType string `json:"checksumType,omitempty"`
	Initiator    string `json:"initiator"` // ARN
}

var uploads = store.Collection[upload]{Kind: "s3upload"}

// uploads returns where the uploads to a bucket are.
func (p place) uploads() store.Scope { return p.key.Scope().Of(p.key.ID) }

// A part is what is kept with the attachment of a part.
type part struct {
	ETag     string    `json:"etag"` // hexadecimal MD5
	Checksum checksum  `json:"checksum"`
	Modified time.Time `json:"modified"`

	number int
	blob   store.Blob
}

const (
	maxParts = 10_000
	minPart  = 5 << 20 // bytes, of every part but the last
)

func partName(n int) string { return fmt.Sprintf("%05d", n) }

// CreateMultipartUpload begins an upload.
func (s *Service) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput) (*s3.CreateMultipartUploadOutput, error) {
	// The object's properties are those of a PutObject.
	put := &s3.PutObjectInput{Key: in.Key, ContentType: in.ContentType, CacheControl: in.CacheControl, ContentDisposition: in.ContentDisposition,
		ContentEncoding: in.ContentEncoding, ContentLanguage: in.ContentLanguage, Expires: in.Expires, Metadata: in.Metadata,
		WebsiteRedirectLocation: in.WebsiteRedirectLocation, Tagging: in.Tagging, StorageClass: in.StorageClass,
		ServerSideEncryption: in.ServerSideEncryption, SSEKMSKeyId: in.SSEKMSKeyId, SSECustomerAlgorithm: in.SSECustomerAlgorithm, SSECustomerKey: in.SSECustomerKey,
		ObjectLockMode: in.ObjectLockMode, ObjectLockRetainUntilDate: in.ObjectLockRetainUntilDate, ObjectLockLegalHoldStatus: in.ObjectLockLegalHoldStatus}
	u := upload{Key: *in.Key, Algorithm: opt.Text(in.ChecksumAlgorithm), ChecksumType: opt.Text(in.ChecksumType), Initiator: caller(ctx).Identity.ARN}
	var err error
	if u.Meta, err = putMeta(put); err != nil {
		return nil, err
	}
	if err := u.chooseChecksum(); err != nil {
		return nil, err
	}
	id := newID()
	err = s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		if err := checkACL(p.bucket, opt.Text(in.ACL), in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWriteACP); err != nil {
			return err
		}
		return uploads.Create(tx, p.uploads(), id, u)
	})
	if err != nil {
		return nil, err
	}
	return &s3.CreateMultipartUploadOutput{Bucket: in.Bucket, Key: in.Key, UploadId: &id, ServerSideEncryption: opt.Of(s3.ServerSideEncryptionAes256),
		ChecksumAlgorithm: in.ChecksumAlgorithm, ChecksumType: opt.Convert[s3.ChecksumType](u.shownType())}, nil
}

// chooseChecksum completes what the client says about checksums. Without an algorithm,
// S3 computes CRC64NVME of the whole.
func (u *upload) chooseChecksum() error {
	switch {
	case u.Algorithm == "" && u.ChecksumType != "":
		return s3.InvalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
	case newChecksumHash(u.algorithm()) == nil:
		return notServed("checksum algorithm " + u.Algorithm)
	case u.ChecksumType == fullObject && !strings.HasPrefix(u.algorithm(), "CRC"),
		u.ChecksumType == composite && u.algorithm() == crc64NVME:
		return s3.InvalidRequest("The " + u.ChecksumType + " checksum type cannot be used with the " + strings.ToLower(u.algorithm()) + " checksum algorithm.")
	}
	return nil
}

func (u *upload) algorithm() string {
	if u.Algorithm == "" {
		return crc64NVME
	}
	return u.Algorithm
}

// kind returns the type of the object's checksum: CRC64NVME is always of the whole.
func (u *upload) kind() string {
	switch {
	case u.ChecksumType != "":
		return u.ChecksumType
	case u.algorithm() == crc64NVME:
		return fullObject
	}
	return composite
}

// shownType is kind, or "" when the client did not ask for checksums.
func (u *upload) shownType() string {
	if u.Algorithm == "" {
		return ""
	}
	return u.kind()
}

// findUpload returns the upload of a key.
func findUpload(tx *store.Tx, p place, key, id string) (store.Item[upload], error) {
	if !versionForm.MatchString(id) {
		return store.Item[upload]{}, noSuchUpload(id)
	}
	item, err := uploads.Item(tx, p.uploads(), id)
	if err == nil && item.Value.Key != key {
		err = noSuchUpload(id)
	}
	return item, absent(err, noSuchUpload(id))
}

// UploadPart stores one part. A part of the same number is replaced.
func (s *Service) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := errors.Join(checkPartNumber(*in.PartNumber), checkEncryption(nil, in.SSECustomerAlgorithm, in.SSECustomerKey)); err != nil {
		return nil, err
	}
	given, err := givenChecksum(in)
	if err != nil {
		return nil, err
	}
	if opt.Value(in.ContentLength) > MaxObject {
		return nil, entityTooLarge(*in.ContentLength)
	}
	c, err := s.receivePart(ctx, in.Bucket, in.ExpectedBucketOwner, *in.Key, *in.UploadId, int(*in.PartNumber), in.Body,
		expectation{in.ContentMD5, given, opt.Text(in.ChecksumAlgorithm)})
	if err != nil {
		return nil, err
	}
	out := &s3.UploadPartOutput{ETag: opt.Of(`"` + c.etag + `"`), ServerSideEncryption: opt.Of(s3.ServerSideEncryptionAes256)}
	c.checksum.show(out)
	return out, nil
}

// receivePart takes a part in and adds it to its upload.
func (s *Service) receivePart(ctx context.Context, bucket, expectedOwner *string, key, id string, number int, body io.Reader, want expectation) (c content, err error) {
	err = s.view(ctx, bucket, expectedOwner, func(tx *store.Tx, p place) error {
		item, err := findUpload(tx, p, key, id)
		if err != nil {
			return err
		}
		u := item.Value
		for _, algorithm := range []string{want.checksum.Algorithm, want.algorithm} {
			if algorithm != "" && u.Algorithm != "" && algorithm != u.Algorithm {
				return s3.InvalidRequest(fmt.Sprintf("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
					strings.ToLower(u.Algorithm), strings.ToLower(algorithm)))
			}
		}
		want.algorithm = u.algorithm()
		return nil
	})
	if err != nil {
		return c, err
	}
	// The upload's algorithm is computed; a checksum of another one only compared.
	other := checksum{}
	if want.checksum.Algorithm != want.algorithm {
		other, want.checksum = want.checksum, checksum{}
	}
	compared, err := newComparison(body, other)
	if err != nil {
		return c, err
	}
	if c, err = s.receive(ctx, compared, want); err != nil {
		return c, err
	}
	err = s.update(ctx, bucket, expectedOwner, func(tx *store.Tx, p place) error {
		item, err := findUpload(tx, p, key, id)
		if err != nil {
			return err
		}
		about, err := json.Marshal(part{ETag: c.etag, Checksum: c.checksum, Modified: tx.Now()})
		if err != nil {
			return err
		}
		return tx.Attach(item.Key, store.Attachment{Name: partName(number), Meta: about, Blob: c.blob})
	})
	return c, err
}

func checkPartNumber(n int32) error {
	if n < 1 || n > maxParts {
		return invalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", fmt.Sprint(n))
	}
	return nil
}

// UploadPartCopy makes a part of another object's content.
func (s *Service) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (*s3.UploadPartCopyOutput, error) {
	if err := errors.Join(checkPartNumber(*in.PartNumber), checkEncryption(nil, in.SSECustomerAlgorithm, in.SSECustomerKey,
		in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey)); err != nil {
		return nil, err
	}
	var src source
	var modified time.Time
	err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		modified = tx.Now()
		src, err = findSource(ctx, tx, *in.CopySource, in.ExpectedSourceBucketOwner,
			sourceConditions(in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince))
		return err
	})
	if err != nil {
		return nil, err
	}
	r := reading{object: src.object, parts: src.parts, length: src.Size}
	if in.CopySourceRange != nil {
		if r.from, r.length, r.partial, err = chooseRange(*in.CopySourceRange, src.Size); err != nil {
			return nil, err
		}
		if !r.partial {
			return nil, invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
				"x-amz-copy-source-range", *in.CopySourceRange)
		}
	}
	body, err := r.open(ctx, s.store)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	c, err := s.receivePart(ctx, in.Bucket, in.ExpectedBucketOwner, *in.Key, *in.UploadId, int(*in.PartNumber), body, expectation{})
	if err != nil {
		return nil, err
	}
	out := &s3.UploadPartCopyOutput{CopySourceVersionId: src.place.version(src.Version), ServerSideEncryption: opt.Of(s3.ServerSideEncryptionAes256),
		CopyPartResult: &s3.CopyPartResult{ETag: opt.Of(`"` + c.etag + `"`), LastModified: &modified}}
	c.checksum.show(out.CopyPartResult)
	return out, nil
}

// CompleteMultipartUpload publishes an object made of the parts listed.
func (s *Service) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (*s3.CompleteMultipartUploadOutput, error) {
	given, err := givenChecksum(in)
	if err != nil {
		return nil, err
	}
	if in.MultipartUpload == nil || len(in.MultipartUpload.Parts) == 0 || len(in.MultipartUpload.Parts) > maxParts {
		return nil, malformedXML()
	}
	out := &s3.CompleteMultipartUploadOutput{Bucket: in.Bucket, Key: in.Key, ServerSideEncryption: opt.Of(s3.ServerSideEncryptionAes256)}
	scheme := "http://"
	if caller(ctx).TLS {
		scheme = "https://"
	}
	out.Location = opt.Of(scheme + caller(ctx).Host + "/" + *in.Bucket + "/" + *in.Key)
	err = s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		item, err := findUpload(tx, p, *in.Key, *in.UploadId)
		if err != nil {
			return err
		}
		if err := checkWrite(tx, p, *in.Key, in.IfMatch, in.IfNoneMatch); err != nil {
			return err
		}
		parts, err := chooseParts(tx, item.Key, in.MultipartUpload.Parts)
		if err != nil {
			return err
		}
		m, etag, blobs, err := assemble(item.Value, parts, given, in.MpuObjectSize)
		if err != nil {
			return err
		}
		v := store.ObjectVersion{Name: *in.Key, Version: p.newVersion(), ETag: etag, Meta: m.encode()}
		if err := tx.PutObject(p.key, v, blobs...); err != nil {
			return err
		}
		out.ETag, out.VersionId = opt.Of(`"`+etag+`"`), p.version(v.Version)
		m.Checksum.show(out)
		return tx.Delete(item.Key)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// allParts reads the parts of an upload by number.
func allParts(tx *store.Tx, u store.Key) (map[int]part, error) {
	parts := make(map[int]part)
	found, err := tx.Attachments(u, "", maxParts)
	for _, a := range found {
		var p part
		if err := json.Unmarshal(a.Meta, &p); err != nil {
			return nil, err
		}
		if _, err := fmt.Sscanf(a.Name, "%d", &p.number); err != nil {
			return nil, fmt.Errorf("part %q of upload %s: %w", a.Name, u.ID, err)
		}
		p.blob = a.Blob
		parts[p.number] = p
	}
	return parts, err
}

// chooseParts compares the parts that the client lists with those that were uploaded.
func chooseParts(tx *store.Tx, u store.Key, listed []s3.CompletedPart) ([]part, error) {
	there, err := allParts(tx, u)
	if err != nil {
		return nil, err
	}
	chosen := make([]part, 0, len(listed))
	for i, l := range listed {
		number := int(opt.Value(l.PartNumber))
		if i > 0 && number <= chosen[i-1].number {
			return nil, s3.InvalidPartOrder("The list of parts was not in ascending order. Parts must be ordered by part number.").With("UploadId", u.ID)
		}
		p, ok := there[number]
		given, err := givenChecksum(&l)
		if err != nil {
			return nil, err
		}
		if !ok || l.ETag == nil || !etagMatches(*l.ETag, p.ETag) ||
			given.Algorithm == p.Checksum.Algorithm && given.Value != p.Checksum.Value {
			return nil, s3.InvalidPart("One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
				With("UploadId", u.ID).With("PartNumber", int64(number)).With("ETag", opt.Value(l.ETag))
		}
		chosen = append(chosen, p)
	}
	for _, p := range chosen[:len(chosen)-1] {
		if p.blob.Size < minPart {
			return nil, s3.EntityTooSmall("Your proposed upload is smaller than the minimum allowed size").
				With("ProposedSize", p.blob.Size).With("MinSizeAllowed", int64(minPart)).With("PartNumber", int64(p.number)).With("ETag", p.ETag)
		}
	}
	return chosen, nil
}

// assemble makes ETag and checksum of the whole from those of its parts.
func assemble(u upload, parts []part, given checksum, size *int64) (m meta, etag string, blobs []store.Blob, err error) {
	m = u.Meta
	m.Parts = len(parts)
	h := md5.New()
	var values []string
	var sizes []int64
	total := int64(0)
	for _, p := range parts {
		sum, err := hex.DecodeString(p.ETag)
		if err != nil {
			return m, "", nil, err
		}
		h.Write(sum)
		values, sizes, blobs = append(values, p.Checksum.Value), append(sizes, p.blob.Size), append(blobs, p.blob)
		total += p.blob.Size
	}
	if size != nil && *size != total {
		return m, "", nil, s3.InvalidRequest(fmt.Sprintf("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", *size, total))
	}
	if m.Checksum, err = compose(u.algorithm(), u.kind(), values, sizes); err != nil {
		return m, "", nil, err
	}
	if given.Algorithm == m.Checksum.Algorithm && given.Value != m.Checksum.Value {
		return m, "", nil, badDigest(given.Algorithm)
	}
	return m, fmt.Sprintf("%x-%d", h.Sum(nil), len(parts)), blobs, nil
}

// AbortMultipartUpload gives an upload up; its parts are removed.
func (s *Service) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) (*s3.AbortMultipartUploadOutput, error) {
	return nil, s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		item, err := findUpload(tx, p, *in.Key, *in.UploadId)
		if err != nil {
			return err
		}
		if in.IfMatchInitiatedTime != nil {
			return notServed("conditions of directory buckets")
		}
		return tx.Delete(item.Key)
	})
}

// A comparison passes a content on and compares its checksum at the end.
type comparison struct {
	in   io.Reader
	want checksum
	d    *digester
}

// newComparison returns a reader of body; without a checksum it is body itself.
func newComparison(body io.Reader, want checksum) (io.Reader, error) {
	if want.Algorithm == "" || body == nil {
		return body, nil
	}
	d, err := newDigester(want.Algorithm)
	return &comparison{body, want, d}, err
}

// Read implements io.Reader.
func (c *comparison) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.d.Write(p[:n])
	if err == io.EOF && c.d.checksum().Value != c.want.Value {
		err = badDigest(c.want.Algorithm)
	}
	return n, err
}
