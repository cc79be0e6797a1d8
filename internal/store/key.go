package store

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxKeyPart is the largest length of one part of a Key, in bytes. It covers the
// longest id of AWS that we keep (an S3 object key, 1,024 bytes).
const MaxKeyPart = 1024

// A Key names a document.
type Key struct {
	Account string // twelve digits; "" only for what belongs to no account
	Region  string // "" for global kinds, such as those of IAM
	Kind    string // what it is, in the singular: "restapi"; never ""
	Parent  string // the id of the document that owns it, or ""
	ID      string // unique within the other four; never ""
}

// String prints the key for people: restapi "a1b2c3" (000000000000/us-east-1).
func (k Key) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q", k.Kind, k.ID)
	if k.Parent != "" {
		fmt.Fprintf(&b, " of %q", k.Parent)
	}
	if k.Account != "" || k.Region != "" {
		fmt.Fprintf(&b, " (%s/%s)", k.Account, k.Region)
	}
	return b.String()
}

// Scope returns where the document lives: the key without kind and id.
func (k Key) Scope() Scope {
	return Scope{Account: k.Account, Region: k.Region, Parent: k.Parent}
}

// valid reports the first part that cannot be stored, identically in both databases.
func (k Key) valid() error {
	if k.Kind == "" || k.ID == "" {
		return fmt.Errorf("store: key %s: kind and id must not be empty", k)
	}
	for _, part := range [...]struct{ name, value string }{
		{"account", k.Account}, {"region", k.Region}, {"kind", k.Kind}, {"parent", k.Parent}, {"id", k.ID},
	} {
		if err := validText(part.value); err != nil {
			return fmt.Errorf("store: key %s: %s %w", k, part.name, err)
		}
	}
	return nil
}

// validText refuses what PostgreSQL's text type cannot hold, so that the two
// databases agree.
func validText(s string) error {
	switch {
	case len(s) > MaxKeyPart:
		return fmt.Errorf("has %d bytes, want at most %d", len(s), MaxKeyPart)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("contains a NUL character")
	case !utf8.ValidString(s):
		return fmt.Errorf("is not valid UTF-8")
	}
	return nil
}

// A Scope is a place that holds documents of several kinds: an account and
// region, and within them the document that owns them.
type Scope struct {
	Account string
	Region  string // "" for global kinds
	Parent  string // "" for documents that nobody owns
}

// Key returns the key of one document in the scope.
func (s Scope) Key(kind, id string) Key {
	return Key{Account: s.Account, Region: s.Region, Kind: kind, Parent: s.Parent, ID: id}
}

// Of returns the scope of what the document with this id, itself in s, owns.
func (s Scope) Of(id string) Scope {
	s.Parent = id
	return s
}

// A Document is one stored resource.
type Document struct {
	Key
	Revision int64     // of the commit that wrote it last
	Created  time.Time // when it was first written, UTC
	Body     []byte    // owned by the caller
}
