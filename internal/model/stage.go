package model

import "time"

// Deployment is the record of a deployment; what it froze is its Snapshot.
type Deployment struct {
	ID          string                               `json:"id"`
	Description string                               `json:"description,omitempty"`
	CreatedDate time.Time                            `json:"createdDate"`
	APISummary  map[string]map[string]MethodSnapshot `json:"apiSummary,omitempty"` // path, then method
}

// MethodSnapshot summarises a deployed method.
type MethodSnapshot struct {
	AuthorizationType string `json:"authorizationType"`
	APIKeyRequired    bool   `json:"apiKeyRequired"`
}

// Snapshot is an API as it was when it was deployed: everything that takes effect
// through a deployment (routing-and-integrations, section 2.4).
type Snapshot struct {
	API               RestAPI            `json:"api"`
	Resources         []Resource         `json:"resources"`
	Models            []APIModel         `json:"models,omitempty"`
	RequestValidators []RequestValidator `json:"requestValidators,omitempty"`
	Authorizers       []Authorizer       `json:"authorizers,omitempty"`
	GatewayResponses  []GatewayResponse  `json:"gatewayResponses,omitempty"`
}

// Stage is a named, callable deployment with settings of its own. The settings act
// at once, without a deployment.
type Stage struct {
	StageName            string                    `json:"stageName"`
	DeploymentID         string                    `json:"deploymentId"`
	Description          string                    `json:"description,omitempty"`
	ClientCertificateID  string                    `json:"clientCertificateId,omitempty"`
	CacheClusterEnabled  bool                      `json:"cacheClusterEnabled"`
	CacheClusterSize     string                    `json:"cacheClusterSize,omitempty"` // gigabytes, as AWS writes them: "0.5"
	CacheClusterStatus   string                    `json:"cacheClusterStatus"`
	MethodSettings       map[string]*MethodSetting `json:"methodSettings"` // "*/*" or "pets/{petId}/GET", escaped as in patch paths
	Variables            map[string]string         `json:"variables,omitempty"`
	DocumentationVersion string                    `json:"documentationVersion,omitempty"`
	AccessLogSettings    *AccessLogSettings        `json:"accessLogSettings,omitempty"`
	CanarySettings       *CanarySettings           `json:"canarySettings,omitempty"`
	TracingEnabled       bool                      `json:"tracingEnabled"`
	WebACLARN            string                    `json:"webAclArn,omitempty"`
	Tags                 map[string]string         `json:"tags,omitempty"`
	CreatedDate          time.Time                 `json:"createdDate"`
	LastUpdatedDate      time.Time                 `json:"lastUpdatedDate"`

	// How often the caches of responses and of authorizers' verdicts were flushed: what was
	// kept under another count is not used.
	CacheFlushes           int64 `json:"cacheFlushes,omitempty"`
	AuthorizerCacheFlushes int64 `json:"authorizerCacheFlushes,omitempty"`
}

// MethodSetting holds a stage's settings for one method or, as "*/*", for all.
type MethodSetting struct {
	MetricsEnabled                         bool    `json:"metricsEnabled"`
	LoggingLevel                           string  `json:"loggingLevel,omitempty"` // OFF, ERROR, INFO
	DataTraceEnabled                       bool    `json:"dataTraceEnabled"`
	ThrottlingBurstLimit                   int     `json:"throttlingBurstLimit"`
	ThrottlingRateLimit                    float64 `json:"throttlingRateLimit"` // requests per second
	CachingEnabled                         bool    `json:"cachingEnabled"`
	CacheTTLInSeconds                      int     `json:"cacheTtlInSeconds"` // 0 to 3600
	CacheDataEncrypted                     bool    `json:"cacheDataEncrypted"`
	RequireAuthorizationForCacheControl    bool    `json:"requireAuthorizationForCacheControl"`
	UnauthorizedCacheControlHeaderStrategy string  `json:"unauthorizedCacheControlHeaderStrategy"`
}

// AccessLogSettings says where access log lines go and what is in them.
type AccessLogSettings struct {
	DestinationARN string `json:"destinationArn,omitempty"`
	Format         string `json:"format,omitempty"`
}

// CanarySettings sends a part of a stage's traffic to another deployment.
type CanarySettings struct {
	PercentTraffic         float64           `json:"percentTraffic"` // 0.0 to 100.0
	DeploymentID           string            `json:"deploymentId"`
	StageVariableOverrides map[string]string `json:"stageVariableOverrides,omitempty"`
	UseStageCache          bool              `json:"useStageCache"`
}
