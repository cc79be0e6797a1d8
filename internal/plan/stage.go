package plan

import (
	"strings"
	"time"

	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/gateway/meter"
	"gatehouse/internal/gateway/throttle"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/lang/jsonpath"
	"gatehouse/internal/lang/mapping"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/securitypolicy"
	"gatehouse/internal/trust/backendtls"
)

// A Stage is a deployment with the settings under which it is called.
type Stage struct {
	API          APIKey
	APIName      string
	Account      string
	Name         string
	DeploymentID string
	EndpointType string // REGIONAL, EDGE, PRIVATE

	// DefaultEndpointDisabled closes all four forms of the default endpoint.
	DefaultEndpointDisabled bool

	// TLSPolicy is what connections over TLS must have negotiated, wherever they came in; nil
	// asks nothing beyond the handshake. StrictSNI demands that server name and Host agree on
	// each (the API's security policy and endpoint access mode).
	TLSPolicy *securitypolicy.Policy
	StrictSNI bool

	Root      *Node
	Variables map[string]string

	// Responses holds the configured gateway responses; nil entries are not configured.
	Responses [ResponseTypeCount]*GatewayResponse

	Binary BinaryTypes

	// Compression compresses answers and decompresses requests; nil does neither.
	Compression *Compression

	// Policy is the API's resource policy; nil when it has none.
	Policy *iampolicy.Policy

	// KeyFromAuthorizer takes API keys from the authorizer instead of the header.
	KeyFromAuthorizer bool

	// RateLimitHeaders says how callers are told of limits; none by default.
	RateLimitHeaders ratelimit.Style

	// Guard is the stage's web ACL; nil when it has none.
	Guard *inspect.Guard

	// ClientCertificateID names what the stage presents to HTTPS backends, and Client is it;
	// "" and nil when it presents nothing.
	ClientCertificateID string
	Client              *backendtls.Client

	// Links are the ids of the VPC links that integrations go through; some may be there twice.
	Links []string

	// AccessLog is nil when the stage writes no access log.
	AccessLog *AccessLog

	// ExecutionGroup is the log group of execution logs.
	ExecutionGroup string

	// Canary is the release that a part of the requests goes to; nil without one.
	Canary *Canary

	// IsCanary tells that the stage is the release of a canary. What it logs goes to the
	// stage's log groups and to those with CanarySuffix too.
	IsCanary bool
}

// A Canary is a second release of a stage.
type Canary struct {
	Share   float64 // of the requests, 0 to 1
	Release *Stage
}

// CanarySuffix ends the names of the log groups that canary requests are told in a second
// time.
const CanarySuffix = "/Canary"

// Compression is an API's minimumCompressionSize.
type Compression struct {
	Least int64 // bytes of the smallest answer that is compressed, 0 to 10,485,760
}

// An AccessLog says what is written for each request, and where.
type AccessLog struct {
	Group  string // name of the log group
	Format *expression.Template
}

// A GatewayResponse is a configured answer of the gateway.
type GatewayResponse struct {
	Status    int // 0: as raised
	Header    []expression.Mapping
	Templates []ResponseTemplate // application/json first, when there is one
}

// A ResponseTemplate is the body of a gateway response for one content type.
type ResponseTemplate struct {
	ContentType string
	Text        *expression.Template
}

// A Method is what serves requests with one HTTP method (or ANY) of a resource.
type Method struct {
	Resource *Resource
	Name     string // GET, ..., ANY

	// Refusal says which setting needs a step that does not exist, "" when there is none.
	Refusal string

	// Authorization says how callers of the method are authorized, beside the policy.
	Authorization Authorization

	// Authorizer is asked about callers of AuthorizeLambda and AuthorizeUserPool; nil
	// otherwise.
	Authorizer *Authorizer

	// Scopes are the scopes of which a token must have one (AuthorizeUserPool).
	Scopes []string

	// Validation is nil when the method has no request validator.
	Validation *Validation

	OperationName string
	Integration   *Integration

	// Responses are the statuses of the declared method responses.
	Responses map[int]bool

	// Throttle is the limiter of the method, the stage's and the account's. The zero
	// value admits everything.
	Throttle throttle.Method

	// Keys admits API keys to the method; nil when it requires none.
	Keys *meter.Route

	// Caching keeps the method's answers; nil does not.
	Caching *Caching

	// Metrics has requests of the method counted by themselves, beside the stage's.
	Metrics bool

	Log LogLevel
	// DataTrace adds headers and bodies to the execution log.
	DataTrace bool
}

// Authorization is the way callers of a method are authorized.
type Authorization uint8

// The authorization types that are offered.
const (
	AuthorizeNone Authorization = iota
	AuthorizeIAM
	AuthorizeLambda   // CUSTOM
	AuthorizeUserPool // COGNITO_USER_POOLS
)

// LogLevel says how much of an exchange the execution log tells.
type LogLevel uint8

// The levels of execution logs.
const (
	LogOff LogLevel = iota
	LogError
	LogInfo
)

// IntegrationType tells what answers a method.
type IntegrationType uint8

// The integration types.
const (
	Mock IntegrationType = iota
	HTTP
	HTTPProxy
	AWS
	AWSProxy
)

// An Integration is the compiled form of what answers a method.
type Integration struct {
	Type    IntegrationType
	Timeout time.Duration

	// Broken says why the integration can never be called, in the words of the execution
	// log; "" when it can.
	Broken string

	// HTTPMethod is the backend's method; "" stands for the client's own.
	HTTPMethod string
	Target     *upstream.Target // HTTP types
	URI        *expression.URI  // path and query of the backend, HTTP types
	FixedURI   string           // the same when it has no placeholder

	// Service is what an AWS integration calls that has no Function; else nil. Target, URI and
	// FixedURI are its endpoint's.
	Service *Service

	// Function is the Lambda function that answers; nil for all but AWS and AWSProxy, and
	// for those that call another service.
	Function *Function

	// Parameters are the request parameter mappings, in order of their keys.
	Parameters []Mapped

	// Templates are the request templates by content type; $default is last.
	Templates   []Template
	Passthrough Passthrough

	// Responses are tried in order of status code; Default answers when none matches.
	Responses []*IntegrationResponse
	Default   *IntegrationResponse

	// ContentHandling converts the request's payload.
	ContentHandling ContentHandling

	// Stream passes the backend's answer on as it arrives (responseTransferMode).
	Stream bool

	// Idle is how long a streamed answer may stand still before it is cut.
	Idle time.Duration
}

// Passthrough says what becomes of a request body that no template is for.
type Passthrough uint8

// The passthrough behaviours (routing-and-integrations, section 4.6).
const (
	WhenNoMatch Passthrough = iota
	WhenNoTemplates
	Never
)

// A Mapped is a parameter mapping with its JSONPath compiled.
type Mapped struct {
	expression.Mapping
	Path *jsonpath.Path // of a source that reads into a body; else nil
}

// A Template is a mapping template for one content type.
type Template struct {
	ContentType string
	Template    *mapping.Template // nil when Problem says why there is none
	Problem     error             // of a text that is no template: rendering it fails
}

// ContentHandling says how a payload is converted between text and bytes.
type ContentHandling uint8

// The conversions (routing-and-integrations, section 5).
const (
	ByType ContentHandling = iota // undefined: as the types of content and Accept say
	ToText
	ToBinary
)

// An IntegrationResponse maps the backend's answer to the client's.
type IntegrationResponse struct {
	Status     int
	Pattern    Pattern // nil for the default
	Parameters []Mapped
	Templates  []Template

	// ContentHandling converts the answer's payload.
	ContentHandling ContentHandling
}

// A Pattern is a compiled selection pattern, which must match the whole value.
type Pattern interface{ MatchString(s string) bool }

// BinaryTypes are an API's binary media types: exact types, "type/*" or "*/*", in lower
// case. "*/subtype" matches nothing.
type BinaryTypes []string

// Match reports whether a media type without parameters is binary. A wildcard in the type
// itself matches only the same entry (routing-and-integrations, section 5).
func (b BinaryTypes) Match(mediaType string) bool {
	for _, entry := range b {
		if entry == "*/*" || strings.EqualFold(entry, mediaType) {
			return true
		}
		if prefix, ok := strings.CutSuffix(entry, "/*"); ok && prefix != "*" {
			if i := strings.IndexByte(mediaType, '/'); i >= 0 && strings.EqualFold(mediaType[:i], prefix) && mediaType[i+1:] != "*" {
				return true
			}
		}
	}
	return false
}
