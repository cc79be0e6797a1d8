package model

import "time"

// APIKey is an API key. Its value is sealed in the store; look-ups go by keyed hash.
type APIKey struct {
	ID              string            `json:"id"`
	Name            string            `json:"name,omitempty"`
	CustomerID      string            `json:"customerId,omitempty"`
	Description     string            `json:"description,omitempty"`
	Enabled         bool              `json:"enabled"`
	ValueHash       string            `json:"valueHash"` // keyed hash, hexadecimal
	StageKeys       []string          `json:"stageKeys,omitempty"`
	Tags            map[string]string `json:"tags,omitempty"`
	CreatedDate     time.Time         `json:"createdDate"`
	LastUpdatedDate time.Time         `json:"lastUpdatedDate"`
}

// UsagePlan limits what the keys in it may call, how fast and how often.
type UsagePlan struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	APIStages   []APIStage        `json:"apiStages,omitempty"`
	Throttle    *ThrottleSettings `json:"throttle,omitempty"`
	Quota       *QuotaSettings    `json:"quota,omitempty"`
	ProductCode string            `json:"productCode,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// APIStage is a stage that a usage plan covers.
type APIStage struct {
	APIID    string                      `json:"apiId"`
	Stage    string                      `json:"stage"`
	Throttle map[string]ThrottleSettings `json:"throttle,omitempty"` // by "/path/METHOD"
}

// ThrottleSettings is a token bucket.
type ThrottleSettings struct {
	BurstLimit int     `json:"burstLimit"` // tokens the bucket holds
	RateLimit  float64 `json:"rateLimit"`  // tokens per second
}

// QuotaSettings limits requests per period.
type QuotaSettings struct {
	Limit  int    `json:"limit"`
	Offset int    `json:"offset"`
	Period string `json:"period"` // DAY, WEEK, MONTH
}

// UsagePlanKey puts an API key into a usage plan.
type UsagePlanKey struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
}
