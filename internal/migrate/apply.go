package migrate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/model"
)

// restAPI is an API as the management API shows it.
type restAPI struct {
	ID                        string                       `json:"id,omitempty"`
	Name                      string                       `json:"name"`
	Description               string                       `json:"description,omitempty"`
	Version                   string                       `json:"version,omitempty"`
	APIKeySource              string                       `json:"apiKeySource,omitempty"`
	EndpointConfiguration     *model.EndpointConfiguration `json:"endpointConfiguration,omitempty"`
	BinaryMediaTypes          []string                     `json:"binaryMediaTypes,omitempty"`
	MinimumCompressionSize    *int                         `json:"minimumCompressionSize,omitempty"`
	Policy                    string                       `json:"policy,omitempty"`
	DisableExecuteAPIEndpoint bool                         `json:"disableExecuteApiEndpoint,omitempty"`
	SecurityPolicy            string                       `json:"securityPolicy,omitempty"`
	EndpointAccessMode        string                       `json:"endpointAccessMode,omitempty"`
	Tags                      map[string]string            `json:"tags,omitempty"`
	Warnings                  []string                     `json:"warnings,omitempty"`
	RootResourceID            string                       `json:"rootResourceId,omitempty"`
}

// put makes an API what a document says, and reports what was left out.
func (m *mover) put(ctx context.Context, api, what string, doc []byte) error {
	var out restAPI
	if err := m.to.call(ctx, http.MethodPut, "/restapis/"+api+"?mode=overwrite", document(doc), &out); err != nil {
		return err
	}
	for _, w := range out.Warnings {
		m.report.add(Refused, what, "%s", w)
	}
	return nil
}

// deploy freezes an API and lets a stage serve it, making the stage when it is not there, and
// then gives the stage its settings. Settings that are refused are reported, one by one.
func (m *mover) deploy(ctx context.Context, api string, s *stage) error {
	what := fmt.Sprintf("stage %s of API %s", s.StageName, api)
	var d struct{ ID string }
	if err := m.to.call(ctx, http.MethodPost, "/restapis/"+api+"/deployments", map[string]string{"description": "imported"}, &d); err != nil {
		return err
	}
	base := "/restapis/" + api + "/stages"
	one := base + "/" + url.PathEscape(s.StageName)
	fresh := map[string]any{"stageName": s.StageName, "deploymentId": d.ID}
	if len(s.Tags) > 0 {
		fresh["tags"] = s.Tags
	}
	err := m.to.call(ctx, http.MethodPost, base, fresh, nil)
	if isCode(err, "ConflictException") {
		err = m.to.call(ctx, http.MethodPatch, one, patches{[]patch{{"replace", "/deploymentId", d.ID}}}, nil)
	}
	if err != nil {
		return err
	}
	for _, group := range s.groups() {
		if err := m.to.call(ctx, http.MethodPatch, one, patches{group.ops}, nil); err != nil {
			if m.report.add(Refused, what, "%s: %v", group.name, err); ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	s.examine(m.report, what)
	m.report.add(Carried, what, "")
	return nil
}

// group is what stands or falls together.
type group struct {
	name string
	ops  []patch
}

// groups turns a stage's settings into patches.
func (s *stage) groups() []group {
	var out []group
	one := func(name, path, value string) {
		if value != "" {
			out = append(out, group{name, []patch{{"replace", path, value}}})
		}
	}
	one("description", "/description", s.Description)
	one("documentation version", "/documentationVersion", s.DocumentationVersion)
	for _, k := range slices.Sorted(maps.Keys(s.Variables)) {
		one("variable "+k, "/variables/"+escape(k), s.Variables[k])
	}
	if s.TracingEnabled {
		one("tracing", "/tracingEnabled", "true")
	}
	if s.CacheClusterEnabled {
		out = append(out, group{"cache", []patch{{"replace", "/cacheClusterSize", cmp.Or(s.CacheClusterSize, "0.5")}, {"replace", "/cacheClusterEnabled", "true"}}})
	}
	if l := s.AccessLogSettings; l != nil && strings.Contains(l.DestinationARN, ":logs:") {
		out = append(out, group{"access log", []patch{
			{"replace", "/accessLogSettings/destinationArn", l.DestinationARN}, {"replace", "/accessLogSettings/format", l.Format}}})
	}
	for _, key := range slices.Sorted(maps.Keys(s.MethodSettings)) {
		if ms := s.MethodSettings[key]; ms != nil {
			out = append(out, group{"method settings of " + key, methodSettings("/"+settingsKey(key), ms)})
		}
	}
	return out
}

// settingsKey escapes the path of a method setting as patches want it: "pets/{id}/GET" becomes
// "pets~1{id}/GET". Answers of the service have it either way.
func settingsKey(key string) string {
	i := strings.LastIndexByte(key, '/')
	if i < 0 || strings.Contains(key, "~1") {
		return key
	}
	return escape(key[:i]) + key[i:]
}

func escape(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

func methodSettings(path string, s *model.MethodSetting) []patch {
	ops := []patch{
		{"replace", path + "/metrics/enabled", strconv.FormatBool(s.MetricsEnabled)},
		{"replace", path + "/logging/dataTrace", strconv.FormatBool(s.DataTraceEnabled)},
		{"replace", path + "/throttling/burstLimit", strconv.Itoa(s.ThrottlingBurstLimit)},
		{"replace", path + "/throttling/rateLimit", strconv.FormatFloat(s.ThrottlingRateLimit, 'f', -1, 64)},
		{"replace", path + "/caching/enabled", strconv.FormatBool(s.CachingEnabled)},
		{"replace", path + "/caching/ttlInSeconds", strconv.Itoa(s.CacheTTLInSeconds)},
		{"replace", path + "/caching/dataEncrypted", strconv.FormatBool(s.CacheDataEncrypted)},
		{"replace", path + "/caching/requireAuthorizationForCacheControl", strconv.FormatBool(s.RequireAuthorizationForCacheControl)},
	}
	if s.UnauthorizedCacheControlHeaderStrategy != "" {
		ops = append(ops, patch{"replace", path + "/caching/unauthorizedCacheControlHeaderStrategy", s.UnauthorizedCacheControlHeaderStrategy})
	}
	if s.LoggingLevel != "" {
		ops = append(ops, patch{"replace", path + "/logging/loglevel", s.LoggingLevel})
	}
	return ops
}
