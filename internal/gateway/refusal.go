package gateway

import (
	"fmt"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/plan"
)

// A Refusal ends an exchange with an answer of the gateway's own. Every one of them is
// rendered in render.go.
type Refusal struct {
	Type    plan.ResponseType // which gateway response answers
	Status  int               // status chosen by the raiser; 0: the type's own
	Message string            // safe for the caller: $context.error.message
	Null    bool              // there is no message: it shows as null
	Kind    string            // x-amzn-ErrorType

	// Executing tells that the method's execution had begun: the default body then has a
	// space after its colon (request-lifecycle, section 3.4).
	Executing bool

	// Plain is a text answered as it is, without a gateway response: the service refuses
	// some requests before it knows their API (request-lifecycle, section 4.6).
	Plain string

	// Custom answers instead of a gateway response: what the owner of a web ACL wants to
	// be sent wins over both (wafv2, section 8).
	Custom *wafrules.Response

	// Detail is $context.error.validationErrorString.
	Detail string

	// Reason says for the log why the request was refused, in a bounded set of words.
	Reason string

	// Line is what the execution log says; "" lets the type and the cause say it.
	Line string

	// Cause is for the log only; it may be nil.
	Cause error
}

// Error tells the log what happened; callers never see it.
func (r *Refusal) Error() string {
	if r.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", r.Type, r.Reason, r.Cause)
	}
	return fmt.Sprintf("%s: %s", r.Type, r.Reason)
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

// The refusals that need no detail. They are shared by all exchanges and not modified.
var (
	// request-lifecycle, section 4.2.
	errUnknownHost       = forbidden("unknown-host")
	errNoStage           = forbidden("no-stage")
	errEndpointDisabled  = forbidden("default-endpoint-disabled")
	errNoMapping         = forbidden("no-mapping")
	errHostMismatch      = forbidden("sni-host-mismatch")
	errClientCertificate = forbidden("client-certificate")
	errNoRoute           = &Refusal{Type: plan.MissingAuthenticationToken, Message: "Missing Authentication Token", Kind: "MissingAuthenticationTokenException", Reason: "no-route"}
	errNotFound          = &Refusal{Type: plan.ResourceNotFound, Message: "Not Found", Kind: "NotFoundException", Reason: "not-found"}
	errMisdirected       = &Refusal{Status: 421, Plain: "Misdirected Request", Reason: "misdirected"}
	errBadHost           = &Refusal{Status: 400, Plain: "Bad Request", Reason: "bad-host"}

	// request-lifecycle, section 4.6.
	errBodyTooLarge = &Refusal{Status: 413, Plain: "HTTP content length exceeded 10485760 bytes.", Reason: "body-too-large"}

	// request-lifecycle, section 5.
	errTimeout       = &Refusal{Type: plan.IntegrationTimeout, Message: "Endpoint request timed out", Kind: "InternalServerErrorException", Executing: true, Reason: "integration-timeout"}
	errNetwork       = &Refusal{Type: plan.IntegrationFailure, Message: "Network error communicating with endpoint", Kind: "InternalServerErrorException", Executing: true, Reason: "integration-network"}
	errEventTooLarge = &Refusal{Type: plan.RequestTooLarge, Message: "Request Too Long", Kind: "RequestTooLargeException", Executing: true, Reason: "event-too-large"}
	errUnsupported   = &Refusal{Type: plan.UnsupportedMediaType, Message: "Unsupported Media Type", Kind: "BadRequestException", Executing: true, Reason: "unsupported-media-type"}
)

func forbidden(reason string) *Refusal {
	return &Refusal{Type: plan.Default4XX, Status: 403, Message: "Forbidden", Kind: "ForbiddenException", Reason: reason}
}

// misconfigured is the 500 for what the API's own configuration makes impossible; detail
// goes to the execution log behind "Execution failed due to configuration error: ".
func misconfigured(reason, detail string) *Refusal {
	return &Refusal{Type: plan.APIConfigurationError, Message: "Internal server error", Kind: "InternalServerErrorException",
		Executing: true, Reason: reason, Cause: configurationError(detail)}
}

// notOffered answers a request whose method needs a step that this version does not
// have: it is never served without the step.
func notOffered(what string) *Refusal {
	return &Refusal{Type: plan.Default5XX, Status: 500, Message: "Internal server error", Kind: "InternalServerErrorException",
		Executing: true, Reason: "not-offered", Cause: configurationError(what)}
}

// configurationError is a fault of the API's configuration, in the words of the
// execution log.
type configurationError string

func (e configurationError) Error() string { return string(e) }
