package plan

// A ResponseType is one of the gateway response types: the answers that the gateway
// gives itself (request-lifecycle, section 3).
type ResponseType uint8

// The gateway response types. Default4XX and Default5XX are also the types of errors
// that have no type of their own.
const (
	Default4XX ResponseType = iota
	Default5XX
	AccessDenied
	APIConfigurationError
	AuthorizerConfigurationError
	AuthorizerFailure
	BadRequestBody
	BadRequestParameters
	ExpiredToken
	IntegrationFailure
	IntegrationTimeout
	InvalidAPIKey
	InvalidSignature
	MissingAuthenticationToken
	QuotaExceeded
	RequestTooLarge
	ResourceNotFound
	Throttled
	Unauthorized
	UnsupportedMediaType
	WAFFiltered
	ResponseTypeCount
)

var responseTypes = [ResponseTypeCount]struct {
	name   string
	status int
}{
	Default4XX:                   {"DEFAULT_4XX", 0},
	Default5XX:                   {"DEFAULT_5XX", 0},
	AccessDenied:                 {"ACCESS_DENIED", 403},
	APIConfigurationError:        {"API_CONFIGURATION_ERROR", 500},
	AuthorizerConfigurationError: {"AUTHORIZER_CONFIGURATION_ERROR", 500},
	AuthorizerFailure:            {"AUTHORIZER_FAILURE", 500},
	BadRequestBody:               {"BAD_REQUEST_BODY", 400},
	BadRequestParameters:         {"BAD_REQUEST_PARAMETERS", 400},
	ExpiredToken:                 {"EXPIRED_TOKEN", 403},
	IntegrationFailure:           {"INTEGRATION_FAILURE", 504},
	IntegrationTimeout:           {"INTEGRATION_TIMEOUT", 504},
	InvalidAPIKey:                {"INVALID_API_KEY", 403},
	InvalidSignature:             {"INVALID_SIGNATURE", 403},
	MissingAuthenticationToken:   {"MISSING_AUTHENTICATION_TOKEN", 403},
	QuotaExceeded:                {"QUOTA_EXCEEDED", 429},
	RequestTooLarge:              {"REQUEST_TOO_LARGE", 413},
	ResourceNotFound:             {"RESOURCE_NOT_FOUND", 404},
	Throttled:                    {"THROTTLED", 429},
	Unauthorized:                 {"UNAUTHORIZED", 401},
	UnsupportedMediaType:         {"UNSUPPORTED_MEDIA_TYPE", 415},
	WAFFiltered:                  {"WAF_FILTERED", 403},
}

// String returns the type's name in the API: "ACCESS_DENIED".
func (t ResponseType) String() string { return responseTypes[t].name }

// Status returns the status that the type has unless configured, 0 for the two defaults.
func (t ResponseType) Status() int { return responseTypes[t].status }

// Fallback returns the default type that stands in for t when t is not configured.
func (t ResponseType) Fallback() ResponseType {
	if t == Default5XX || t.Status() >= 500 {
		return Default5XX
	}
	return Default4XX
}

// ParseResponseType finds a type by its name.
func ParseResponseType(name string) (ResponseType, bool) {
	for t := range ResponseTypeCount {
		if responseTypes[t].name == name {
			return t, true
		}
	}
	return 0, false
}
