package mapping

import (
	"slices"
	"strconv"

	"gatehouse/internal/lang/variable"
	"gatehouse/internal/lang/vtl"
)

// contextObject is $context. Its values are asked for when a template looks at them.
type contextObject struct {
	call     *Call
	request  *vtl.Map // requestOverride; nil until a template looks at it
	response *vtl.Map // responseOverride
	extra    *vtl.Map // what templates assigned under other names
}

// contextKeys are the members of $context as recorded (aws-behaviour-recorded, section 19),
// with those that appear only when they have a value.
var contextKeys = []struct {
	name     string
	optional bool
}{
	{"resourceId", false}, {"authorizer", true}, {"resourcePath", false}, {"operationName", true},
	{"httpMethod", false}, {"extendedRequestId", false}, {"requestTime", false}, {"path", false},
	{"accountId", false}, {"protocol", false}, {"requestOverride", false}, {"stage", false},
	{"domainPrefix", false}, {"requestTimeEpoch", false}, {"requestId", false}, {"identity", false},
	{"domainName", false}, {"deploymentId", false}, {"responseOverride", false}, {"apiId", false},
	{"isCanaryRequest", true}, {"wafResponseCode", true}, {"webaclArn", true}, {"awsEndpointRequestId", true},
}

// identityKeys are the members of $context.identity, the twelve that are always there first.
var identityKeys = []string{
	"accountId", "accessKey", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType",
	"cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "sourceIp", "user", "userAgent", "userArn",
	"apiKey", "apiKeyId", "clientCert", "vpcId", "vpceId",
}

const identityAlways = 12

// Property returns a member: a nested object, or the value of a variable.
func (o *contextObject) Property(name string) vtl.Value {
	if o.extra != nil {
		if v, ok := o.extra.Get(name); ok {
			return v
		}
	}
	switch name {
	case "identity":
		return &group{context: o, prefix: "identity.", keys: o.identityKeys}
	case "authorizer":
		if keys := o.authorizerKeys(); keys != nil {
			return &group{context: o, prefix: "authorizer.", keys: o.authorizerKeys}
		}
		return nil
	case "requestOverride":
		return &override{o.requestOverride()}
	case "responseOverride":
		return &override{o.responseOverride()}
	}
	return o.value(name)
}

func (o *contextObject) requestOverride() *vtl.Map {
	if o.request == nil {
		o.request = vtl.NewMap()
		for _, key := range []string{"path", "header", "querystring"} {
			o.request.Put(key, vtl.NewMap())
		}
	}
	return o.request
}

func (o *contextObject) responseOverride() *vtl.Map {
	if o.response == nil {
		o.response = vtl.NewMap()
		o.response.Put("header", vtl.NewMap())
	}
	return o.response
}

// value returns the value of the variable with the given path, nil without one.
func (o *contextObject) value(path string) vtl.Value {
	id, arg, ok := variable.LookupIn(path, variable.Template)
	if !ok || o.call.Context == nil {
		return nil
	}
	var buf [128]byte
	text, ok := o.call.Context.AppendVariable(buf[:0], id, arg)
	if !ok {
		return nil
	}
	switch id {
	case variable.RequestTimeEpoch:
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return n
		}
	case variable.IsCanaryRequest:
		return string(text) == "true"
	}
	return string(text)
}

func (o *contextObject) authorizerKeys() []string {
	if o.call.Context == nil {
		return nil
	}
	keys := o.call.Context.AuthorizerKeys()
	if o.call.Context.ClaimKeys() != nil && !slices.Contains(keys, "claims") {
		keys = append(slices.Clip(keys), "claims")
	}
	return keys
}

func (o *contextObject) claimKeys() []string { return o.call.Context.ClaimKeys() }

func (o *contextObject) identityKeys() []string {
	var keys []string
	for i, name := range identityKeys {
		if i < identityAlways || o.hasIdentity(name) {
			keys = append(keys, name)
		}
	}
	return keys
}

func (o *contextObject) hasIdentity(name string) bool {
	if name == "clientCert" {
		name = "clientCert.clientCertPem"
	}
	return o.value("identity."+name) != nil
}

// keys returns the members that there are.
func (o *contextObject) keys() []string {
	var keys []string
	for _, k := range contextKeys {
		if !k.optional || o.Property(k.name) != nil {
			keys = append(keys, k.name)
		}
	}
	if o.extra != nil {
		for name := range o.extra.All {
			if !slices.Contains(keys, name) {
				keys = append(keys, name)
			}
		}
	}
	return keys
}

// SetProperty assigns a member. The overrides may be replaced by a map as a whole.
func (o *contextObject) SetProperty(name string, v vtl.Value) error {
	m, isMap := v.(*vtl.Map)
	switch {
	case name == "requestOverride" && isMap:
		o.request = m
	case name == "responseOverride" && isMap:
		o.response = m
	default:
		if o.extra == nil {
			o.extra = vtl.NewMap()
		}
		o.extra.Put(name, v)
	}
	return nil
}

// Call has the methods of a map.
func (o *contextObject) Call(c *vtl.Call, name string, args []vtl.Value) (vtl.Value, bool, error) {
	if name == "put" && len(args) == 2 {
		key, err := c.Text(args[0])
		if err != nil {
			return nil, true, err
		}
		old := o.Property(key)
		return old, true, o.SetProperty(key, args[1])
	}
	return members(c, o, o.keys(), name, args)
}

// Values returns the values of the members.
func (o *contextObject) Values() *vtl.List { return valuesOf(o, o.keys()) }

// String is nothing: the service prints no map of its own.
func (o *contextObject) String() string { return "" }

// group is an object within $context whose members are variables with a common prefix.
type group struct {
	context *contextObject
	prefix  string // ends in a dot
	keys    func() []string
}

// Property returns a member.
func (g *group) Property(name string) vtl.Value {
	switch g.prefix + name {
	case "authorizer.claims":
		if g.context.claimKeys() == nil {
			return nil
		}
		return &group{g.context, "authorizer.claims.", g.context.claimKeys}
	case "identity.clientCert":
		if !g.context.hasIdentity("clientCert") {
			return nil
		}
		return g.fixed("clientCert.", "clientCertPem", "subjectDN", "issuerDN", "serialNumber", "validity")
	case "identity.clientCert.validity":
		return g.fixed("validity.", "notBefore", "notAfter")
	}
	return g.context.value(g.prefix + name)
}

func (g *group) fixed(prefix string, keys ...string) *group {
	return &group{g.context, g.prefix + prefix, func() []string { return keys }}
}

// Call has the methods of a map that do not change it.
func (g *group) Call(c *vtl.Call, name string, args []vtl.Value) (vtl.Value, bool, error) {
	return members(c, g, g.keys(), name, args)
}

// Values returns the values of the members.
func (g *group) Values() *vtl.List { return valuesOf(g, g.keys()) }

// String is nothing: $context.get("identity") was recorded to print the empty string.
func (g *group) String() string { return "" }

// override is $context.requestOverride or responseOverride: a map that prints nothing.
type override struct{ m *vtl.Map }

// Property returns a member, which is an ordinary value.
func (o *override) Property(name string) vtl.Value {
	v, _ := o.m.Get(name)
	return v
}

// SetProperty sets a member; names that mean nothing to the service are carried along.
func (o *override) SetProperty(name string, v vtl.Value) error {
	o.m.Put(name, v)
	return nil
}

// Call has the methods of a map.
func (o *override) Call(c *vtl.Call, name string, args []vtl.Value) (vtl.Value, bool, error) {
	if name == "toString" {
		return "", true, nil
	}
	v, err := c.Invoke(o.m, name, args)
	return v, true, err
}

// Values returns the values of the members.
func (o *override) Values() *vtl.List { return valuesOf(o, slices.Collect(keysOf(o.m))) }

// String is nothing, see group.
func (o *override) String() string { return "" }

func keysOf(m *vtl.Map) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m.All {
			if !yield(key) {
				return
			}
		}
	}
}

func valuesOf(o vtl.Object, keys []string) *vtl.List {
	l := vtl.NewList()
	for _, key := range keys {
		l.Add(o.Property(key))
	}
	return l
}

// members has the methods of a read-only map whose keys are known. get answers for others too.
func members(c *vtl.Call, o vtl.Object, keys []string, name string, args []vtl.Value) (vtl.Value, bool, error) {
	if err := c.Spend(len(keys)); err != nil {
		return nil, true, err
	}
	switch len(args) {
	case 0:
		switch name {
		case "size":
			return int64(len(keys)), true, nil
		case "isEmpty":
			return len(keys) == 0, true, nil
		case "toString":
			return "", true, nil
		}
		m := vtl.NewMap()
		for _, key := range keys {
			m.Put(key, o.Property(key))
		}
		switch name {
		case "keySet", "values", "entrySet":
			v, err := c.Invoke(m, name, nil)
			return v, true, err
		}
	case 1:
		key, err := c.Text(args[0])
		if err != nil {
			return nil, true, err
		}
		switch name {
		case "get":
			return o.Property(key), true, nil
		case "containsKey":
			return slices.Contains(keys, key), true, nil
		}
	case 2:
		if name == "getOrDefault" {
			key, err := c.Text(args[0])
			if v := o.Property(key); v != nil || err != nil {
				return v, true, err
			}
			return args[1], true, nil
		}
	}
	return nil, false, nil
}
