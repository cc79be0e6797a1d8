package objects

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// A meta is what is kept with a version of an object besides its content.
type meta struct {
	ContentType  string            `json:"contentType,omitempty"`
	Cache        string            `json:"cacheControl,omitempty"`
	Disposition  string            `json:"contentDisposition,omitempty"`
	Encoding     string            `json:"contentEncoding,omitempty"`
	Language     string            `json:"contentLanguage,omitempty"`
	Expires      string            `json:"expires,omitempty"`
	Redirect     string            `json:"redirect,omitempty"`
	StorageClass string            `json:"storageClass,omitempty"` // "" is STANDARD
	User         map[string]string `json:"user,omitempty"`         // x-amz-meta-*
	Tags         []tag             `json:"tags,omitempty"`
	Checksum     checksum          `json:"checksum"`
	Parts        int               `json:"parts,omitempty"` // of a multipart upload; 0 for others
}

func (m meta) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic("objects: strings and numbers always encode: " + err.Error())
	}
	return b
}

// An object is a version of an object as found in a transaction.
type object struct {
	store.ObjectVersion
	meta meta
}

func decodeObject(v store.ObjectVersion) (object, error) {
	o := object{ObjectVersion: v}
	if v.Marker {
		return o, nil
	}
	return o, json.Unmarshal(v.Meta, &o.meta)
}

// etag returns the ETag as it is sent.
func (o object) etag() *string { return opt.Of(`"` + o.ETag + `"`) }

// class returns the storage class as answers show it: STANDARD is left out of headers.
func (o object) class() *s3.StorageClass { return opt.Convert[s3.StorageClass](o.meta.StorageClass) }

// findVersion returns the version of a key that a read asks for: the one of the id, or
// the latest. A delete marker is an error.
func findVersion(tx *store.Tx, p place, key string, id *string) (object, error) {
	v, err := lookUp(tx, p, key, id)
	if err != nil {
		return object{}, err
	}
	if !v.Marker {
		return decodeObject(v)
	}
	if opt.Value(id) == "" {
		return object{}, noSuchKey(key).WithHeader("x-amz-delete-marker", "true").WithHeader("x-amz-version-id", v.Version)
	}
	return object{}, s3.MethodNotAllowed("The specified method is not allowed against this resource.").
		With("Method", "GET").With("ResourceType", "DeleteMarker").
		WithHeader("x-amz-delete-marker", "true").WithHeader("x-amz-version-id", v.Version).
		WithHeader("Allow", "DELETE").WithHeader("Last-Modified", v.Modified.Format(http.TimeFormat))
}

// lookUp is findVersion for those who want delete markers too.
func lookUp(tx *store.Tx, p place, key string, id *string) (store.ObjectVersion, error) {
	if opt.Value(id) == "" {
		v, err := tx.Object(p.key, key)
		return v, absent(err, noSuchKey(key))
	}
	if !versionForm.MatchString(*id) {
		return store.ObjectVersion{}, invalidVersion(*id)
	}
	v, err := tx.ObjectVersion(p.key, key, *id)
	return v, absent(err, noSuchVersion(key, *id))
}

// checkKey refuses keys that S3 or the store cannot keep.
func checkKey(key string) error {
	switch {
	case len(key) > store.MaxKeyPart:
		return s3.KeyTooLongError("Your key is too long").With("Size", int64(len(key))).With("MaxSizeAllowed", int64(store.MaxKeyPart))
	case !utf8.ValidString(key) || strings.Contains(key, "\x00"):
		return invalidArgument("Object keys must be UTF-8 without NUL", "key", "")
	}
	return nil
}

// checkUser applies S3's limit of 2 KB to names and values of user metadata together.
func checkUser(user map[string]string) error {
	size := 0
	for k, v := range user {
		size += len(k) + len(v)
	}
	if size > 2<<10 {
		return s3.MetadataTooLarge("Your metadata headers exceed the maximum allowed metadata size").
			With("Size", int64(size)).With("MaxSizeAllowed", int64(2<<10))
	}
	return nil
}

// storageClasses are those of general purpose buckets that need no retrieval.
var storageClasses = map[string]bool{"": true, "STANDARD": true, "REDUCED_REDUNDANCY": true, "STANDARD_IA": true,
	"ONEZONE_IA": true, "INTELLIGENT_TIERING": true, "GLACIER_IR": true}

// storageClass returns the class as it is kept. A class says nothing about how a
// content is kept here, but clients want back what they gave.
func storageClass(c *s3.StorageClass) (string, error) {
	class := opt.Text(c)
	if !storageClasses[class] {
		return "", s3.InvalidStorageClass("The storage class you specified is not valid").With("StorageClassRequested", class)
	}
	if class == "STANDARD" {
		return "", nil
	}
	return class, nil
}

// withoutChunked removes what only says how the content was sent.
func withoutChunked(encoding *string) string {
	var kept []string
	for e := range strings.SplitSeq(opt.Value(encoding), ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			kept = append(kept, e)
		}
	}
	return strings.Join(kept, ",")
}

// A conditions is the preconditions of a read or of the source of a copy.
type conditions struct {
	match, noneMatch         *string // If-Match, If-None-Match
	modified, unmodified     *time.Time
	notModified              func(object) error // what If-None-Match and If-Modified-Since answer
	matchName, noneMatchName string             // the headers, for errors
}

// check applies the preconditions in the order of RFC 9110 section 13.2.2, which S3
// documents for GetObject as well: an ETag outweighs a time.
func (c conditions) check(o object) error {
	modified := o.Modified.Truncate(time.Second) // headers carry whole seconds
	switch {
	case c.match != nil:
		if !etagMatches(*c.match, o.ETag) {
			return preconditionFailed(c.matchName)
		}
	case c.unmodified != nil && modified.After(*c.unmodified):
		return preconditionFailed("If-Unmodified-Since")
	}
	switch {
	case c.noneMatch != nil:
		if etagMatches(*c.noneMatch, o.ETag) {
			return c.notModified(o)
		}
	case c.modified != nil && !modified.After(*c.modified):
		return c.notModified(o)
	}
	return nil
}

// etagMatches compares with a list of ETags; quotes may be missing, as SDKs leave them out.
func etagMatches(list, etag string) bool {
	for e := range strings.SplitSeq(list, ",") {
		e = strings.TrimSpace(e)
		if e == "*" || strings.Trim(strings.TrimPrefix(e, "W/"), `"`) == etag {
			return true
		}
	}
	return false
}

// checkWrite applies If-Match and If-None-Match of a write to what is there now.
func checkWrite(tx *store.Tx, p place, key string, match, noneMatch *string) error {
	if match == nil && noneMatch == nil {
		return nil
	}
	if noneMatch != nil && strings.TrimSpace(*noneMatch) != "*" {
		return notServed("If-None-Match other than * on a write")
	}
	v, err := tx.Object(p.key, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	there := err == nil && !v.Marker
	switch {
	case noneMatch != nil && there:
		return preconditionFailed("If-None-Match")
	case match != nil && !there:
		return noSuchKey(key)
	case match != nil && !etagMatches(*match, v.ETag):
		return preconditionFailed("If-Match")
	}
	return nil
}
