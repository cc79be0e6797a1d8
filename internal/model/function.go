package model

import "time"

// Function is a Lambda function with its versions and aliases. Its code is attached to
// the document under the hash of its package.
type Function struct {
	Name     string            `json:"name"`
	Latest   FunctionVersion   `json:"latest"`             // $LATEST
	Versions []FunctionVersion `json:"versions,omitempty"` // published, by number
	Counter  int               `json:"counter"`            // the last number that was given to a version
	Aliases  []FunctionAlias   `json:"aliases,omitempty"`  // by name
	Tags     map[string]string `json:"tags,omitempty"`

	// Policies are the resource policies by qualifier; "" is that of the function.
	Policies map[string]FunctionPolicy `json:"policies,omitempty"`

	// Reserved is how many calls may run at a time, all versions together; nil leaves it to the account.
	Reserved *int `json:"reserved,omitempty"`

	// Events are the settings of asynchronous calls by qualifier; "$LATEST" for those without.
	Events map[string]FunctionEvents `json:"events,omitempty"`

	// URLs are the function URLs by alias; "" is that of $LATEST.
	URLs map[string]FunctionURL `json:"urls,omitempty"`
}

// FunctionURL is a URL that calls a function.
type FunctionURL struct {
	ID       string        `json:"id"`       // first label of its host name
	AuthType string        `json:"authType"` // NONE or AWS_IAM
	Mode     string        `json:"mode"`     // BUFFERED or RESPONSE_STREAM
	CORS     *FunctionCORS `json:"cors,omitempty"`
	Created  time.Time     `json:"created"`
	Modified time.Time     `json:"modified"`
}

// FunctionCORS says what web pages may do with a function URL.
type FunctionCORS struct {
	AllowCredentials bool     `json:"allowCredentials,omitempty"`
	AllowHeaders     []string `json:"allowHeaders,omitempty"`
	AllowMethods     []string `json:"allowMethods,omitempty"`
	AllowOrigins     []string `json:"allowOrigins,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	MaxAge           int      `json:"maxAge,omitempty"` // seconds
}

// FunctionVersion is the code and configuration of a function at one time.
type FunctionVersion struct {
	Version     string            `json:"version"` // "$LATEST" or a number
	RevisionID  string            `json:"revisionId"`
	Runtime     string            `json:"runtime"`
	Role        string            `json:"role"`
	Handler     string            `json:"handler,omitempty"`
	Description string            `json:"description,omitempty"`
	Timeout     int               `json:"timeout"` // seconds
	Memory      int               `json:"memory"`  // MB
	Storage     int               `json:"storage"` // MB
	Environment map[string]string `json:"environment,omitempty"`
	Layers      []FunctionLayer   `json:"layers,omitempty"`
	Tracing     string            `json:"tracing,omitempty"`
	LogGroup    string            `json:"logGroup,omitempty"`
	Arch        string            `json:"arch"`
	CodeSHA256  string            `json:"codeSha256"` // of the package, base64
	CodeSize    int64             `json:"codeSize"`
	Modified    time.Time         `json:"modified"`
}

// FunctionLayer is a version of a layer that a function uses.
type FunctionLayer struct {
	ARN        string `json:"arn"`
	CodeSHA256 string `json:"codeSha256"`
	CodeSize   int64  `json:"codeSize"`
}

// FunctionAlias is a name for a version, or for two by weight.
type FunctionAlias struct {
	Name        string             `json:"name"`
	Version     string             `json:"version"`
	Description string             `json:"description,omitempty"`
	Weights     map[string]float64 `json:"weights,omitempty"` // of other versions, 0 to 1
	RevisionID  string             `json:"revisionId"`
}

// FunctionPolicy is a resource policy, a statement at a time.
type FunctionPolicy struct {
	RevisionID string                `json:"revisionId"`
	Statements []PermissionStatement `json:"statements"`
}

// PermissionStatement is what AddPermission adds: a statement of a policy as JSON.
type PermissionStatement struct {
	ID   string `json:"id"`
	JSON string `json:"json"`
}

// FunctionEvents are the settings of asynchronous calls.
type FunctionEvents struct {
	Retries  *int      `json:"retries,omitempty"` // 0 to 2
	MaxAge   *int      `json:"maxAge,omitempty"`  // seconds, 60 to 21600
	Success  string    `json:"success,omitempty"` // ARN of a function that hears of events that were carried out
	Failure  string    `json:"failure,omitempty"` // ARN of a function or bucket that hears of those that were given up
	Modified time.Time `json:"modified"`
}

// Layer is a Lambda layer. The code of its versions is attached under its hash.
type Layer struct {
	Name     string         `json:"name"`
	Counter  int64          `json:"counter"`
	Versions []LayerVersion `json:"versions,omitempty"` // by number
}

// LayerVersion is one version of a layer.
type LayerVersion struct {
	Version       int64     `json:"version"`
	Description   string    `json:"description,omitempty"`
	License       string    `json:"license,omitempty"`
	Runtimes      []string  `json:"runtimes,omitempty"`
	Architectures []string  `json:"architectures,omitempty"`
	CodeSHA256    string    `json:"codeSha256"`
	CodeSize      int64     `json:"codeSize"`
	Created       time.Time `json:"created"`

	Policy FunctionPolicy `json:"policy,omitzero"` // who may read it beside its account
}
