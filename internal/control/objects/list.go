package objects

import (
	"context"
	"encoding/base64"
	"strings"

	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// maxKeys is the most entries of one page.
const maxKeys = 1000

// A query is what all lists of objects share.
type query struct {
	prefix, delimiter string
	after             string // the last entry of the page before: a key or a common prefix
	limit             int
}

// newQuery checks the parameters of a list.
func newQuery(prefix, delimiter, after *string, limit *int32, name string) (query, error) {
	q := query{opt.Value(prefix), opt.Value(delimiter), opt.Value(after), int(opt.Or(limit, maxKeys))}
	if q.limit < 0 {
		return q, invalidArgument("Argument "+name+" must be an integer between 0 and 2147483647", name, "")
	}
	q.limit = min(q.limit, maxKeys)
	return q, nil
}

// from returns the smallest key that belongs to the page, and the end of all keys with
// the prefix. After a common prefix everything that it stands for is passed over.
func (q query) from() (from, end string) {
	end = successor(q.prefix)
	switch {
	case q.after < q.prefix:
		return q.prefix, end
	case q.group(q.after) == q.after && q.after != "":
		return successor(q.after), end
	}
	return q.after + "\x00", end
}

// group returns the common prefix that a key is listed under, "" when it is listed itself.
func (q query) group(key string) string {
	rest, ok := strings.CutPrefix(key, q.prefix)
	if q.delimiter == "" || !ok {
		return ""
	}
	i := strings.Index(rest, q.delimiter)
	if i < 0 {
		return ""
	}
	return q.prefix + rest[:i+len(q.delimiter)]
}

// successor returns the smallest string that is greater than every string with the
// prefix; "" when there is none.
func successor(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 {
		if last := len(b) - 1; b[last] < 0xff {
			b[last]++
			return string(b)
		}
		b = b[:len(b)-1]
	}
	return ""
}

// A page is what a list returns: entries in order, and the last of them if more follow.
type page struct {
	objects  []object
	prefixes []string
	last     string // "" at the end
}

func (p *page) size() int { return len(p.objects) + len(p.prefixes) }

// objects lists the latest versions. Whatever lies under a common prefix is jumped over
// and not read.
func (q query) objects(tx *store.Tx, at place) (p page, err error) {
	from, end := q.from()
	last := ""
	for q.limit > 0 {
		found, err := tx.Objects(at.key, from, end, q.limit-p.size()+1)
		if err != nil || len(found) == 0 {
			return p, err
		}
		jumped := false
		for _, v := range found {
			if p.size() == q.limit {
				p.last = last
				return p, nil
			}
			if group := q.group(v.Name); group != "" {
				p.prefixes = append(p.prefixes, group)
				last, from, jumped = group, successor(group), true
				break
			}
			o, err := decodeObject(v)
			if err != nil {
				return p, err
			}
			p.objects = append(p.objects, o)
			last, from = v.Name, v.Name+"\x00"
		}
		if jumped && from == "" {
			return p, nil
		}
	}
	return p, nil
}

// A shower writes keys as the client asked for them.
type shower struct{ escaped bool }

func newShower(encoding *s3.EncodingType) (shower, error) {
	switch opt.Text(encoding) {
	case "":
		return shower{}, nil
	case string(s3.EncodingTypeUrl):
		return shower{escaped: true}, nil
	}
	return shower{}, invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", opt.Text(encoding))
}

// show escapes a key for encoding-type=url. A space is %20, which clients that expect a
// plus sign decode as well.
func (s shower) show(key string) *string {
	if !s.escaped {
		return &key
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.*/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return opt.Of(b.String())
}

func (s shower) optional(key *string) *string {
	if key == nil {
		return nil
	}
	return s.show(*key)
}

func (s shower) prefixes(all []string) []s3.CommonPrefix {
	var out []s3.CommonPrefix
	for _, p := range all {
		out = append(out, s3.CommonPrefix{Prefix: s.show(p)})
	}
	return out
}

func (s shower) objects(all []object, owner *s3.Owner) []s3.Object {
	var out []s3.Object
	for _, o := range all {
		out = append(out, s3.Object{Key: s.show(o.Name), LastModified: &o.Modified, ETag: o.etag(), Size: &o.Size, Owner: owner,
			StorageClass:      opt.Of(s3.ObjectStorageClass(opt.Or(o.class(), s3.StorageClassStandard))),
			ChecksumAlgorithm: o.meta.Checksum.algorithms(), ChecksumType: opt.Convert[s3.ChecksumType](o.meta.Checksum.Type)})
	}
	return out
}

// Continuation tokens carry the last entry of the page before.

func makeToken(last string) string { return base64.URLEncoding.EncodeToString([]byte("1" + last)) }

func readToken(token string) (string, error) {
	b, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(b) == 0 || b[0] != '1' {
		return "", invalidArgument("The continuation token provided is incorrect", "continuation-token", token)
	}
	return string(b[1:]), nil
}

// ListObjectsV2 lists the latest versions page by page.
func (s *Service) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	q, err := newQuery(in.Prefix, in.Delimiter, in.StartAfter, in.MaxKeys, "max-keys")
	if err != nil {
		return nil, err
	}
	sh, err := newShower(in.EncodingType)
	if err != nil {
		return nil, err
	}
	if in.ContinuationToken != nil {
		if q.after, err = readToken(*in.ContinuationToken); err != nil {
			return nil, err
		}
	}
	out := &s3.ListObjectsV2Output{Name: in.Bucket, Prefix: sh.show(q.prefix), Delimiter: sh.optional(in.Delimiter), MaxKeys: opt.Of(int32(q.limit)),
		EncodingType: in.EncodingType, ContinuationToken: in.ContinuationToken, StartAfter: sh.optional(in.StartAfter)}
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, at place) error {
		p, err := q.objects(tx, at)
		if err != nil {
			return err
		}
		var who *s3.Owner
		if opt.Value(in.FetchOwner) {
			who = owner(at.key.Account)
		}
		out.Contents, out.CommonPrefixes = sh.objects(p.objects, who), sh.prefixes(p.prefixes)
		out.KeyCount, out.IsTruncated = opt.Of(int32(p.size())), opt.Of(p.last != "")
		if p.last != "" {
			out.NextContinuationToken = opt.Of(makeToken(p.last))
		}
		return nil
	})
	return out, err
}

// ListObjects is the first version of ListObjectsV2.
func (s *Service) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (*s3.ListObjectsOutput, error) {
	q, err := newQuery(in.Prefix, in.Delimiter, in.Marker, in.MaxKeys, "max-keys")
	if err != nil {
		return nil, err
	}
	sh, err := newShower(in.EncodingType)
	if err != nil {
		return nil, err
	}
	out := &s3.ListObjectsOutput{Name: in.Bucket, Prefix: sh.show(q.prefix), Marker: sh.show(q.after), Delimiter: sh.optional(in.Delimiter),
		MaxKeys: opt.Of(int32(q.limit)), EncodingType: in.EncodingType}
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, at place) error {
		p, err := q.objects(tx, at)
		if err != nil {
			return err
		}
		out.Contents, out.CommonPrefixes = sh.objects(p.objects, owner(at.key.Account)), sh.prefixes(p.prefixes)
		out.IsTruncated = opt.Of(p.last != "")
		if p.last != "" && q.delimiter != "" { // without a delimiter the last key serves
			out.NextMarker = sh.show(p.last)
		}
		return nil
	})
	return out, err
}
