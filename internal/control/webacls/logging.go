package webacls

import (
	"context"
	"encoding/json"
	"strings"

	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// checkLogging checks a logging configuration (reference/wafv2.md sections 4 and 10.1).
func checkLogging(ctx context.Context, c *wafv2.LoggingConfiguration) error {
	if len(c.LogDestinationConfigs) != 1 {
		return invalid("You have used none or multiple values for a field that requires exactly one value.", "LOG_DESTINATION", "LogDestinationConfigs")
	}
	if d := c.LogDestinationConfigs[0]; !isLogDestination(d, operation.Scope(ctx)) {
		return invalid(msgARN, "LOG_DESTINATION", d)
	}
	if c.LogType != nil && *c.LogType != "WAF_LOGS" || c.LogScope != nil && *c.LogScope != "CUSTOMER" {
		return invalid(msgUnsupported, "LOG_DESTINATION", opt.Text(c.LogType)+opt.Text(c.LogScope))
	}
	for _, f := range c.RedactedFields {
		redactable := 0
		for _, set := range []bool{f.SingleHeader != nil, f.UriPath != nil, f.QueryString != nil, f.Method != nil} {
			if set {
				redactable++
			}
		}
		if redactable != 1 {
			return invalid(msgUnsupported, "FIELD_TO_MATCH", "RedactedFields")
		}
	}
	if c.LoggingFilter == nil {
		return nil
	}
	for _, f := range c.LoggingFilter.Filters {
		for _, cond := range f.Conditions {
			if (cond.ActionCondition == nil) == (cond.LabelNameCondition == nil) {
				return invalid("You have used none or multiple values for a field that requires exactly one value.", "FILTER_CONDITION", "Conditions")
			}
		}
	}
	return nil
}

// logPrefix begins the name of every destination.
const logPrefix = "aws-waf-logs-"

// isLogDestination reports whether the ARN names a log group, bucket or delivery stream of
// the caller that may take logs.
func isLogDestination(arn string, in store.Scope) bool {
	a, ok := model.ParseARN(arn)
	if !ok {
		return false
	}
	var name string
	own := a.Region == in.Region && a.Account == in.Account
	switch a.Service {
	case "logs":
		name, ok = strings.CutPrefix(a.Resource, "log-group:")
		ok = ok && own && !strings.Contains(name, ":")
	case "firehose":
		name, ok = strings.CutPrefix(a.Resource, "deliverystream/")
		ok = ok && own
	case "s3":
		name = a.Resource
	default:
		return false
	}
	return ok && strings.HasPrefix(name, logPrefix) && len(name) > len(logPrefix)
}

// PutLoggingConfiguration sets where and what a web ACL logs.
func (s *WebACLs) PutLoggingConfiguration(ctx context.Context, in *wafv2.PutLoggingConfigurationInput) (*wafv2.PutLoggingConfigurationOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.PutLoggingConfigurationOutput, error) {
		c := in.LoggingConfiguration
		v, err := acls.byARN(ctx, tx, *c.ResourceArn)
		if err != nil {
			return nil, err
		}
		if err := checkLogging(ctx, c); err != nil {
			return nil, err
		}
		if to := c.LogDestinationConfigs[0]; s.LogsTo != nil && !s.LogsTo(to) && s.Log != nil {
			s.Log.Warn("a web ACL logs to a destination for which firewall.logs of the configuration has nothing: its records are dropped", "webACL", *c.ResourceArn, "destination", to)
		}
		if c.ManagedByFirewallManager == nil {
			c.ManagedByFirewallManager = opt.Of(false)
		}
		v.Value.Logging = shapeJSON("LoggingConfiguration", c)
		return &wafv2.PutLoggingConfigurationOutput{LoggingConfiguration: c}, acls.Replace(tx, v)
	})
}

func wireLogging(src json.RawMessage) (*wafv2.LoggingConfiguration, error) {
	c := new(wafv2.LoggingConfiguration)
	return c, fromJSON(src, "LoggingConfiguration", c)
}

// GetLoggingConfiguration returns the logging configuration of a web ACL.
func (s *WebACLs) GetLoggingConfiguration(ctx context.Context, in *wafv2.GetLoggingConfigurationInput) (*wafv2.GetLoggingConfigurationOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.GetLoggingConfigurationOutput, error) {
		v, err := acls.byARN(ctx, tx, *in.ResourceArn)
		if err != nil {
			return nil, err
		}
		if v.Value.Logging == nil {
			return nil, nonexistent()
		}
		c, err := wireLogging(v.Value.Logging)
		return &wafv2.GetLoggingConfigurationOutput{LoggingConfiguration: c}, err
	})
}

// DeleteLoggingConfiguration stops the logging of a web ACL.
func (s *WebACLs) DeleteLoggingConfiguration(ctx context.Context, in *wafv2.DeleteLoggingConfigurationInput) (*wafv2.DeleteLoggingConfigurationOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.DeleteLoggingConfigurationOutput, error) {
		v, err := acls.byARN(ctx, tx, *in.ResourceArn)
		if err != nil {
			return nil, err
		}
		if v.Value.Logging == nil {
			return nil, nonexistent()
		}
		v.Value.Logging = nil
		return &wafv2.DeleteLoggingConfigurationOutput{}, acls.Replace(tx, v)
	})
}

// ListLoggingConfigurations lists the configurations of all web ACLs.
func (s *WebACLs) ListLoggingConfigurations(ctx context.Context, in *wafv2.ListLoggingConfigurationsInput) (*wafv2.ListLoggingConfigurationsOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.ListLoggingConfigurationsOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		all := []wafv2.LoggingConfiguration{}
		for v, err := range acls.In(tx, operation.Scope(ctx)) {
			if err != nil {
				return nil, err
			}
			if v.Value.Logging == nil {
				continue
			}
			c, err := wireLogging(v.Value.Logging)
			if err != nil {
				return nil, err
			}
			all = append(all, *c)
		}
		page, next, err := slicePage(all, in.NextMarker, in.Limit)
		return &wafv2.ListLoggingConfigurationsOutput{LoggingConfigurations: page, NextMarker: next}, err
	})
}
