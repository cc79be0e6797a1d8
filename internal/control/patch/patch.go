// Package patch reads the patchOperations of API Gateway's update calls. What a path
// means is up to each resource; this package has what they share: JSON pointers, values
// and the wording of refusals (aws-behaviour-recorded, section 1, "Patch operations").
package patch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
)

// Operation is one patch operation. The names of its op were checked by the model.
type Operation struct {
	Op    string // add, remove, replace, move, copy, test
	Path  string // a JSON pointer, still escaped
	From  string // for move and copy
	Value string // "" when none was sent
	Sent  bool   // a value was sent
}

// Operations converts the operations of a call, keeping their order.
func Operations(in []apigateway.PatchOperation) []Operation {
	out := make([]Operation, len(in))
	for i, o := range in {
		if o.Op != nil {
			out[i].Op = string(*o.Op)
		}
		if o.Path != nil {
			out[i].Path = *o.Path
		}
		if o.From != nil {
			out[i].From = *o.From
		}
		if o.Value != nil {
			out[i].Value, out[i].Sent = *o.Value, true
		}
	}
	return out
}

// Tokens splits the path into its unescaped reference tokens (RFC 6901): "/a/b~1c" is
// "a" and "b/c". A path that does not start with "/" has none.
func (o Operation) Tokens() []string { return Tokens(o.Path) }

// Tokens splits a JSON pointer into its unescaped reference tokens.
func Tokens(path string) []string {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil
	}
	tokens := strings.Split(rest, "/")
	for i := range tokens {
		tokens[i] = Unescape(tokens[i])
	}
	return tokens
}

// Unescape decodes one reference token: ~1 is "/", ~0 is "~" (RFC 6901 section 4).
func Unescape(token string) string {
	if strings.IndexByte(token, '~') < 0 {
		return token
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}

// Escape encodes one reference token.
func Escape(token string) string {
	return strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
}

// Key returns the unescaped key when the path is prefix followed by exactly one token:
// Key("/tags/") of "/tags/a~1b" is "a/b".
func (o Operation) Key(prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(o.Path, prefix)
	if !ok || rest == "" || strings.Contains(rest, "/") {
		return "", false
	}
	return Unescape(rest), true
}

// Bool reads the value as the service does: "true" in any case is true, all else and
// nothing at all are false.
func (o Operation) Bool() bool { return strings.EqualFold(o.Value, "true") }

// Int reads the value as a decimal number.
func (o Operation) Int() (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(o.Value))
	return n, err == nil
}

// Float reads the value as a number; Terraform sends "5.000000" for rates.
func (o Operation) Float() (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(o.Value), 64)
	return f, err == nil
}

// Only refuses every op but the given ones, in the words of resources with open paths.
func (o Operation) Only(ops ...string) error {
	if slices.Contains(ops, o.Op) {
		return nil
	}
	return InvalidOp(ops...)
}

// InvalidPath is the refusal of an unknown path by resources with open paths.
func InvalidPath(path string) *awserr.Error {
	return apigateway.BadRequestException("Invalid patch path " + path)
}

// InvalidOp is the refusal of an op on a known path, by resources with open paths.
func InvalidOp(allowed ...string) *awserr.Error {
	return apigateway.BadRequestException("Invalid patch operation specified. Must be one of: [" + strings.Join(allowed, ", ") + "]")
}

// A Closed table lists the only paths that a resource's update takes, each with its ops.
// The service words refusals differently for such resources, with two spaces.
type Closed []struct {
	Path string
	Ops  []string
}

// Check refuses an operation that is not in the table. An op that no path takes is
// refused first, even when the path is wrong too.
func (c Closed) Check(o Operation) error {
	known := slices.ContainsFunc(c, func(e struct {
		Path string
		Ops  []string
	}) bool {
		return slices.Contains(e.Ops, o.Op)
	})
	if !known {
		return apigateway.BadRequestException(fmt.Sprintf("Invalid patch path  '%s' specified for op '%s'. Please choose supported operations", o.Path, o.Op))
	}
	var paths []string
	for _, e := range c {
		if !slices.Contains(e.Ops, o.Op) {
			continue
		}
		if e.Path == o.Path {
			return nil
		}
		paths = append(paths, e.Path)
	}
	return apigateway.BadRequestException(fmt.Sprintf("Invalid patch path  '%s' specified for op '%s'. Must be one of: [%s]", o.Path, o.Op, strings.Join(paths, ", ")))
}
