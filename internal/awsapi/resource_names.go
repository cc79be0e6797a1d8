package awsapi

import (
	"reflect"
	"strings"
)

// What follows names resources as policies do. A call may name the same one in several ways,
// and what an operation makes of a name must be what is judged here: else a name could lead
// around a Deny.

// lambdaResource accepts a function by name, by ARN, by "account:function:name", each
// with or without ":qualifier", which counts for the operations that act on one.
func lambdaResource(c *Call, operation string, m inputMembers) string {
	if layer := m.text("LayerName"); layer != "" {
		arn := completeARN(layer, "arn:aws:lambda:"+c.Region+":"+c.Account+":layer:")
		if n := m.number("VersionNumber"); n != "" {
			arn += ":" + n
		}
		return arn
	}
	if arn := m.first("", "Resource", "Arn"); arn != "" {
		return arn
	}
	name := m.text("FunctionName")
	if name == "" {
		return "*"
	}
	region, account, parts := c.Region, c.Account, strings.Split(name, ":")
	switch {
	case parts[0] == "arn" && len(parts) >= 7:
		region, account, parts = parts[3], parts[4], parts[6:]
	case len(parts) >= 3 && parts[1] == "function":
		account, parts = parts[0], parts[2:]
	}
	arn := "arn:aws:lambda:" + region + ":" + account + ":function:" + parts[0]
	if !strings.HasPrefix(operation, "Invoke") && !m.has("Qualifier") {
		return arn
	}
	if len(parts) > 1 {
		return arn + ":" + parts[1]
	}
	if q := m.text("Qualifier"); q != "" {
		arn += ":" + q
	}
	return arn
}

func completeARN(name, prefix string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return prefix + name
}

// wafResource takes the ARN that is given, which counts before name and id, or builds it of
// these. A Create has no id yet and is judged by "*" in its place.
func wafResource(c *Call, operation string, m inputMembers) string {
	if l := m.v.FieldByName("LoggingConfiguration"); l.IsValid() && l.Kind() == reflect.Pointer && !l.IsNil() {
		m = inputMembers{l.Elem()}
	}
	if arn := m.first("", "ARN", "WebACLArn", "WebAclArn", "ResourceARN", "ResourceArn"); arn != "" {
		return arn
	}
	kind, name, id := "", m.text("Name"), m.first("*", "Id")
	for _, k := range [][2]string{{"IPSet", "ipset"}, {"RegexPatternSet", "regexpatternset"}, {"RuleGroup", "rulegroup"}, {"WebACL", "webacl"}, {"ManagedRuleSet", "managedruleset"}} {
		if strings.HasSuffix(operation, k[0]) {
			kind = k[1]
			break
		}
	}
	if acl := m.text("WebACLName"); acl != "" {
		kind, name, id = "webacl", acl, m.first("*", "WebACLId")
	}
	if kind == "" || name == "" {
		return "*"
	}
	scope, region := "regional", c.Region
	if m.text("Scope") == "CLOUDFRONT" {
		scope, region = "global", "us-east-1"
	}
	return "arn:aws:wafv2:" + region + ":" + c.Account + ":" + scope + "/" + kind + "/" + name + "/" + id
}

// logsResource ends in ":*", or in the stream, but for the operations on tags, whose ARNs end
// in the group (CloudWatch Logs user guide, "Overview of managing access permissions").
func logsResource(c *Call, m inputMembers) string {
	if arn := m.text("ResourceArn"); arn != "" {
		return strings.TrimSuffix(arn, ":*")
	}
	group := m.first("", "LogGroupName", "LogGroupIdentifier", "ResourceIdentifier")
	if group == "" {
		return "*"
	}
	arn := strings.TrimSuffix(completeARN(group, "arn:aws:logs:"+c.Region+":"+c.Account+":log-group:"), ":*")
	if stream := m.text("LogStreamName"); stream != "" {
		return arn + ":log-stream:" + stream
	}
	return arn + ":*"
}
