package identities

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/store"
)

// An entity is a user, group or role as it is stored. Its document's id is its name in
// lower case: IAM tells names apart without regard to case.
type entity struct {
	Name     string         `json:"name"`
	Path     string         `json:"path"`
	ID       string         `json:"id"` // "AIDA…", "AGPA…", "AROA…"
	Created  time.Time      `json:"created"`
	Tags     []tag          `json:"tags,omitempty"`
	Boundary string         `json:"boundary,omitempty"` // ARN
	Inline   []inlinePolicy `json:"inline,omitempty"`   // by name
	Attached []string       `json:"attached,omitempty"` // ARNs, in order of attachment

	Groups []string `json:"groups,omitempty"` // users: ids of their groups

	Trust       string `json:"trust,omitempty"` // roles
	Description string `json:"description,omitempty"`
	MaxSession  int32  `json:"maxSession,omitempty"` // in seconds
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type inlinePolicy struct {
	Name     string `json:"name"`
	Document string `json:"document"`
}

// A managedPolicy is a customer's managed policy; its document's id is its name in
// lower case.
type managedPolicy struct {
	Name        string          `json:"name"`
	Path        string          `json:"path"`
	ID          string          `json:"id"` // "ANPA…"
	ARN         string          `json:"arn"`
	Description string          `json:"description,omitempty"`
	Created     time.Time       `json:"created"`
	Updated     time.Time       `json:"updated"`
	Default     string          `json:"default"` // "v1"
	Next        int             `json:"next"`    // number of the next version
	Versions    []policyVersion `json:"versions"`
	Tags        []tag           `json:"tags,omitempty"`
}

type policyVersion struct {
	ID       string    `json:"id"`
	Document string    `json:"document"`
	Created  time.Time `json:"created"`
}

func (p *managedPolicy) version(id string) *policyVersion {
	for i := range p.Versions {
		if p.Versions[i].ID == id {
			return &p.Versions[i]
		}
	}
	return nil
}

// An accessKey belongs to the user whose id is its parent. Its secret is sealed beside
// it.
type accessKey struct {
	ID      string    `json:"id"`
	Active  bool      `json:"active"`
	Created time.Time `json:"created"`
}

const secretName = "secret"

type instanceProfile struct {
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	ID      string    `json:"id"` // "AIPA…"
	Created time.Time `json:"created"`
	Roles   []string  `json:"roles,omitempty"` // ids of at most one role
	Tags    []tag     `json:"tags,omitempty"`
}

type accountAlias struct {
	Alias string `json:"alias"`
}

var (
	accessKeys = store.Collection[accessKey]{Kind: "iamaccesskey"}
	policies   = store.Collection[managedPolicy]{Kind: "iampolicy"}
	profiles   = store.Collection[instanceProfile]{Kind: "iaminstanceprofile"}
	aliases    = store.Collection[accountAlias]{Kind: "iamaccountalias"}
)

// A sort is one of the three sorts of entities.
type sort struct {
	docs      store.Collection[entity]
	noun      string // as IAM says it
	title     string
	resource  string // in ARNs
	prefix    string // of ids
	maxInline int    // characters of all inline policies, white space not counted
}

var (
	users  = sort{store.Collection[entity]{Kind: "iamuser"}, "user", "User", "user", "AIDA", 2048}
	groups = sort{store.Collection[entity]{Kind: "iamgroup"}, "group", "Group", "group", "AGPA", 5120}
	roles  = sort{store.Collection[entity]{Kind: "iamrole"}, "role", "Role", "role", "AROA", 10240}
)

// ours reports whether documents of a kind are identities.
func ours(kind string) bool { return strings.HasPrefix(kind, "iam") }

func (s *sort) arn(account string, e *entity) string {
	return "arn:aws:iam::" + account + ":" + s.resource + e.Path + e.Name
}

// get returns an entity by name, or NoSuchEntity.
func (s *sort) get(tx *txn, name string) (entity, error) {
	e, err := s.docs.Get(tx.Tx, tx.scope(), strings.ToLower(name))
	if errors.Is(err, store.ErrNotFound) {
		return e, iam.NoSuchEntityException("The " + s.noun + " with name " + name + " cannot be found.")
	}
	return e, err
}

func (s *sort) put(tx *txn, e entity) error {
	id := strings.ToLower(e.Name)
	tx.touch(s.docs.Key(tx.scope(), id))
	return s.docs.Put(tx.Tx, tx.scope(), id, e)
}

func (s *sort) create(tx *txn, e entity) error {
	id := strings.ToLower(e.Name)
	tx.touch(s.docs.Key(tx.scope(), id))
	err := s.docs.Create(tx.Tx, tx.scope(), id, e)
	if errors.Is(err, store.ErrExists) {
		return iam.EntityAlreadyExistsException(s.title + " with name " + e.Name + " already exists.")
	}
	return err
}

func (s *sort) delete(tx *txn, e *entity) error {
	id := strings.ToLower(e.Name)
	tx.touch(s.docs.Key(tx.scope(), id))
	return s.docs.Delete(tx.Tx, tx.scope(), id)
}

// edit changes one entity.
func (s *sort) edit(tx *txn, name string, fn func(*entity) error) error {
	e, err := s.get(tx, name)
	if err != nil {
		return err
	}
	if err := fn(&e); err != nil {
		return err
	}
	return s.put(tx, e)
}

// all returns every entity of the account.
func (s *sort) all(tx *txn) ([]entity, error) { return values(s.docs, tx, tx.scope()) }

// values returns every document of a collection in scope.
func values[T any](c store.Collection[T], tx *txn, in store.Scope) ([]T, error) {
	var all []T
	for item, err := range c.In(tx.Tx, in) {
		if err != nil {
			return nil, err
		}
		all = append(all, item.Value)
	}
	return all, nil
}

// newID returns a unique id: prefix and n characters.
func newID(prefix string, n int) string {
	return prefix + rand.Text()[:n] // 26 characters of base 32
}

// newSecret returns a secret access key: 40 characters.
func newSecret() string {
	b := make([]byte, 30)
	rand.Read(b) // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(b)
}
