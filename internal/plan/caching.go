package plan

import (
	"slices"

	"gatehouse/internal/gateway/cache"
	"gatehouse/internal/lang/expression"
)

// Caching says how the answers of a method are kept (routing-and-integrations, section 14).
type Caching struct {
	Cache *cache.Cache // of the stage
	cache.Options

	// Deployment and Namespace begin the key: answers of another deployment, or of a method
	// with another namespace, are other answers.
	Deployment string
	Namespace  string

	// Parameters vary the key, in the order of the integration's cacheKeyParameters.
	Parameters []CacheParameter

	// OnlyGET is set for a method ANY: no other verb of it is answered from the cache.
	OnlyGET bool

	// Anyone lets every client have an answer made anew (Cache-Control: max-age=0); without
	// it a client needs the permission execute-api:InvalidateCache.
	Anyone bool

	// OnUnauthorized says what becomes of a client that may not.
	OnUnauthorized OnUnauthorized
}

// Mapped reports whether the key varies by what a mapping gives the integration.
func (c *Caching) Mapped() bool {
	return slices.ContainsFunc(c.Parameters, func(p CacheParameter) bool { return p.Mapped != nil })
}

// A CacheParameter is a value that varies the key: a request parameter with all its values,
// or else what a mapping gives the integration.
type CacheParameter struct {
	Name   string // as configured: "method.request.querystring.page"
	Of     expression.Parameter
	Mapped *Mapped // nil: Of
}

// OnUnauthorized says how a client is answered that asks for a new answer and may not have it.
type OnUnauthorized uint8

// The strategies. The zero value is the service's default.
const (
	UnauthorizedWarn   OnUnauthorized = iota // the wish is ignored, with a Warning in the answer
	UnauthorizedIgnore                       // ... and without one
	UnauthorizedRefuse                       // 403
)
