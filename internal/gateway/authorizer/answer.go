package authorizer

import (
	"fmt"
	"strings"

	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/lang/ojson"
)

// A Pair is a value of an authorizer's context, or a claim of a token. Values are text
// wherever they are used: numbers as Java prints them, booleans "true" and "false"
// (authorizers, section 1.7).
type Pair struct{ Name, Value string }

// Find returns the value called name.
func Find(pairs []Pair, name string) (string, bool) {
	for i := range pairs {
		if pairs[i].Name == name {
			return pairs[i].Value, true
		}
	}
	return "", false
}

// An Answer is what a Lambda authorizer said about a caller.
type Answer struct {
	Principal string
	Policy    *iampolicy.Policy
	Document  string // the policy as JSON, as the function wrote it
	Context   []Pair // in the order of the answer; nil without any
	UsageKey  string // usageIdentifierKey; "" without one

	size int // bytes of the function's text
}

// Limits of answers. The service documents that of resources (quotas, section 2); the other
// keeps a function from filling the memory of answers: iampolicy bounds the policy in it.
const (
	MaxAnswer   = 256 << 10 // bytes
	maxResource = 512       // characters of a resource in the policy
)

// An Error says why an answer cannot be used, in the words of the execution log
// (logging-and-metrics, section 2.2).
type Error struct {
	Log   string // "Could not parse policy"
	Cause error  // what is wrong with it; may be nil
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Log + ": " + e.Cause.Error()
	}
	return e.Log
}

func (e *Error) Unwrap() error { return e.Cause }

func badPolicy(cause error) *Error { return &Error{"Could not parse policy", cause} }

func badJSON(format string, args ...any) *Error {
	return &Error{Log: "Invalid JSON in response: " + fmt.Sprintf(format, args...)}
}

// reserved are the names of context values that $context.authorizer has for itself: such
// values of a function are dropped.
var reserved = map[string]bool{"principalId": true, "integrationLatency": true, "claims": true}

// ParseAnswer reads what a Lambda authorizer returned (authorizers, section 1.4). Members
// that the service does not know are refused, and values of the context must be text, numbers
// or booleans; nulls among them are dropped. An error is an *Error.
func ParseAnswer(text string) (*Answer, error) {
	if len(text) > MaxAnswer {
		return nil, badJSON("found %d bytes, expected at most %d", len(text), MaxAnswer)
	}
	v, err := ojson.Parse(text, ojson.Limits{Depth: 100, Bytes: MaxAnswer, Values: MaxAnswer / 4})
	switch {
	case err != nil:
		return nil, badJSON("%v", err)
	case v.Kind() == ojson.Null:
		return nil, badPolicy(nil)
	case v.Kind() != ojson.Object:
		return nil, badJSON("Can not deserialize instance of an authorizer's response out of a JSON %s", v.Kind())
	}
	a := &Answer{size: len(text)}
	named := false
	for name, member := range v.Members() {
		switch name {
		case "principalId":
			named = member.Kind() != ojson.Null
			a.Principal, err = scalar(name, member)
		case "policyDocument":
			err = a.readPolicy(member)
		case "context":
			err = a.readContext(member)
		case "usageIdentifierKey":
			a.UsageKey, err = scalar(name, member)
		default:
			err = badJSON("Unrecognized field %q , not marked as ignorable", name)
		}
		if err != nil {
			return nil, err
		}
	}
	if a.Policy == nil || !named {
		return nil, badPolicy(nil)
	}
	return a, nil
}

// scalar returns the text of a string, number or boolean; null is "".
func scalar(name string, v ojson.Value) (string, error) {
	switch v.Kind() {
	case ojson.Null:
		return "", nil
	case ojson.String:
		return v.Text(), nil
	case ojson.Number, ojson.True, ojson.False:
		return string(v.Append(nil, ojson.Smart)), nil
	}
	return "", badJSON("Can not deserialize instance of java.lang.String out of a JSON %s: %s", v.Kind(), name)
}

func (a *Answer) readPolicy(v ojson.Value) error {
	if v.Kind() != ojson.Object {
		return badPolicy(nil)
	}
	a.Document = strings.Clone(v.Raw()) // else the whole answer is kept
	d, err := iampolicy.ParseDocument(a.Document, iampolicy.Authorizer)
	if err != nil {
		return badPolicy(err)
	}
	for _, s := range d.Statements {
		for _, r := range s.Resources {
			if len(r) > maxResource {
				return badPolicy(fmt.Errorf("resource of %d characters: want at most %d", len(r), maxResource))
			}
		}
	}
	if a.Policy, err = d.Compile(); err != nil {
		return badPolicy(err)
	}
	return nil
}

func (a *Answer) readContext(v ojson.Value) error {
	switch v.Kind() {
	case ojson.Null:
		return nil
	case ojson.Object:
	default:
		return badJSON("Can not deserialize instance of java.util.Map out of a JSON %s: context", v.Kind())
	}
	for name, member := range v.Members() {
		text, err := scalar("context."+name, member)
		if err != nil {
			return err
		}
		if member.Kind() != ojson.Null && !reserved[name] {
			a.Context = append(a.Context, Pair{strings.Clone(name), strings.Clone(text)})
		}
	}
	return nil
}
