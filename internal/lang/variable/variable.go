// Package variable names the $context variables of the service: which exist, and where each
// may be used (mapping-templates reference, section 5). Compilers of templates, parameter
// mappings and log formats resolve names to IDs once; at run time the gateway supplies
// values by ID. All of it is read-only and safe for concurrent use.
package variable

import "strings"

// Use is a set of places where a variable has a value.
type Use uint8

// The places.
const (
	Template        Use = 1 << iota // mapping templates and parameter mappings
	Authorizer                      // authorizer events and identity sources
	AccessLog                       // access log formats
	GatewayResponse                 // gateway response templates and headers

	Everywhere = Template | Authorizer | AccessLog | GatewayResponse
)

// ID is a $context variable. Zero is none.
type ID uint8

// The variables, named after the path behind "$context.".
const (
	AccountID ID = iota + 1
	APIID
	AWSEndpointRequestID // request id of the AWS endpoint behind the integration
	BasePathMatched      // mapping path, "v1/orders"
	RoutingRuleIDMatched
	DeploymentID
	DomainName
	DomainPrefix // first label of the domain name
	EndpointType
	ErrorMessage
	ErrorMessageString // the message as a JSON string, or null
	ErrorResponseType
	ValidationErrorString
	ExtendedRequestID
	HTTPMethod
	IdentityAccountID
	IdentityAccessKey
	IdentityAPIKey
	IdentityAPIKeyID
	IdentityCaller
	CognitoAuthenticationProvider
	CognitoAuthenticationType
	CognitoIdentityID
	CognitoIdentityPoolID
	ClientCertPEM
	ClientCertSubjectDN
	ClientCertIssuerDN
	ClientCertSerialNumber
	ClientCertNotBefore
	ClientCertNotAfter
	IdentityPrincipalOrgID
	SourceIP
	IdentityUser
	UserAgent
	IdentityUserARN
	VPCID
	VPCEID
	IsCanaryRequest // "true" or "false" on canary stages, else unset
	OperationName
	Path     // request path, with the stage on default hosts
	Protocol // always "HTTP/1.1"
	RequestID
	RequestTime      // "dd/MMM/yyyy:HH:mm:ss +0000"
	RequestTimeEpoch // in milliseconds
	ResourceID
	ResourcePath // path template, "/pets/{petId}"
	Stage
	TLSVersion
	CipherSuite
	WAFResponseCode // "WAF_ALLOW" or "WAF_BLOCK"; unset without a web ACL
	WebACLARN
	XRayTraceID
	AuthenticateError
	AuthenticateLatency
	AuthenticateStatus
	AuthorizeError
	AuthorizeLatency
	AuthorizeStatus
	PrincipalID // from a Lambda authorizer
	AuthorizerError
	AuthorizerLatency
	AuthorizerStatus
	AuthorizerIntegrationLatency
	AuthorizerIntegrationStatus
	AuthorizerRequestID
	WAFError
	WAFLatency
	WAFStatus
	IntegrationError     // also called integrationErrorMessage
	IntegrationAPIStatus // status of the Lambda API call; also called integrationStatus
	IntegrationStatus    // status the integration answered; for Lambda proxy the function's statusCode
	IntegrationLatency   // in milliseconds; also called integrationLatency
	IntegrationRequestID // the same as awsEndpointRequestId
	ResponseTransferMode // "BUFFERED" or "STREAMED"
	TimeToAllHeaders
	TimeToFirstContent
	ResponseLatency // in milliseconds
	ResponseLength  // bytes of payload sent
	Status

	// AuthorizerValue is authorizer.<name>: a value of a Lambda authorizer's context. The name
	// is given beside the ID.
	AuthorizerValue
	// Claim is authorizer.claims.<name>: a claim of a Cognito token.
	Claim
	// Override is requestOverride.<...> or responseOverride.<...>: the whole path is given
	// beside the ID.
	Override

	count
)

// table has the path and the uses of every fixed variable.
var table = [...]struct {
	path string
	uses Use
}{
	AccountID:                     {"accountId", Everywhere},
	APIID:                         {"apiId", Everywhere},
	AWSEndpointRequestID:          {"awsEndpointRequestId", Template | AccessLog},
	BasePathMatched:               {"customDomain.basePathMatched", AccessLog},
	RoutingRuleIDMatched:          {"customDomain.routingRuleIdMatched", AccessLog},
	DeploymentID:                  {"deploymentId", Everywhere},
	DomainName:                    {"domainName", Everywhere},
	DomainPrefix:                  {"domainPrefix", Everywhere},
	EndpointType:                  {"endpointType", AccessLog},
	ErrorMessage:                  {"error.message", AccessLog | GatewayResponse},
	ErrorMessageString:            {"error.messageString", AccessLog | GatewayResponse},
	ErrorResponseType:             {"error.responseType", AccessLog | GatewayResponse},
	ValidationErrorString:         {"error.validationErrorString", AccessLog | GatewayResponse},
	ExtendedRequestID:             {"extendedRequestId", Everywhere},
	HTTPMethod:                    {"httpMethod", Everywhere},
	IdentityAccountID:             {"identity.accountId", Everywhere},
	IdentityAccessKey:             {"identity.accessKey", Everywhere},
	IdentityAPIKey:                {"identity.apiKey", Everywhere},
	IdentityAPIKeyID:              {"identity.apiKeyId", Everywhere},
	IdentityCaller:                {"identity.caller", Everywhere},
	CognitoAuthenticationProvider: {"identity.cognitoAuthenticationProvider", Everywhere},
	CognitoAuthenticationType:     {"identity.cognitoAuthenticationType", Everywhere},
	CognitoIdentityID:             {"identity.cognitoIdentityId", Everywhere},
	CognitoIdentityPoolID:         {"identity.cognitoIdentityPoolId", Everywhere},
	ClientCertPEM:                 {"identity.clientCert.clientCertPem", Everywhere},
	ClientCertSubjectDN:           {"identity.clientCert.subjectDN", Everywhere},
	ClientCertIssuerDN:            {"identity.clientCert.issuerDN", Everywhere},
	ClientCertSerialNumber:        {"identity.clientCert.serialNumber", Everywhere},
	ClientCertNotBefore:           {"identity.clientCert.validity.notBefore", Everywhere},
	ClientCertNotAfter:            {"identity.clientCert.validity.notAfter", Everywhere},
	IdentityPrincipalOrgID:        {"identity.principalOrgId", Everywhere},
	SourceIP:                      {"identity.sourceIp", Everywhere},
	IdentityUser:                  {"identity.user", Everywhere},
	UserAgent:                     {"identity.userAgent", Everywhere},
	IdentityUserARN:               {"identity.userArn", Everywhere},
	VPCID:                         {"identity.vpcId", Everywhere},
	VPCEID:                        {"identity.vpceId", Everywhere},
	IsCanaryRequest:               {"isCanaryRequest", Everywhere},
	OperationName:                 {"operationName", Everywhere},
	Path:                          {"path", Everywhere},
	Protocol:                      {"protocol", Everywhere},
	RequestID:                     {"requestId", Everywhere},
	RequestTime:                   {"requestTime", Everywhere},
	RequestTimeEpoch:              {"requestTimeEpoch", Everywhere},
	ResourceID:                    {"resourceId", Everywhere},
	ResourcePath:                  {"resourcePath", Everywhere},
	Stage:                         {"stage", Everywhere},
	TLSVersion:                    {"tlsVersion", AccessLog},
	CipherSuite:                   {"cipherSuite", AccessLog},
	WAFResponseCode:               {"wafResponseCode", Everywhere},
	WebACLARN:                     {"webaclArn", Everywhere},
	XRayTraceID:                   {"xrayTraceId", AccessLog},
	AuthenticateError:             {"authenticate.error", AccessLog},
	AuthenticateLatency:           {"authenticate.latency", AccessLog},
	AuthenticateStatus:            {"authenticate.status", AccessLog},
	AuthorizeError:                {"authorize.error", AccessLog},
	AuthorizeLatency:              {"authorize.latency", AccessLog},
	AuthorizeStatus:               {"authorize.status", AccessLog},
	PrincipalID:                   {"authorizer.principalId", Template | AccessLog | GatewayResponse},
	AuthorizerError:               {"authorizer.error", AccessLog},
	AuthorizerLatency:             {"authorizer.latency", AccessLog},
	AuthorizerStatus:              {"authorizer.status", AccessLog},
	AuthorizerIntegrationLatency:  {"authorizer.integrationLatency", AccessLog},
	AuthorizerIntegrationStatus:   {"authorizer.integrationStatus", AccessLog},
	AuthorizerRequestID:           {"authorizer.requestId", AccessLog},
	WAFError:                      {"waf.error", AccessLog},
	WAFLatency:                    {"waf.latency", AccessLog},
	WAFStatus:                     {"waf.status", AccessLog},
	IntegrationError:              {"integration.error", AccessLog},
	IntegrationAPIStatus:          {"integration.integrationStatus", AccessLog},
	IntegrationStatus:             {"integration.status", AccessLog},
	IntegrationLatency:            {"integration.latency", AccessLog},
	IntegrationRequestID:          {"integration.requestId", AccessLog},
	ResponseTransferMode:          {"integration.responseTransferMode", AccessLog},
	TimeToAllHeaders:              {"integration.timeToAllHeaders", AccessLog},
	TimeToFirstContent:            {"integration.timeToFirstContent", AccessLog},
	ResponseLatency:               {"responseLatency", AccessLog},
	ResponseLength:                {"responseLength", AccessLog},
	Status:                        {"status", AccessLog},
	AuthorizerValue:               {"authorizer", Template | AccessLog | GatewayResponse},
	Claim:                         {"authorizer.claims", Template | AccessLog | GatewayResponse},
	Override:                      {"", Template},
}

// synonyms are further paths of variables.
var synonyms = map[string]ID{
	"integrationErrorMessage": IntegrationError,
	"integrationStatus":       IntegrationAPIStatus,
	"integrationLatency":      IntegrationLatency,
	"authorizer.claims":       0, // null as a whole
}

var byPath = func() map[string]ID {
	m := make(map[string]ID, int(count)+len(synonyms))
	for id := AccountID; id < AuthorizerValue; id++ {
		m[table[id].path] = id
	}
	for path, id := range synonyms {
		m[path] = id
	}
	return m
}()

// Lookup resolves the path behind "$context.". For AuthorizerValue and Claim, arg is
// the name; for Override it is the path itself; otherwise it is "". Names are
// case-sensitive. ok is false when there is no such variable.
func Lookup(path string) (id ID, arg string, ok bool) {
	if id, known := byPath[path]; known {
		return id, "", id != 0
	}
	if name, found := strings.CutPrefix(path, "authorizer.claims."); found && name != "" {
		return Claim, name, true
	}
	if name, found := strings.CutPrefix(path, "authorizer."); found && name != "" {
		return AuthorizerValue, name, true
	}
	for _, root := range []string{"requestOverride.", "responseOverride."} {
		if len(path) > len(root) && strings.HasPrefix(path, root) {
			return Override, path, true
		}
	}
	return 0, "", false
}

// LookupIn is Lookup for one place: a variable that has no value there is not found. A name
// under authorizer that means something in access logs alone (error, status, ...) is
// elsewhere a value of the authorizer's own.
func LookupIn(path string, u Use) (id ID, arg string, ok bool) {
	id, arg, ok = Lookup(path)
	if !ok || id.In(u) {
		return id, arg, ok
	}
	if name, found := strings.CutPrefix(path, "authorizer."); found && AuthorizerValue.In(u) {
		return AuthorizerValue, name, true
	}
	return 0, "", false
}

// String returns the path of id, without a leading "context.".
func (id ID) String() string {
	if int(id) < len(table) {
		return table[id].path
	}
	return ""
}

// In reports whether id has a value in one of the places of u.
func (id ID) In(u Use) bool { return int(id) < len(table) && table[id].uses&u != 0 }

// All visits the fixed variables: every one but AuthorizerValue, Claim and Override.
func All(yield func(ID) bool) {
	for id := AccountID; id < AuthorizerValue; id++ {
		if !yield(id) {
			return
		}
	}
}

// A Source supplies the values of one request. It belongs to that request's goroutine.
type Source interface {
	// AppendVariable appends the value of id to dst. Without a value (unset, null, or
	// not known yet) it returns dst unchanged and false. arg is what Lookup returned.
	AppendVariable(dst []byte, id ID, arg string) ([]byte, bool)
}
