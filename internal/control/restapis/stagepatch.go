package restapis

import (
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/control/patch"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/model"
)

// errStagePath is the whole recorded text, missing commas included
// (aws-behaviour-recorded, section 13).
func errStagePath(path string) error {
	return badRequest("Invalid method setting path: " + path + ". Must be one of: [/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, /*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled]")
}

// patchStage applies one operation.
func patchStage(st *model.Stage, o patch.Operation) error {
	if o.Op == "copy" {
		return copyStage(st, o)
	}
	if o.Op == "move" || o.Op == "test" {
		return patch.InvalidOp("add", "remove", "replace", "copy")
	}
	switch {
	case strings.HasPrefix(o.Path, "/variables/"):
		return patchVariable(&st.Variables, o, "/variables/")
	case o.Path == "/canarySettings" || strings.HasPrefix(o.Path, "/canarySettings/"):
		return patchCanary(st, o)
	case o.Op == "remove" && o.Path != "/accessLogSettings":
		return removeStageSetting(st, o)
	case o.Path == "/accessLogSettings" || strings.HasPrefix(o.Path, "/accessLogSettings/"):
		return patchAccessLog(st, o)
	}
	switch o.Path {
	case "/deploymentId":
		st.DeploymentID = o.Value
	case "/description":
		st.Description = o.Value
	case "/cacheClusterEnabled":
		setCacheCluster(st, o.Bool(), st.CacheClusterSize)
	case "/cacheClusterSize":
		setCacheCluster(st, st.CacheClusterEnabled, o.Value)
	case "/clientCertificateId":
		st.ClientCertificateID = o.Value
	case "/documentationVersion":
		st.DocumentationVersion = o.Value
	case "/tracingEnabled":
		st.TracingEnabled = o.Bool()
	default:
		return patchMethodSetting(st, o)
	}
	return nil
}

// checkPromotion judges what the operations of a call made of a stage: while it has a canary,
// its deployment changes to the canary's alone, the one from before the call or from after it
// (Terraform replaces the deployment of both in one call, the stage's first).
func checkPromotion(before, after model.Stage) error {
	if after.CanarySettings == nil || before.CanarySettings == nil || after.DeploymentID == before.DeploymentID {
		return nil
	}
	if id := after.DeploymentID; id == before.CanarySettings.DeploymentID || id == after.CanarySettings.DeploymentID {
		return nil
	}
	return badRequest("Cannot change the deployment of a stage that has a canary: promote or delete the canary first")
}

// removeStageSetting removes a member, or a method setting: every other path is read as
// the key of one, as the service does.
func removeStageSetting(st *model.Stage, o patch.Operation) error {
	switch o.Path {
	case "/description":
		st.Description = ""
		return nil
	case "/clientCertificateId":
		st.ClientCertificateID = ""
		return nil
	case "/documentationVersion":
		st.DocumentationVersion = ""
		return nil
	}
	key := strings.TrimPrefix(o.Path, "/")
	if st.MethodSettings[key] == nil {
		return badRequest("Cannot remove method setting " + key + " because there is no method setting for this method ")
	}
	delete(st.MethodSettings, key)
	return nil
}

func patchVariable(m *map[string]string, o patch.Operation, prefix string) error {
	name, ok := o.Key(prefix)
	if !ok {
		return errStagePath(o.Path)
	}
	return patchEntry(m, name, o.Value, o)
}

func patchAccessLog(st *model.Stage, o patch.Operation) error {
	if o.Op == "remove" {
		st.AccessLogSettings = nil
		return nil
	}
	a := model.AccessLogSettings{}
	if st.AccessLogSettings != nil {
		a = *st.AccessLogSettings
	}
	switch o.Path {
	case "/accessLogSettings/destinationArn":
		a.DestinationARN = strings.TrimSuffix(o.Value, ":*")
		if arn, ok := model.ParseARN(a.DestinationARN); o.Value != "" && (!ok || arn.Service != "logs" && arn.Service != "firehose") {
			return badRequest("Invalid ARN specified in the request. ARNs must start with 'arn:' and refer to a CloudWatch Logs group or a Firehose delivery stream: " + o.Value)
		}
	case "/accessLogSettings/format":
		a.Format = o.Value
		if o.Value != "" && !expression.CompileAccessLog(o.Value).HasRequestID() {
			return badRequest("Access Log format must contain at least $context.requestId or $context.extendedRequestId")
		}
		if len(o.Value) > 3<<10 {
			return badRequest("Access Log format must be at most 3072 bytes")
		}
	default:
		return badRequest("Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]")
	}
	if o.Value == "" {
		return badRequest("Access Log value must not be empty")
	}
	st.AccessLogSettings = &a
	return nil
}

func patchCanary(st *model.Stage, o patch.Operation) error {
	if o.Path == "/canarySettings" {
		if err := o.Only("remove"); err != nil {
			return err
		}
		st.CanarySettings = nil
		return nil
	}
	if st.CanarySettings == nil {
		if o.Op == "remove" {
			return badRequest("Invalid patch path " + o.Path + ": the stage has no canary")
		}
		st.CanarySettings = &model.CanarySettings{DeploymentID: st.DeploymentID}
	}
	c := st.CanarySettings
	if strings.HasPrefix(o.Path, "/canarySettings/stageVariableOverrides/") {
		return patchVariable(&c.StageVariableOverrides, o, "/canarySettings/stageVariableOverrides/")
	}
	switch o.Path {
	case "/canarySettings/percentTraffic":
		f, ok := o.Float()
		if !ok {
			return badRequest("Invalid canarySettings: percentTraffic must be between 0.0 and 100.0")
		}
		c.PercentTraffic = f
	case "/canarySettings/deploymentId":
		c.DeploymentID = o.Value
	case "/canarySettings/useStageCache":
		c.UseStageCache = o.Bool()
	case "/canarySettings/stageVariableOverrides":
		if o.Op != "remove" {
			return patch.InvalidPath(o.Path)
		}
		c.StageVariableOverrides = nil
	default:
		return patch.InvalidPath(o.Path)
	}
	return nil
}

// copyStage promotes parts of a canary (routing-and-integrations, section 15).
func copyStage(st *model.Stage, o patch.Operation) error {
	c := st.CanarySettings
	if c == nil {
		return badRequest("Invalid patch operation copy from " + o.From + ": the stage has no canary")
	}
	switch {
	case o.From == "/canarySettings/deploymentId" && o.Path == "/deploymentId":
		st.DeploymentID = c.DeploymentID
	case o.From == "/deploymentId" && o.Path == "/canarySettings/deploymentId":
		c.DeploymentID = st.DeploymentID
	case o.From == "/canarySettings/stageVariableOverrides" && o.Path == "/variables":
		if st.Variables == nil {
			st.Variables = map[string]string{}
		}
		maps.Copy(st.Variables, c.StageVariableOverrides)
	default:
		return badRequest("Invalid patch operation copy from " + o.From + " to " + o.Path)
	}
	return nil
}

// defaultSetting is what the service fills in for what a new entry does not set.
var defaultSetting = model.MethodSetting{
	ThrottlingBurstLimit: 5000, ThrottlingRateLimit: 10000, CacheTTLInSeconds: 300,
	RequireAuthorizationForCacheControl: true, UnauthorizedCacheControlHeaderStrategy: "SUCCEED_WITH_RESPONSE_HEADER",
}

// patchMethodSetting sets one of "/{resourcePath}/{httpMethod}/{group}/{name}". Touching one
// setting creates the entry with all others: those of an existing */* or the defaults.
func patchMethodSetting(st *model.Stage, o patch.Operation) error {
	parts := strings.Split(strings.TrimPrefix(o.Path, "/"), "/")
	if len(parts) < 4 || !strings.HasPrefix(o.Path, "/") {
		return errStagePath(o.Path)
	}
	n := len(parts)
	key, verb, name := strings.Join(parts[:n-2], "/"), parts[n-3], parts[n-2]+"/"+parts[n-1]
	if verb != "*" && !slices.Contains(httpMethods, verb) {
		return errStagePath(o.Path)
	}
	setting := defaultSetting
	if all := st.MethodSettings["*/*"]; all != nil {
		setting = *all
		if verb != "GET" && verb != "ANY" && verb != "*" {
			// What is on for all methods caches GET alone: a limit for POST must not begin to
			// cache it (routing-and-integrations, section 14).
			setting.CachingEnabled = false
		}
	}
	if own := st.MethodSettings[key]; own != nil {
		setting = *own
	}
	known, err := setMethodSetting(&setting, name, o)
	if !known {
		return errStagePath(o.Path)
	}
	if err != nil {
		return err
	}
	st.MethodSettings[key] = &setting
	return nil
}

// setMethodSetting sets one member; known is false for names that do not exist.
func setMethodSetting(m *model.MethodSetting, name string, o patch.Operation) (known bool, err error) {
	number := func(to *int, least, most int) error {
		v, ok := o.Int()
		if !ok || v < least || v > most {
			return badRequest("Invalid value for " + o.Path + ": found '" + o.Value + "', want a number from " + itoa(least) + " to " + itoa(most))
		}
		*to = v
		return nil
	}
	choice := func(to *string, values ...string) error {
		if !slices.Contains(values, o.Value) {
			return badRequest("Invalid value for " + o.Path + ": found '" + o.Value + "', want one of " + strings.Join(values, ", "))
		}
		*to = o.Value
		return nil
	}
	switch name {
	case "metrics/enabled":
		m.MetricsEnabled = o.Bool()
	case "logging/dataTrace":
		m.DataTraceEnabled = o.Bool()
	case "logging/loglevel":
		err = choice(&m.LoggingLevel, "OFF", "ERROR", "INFO")
	case "throttling/burstLimit": // -1 switches the limit off, as Terraform has it
		err = number(&m.ThrottlingBurstLimit, -1, 1<<31-1)
	case "throttling/rateLimit":
		f, ok := o.Float()
		if !ok || f < 0 && f != -1 || f != f || f > 1<<53 {
			return true, badRequest("Invalid value for " + o.Path + ": found '" + o.Value + "', want a rate of 0 or more")
		}
		m.ThrottlingRateLimit = f
	case "caching/ttlInSeconds":
		err = number(&m.CacheTTLInSeconds, 0, 3600)
	case "caching/enabled":
		m.CachingEnabled = o.Bool()
	case "caching/dataEncrypted":
		m.CacheDataEncrypted = o.Bool()
	case "caching/requireAuthorizationForCacheControl":
		m.RequireAuthorizationForCacheControl = o.Bool()
	case "caching/unauthorizedCacheControlHeaderStrategy":
		err = choice(&m.UnauthorizedCacheControlHeaderStrategy, "FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER")
	default:
		return false, nil
	}
	return true, err
}
