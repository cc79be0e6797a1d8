package identities

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// IAM fills the Backend of iam. Texts of errors are those of the service as clients
// have seen them.
type IAM struct {
	iam.Unimplemented
	s *Service
}

// IAM returns the operations of iam.
func (s *Service) IAM() *IAM { return &IAM{s: s} }

// change and view run fn in the caller's account.
func (b *IAM) change(ctx context.Context, fn func(*txn) error) error {
	return b.s.change(ctx, awsapi.CallFrom(ctx).Account, fn)
}

func (b *IAM) view(ctx context.Context, fn func(*txn) error) error {
	return b.s.view(ctx, awsapi.CallFrom(ctx).Account, fn)
}

// text is the value of an optional member.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// opt is an optional member that is absent when it is empty.
func opt(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func invalid(message string) error {
	return awserr.New("ValidationError", http.StatusBadRequest, message)
}

// pathOf returns a path, "/" when none is given.
func pathOf(p *string) (string, error) {
	path := val(p)
	if path == "" {
		return "/", nil
	}
	if path[0] != '/' || path[len(path)-1] != '/' || strings.Contains(path, "//") {
		return "", invalid("The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return path, nil
}

// encode is how IAM returns policy documents (RFC 3986).
func encode(document string) *string {
	return new(strings.ReplaceAll(url.QueryEscape(document), "+", "%20"))
}

// checkDocument refuses a document that does not parse, in IAM's words with the place.
func checkDocument(text string, kind iampolicy.Kind) error {
	_, err := iampolicy.Parse(text, kind)
	if e, ok := errors.AsType[*iampolicy.Error](err); ok {
		return iam.MalformedPolicyDocumentException(e.Summary + " (" + e.Error() + ")")
	}
	return err
}

// size is the length of a document without white space, as its quotas count.
func size(document string) int {
	n := 0
	for _, r := range document {
		if r != ' ' && r != '\t' && r != '\n' && r != '\r' {
			n++
		}
	}
	return n
}

// page cuts one page out of items, which it sorts by key without regard to case. A
// marker is the key of the last item of the page before.
func page[T any](items []T, key func(*T) string, marker *string, limit *int32) (part []T, truncated *bool, next *string, _ error) {
	slices.SortStableFunc(items, func(a, b T) int { return strings.Compare(strings.ToLower(key(&a)), strings.ToLower(key(&b))) })
	if marker != nil {
		last, err := base64.RawURLEncoding.DecodeString(*marker)
		if err != nil {
			return nil, nil, nil, invalid("Invalid Marker.")
		}
		after := strings.ToLower(string(last))
		items = items[countWhile(items, func(t *T) bool { return strings.ToLower(key(t)) <= after }):]
	}
	most := 100
	if limit != nil {
		most = int(*limit)
	}
	if len(items) <= most {
		return items, new(false), nil, nil
	}
	return items[:most], new(true), new(base64.RawURLEncoding.EncodeToString([]byte(key(&items[most-1])))), nil
}

func countWhile[T any](items []T, is func(*T) bool) int {
	for i := range items {
		if !is(&items[i]) {
			return i
		}
	}
	return len(items)
}

// under keeps the items whose path begins with prefix.
func under[T any](items []T, path func(*T) string, prefix *string) []T {
	if val(prefix) == "" {
		return items
	}
	return slices.DeleteFunc(items, func(t T) bool { return !strings.HasPrefix(path(&t), *prefix) })
}

const maxTags = 50

// mergeTags adds tags to a list. Keys are told apart without regard to case, as IAM
// does; a key that is there takes the new value and keeps its place.
func mergeTags(have []tag, add []iam.Tag) ([]tag, error) {
	out := slices.Clone(have)
	for i, t := range add {
		key := *t.Key
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil, iam.InvalidInputException("Tag keys beginning with aws: are reserved for system use.")
		}
		if strings.HasPrefix(key, "gatehouse:") {
			return nil, iam.InvalidInputException("The tag " + key + " is not known: no tag of IAM's resources switches anything.")
		}
		for _, earlier := range add[:i] {
			if strings.EqualFold(*earlier.Key, key) {
				return nil, iam.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
			}
		}
		if at := slices.IndexFunc(out, func(o tag) bool { return strings.EqualFold(o.Key, key) }); at >= 0 {
			out[at] = tag{key, *t.Value}
		} else {
			out = append(out, tag{key, *t.Value})
		}
	}
	if len(out) > maxTags {
		return nil, iam.LimitExceededException("The number of tags has reached the maximum limit.")
	}
	return out, nil
}

func removeTags(have []tag, keys []string) []tag {
	return slices.DeleteFunc(slices.Clone(have), func(t tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
	})
}

func showTags(tags []tag) []iam.Tag {
	var out []iam.Tag
	for _, t := range tags {
		out = append(out, iam.Tag{Key: new(t.Key), Value: new(t.Value)})
	}
	return out
}

func listTags(tags []tag, marker *string, limit *int32) ([]iam.Tag, *bool, *string, error) {
	part, truncated, next, err := page(showTags(tags), func(t *iam.Tag) string { return *t.Key }, marker, limit)
	if part == nil {
		part = []iam.Tag{}
	}
	return part, truncated, next, err
}

func showBoundary(arn string) *iam.AttachedPermissionsBoundary {
	if arn == "" {
		return nil
	}
	return &iam.AttachedPermissionsBoundary{PermissionsBoundaryArn: &arn,
		PermissionsBoundaryType: new(iam.PermissionsBoundaryAttachmentTypePermissionsBoundaryPolicy)}
}

// managed returns a managed policy by ARN, AWS's or the account's.
func managed(tx *txn, arn string) (managedPolicy, error) {
	if b := awsManaged(arn); b != nil {
		return b.managedPolicy, nil
	}
	account, name, ok := policyName(arn)
	if ok && account == tx.account {
		p, err := policies.Get(tx.Tx, tx.scope(), strings.ToLower(name))
		if err == nil && p.ARN == arn || err != nil && !errors.Is(err, store.ErrNotFound) {
			return p, err
		}
	}
	return managedPolicy{}, store.ErrNotFound
}

// mustManaged is managed with IAM's answer to what is not there.
func mustManaged(tx *txn, arn, missing string) (managedPolicy, error) {
	p, err := managed(tx, arn)
	if errors.Is(err, store.ErrNotFound) {
		return p, iam.NoSuchEntityException("Policy " + arn + " " + missing)
	}
	return p, err
}

const (
	notFound      = "was not found."
	notAttachable = "does not exist or is not attachable."
)
