package awsapi

import (
	"net/url"
	"reflect"
	"strconv"
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
		case "GetLayerVersionByArn":
			a.Action = "lambda:GetLayerVersion"
		}
		a.Resource = lambdaResource(x.call, op.Name, members)
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
	a.Resource = OfPartition(a.Resource)
	return []Access{a}
}

// OfPartition writes an ARN with the one partition that there is here. Operations do not
// look at it, so a policy must not either.
func OfPartition(arn string) string {
	if rest, ok := strings.CutPrefix(arn, "arn:"); ok {
		if _, rest, ok = strings.Cut(rest, ":"); ok {
			return "arn:aws:" + rest
		}
	}
	return arn
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

// number returns the member called name in decimal, "" when it is not there or no number.
func (m inputMembers) number(name string) string {
	f := m.v.FieldByName(name)
	if f.IsValid() && f.Kind() == reflect.Pointer && !f.IsNil() && f.Elem().CanInt() {
		return strconv.FormatInt(f.Elem().Int(), 10)
	}
	return ""
}

// has reports whether inputs of the operation can have the member called name.
func (m inputMembers) has(name string) bool { return m.v.FieldByName(name).IsValid() }

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
			switch label {
			case "domain_name", "domainName": // versions 1 and 2
				value = strings.ToLower(value)
			case "resource_arn", "resource-arn":
				value = OfPartition(value)
			}
			parts[i] = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		}
	}
	return strings.Join(parts, "/")
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
