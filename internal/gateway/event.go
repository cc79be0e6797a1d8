package gateway

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/variable"
	"gatehouse/internal/message"
	"gatehouse/internal/trust/forward"
)

// This file writes the parts that the events of Lambda proxy integrations and of REQUEST
// authorizers share, with the order and the spelling of the service (routing-and-integrations,
// section 8.1; authorizers, section 1.2). The two differ in what stands for an empty map.

// What stands for an empty map: null in proxy events, {} in those of authorizers.
const (
	emptyIsNull   = "null"
	emptyIsObject = "{}"
)

// notInEvents are the headers that functions never see (aws-behaviour-recorded, section 22),
// those of a connection among them, and those that the gateway writes anew.
var notInEvents = map[string]fate{
	"connection": drop, "content-length": drop, "content-md5": drop, "expect": drop, "max-forwards": drop, "proxy-authenticate": drop,
	"server": drop, "te": drop, "trailer": drop, "transfer-encoding": drop, "upgrade": drop, "www-authenticate": drop,
	"keep-alive": drop, "proxy-connection": drop, "proxy-authorization": drop,
	"host": drop, "x-amzn-trace-id": drop, "x-forwarded-for": drop, "x-forwarded-port": drop, "x-forwarded-proto": drop,
}

// knownInEvents are the names that arrive in one spelling however they were sent.
var knownInEvents = []string{"Authorization", "User-Agent"}

// eventHeader returns the request's header as functions see it: the client's with its case,
// Host, and what tells how the request came. A signature of the gateway's own is no business
// of a function (routing-and-integrations, section 6.1).
func (x *exchange) eventHeader() message.Header {
	h := make(message.Header, 0, len(x.req.Header)+5)
	for _, f := range x.req.Header {
		if fateOf(notInEvents, f.Name) == drop || x.isCredential(f) {
			continue
		}
		for _, known := range knownInEvents {
			if message.EqualName(f.Name, known) {
				f.Name = known
			}
		}
		h = append(h, f)
	}
	conn := x.req.Conn
	proto, port := "https", "443"
	if conn.TLS == nil {
		proto, port = "http", "80"
	}
	address := conn.Remote.Addr().String()
	if before := x.req.Header.Values("X-Forwarded-For"); len(before) > 0 {
		address = joinList(before) + ", " + address
	}
	h.Add("Host", x.req.Host)
	h.Add("X-Amzn-Trace-Id", x.traceHeader())
	h.Add("X-Forwarded-For", address)
	h.Add("X-Forwarded-Port", port)
	h.Add("X-Forwarded-Proto", proto)
	return h
}

// appendEventHeader appends "headers" and "multiValueHeaders": the last value of each name,
// and all of them. Names that differ in case alone are different, as the client wrote them.
func appendEventHeader(dst []byte, h message.Header, empty string) []byte {
	return appendValueMaps(dst, `"headers":`, `,"multiValueHeaders":`, empty, func(yield func(name, value string)) {
		for _, f := range h {
			yield(f.Name, f.Value)
		}
	})
}

// appendEventQuery appends "queryStringParameters" and "multiValueQueryStringParameters",
// decoded.
func (x *exchange) appendEventQuery(dst []byte, empty string) []byte {
	return appendValueMaps(dst, `"queryStringParameters":`, `,"multiValueQueryStringParameters":`, empty, func(yield func(name, value string)) {
		for name, value := range pairs(x.req.RawQuery) {
			yield(unescapeQuery(name), unescapeQuery(value))
		}
	})
}

// appendValueMaps appends a map of last values and a map of all values, names in the order
// of their first occurrence.
func appendValueMaps(dst []byte, single, multi, empty string, each func(yield func(name, value string))) []byte {
	var names []string
	values := map[string][]string{}
	each(func(name, value string) {
		if _, seen := values[name]; !seen {
			names = append(names, name)
		}
		values[name] = append(values[name], value)
	})
	dst = append(dst, single...)
	if len(names) == 0 {
		return append(append(append(dst, empty...), multi...), empty...)
	}
	for i, name := range names {
		vs := values[name]
		dst = appendText(appendName(dst, i, name), vs[len(vs)-1])
	}
	dst = append(append(dst, '}'), multi...)
	for i, name := range names {
		dst = append(appendName(dst, i, name), '[')
		for k, v := range values[name] {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, v)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendEventPath appends "pathParameters", with the escapes that the client used.
func (x *exchange) appendEventPath(dst []byte, empty string) []byte {
	dst = append(dst, `"pathParameters":`...)
	all := x.params.All()
	if len(all) == 0 {
		return append(dst, empty...)
	}
	for i, p := range all {
		dst = appendText(appendName(dst, i, p.Name), p.Value)
	}
	return append(dst, '}')
}

// appendEventStageVariables appends "stageVariables", sorted.
func (x *exchange) appendEventStageVariables(dst []byte, empty string) []byte {
	dst = append(dst, `"stageVariables":`...)
	if len(x.stage.Variables) == 0 {
		return append(dst, empty...)
	}
	for i, name := range slices.Sorted(maps.Keys(x.stage.Variables)) {
		dst = appendText(appendName(dst, i, name), x.stage.Variables[name])
	}
	return append(dst, '}')
}

// eventPath is the event's "path": what follows the stage, or on custom domains all of the
// path; slashes at its front count as one.
func (x *exchange) eventPath() string {
	if x.domain != nil {
		return "/" + strings.TrimLeft(x.req.Path, "/")
	}
	return "/" + strings.TrimLeft(x.path, "/")
}

// appendRequestContext appends the object "requestContext"; authorized adds what the
// authorizer said.
func (x *exchange) appendRequestContext(dst []byte, authorized bool) []byte {
	dst = appendText(append(dst, `{"resourceId":`...), x.method.Resource.ID)
	if authorized {
		dst = append(dst, `,"authorizer":`...)
		var ok bool
		if dst, ok = x.appendAuthorizer(dst); !ok {
			dst = dst[:len(dst)-len(`,"authorizer":`)]
		}
	}
	dst = appendText(append(dst, `,"resourcePath":`...), x.method.Resource.Path)
	if x.method.OperationName != "" {
		dst = appendText(append(dst, `,"operationName":`...), x.method.OperationName)
	}
	dst = appendText(append(dst, `,"httpMethod":`...), x.verb)
	dst = appendText(append(dst, `,"extendedRequestId":`...), x.extendedID)
	dst = append(dst, `,"requestTime":"`...)
	dst = x.start.UTC().AppendFormat(dst, "02/Jan/2006:15:04:05 +0000")
	dst = append(dst, `","path":`...)
	dst = appendText(dst, string(x.appendContextPath(nil)))
	dst = appendText(append(dst, `,"accountId":`...), x.stage.Account)
	dst = append(dst, `,"protocol":"HTTP/1.1"`...)
	dst = appendText(append(dst, `,"stage":`...), x.stage.Name)
	prefix, _, _ := strings.Cut(x.req.Host, ".")
	dst = appendText(append(dst, `,"domainPrefix":`...), prefix)
	dst = append(dst, `,"requestTimeEpoch":`...)
	dst = strconv.AppendInt(dst, x.start.UnixMilli(), 10)
	dst = appendText(append(dst, `,"requestId":`...), x.requestID)
	dst = x.appendIdentity(append(dst, `,"identity":`...))
	dst = appendText(append(dst, `,"domainName":`...), x.req.Host)
	dst = appendText(append(dst, `,"deploymentId":`...), x.stage.DeploymentID)
	dst = appendText(append(dst, `,"apiId":`...), x.stage.API.ID)
	if v, ok := x.AppendVariable(nil, variable.IsCanaryRequest, ""); ok {
		dst = append(append(dst, `,"isCanaryRequest":`...), v...)
	}
	return append(dst, '}')
}

// An identityMember is a member of "identity".
type identityMember struct {
	name string
	id   variable.ID
}

// identityMembers are the members of "identity" that are always there, in their order.
var identityMembers = []identityMember{
	{"cognitoIdentityPoolId", variable.CognitoIdentityPoolID}, {"accountId", variable.IdentityAccountID},
	{"cognitoIdentityId", variable.CognitoIdentityID}, {"caller", variable.IdentityCaller}, {"sourceIp", variable.SourceIP},
	{"principalOrgId", variable.IdentityPrincipalOrgID}, {"accessKey", variable.IdentityAccessKey},
	{"cognitoAuthenticationType", variable.CognitoAuthenticationType}, {"cognitoAuthenticationProvider", variable.CognitoAuthenticationProvider},
	{"userArn", variable.IdentityUserARN}, {"userAgent", variable.UserAgent}, {"user", variable.IdentityUser},
}

// The members of "identity" that appear when they have a value.
var (
	keyMembers = []identityMember{{"apiKey", variable.IdentityAPIKey}, {"apiKeyId", variable.IdentityAPIKeyID}}
	vpcMembers = []identityMember{{"vpcId", variable.VPCID}, {"vpceId", variable.VPCEID}}
)

// appendIdentity appends the object "identity"; what is not known is null.
func (x *exchange) appendIdentity(dst []byte) []byte {
	var value [64]byte
	for i, m := range identityMembers {
		dst = appendName(dst, i, m.name)
		if v, ok := x.AppendVariable(value[:0], m.id, ""); ok {
			dst = appendText(dst, string(v))
		} else {
			dst = append(dst, "null"...)
		}
	}
	dst = x.appendKnown(dst, keyMembers)
	dst = x.appendClientCert(dst)
	return append(x.appendKnown(dst, vpcMembers), '}')
}

// appendKnown appends those of members that have a value.
func (x *exchange) appendKnown(dst []byte, members []identityMember) []byte {
	var value [64]byte
	for _, m := range members {
		if v, ok := x.AppendVariable(value[:0], m.id, ""); ok {
			dst = appendText(appendName(dst, 1, m.name), string(v))
		}
	}
	return dst
}

// appendClientCert appends the member "clientCert" on domains with mutual TLS.
func (x *exchange) appendClientCert(dst []byte) []byte {
	if x.client == nil || x.client.Leaf == nil {
		return dst
	}
	f := forward.Fields(x.client.Leaf)
	dst = append(dst, `,"clientCert":`...)
	dst = appendText(append(dst, `{"clientCertPem":`...), f.PEM)
	dst = appendText(append(dst, `,"subjectDN":`...), f.SubjectDN)
	dst = appendText(append(dst, `,"issuerDN":`...), f.IssuerDN)
	dst = appendText(append(dst, `,"serialNumber":`...), f.SerialNumber)
	dst = appendText(append(dst, `,"validity":{"notBefore":`...), f.Validity.NotBefore)
	dst = appendText(append(dst, `,"notAfter":`...), f.Validity.NotAfter)
	return append(dst, "}}"...)
}

// appendName appends the name of member i of an object, with what stands before it.
func appendName(dst []byte, i int, name string) []byte {
	if i == 0 {
		dst = append(dst, '{')
	} else {
		dst = append(dst, ',')
	}
	return append(appendText(dst, name), ':')
}

// appendText appends s as JSON. Bytes that are not UTF-8 become U+FFFD.
func appendText(dst []byte, s string) []byte { return ojson.AppendQuoted(dst, s, ojson.Smart) }
