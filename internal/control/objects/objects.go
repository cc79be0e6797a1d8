// Package objects is S3 on Gatehouse: buckets, objects and their versions, as far as
// trust stores, function code, revocation lists and the clients that upload them need.
// It fills the Backends of s3 and s3control, and other parts of the control plane read
// objects through Read.
//
// Buckets and uploads in progress are documents of the store; objects, versions and
// contents have tables of their own there. Contents stream in both directions in
// bounded memory. Every change of an object is one entry of kind store.KindObject in
// the change log, which whoever follows an object watches.
//
// A Service has no state but the store and is safe for concurrent use.
package objects

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/s3control"
	"gatehouse/internal/store"
)

// A Service answers the calls of S3.
type Service struct {
	store    *store.Store
	policies policyCache
}

var (
	_ s3.Backend        = (*Service)(nil)
	_ s3control.Backend = (*Service)(nil)
)

// New returns a Service on a store.
func New(st *store.Store) *Service {
	return &Service{store: st}
}

// MaxObject is the largest content of one PutObject or part, in bytes, as in S3.
const MaxObject = 5 << 30

// caller returns who calls.
func caller(ctx context.Context) *awsapi.Call { return awsapi.CallFrom(ctx) }

// ownerID is the canonical user id of an account: S3 names owners by 64 hexadecimal
// digits that say nothing.
func ownerID(account string) string {
	sum := sha256.Sum256([]byte("gatehouse canonical user " + account))
	return hex.EncodeToString(sum[:])
}

func owner(account string) *s3.Owner {
	id := ownerID(account)
	return &s3.Owner{ID: &id}
}

// nullVersion is the version id of what was put while versioning was not enabled.
const nullVersion = "null"

// newID returns an id for a version or an upload: 32 characters that are safe in URLs.
func newID() string {
	var b [24]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// versionForm is the form of all version ids that newID makes.
var versionForm = regexp.MustCompile(`^(null|[A-Za-z0-9_-]{32})$`)
