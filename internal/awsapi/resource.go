package awsapi

import (
	"net/url"
	"reflect"
	"strings"

	"gatehouse/internal/awsapi/schema"
)

// accesses lists what the call needs to be allowed, by the actions and resources of the
// Service Authorization Reference. A call whose resource cannot be told from its input
// has "*", which only a policy for all resources matches.
func (x *exchange) accesses(in any) []Access {
	op := x.request.Operation
	a := Access{Action: x.scope + ":" + op.Name, Resource: "*"}
	members := inputMembers{reflect.ValueOf(in).Elem()}
	switch x.scope {
	case "apigateway":
		a.Action = "apigateway:" + op.Method
		a.Resource = "arn:aws:apigateway:" + x.call.Region + "::" + strings.TrimPrefix(canonicalPath(op, x.request.Labels), "/v2") // ARNs have no version
	case "s3":
		return s3Accesses(op, x.request, members)
	case "lambda":
		switch op.Name {
		case "Invoke", "InvokeAsync", "InvokeWithResponseStream":
			a.Action = "lambda:InvokeFunction"
		}
		a.Resource = lambdaResource(x.call, members)
	case "iam":
		a.Resource = iamResource(x.call, members)
	case "sts":
		a.Resource = members.first("*", "RoleArn")
	case "acm":
		a.Resource = members.first("*", "CertificateArn")
	case "wafv2":
		a.Resource = wafResource(x.call, op.Name, members)
	case "logs":
		a.Resource = logsResource(x.call, members)
	case "tagging":
		a.Action = "tag:" + op.Name
	}
	return []Access{a}
}

// inputMembers reads text members of an input by name.
type inputMembers struct{ v reflect.Value }

// text returns the member called name, "" when the input has none or it is absent.
func (m inputMembers) text(name string) string {
	f := m.v.FieldByName(name)
	if f.IsValid() && f.Kind() == reflect.Pointer && !f.IsNil() && f.Elem().Kind() == reflect.String {
		return f.Elem().String()
	}
	return ""
}

// first returns the first of the members that is there, else the given text.
func (m inputMembers) first(otherwise string, names ...string) string {
	for _, name := range names {
		if s := m.text(name); s != "" {
			return s
		}
	}
	return otherwise
}

// canonicalPath is the path of a call with its labels escaped in one way, whatever way
// the client chose: a policy cannot be evaded by writing a letter as an escape.
// "/tags/{resource_arn}" has the colons and slashes of its ARN escaped, as in the API
// Gateway guide's examples of policies. Names of domains have no case, and are written in
// lower case as they are kept.
func canonicalPath(op *schema.Operation, labels map[string]string) string {
	path, _, _ := strings.Cut(op.URI, "?")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if label, ok := strings.CutPrefix(part, "{"); ok {
			label = strings.TrimSuffix(strings.TrimSuffix(label, "}"), "+")
			value := labels[label]
			if label == "domain_name" || label == "domainName" { // versions 1 and 2
				value = strings.ToLower(value)
			}
			parts[i] = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		}
	}
	return strings.Join(parts, "/")
}

// lambdaResource accepts a function by name, by ARN, by "account:function:name", each
// with or without ":qualifier".
func lambdaResource(c *Call, m inputMembers) string {
	if layer := m.text("LayerName"); layer != "" {
		return completeARN(layer, "arn:aws:lambda:"+c.Region+":"+c.Account+":layer:")
	}
	if arn := m.first("", "Resource", "Arn"); arn != "" {
		return arn
	}
	name := m.text("FunctionName")
	if name == "" {
		return "*"
	}
	if i := strings.LastIndex(name, "function:"); i >= 0 && !strings.HasPrefix(name, "arn:") {
		name = name[i+len("function:"):]
	}
	name = completeARN(name, "arn:aws:lambda:"+c.Region+":"+c.Account+":function:")
	if q := m.text("Qualifier"); q != "" && strings.Count(name, ":") == 6 {
		name += ":" + q
	}
	return name
}

func completeARN(name, prefix string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return prefix + name
}

// iamResource names the entity without its path, which the input does not have: an
// Authorizer with entities in paths completes it.
func iamResource(c *Call, m inputMembers) string {
	prefix := "arn:aws:iam::" + c.Account + ":"
	for _, kind := range [][2]string{{"RoleName", "role/"}, {"GroupName", "group/"}, {"UserName", "user/"}, {"InstanceProfileName", "instance-profile/"}, {"PolicyName", "policy/"}} {
		if name := m.text(kind[0]); name != "" {
			return prefix + kind[1] + name
		}
	}
	return m.first("*", "PolicyArn", "PolicySourceArn")
}

// wafResource builds the ARN from scope, name and id, or takes the one that is given.
// A Create has no id yet and is judged by "*" in its place.
func wafResource(c *Call, operation string, m inputMembers) string {
	if arn := m.first("", "WebACLArn", "ResourceARN", "ResourceArn", "WebACLArn"); arn != "" {
		return arn
	}
	kind := ""
	for _, k := range [][2]string{{"IPSet", "ipset"}, {"RegexPatternSet", "regexpatternset"}, {"RuleGroup", "rulegroup"}, {"WebACL", "webacl"}, {"ManagedRuleSet", "managedruleset"}} {
		if strings.HasSuffix(operation, k[0]) {
			kind = k[1]
			break
		}
	}
	name := m.text("Name")
	if kind == "" || name == "" {
		return "*"
	}
	scope, region := "regional", c.Region
	if m.text("Scope") == "CLOUDFRONT" {
		scope, region = "global", "us-east-1"
	}
	return "arn:aws:wafv2:" + region + ":" + c.Account + ":" + scope + "/" + kind + "/" + name + "/" + m.first("*", "Id")
}

func logsResource(c *Call, m inputMembers) string {
	if arn := m.first("", "ResourceArn", "LogGroupIdentifier"); strings.HasPrefix(arn, "arn:") {
		return arn
	}
	group := m.first("", "LogGroupName", "LogGroupIdentifier")
	if group == "" {
		return "*"
	}
	arn := "arn:aws:logs:" + c.Region + ":" + c.Account + ":log-group:" + group
	if stream := m.text("LogStreamName"); stream != "" {
		return arn + ":log-stream:" + stream
	}
	return arn + ":*"
}
