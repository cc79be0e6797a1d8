package compile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"gatehouse/internal/gateway/cache"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

var strategies = map[string]plan.OnUnauthorized{
	"FAIL_WITH_403":                   plan.UnauthorizedRefuse,
	"SUCCEED_WITHOUT_RESPONSE_HEADER": plan.UnauthorizedIgnore,
}

// caching compiles how a method's answers are kept; nil when they are not. A setting for all
// methods acts on GET alone, other verbs need one that names them; of a method ANY, GET
// requests alone are cached (routing-and-integrations, section 14).
func (l stageLimits) caching(s *plan.Stage, m *plan.Method, r *model.Resource, from *model.Method) (*plan.Caching, error) {
	setting, named := settingFor(l.document, r.Path, from.HTTPMethod)
	verb := from.HTTPMethod
	st := l.document
	switch {
	case !st.CacheClusterEnabled, !setting.CachingEnabled, setting.CacheTTLInSeconds <= 0:
		return nil, nil
	case !named && verb != "GET" && verb != "ANY":
		return nil, nil
	case m.Integration.Stream: // a stream is not kept (section 10)
		return nil, nil
	case l.Caches == nil:
		m.Refusal = "response caching is not offered here"
		return nil, nil
	}
	size, err := clusterBytes(st.CacheClusterSize)
	if err != nil {
		return nil, err
	}
	out := &plan.Caching{
		Cache: l.Caches.Stage(cacheName(s), cache.Generation{Bytes: size, Flushes: st.CacheFlushes, Created: st.CreatedDate.UTC().Round(0)}),
		Options: cache.Options{
			TTL:    time.Duration(setting.CacheTTLInSeconds) * time.Second,
			Sealed: setting.CacheDataEncrypted,
		},
		Deployment: deploymentKey(s), Namespace: from.Integration.CacheNamespace, OnlyGET: verb == "ANY",
		Anyone: !setting.RequireAuthorizationForCacheControl, OnUnauthorized: strategies[setting.UnauthorizedCacheControlHeaderStrategy],
	}
	if out.Namespace == "" {
		out.Namespace = r.ID
	}
	for _, text := range from.Integration.CacheKeyParameters {
		p, err := cacheParameter(m.Integration, text)
		if err != nil {
			return nil, fmt.Errorf("cache key parameter %s: %w", text, err)
		}
		out.Parameters = append(out.Parameters, p)
	}
	return out, nil
}

// deploymentKey tells the answers of one release of a stage from those of another: by
// deployment, and by the values of stage variables, which a canary may override.
func deploymentKey(s *plan.Stage) string {
	key := s.DeploymentID
	for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
		key += "\n" + name + "=" + s.Variables[name]
	}
	return key
}

// cacheParameter finds what a cache key parameter stands for. A mapping that passes a
// request parameter on stands for that parameter.
func cacheParameter(i *plan.Integration, text string) (plan.CacheParameter, error) {
	out := plan.CacheParameter{Name: text}
	k, err := expression.ParseCacheKey(text)
	if err != nil || k.Mapped == 0 {
		out.Of = k.Parameter
		return out, err
	}
	for n := range i.Parameters {
		m := &i.Parameters[n]
		if m.To != k.Mapped || m.Name != k.Name {
			continue
		}
		switch m.From.Source {
		case expression.Path:
			out.Of = expression.Parameter{Place: expression.Path, Name: m.From.Name}
		case expression.Query, expression.MultiQuery:
			out.Of = expression.Parameter{Place: expression.Query, Name: m.From.Name}
		case expression.Header, expression.MultiHeader:
			out.Of = expression.Parameter{Place: expression.Header, Name: m.From.Name}
		default:
			out.Mapped = m
		}
	}
	return out, nil
}

// clusterBytes converts the size of a cache cluster, in gigabytes; "" is the smallest.
func clusterBytes(size string) (int64, error) {
	if size == "" {
		size = "0.5"
	}
	gb, err := strconv.ParseFloat(size, 64)
	if err != nil || gb <= 0 {
		return 0, fmt.Errorf("cache cluster size %q: want gigabytes", size)
	}
	return int64(gb * (1 << 30)), nil
}

func cacheName(s *plan.Stage) cache.Name {
	return cache.Name{Region: s.API.Region, API: s.API.ID, Stage: s.Name}
}

// dropCache forgets what is kept for a stage that is gone.
func (l Limits) dropCache(region, api, stage string) {
	if l.Caches != nil {
		l.Caches.Drop(cache.Name{Region: region, API: api, Stage: stage})
	}
}
