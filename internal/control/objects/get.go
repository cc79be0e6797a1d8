package objects

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// GetObject returns a version of an object, or a range of it.
func (s *Service) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	r, err := s.read(ctx, in)
	if err != nil {
		return nil, err
	}
	out := r.answer(in)
	if out.Body, err = r.open(ctx, s.store); err != nil {
		return nil, err
	}
	return out, nil
}

// HeadObject is GetObject without the content.
func (s *Service) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	get := &s3.GetObjectInput{Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionId, ExpectedBucketOwner: in.ExpectedBucketOwner,
		IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch, IfModifiedSince: in.IfModifiedSince, IfUnmodifiedSince: in.IfUnmodifiedSince,
		Range: in.Range, PartNumber: in.PartNumber, ChecksumMode: in.ChecksumMode,
		SSECustomerAlgorithm: in.SSECustomerAlgorithm, SSECustomerKey: in.SSECustomerKey,
		ResponseCacheControl: in.ResponseCacheControl, ResponseContentDisposition: in.ResponseContentDisposition,
		ResponseContentEncoding: in.ResponseContentEncoding, ResponseContentLanguage: in.ResponseContentLanguage,
		ResponseContentType: in.ResponseContentType, ResponseExpires: in.ResponseExpires}
	r, err := s.read(ctx, get)
	if err != nil {
		return nil, err
	}
	g := r.answer(get)
	out := &s3.HeadObjectOutput{AcceptRanges: g.AcceptRanges, LastModified: g.LastModified, ContentLength: g.ContentLength, ETag: g.ETag,
		VersionId: g.VersionId, CacheControl: g.CacheControl, ContentDisposition: g.ContentDisposition, ContentEncoding: g.ContentEncoding,
		ContentLanguage: g.ContentLanguage, ContentType: g.ContentType, ContentRange: g.ContentRange, Expires: g.Expires,
		WebsiteRedirectLocation: g.WebsiteRedirectLocation, ServerSideEncryption: g.ServerSideEncryption, Metadata: g.Metadata,
		StorageClass: g.StorageClass, PartsCount: g.PartsCount, TagCount: g.TagCount}
	if g.ChecksumType != nil {
		r.object.meta.Checksum.show(out)
	}
	return out, nil
}

// A reading is what a read found: the version, and which bytes of it are wanted.
type reading struct {
	object
	place   place
	parts   []store.Blob
	from    int64
	length  int64
	partial bool // a range or a part, not the whole
}

// read finds the version that a read asks for and checks its conditions.
func (s *Service) read(ctx context.Context, in *s3.GetObjectInput) (r reading, err error) {
	if err := checkEncryption(nil, in.SSECustomerAlgorithm, in.SSECustomerKey); err != nil {
		return r, err
	}
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) (err error) {
		r.place = p
		if r.object, err = findVersion(tx, p, *in.Key, in.VersionId); err != nil {
			return err
		}
		err = conditions{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince, notModified, "If-Match", "If-None-Match"}.check(r.object)
		if err != nil {
			return err
		}
		r.parts, err = tx.ObjectParts(r.ObjectVersion)
		return err
	})
	if err != nil {
		return r, err
	}
	if in.PartNumber != nil {
		if in.Range != nil {
			return r, s3.InvalidRequest("Cannot specify both Range header and partNumber query parameter")
		}
		return r, r.choosePart(*in.PartNumber)
	}
	r.from, r.length, r.partial, err = chooseRange(opt.Value(in.Range), r.Size)
	return r, err
}

// notModified is the answer of a read whose client has the content already.
func notModified(o object) error {
	return s3.NotModified("Not Modified").WithHeader("ETag", *o.etag()).WithHeader("Last-Modified", o.Modified.Format(http.TimeFormat))
}

// choosePart narrows a reading to one part of what was uploaded.
func (r *reading) choosePart(n int32) error {
	count := max(r.meta.Parts, 1)
	if n < 1 || int(n) > count {
		return awserr.New("InvalidPartNumber", http.StatusRequestedRangeNotSatisfiable, "The requested partnumber is not satisfiable").
			With("PartNumberRequested", int64(n)).With("ActualPartCount", int64(count))
	}
	r.partial, r.length = true, r.Size
	if r.meta.Parts > 0 { // each part is one blob
		for _, b := range r.parts[:n-1] {
			r.from += b.Size
		}
		r.length = r.parts[n-1].Size
	}
	return nil
}

// chooseRange reads a Range header (RFC 9110 section 14.2). What is no single range of
// bytes is ignored, as S3 does.
func chooseRange(header string, size int64) (from, length int64, partial bool, err error) {
	spec, ok := strings.CutPrefix(strings.TrimSpace(header), "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, size, false, nil
	}
	from, err1 := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	switch {
	case first == "" && err2 == nil && to >= 0: // the last bytes
		from, to = max(size-to, 0), size-1
		if last == "0" {
			from = size
		}
	case first != "" && err1 == nil && from >= 0 && last == "":
		to = size - 1
	case first != "" && last != "" && err1 == nil && err2 == nil && from >= 0 && from <= to:
		to = min(to, size-1)
	default:
		return 0, size, false, nil
	}
	if from >= size {
		return 0, 0, false, s3.InvalidRange("The requested range is not satisfiable").
			With("RangeRequested", header).With("ActualObjectSize", size).
			WithHeader("Content-Range", fmt.Sprintf("bytes */%d", size))
	}
	return from, to - from + 1, true, nil
}

// answer fills in all but the body.
func (r *reading) answer(in *s3.GetObjectInput) *s3.GetObjectOutput {
	m := &r.meta
	out := &s3.GetObjectOutput{
		AcceptRanges:            opt.Of("bytes"),
		LastModified:            &r.Modified,
		ContentLength:           &r.length,
		ETag:                    r.etag(),
		VersionId:               r.place.version(r.Version),
		ContentType:             opt.Of(opt.Or(in.ResponseContentType, m.ContentType)),
		CacheControl:            opt.NonZero(opt.Or(in.ResponseCacheControl, m.Cache)),
		ContentDisposition:      opt.NonZero(opt.Or(in.ResponseContentDisposition, m.Disposition)),
		ContentEncoding:         opt.NonZero(opt.Or(in.ResponseContentEncoding, m.Encoding)),
		ContentLanguage:         opt.NonZero(opt.Or(in.ResponseContentLanguage, m.Language)),
		Expires:                 opt.NonZero(m.Expires),
		WebsiteRedirectLocation: opt.NonZero(m.Redirect),
		ServerSideEncryption:    opt.Of(s3.ServerSideEncryptionAes256),
		Metadata:                m.User,
		StorageClass:            r.class(),
		TagCount:                opt.NonZero(int32(len(m.Tags))),
	}
	if in.ResponseExpires != nil {
		out.Expires = opt.Of(in.ResponseExpires.UTC().Format(http.TimeFormat))
	}
	if r.partial {
		out.ContentRange = opt.Of(fmt.Sprintf("bytes %d-%d/%d", r.from, r.from+r.length-1, r.Size))
		if in.PartNumber != nil {
			out.PartsCount = opt.NonZero(int32(m.Parts))
		}
		if r.Size == 0 { // part 1 of nothing has no range
			out.ContentRange = nil
		}
	} else if opt.Text(in.ChecksumMode) == string(s3.ChecksumModeEnabled) {
		m.Checksum.show(out)
	}
	return out
}

// open returns the bytes that are wanted. The reader is independent of any transaction.
func (r *reading) open(ctx context.Context, st *store.Store) (io.ReadCloser, error) {
	content := st.OpenBlobs(ctx, r.parts...)
	if _, err := content.Seek(r.from, io.SeekStart); err != nil {
		return nil, err
	}
	if !r.partial {
		return whole{content}, nil
	}
	return io.NopCloser(io.LimitReader(content, r.length)), nil
}

// whole keeps io.WriterTo, which spares a copy.
type whole struct{ *store.BlobReader }

func (whole) Close() error { return nil }

// GetObjectAttributes returns what is known of an object without its content.
func (s *Service) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (*s3.GetObjectAttributesOutput, error) {
	r, err := s.read(ctx, &s3.GetObjectInput{Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionId, ExpectedBucketOwner: in.ExpectedBucketOwner,
		SSECustomerAlgorithm: in.SSECustomerAlgorithm, SSECustomerKey: in.SSECustomerKey})
	if err != nil {
		return nil, err
	}
	out := &s3.GetObjectAttributesOutput{LastModified: &r.Modified, VersionId: r.place.version(r.Version)}
	for _, wanted := range in.ObjectAttributes {
		switch wanted {
		case s3.ObjectAttributesETag:
			out.ETag = &r.ETag // without quotes, unlike everywhere else
		case s3.ObjectAttributesChecksum:
			out.Checksum = &s3.Checksum{}
			r.meta.Checksum.show(out.Checksum)
		case s3.ObjectAttributesObjectParts:
			out.ObjectParts = r.attributesOfParts(in)
		case s3.ObjectAttributesStorageClass:
			out.StorageClass = opt.Of(opt.Or(r.class(), s3.StorageClassStandard))
		case s3.ObjectAttributesObjectSize:
			out.ObjectSize = &r.Size
		default:
			return nil, invalidArgument("Invalid attribute name specified.", "x-amz-object-attributes", string(wanted))
		}
	}
	return out, nil
}

// attributesOfParts lists the parts of a multipart upload, nil for other objects.
func (r *reading) attributesOfParts(in *s3.GetObjectAttributesInput) *s3.GetObjectAttributesParts {
	if r.meta.Parts == 0 {
		return nil
	}
	limit := opt.Or(in.MaxParts, 1000)
	after := max(opt.Value(in.PartNumberMarker), 0)
	out := &s3.GetObjectAttributesParts{TotalPartsCount: opt.Of(int32(r.meta.Parts)), MaxParts: &limit, PartNumberMarker: &after, IsTruncated: new(false)}
	for i := int(after); i < len(r.parts); i++ {
		if len(out.Parts) == int(limit) {
			out.IsTruncated = new(true)
			break
		}
		n := int32(i + 1)
		out.Parts = append(out.Parts, s3.ObjectPart{PartNumber: &n, Size: &r.parts[i].Size})
		out.NextPartNumberMarker = &n
	}
	return out
}
