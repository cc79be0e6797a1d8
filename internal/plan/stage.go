package plan

import "time"

// A Stage is a deployment with the settings under which it is called.
type Stage struct {
	API          APIKey
	APIName      string
	Account      string
	Name         string
	DeploymentID string

	// DefaultEndpointDisabled closes all four forms of the default endpoint.
	DefaultEndpointDisabled bool

	// Refusal says why no request of this stage can be served, "" when they can: a
	// setting of the whole stage needs a step that does not exist.
	Refusal string

	Root      *Node
	Variables map[string]string

	// Responses holds the configured gateway responses; nil entries are not configured.
	Responses [ResponseTypeCount]*GatewayResponse

	BinaryMediaTypes []string
}

// A GatewayResponse is a configured answer of the gateway.
type GatewayResponse struct {
	Status    int // 0: as raised
	Header    []ResponseHeader
	Templates []ResponseTemplate // by content type, application/json first when present
}

// A Method is what serves requests with one HTTP method (or ANY) of a resource.
type Method struct {
	Resource *Resource
	Name     string // GET, ..., ANY

	// Refusal says which setting needs a step that does not exist, "" when there is none.
	Refusal string

	OperationName string
	Integration   *Integration

	// Responses are the declared method responses by status.
	Responses map[int]*MethodResponse
}

// A MethodResponse declares the headers that may be answered with a status.
type MethodResponse struct {
	Header map[string]bool // names of declared headers
}

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
}
