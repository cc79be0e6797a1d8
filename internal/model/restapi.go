package model

import "time"

// RestAPI is a REST API without what belongs to it.
type RestAPI struct {
	ID                        string                `json:"id"`
	Name                      string                `json:"name"`
	Description               string                `json:"description,omitempty"`
	Version                   string                `json:"version,omitempty"`
	CreatedDate               time.Time             `json:"createdDate"`
	APIKeySource              string                `json:"apiKeySource"` // HEADER or AUTHORIZER
	EndpointConfiguration     EndpointConfiguration `json:"endpointConfiguration"`
	BinaryMediaTypes          []string              `json:"binaryMediaTypes,omitempty"`
	MinimumCompressionSize    *int                  `json:"minimumCompressionSize,omitempty"` // bytes, 0 to 10,485,760; nil: no compression
	Policy                    string                `json:"policy,omitempty"`                 // JSON text of the resource policy
	DisableExecuteAPIEndpoint bool                  `json:"disableExecuteApiEndpoint"`
	SecurityPolicy            string                `json:"securityPolicy,omitempty"`
	EndpointAccessMode        string                `json:"endpointAccessMode,omitempty"`
	RootResourceID            string                `json:"rootResourceId"`
	Tags                      map[string]string     `json:"tags,omitempty"`
}

// EndpointConfiguration tells where an API or a domain name is reached.
type EndpointConfiguration struct {
	Types          []string `json:"types"`                   // one of REGIONAL, EDGE, PRIVATE
	IPAddressType  string   `json:"ipAddressType,omitempty"` // ipv4 or dualstack
	VPCEndpointIDs []string `json:"vpcEndpointIds,omitempty"`
}

// Type returns the endpoint type, "" when none is set.
func (c EndpointConfiguration) Type() string {
	if len(c.Types) == 0 {
		return ""
	}
	return c.Types[0]
}

// Resource is one node of an API's path tree with its methods.
type Resource struct {
	ID       string             `json:"id"`
	ParentID string             `json:"parentId,omitempty"` // "" for the root
	PathPart string             `json:"pathPart,omitempty"` // "" for the root
	Path     string             `json:"path"`               // from the root: "/pets/{petId}"
	Methods  map[string]*Method `json:"resourceMethods,omitempty"`
}

// Method is a method of a resource with its responses and integration.
type Method struct {
	HTTPMethod          string                     `json:"httpMethod"`        // or ANY
	AuthorizationType   string                     `json:"authorizationType"` // NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS
	AuthorizerID        string                     `json:"authorizerId,omitempty"`
	AuthorizationScopes []string                   `json:"authorizationScopes,omitempty"`
	APIKeyRequired      bool                       `json:"apiKeyRequired"`
	RequestValidatorID  string                     `json:"requestValidatorId,omitempty"`
	OperationName       string                     `json:"operationName,omitempty"`
	RequestParameters   map[string]bool            `json:"requestParameters,omitempty"` // "method.request.header.x" to required
	RequestModels       map[string]string          `json:"requestModels,omitempty"`     // content type to model name
	MethodResponses     map[string]*MethodResponse `json:"methodResponses,omitempty"`   // by status code
	Integration         *Integration               `json:"methodIntegration,omitempty"`
}

// MethodResponse declares an answer of a method. Empty maps are kept apart from
// absent ones, since answers show them differently (aws-behaviour-recorded, section 5).
type MethodResponse struct {
	StatusCode         string            `json:"statusCode"`
	ResponseParameters map[string]bool   `json:"responseParameters"` // "method.response.header.x" to required; nil when never given
	ResponseModels     map[string]string `json:"responseModels"`     // content type to model name; nil when never given
}

// Integration says what answers a method.
type Integration struct {
	Type                 string                          `json:"type"`                 // MOCK, HTTP, HTTP_PROXY, AWS, AWS_PROXY
	HTTPMethod           string                          `json:"httpMethod,omitempty"` // of the backend call
	URI                  string                          `json:"uri,omitempty"`
	ConnectionType       string                          `json:"connectionType,omitempty"` // INTERNET or VPC_LINK, HTTP types only
	ConnectionID         string                          `json:"connectionId,omitempty"`
	IntegrationTarget    string                          `json:"integrationTarget,omitempty"`
	Credentials          string                          `json:"credentials,omitempty"`
	RequestParameters    map[string]string               `json:"requestParameters,omitempty"`
	RequestTemplates     map[string]string               `json:"requestTemplates,omitempty"`
	PassthroughBehavior  string                          `json:"passthroughBehavior,omitempty"` // WHEN_NO_MATCH, WHEN_NO_TEMPLATES, NEVER
	ContentHandling      string                          `json:"contentHandling,omitempty"`     // CONVERT_TO_BINARY, CONVERT_TO_TEXT
	TimeoutInMillis      int                             `json:"timeoutInMillis"`
	CacheNamespace       string                          `json:"cacheNamespace"`
	CacheKeyParameters   []string                        `json:"cacheKeyParameters"`
	TLSConfig            *TLSConfig                      `json:"tlsConfig,omitempty"`
	ResponseTransferMode string                          `json:"responseTransferMode,omitempty"` // BUFFERED or STREAM
	IntegrationResponses map[string]*IntegrationResponse `json:"integrationResponses,omitempty"` // by status code
}

// TLSConfig holds the TLS options of an integration.
type TLSConfig struct {
	InsecureSkipVerification bool `json:"insecureSkipVerification"`
}

// IntegrationResponse maps a backend's answer to a method response.
type IntegrationResponse struct {
	StatusCode         string             `json:"statusCode"`
	SelectionPattern   *string            `json:"selectionPattern,omitempty"` // a Java regular expression; nil when never sent, which answers show
	ResponseParameters map[string]string  `json:"responseParameters,omitempty"`
	ResponseTemplates  map[string]*string `json:"responseTemplates"` // nil template: shown as null; nil map: never given
	ContentHandling    string             `json:"contentHandling,omitempty"`
}

// APIModel is a model: a JSON schema with a name.
type APIModel struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Schema      string `json:"schema,omitempty"` // the text as it was sent
	ContentType string `json:"contentType"`
}

// RequestValidator says which parts of a request are validated.
type RequestValidator struct {
	ID                        string `json:"id"`
	Name                      string `json:"name"`
	ValidateRequestBody       bool   `json:"validateRequestBody"`
	ValidateRequestParameters bool   `json:"validateRequestParameters"`
}

// Authorizer is a Lambda or Cognito authorizer.
type Authorizer struct {
	ID                           string   `json:"id"`
	Name                         string   `json:"name"`
	Type                         string   `json:"type"` // TOKEN, REQUEST, COGNITO_USER_POOLS
	ProviderARNs                 []string `json:"providerARNs,omitempty"`
	AuthType                     string   `json:"authType,omitempty"`
	AuthorizerURI                string   `json:"authorizerUri,omitempty"`
	AuthorizerCredentials        string   `json:"authorizerCredentials,omitempty"`
	IdentitySource               string   `json:"identitySource,omitempty"`
	IdentityValidationExpression string   `json:"identityValidationExpression,omitempty"`
	AuthorizerResultTTLInSeconds *int     `json:"authorizerResultTtlInSeconds,omitempty"` // 0 to 3600; nil acts as 300
}

// GatewayResponse customises the answers that the gateway itself gives.
type GatewayResponse struct {
	ResponseType       string            `json:"responseType"`
	StatusCode         string            `json:"statusCode,omitempty"`
	ResponseParameters map[string]string `json:"responseParameters,omitempty"`
	ResponseTemplates  map[string]string `json:"responseTemplates,omitempty"`
}

// DocumentationPart documents one entity of an API.
type DocumentationPart struct {
	ID         string                `json:"id"`
	Location   DocumentationLocation `json:"location"`
	Properties string                `json:"properties"` // JSON text as it was sent
}

// DocumentationLocation names what a documentation part is about.
type DocumentationLocation struct {
	Type       string `json:"type"`
	Path       string `json:"path,omitempty"`
	Method     string `json:"method,omitempty"`
	StatusCode string `json:"statusCode,omitempty"`
	Name       string `json:"name,omitempty"`
}

// DocumentationVersion is a snapshot of an API's documentation parts.
type DocumentationVersion struct {
	Version     string              `json:"version"`
	CreatedDate time.Time           `json:"createdDate"`
	Description string              `json:"description,omitempty"`
	Parts       []DocumentationPart `json:"parts,omitempty"`
}

// VPCLink names the load balancers behind which private integrations live; one of version 2 names
// the subnets that it reaches them from, and integrations name the load balancers.
type VPCLink struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Description   string            `json:"description,omitempty"`
	TargetARNs    []string          `json:"targetArns"`
	Status        string            `json:"status"`
	StatusMessage string            `json:"statusMessage,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`

	// Of version 2.
	Subnets        []string  `json:"subnetIds,omitempty"`
	SecurityGroups []string  `json:"securityGroupIds,omitempty"`
	CreatedDate    time.Time `json:"createdDate,omitzero"`
}

// Account holds API Gateway's settings of an account in a region.
type Account struct {
	CloudwatchRoleARN string `json:"cloudwatchRoleArn,omitempty"`
}
