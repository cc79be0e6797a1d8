// Package awsuri reads the URIs of AWS and AWS_PROXY integrations and of Lambda authorizers:
//
//	arn:{partition}:apigateway:{region}:{service}:action/{Action}&{Param}={value}
//	arn:{partition}:apigateway:{region}:{subdomain}.{service}:path/{path}?{query}
//
// (API reference, Integration, uri; routing-and-integrations, section 4.3). Stage variables
// are resolved before. Placeholders ({name}) may stand in what follows the colon of action or
// path, and nowhere else: a request never chooses the region or the service. The compiler
// calls it once for each integration. Values are read-only and safe for concurrent use.
package awsuri

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// MaxLength is the longest URI that is read, in bytes.
const MaxLength = 8 << 10

// A URI is the parsed URI of a call to an AWS service. Exactly one of Action and Path is set.
type URI struct {
	Partition string // "aws"
	Region    string // "us-east-1"
	Subdomain string // "runtime" of "runtime.sagemaker"; mostly ""
	Service   string // "sqs": the signing name, in lower case but for what customers wrote

	// Action is the name of an action: "PutItem".
	Action string

	// Path begins with "/" and may have placeholders; it is raw, as written.
	Path string

	// Query is what follows the action or the path, without its "&" or "?"; raw, with
	// placeholders.
	Query string
}

// Parse reads a URI. Its errors say what was found and what was expected.
func Parse(s string) (URI, error) {
	if len(s) > MaxLength {
		return URI{}, fmt.Errorf("URI of %d bytes: want at most %d", len(s), MaxLength)
	}
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[2] != "apigateway" {
		return URI{}, fmt.Errorf("URI %q: want arn:aws:apigateway:{region}:{service}:{action|path}/…", s)
	}
	u := URI{Partition: p[1], Region: p[3], Service: p[4]}
	if i := strings.LastIndexByte(p[4], '.'); i >= 0 {
		u.Subdomain, u.Service = p[4][:i], p[4][i+1:]
		if !isHost(u.Subdomain) {
			return URI{}, fmt.Errorf("URI %q: subdomain %q: want labels of letters, digits and hyphens", s, u.Subdomain)
		}
	}
	for _, part := range []struct{ name, text string }{{"partition", u.Partition}, {"region", u.Region}, {"service", u.Service}} {
		if !isLabel(part.text) {
			return URI{}, fmt.Errorf("URI %q: %s %q: want letters, digits and hyphens", s, part.name, part.text)
		}
	}
	kind, rest, _ := strings.Cut(p[5], "/")
	switch kind {
	case "action":
		return u.withAction(s, rest)
	case "path":
		u.Path, u.Query, _ = strings.Cut("/"+rest, "?")
		return u, nil
	}
	return URI{}, fmt.Errorf("URI %q: %q: want action/ or path/", s, p[5])
}

// withAction splits an action from its parameters, which follow an "&" (or a "?").
func (u URI) withAction(s, rest string) (URI, error) {
	u.Action = rest
	if i := strings.IndexAny(rest, "&?"); i >= 0 {
		u.Action, u.Query = rest[:i], rest[i+1:]
	}
	for i := 0; i < len(u.Action); i++ {
		if !isAlphanumeric(u.Action[i]) && strings.IndexByte("_.-", u.Action[i]) < 0 {
			return URI{}, fmt.Errorf("URI %q: action %q: want a name", s, u.Action)
		}
	}
	if u.Action == "" {
		return URI{}, fmt.Errorf("URI %q: want the name of an action", s)
	}
	return u, nil
}

// String writes the URI so that Parse reads the same.
func (u URI) String() string {
	b := "arn:" + u.Partition + ":apigateway:" + u.Region + ":"
	if u.Subdomain != "" {
		b += u.Subdomain + "."
	}
	b += u.Service
	switch {
	case u.Action != "" && u.Query != "":
		return b + ":action/" + u.Action + "&" + u.Query
	case u.Action != "":
		return b + ":action/" + u.Action
	case u.Query != "":
		return b + ":path" + u.Path + "?" + u.Query
	}
	return b + ":path" + u.Path
}

// Host is the host of the service's endpoint in AWS: "sqs.us-east-1.amazonaws.com".
func (u URI) Host() string {
	host := u.Service + "." + u.Region + ".amazonaws.com"
	if u.Partition == "aws-cn" {
		host += ".cn"
	}
	if u.Subdomain != "" {
		return u.Subdomain + "." + host
	}
	return host
}

// A Function is the Lambda function that a URI calls.
type Function struct {
	// ARN names the function as the URI does, qualified or not:
	// "arn:aws:lambda:us-east-1:000000000000:function:orders:live".
	ARN       string
	Region    string
	Account   string
	Name      string
	Qualifier string // version or alias; "" when the ARN has none

	// Streaming is set for response-streaming-invocations.
	Streaming bool
}

// ErrNoFunction is returned for URIs that invoke no Lambda function.
var ErrNoFunction = errors.New("URI invokes no Lambda function")

// The two ways in which a URI invokes a function (routing-and-integrations, sections 4 and 10).
const (
	buffered, bufferedEnd   = "/2015-03-31/functions/", "/invocations"
	streaming, streamingEnd = "/2021-11-15/functions/", "/response-streaming-invocations"
)

// Function returns the Lambda function that u invokes: ErrNoFunction when u is not an
// invocation, another error when it does not name a function by its ARN.
func (u URI) Function() (Function, error) {
	if u.Service != "lambda" || u.Subdomain != "" {
		return Function{}, ErrNoFunction
	}
	name, ok := between(u.Path, buffered, bufferedEnd)
	isStream := false
	if !ok {
		name, isStream = between(u.Path, streaming, streamingEnd)
	}
	if !ok && !isStream {
		return Function{}, ErrNoFunction
	}
	f, err := parseFunction(name)
	f.Streaming = isStream
	return f, err
}

func between(s, prefix, suffix string) (string, bool) {
	s, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, suffix)
}

// parseFunction reads a function's ARN, whose colons may be escaped.
func parseFunction(text string) (Function, error) {
	arn, err := url.PathUnescape(text)
	if err != nil {
		arn = text
	}
	p := strings.Split(arn, ":")
	if len(p) != 7 && len(p) != 8 || p[0] != "arn" || p[2] != "lambda" || p[5] != "function" {
		return Function{}, fmt.Errorf("function %q: want arn:aws:lambda:{region}:{account}:function:{name}", text)
	}
	f := Function{ARN: arn, Region: p[3], Account: p[4], Name: p[6]}
	if len(p) == 8 {
		f.Qualifier = p[7]
		if f.Qualifier != "$LATEST" && !isName(f.Qualifier) {
			return Function{}, fmt.Errorf("function %q: qualifier %q: want a version or an alias", text, f.Qualifier)
		}
	}
	if !isLabel(p[1]) || !isLabel(f.Region) || !isLabel(f.Account) || !isName(f.Name) {
		return Function{}, fmt.Errorf("function %q: want arn:aws:lambda:{region}:{account}:function:{name}", text)
	}
	return f, nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isLabel reports whether s can be a label of a host name.
func isLabel(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && (s[i] != '-' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

func isHost(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isName reports whether s can name a function, a version or an alias.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 140
}
