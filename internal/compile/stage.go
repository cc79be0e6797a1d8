package compile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/gateway/throttle"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/lang/regex"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/securitypolicy"
	"gatehouse/internal/store"
)

var (
	stages    = store.Collection[model.Stage]{Kind: model.KindStage}
	snapshots = store.Collection[model.Snapshot]{Kind: model.KindSnapshot}
	domains   = store.Collection[model.DomainName]{Kind: model.KindDomainName}
	rules     = store.Collection[model.RoutingRule]{Kind: model.KindRoutingRule}
	mappings  = store.Collection[model.BasePathMapping]{Kind: model.KindBasePathMapping}
)

// compileStage compiles a stage from its document and the snapshot it points to.
func (c *Compiler) compileStage(tx *store.Tx, b *plan.Builder, u unit) error {
	in := u.scope().Of(u.api)
	st, err := stages.Get(tx, in, u.id)
	if errors.Is(err, store.ErrNotFound) {
		b.RemoveStage(plan.APIKey{Region: u.region, ID: u.api}, u.id)
		c.Limits.dropCache(u.region, u.api, u.id)
		return c.noteGuard(tx, u, "")
	}
	if err != nil {
		return err
	}
	if !st.CacheClusterEnabled {
		c.Limits.dropCache(u.region, u.api, u.id)
	}
	s, err := c.release(tx, u, st)
	if err != nil {
		return err
	}
	if st.CanarySettings != nil {
		if s.Canary, err = c.canary(tx, u, st); err != nil {
			return err
		}
	}
	b.SetStage(s)
	return nil
}

// release compiles what a stage serves by the deployment that it points to.
func (c *Compiler) release(tx *store.Tx, u unit, st model.Stage) (*plan.Stage, error) {
	snapshot, err := snapshots.Get(tx, u.scope().Of(u.api), st.DeploymentID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, compileError{fmt.Errorf("deployment %q is not there", st.DeploymentID)}
	}
	if err != nil {
		return nil, err
	}
	with, err := c.backends(tx, u, st.ClientCertificateID, &snapshot)
	if err != nil {
		return nil, err
	}
	s, err := Stage(u.account, u.region, st, snapshot, c.Limits, with)
	if err != nil {
		return nil, compileError{err}
	}
	s.Guard, err = c.guard(tx, u, st)
	return s, err
}

// Stage compiles one stage. It does nothing but ask limits for the stage's limiters, which
// are the same ones however often it is compiled.
func Stage(account, region string, st model.Stage, snapshot model.Snapshot, limits Limits, with Backends) (*plan.Stage, error) {
	s := &plan.Stage{
		API:                     plan.APIKey{Region: region, ID: snapshot.API.ID},
		APIName:                 snapshot.API.Name,
		Account:                 account,
		Name:                    st.StageName,
		DeploymentID:            st.DeploymentID,
		EndpointType:            snapshot.API.EndpointConfiguration.Type(),
		DefaultEndpointDisabled: snapshot.API.DisableExecuteAPIEndpoint,
		StrictSNI:               snapshot.API.EndpointAccessMode == "STRICT",
		Root:                    &plan.Node{},
		Variables:               st.Variables,
		Binary:                  snapshot.API.BinaryMediaTypes,
		ExecutionGroup:          "API-Gateway-Execution-Logs_" + snapshot.API.ID + "/" + st.StageName,
		ClientCertificateID:     st.ClientCertificateID,
		Client:                  with.Client,
		KeyFromAuthorizer:       snapshot.API.APIKeySource == "AUTHORIZER",
	}
	if least := snapshot.API.MinimumCompressionSize; least != nil {
		s.Compression = &plan.Compression{Least: int64(*least)}
	}
	l := stageLimits{limits, throttle.Stage{Account: account, Region: region, API: snapshot.API.ID, Name: st.StageName}, throttleSettings(st), st, nil, models(&snapshot)}
	if a := st.AccessLogSettings; a != nil && a.DestinationARN != "" && a.Format != "" {
		arn, _ := model.ParseARN(a.DestinationARN)
		s.AccessLog = &plan.AccessLog{Group: strings.TrimPrefix(arn.Resource, "log-group:"), Format: expression.CompileAccessLog(a.Format)}
	}
	var err error
	if name := snapshot.API.SecurityPolicy; name != "" && name != securitypolicy.Legacy {
		if s.TLSPolicy, err = securitypolicy.Lookup(name); err != nil {
			return nil, err
		}
	}
	if s.RateLimitHeaders, err = ratelimit.Parse(st.Tags[ratelimit.Tag]); err != nil {
		return nil, err
	}
	if text := snapshot.API.Policy; text != "" {
		policy, err := iampolicy.Parse(expandResources(text, region, account, snapshot.API.ID), iampolicy.Resource)
		if err != nil {
			return nil, fmt.Errorf("resource policy: %w", err)
		}
		s.Policy = policy
	}
	for _, r := range snapshot.GatewayResponses {
		if err := setGatewayResponse(s, r); err != nil {
			return nil, err
		}
	}

	if l.authorizers, err = compileAuthorizers(s, st, &snapshot); err != nil {
		return nil, err
	}
	for i := range snapshot.Resources {
		if err := addResource(s, st, &snapshot, &snapshot.Resources[i], l, with); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func addResource(s *plan.Stage, st model.Stage, snapshot *model.Snapshot, r *model.Resource, l stageLimits, with Backends) error {
	out := &plan.Resource{ID: r.ID, Path: r.Path}
	for _, name := range slices.Sorted(maps.Keys(r.Methods)) {
		m, err := compileMethod(s, st, r, r.Methods[name], with)
		if err != nil {
			return fmt.Errorf("method %s %s: %w", name, r.Path, err)
		}
		if m.Validation, err = compileValidation(snapshot, r.Methods[name], l.models); err != nil {
			return fmt.Errorf("method %s %s: %w", name, r.Path, err)
		}
		if err := bindAuthorizer(m, r.Methods[name], l.authorizers); err != nil {
			return fmt.Errorf("method %s %s: %w", name, r.Path, err)
		}
		m.Resource = out
		l.bind(m, r, r.Methods[name])
		if m.Caching, err = l.caching(s, m, r, r.Methods[name]); err != nil {
			return fmt.Errorf("method %s %s: %w", name, r.Path, err)
		}
		out.SetMethod(name, m)
	}
	if !s.Root.Insert(out) {
		return fmt.Errorf("resource %s: more than %d variables in a path", r.Path, plan.MaxParams)
	}
	return nil
}

func compileMethod(s *plan.Stage, st model.Stage, r *model.Resource, m *model.Method, with Backends) (*plan.Method, error) {
	setting, _ := settingFor(st, r.Path, m.HTTPMethod)
	out := &plan.Method{
		Name:          m.HTTPMethod,
		OperationName: m.OperationName,
		Responses:     map[int]bool{},
		Log:           logLevel(setting),
		DataTrace:     setting.DataTraceEnabled,
		Metrics:       setting.MetricsEnabled,
	}
	for code := range m.MethodResponses {
		if n, err := strconv.Atoi(code); err == nil {
			out.Responses[n] = true
		}
	}
	if m.Integration == nil {
		return nil, errors.New("no integration")
	}
	var err error
	out.Integration, err = compileIntegration(s, r, m, with)
	return out, err
}

// expandResources writes the short form of resources out: "execute-api:/prod/GET/*" stands for
// the same below the API's own ARN (authorizers, section 4).
func expandResources(policy, region, account, api string) string {
	return strings.ReplaceAll(policy, `"execute-api:/`, `"arn:aws:execute-api:`+region+":"+account+":"+api+"/")
}

// settingFor returns the settings of a method: its own entry, else that of its resource
// ("pets/*"), else that of its verb, else that of all methods, else none. named tells that
// the entry names the verb.
func settingFor(st model.Stage, path, verb string) (setting model.MethodSetting, named bool) {
	best := -1
	for key, m := range st.MethodSettings {
		of, method := throttle.SettingKey(key)
		rank := 0
		switch of {
		case strings.Trim(path, "/"):
			rank = 2
		case "*":
		default:
			continue
		}
		switch method {
		case verb:
			rank++
		case "*":
		default:
			continue
		}
		if rank > best {
			best, setting, named = rank, *m, method == verb
		}
	}
	return setting, named
}

func logLevel(m model.MethodSetting) plan.LogLevel {
	switch m.LoggingLevel {
	case "ERROR":
		return plan.LogError
	case "INFO":
		return plan.LogInfo
	}
	return plan.LogOff
}

// setGatewayResponse compiles a customised gateway response.
func setGatewayResponse(s *plan.Stage, r model.GatewayResponse) error {
	t, ok := plan.ParseResponseType(r.ResponseType)
	if !ok {
		return fmt.Errorf("gateway response %q: no such type", r.ResponseType)
	}
	out := &plan.GatewayResponse{}
	if r.StatusCode != "" {
		n, err := strconv.Atoi(r.StatusCode)
		if err != nil {
			return fmt.Errorf("gateway response %s: status %q: want a number", r.ResponseType, r.StatusCode)
		}
		out.Status = n
	}
	for _, key := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		m, err := expression.ParseGatewayResponseMapping(key, r.ResponseParameters[key])
		if err != nil {
			return fmt.Errorf("gateway response %s: %w", r.ResponseType, err)
		}
		if m.To == expression.ToHeader {
			out.Header = append(out.Header, m)
		}
	}
	for _, ct := range typesInOrder(r.ResponseTemplates) {
		out.Templates = append(out.Templates, plan.ResponseTemplate{ContentType: ct, Text: expression.CompileGatewayResponse(r.ResponseTemplates[ct])})
	}
	s.Responses[t] = out
	return nil
}

// typesInOrder sorts content types: application/json first and $default last.
func typesInOrder[V any](m map[string]V) []string {
	types := slices.Sorted(maps.Keys(m))
	rank := func(ct string) int {
		switch ct {
		case "application/json":
			return 0
		case "$default":
			return 2
		}
		return 1
	}
	slices.SortStableFunc(types, func(a, b string) int { return rank(a) - rank(b) })
	return types
}

// timeoutOf returns how long an integration may take.
func timeoutOf(i *model.Integration) time.Duration {
	return time.Duration(i.TimeoutInMillis) * time.Millisecond
}

// streamIdle is how long a streamed answer may stand still (routing-and-integrations, section
// 10).
func streamIdle(endpointType string) time.Duration {
	if endpointType == "EDGE" {
		return 30 * time.Second
	}
	return 5 * time.Minute
}

// A pattern is a selection pattern: a Java expression that must match the whole value. One
// that takes too long does not match.
type pattern struct{ re *regex.Regexp }

func (p pattern) MatchString(s string) bool {
	ok, err := p.re.MatchAll(s)
	return ok && err == nil
}
