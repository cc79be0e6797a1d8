package gateway

import (
	"encoding/base64"
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

// appendProxyEvent appends the event of a Lambda proxy integration, payload format 1.0, its
// members in the service's order (routing-and-integrations, section 8.1).
func (x *exchange) appendProxyEvent(dst, body []byte) []byte {
	dst = appendText(append(dst, `{"resource":`...), x.method.Resource.Path)
	dst = appendText(append(dst, `,"path":`...), x.eventPath())
	dst = appendText(append(dst, `,"httpMethod":`...), x.verb)
	dst = appendEventHeader(append(dst, ','), x.eventHeader(), emptyIsNull)
	dst = x.appendEventQuery(append(dst, ','), emptyIsNull)
	dst = x.appendEventPath(append(dst, ','), emptyIsNull)
	dst = x.appendEventStageVariables(append(dst, ','), emptyIsNull)
	dst = x.appendRequestContext(append(dst, `,"requestContext":`...), true)
	dst, encoded := x.appendEventBody(append(dst, `,"body":`...), body)
	dst = append(dst, `,"isBase64Encoded":`...)
	return append(strconv.AppendBool(dst, encoded), '}')
}

// appendEventBody appends the body: base64 when its type is one of the API's binary types.
func (x *exchange) appendEventBody(dst, body []byte) (out []byte, encoded bool) {
	if len(body) == 0 {
		return append(dst, "null"...), false
	}
	if x.stage.Binary.Match(x.contentType()) {
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), body)
		return append(dst, '"'), true
	}
	return appendText(dst, string(body)), false
}

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
// of a function (routing-and-integrations, section 6.1). It is sorted by name, without regard
// to case as HTTP compares names, and valid until the next part of an event is written.
func (x *exchange) eventHeader() message.Header {
	h := x.fields[:0]
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
	if !x.test {
		port, proto := x.forwardedPort()
		h.Add("Host", x.req.Host)
		h.Add("X-Amzn-Trace-Id", x.traceHeader())
		h.Add("X-Forwarded-For", x.forwardedFor())
		h.Add("X-Forwarded-Port", port)
		h.Add("X-Forwarded-Proto", proto)
	}
	slices.SortStableFunc(h, func(a, b message.Field) int { return compareNames(a.Name, b.Name) })
	x.fields = h
	return h
}

// compareNames orders field names without regard to ASCII case.
func compareNames(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// appendEventHeader appends "headers" and "multiValueHeaders" of a sorted header: the last
// value of each name, and all of them. A name is spelt as it came first.
func appendEventHeader(dst []byte, h message.Header, empty string) []byte {
	dst = appendGroups(append(dst, `"headers":`...), h, message.EqualName, false, empty)
	return appendGroups(append(dst, `,"multiValueHeaders":`...), h, message.EqualName, true, empty)
}

// appendEventQuery appends "queryStringParameters" and "multiValueQueryStringParameters",
// decoded.
func (x *exchange) appendEventQuery(dst []byte, empty string) []byte {
	q := x.eventQuery()
	dst = appendGroups(append(dst, `"queryStringParameters":`...), q, sameText, false, empty)
	return appendGroups(append(dst, `,"multiValueQueryStringParameters":`...), q, sameText, true, empty)
}

// manyPairs is the number of query parameters from which those of one name are brought
// together by sorting: a long query must not cost its square.
const manyPairs = 16

// eventQuery returns the parameters of the query string, decoded, those of one name side by
// side: in the order of their first occurrence, or of their names when there are many.
func (x *exchange) eventQuery() message.Header {
	h := x.fields[:0]
	for k, v := range pairs(x.req.RawQuery) {
		h = append(h, message.Field{Name: unescapeQuery(k), Value: unescapeQuery(v)})
	}
	x.fields = h
	if len(h) > manyPairs {
		slices.SortStableFunc(h, func(a, b message.Field) int { return strings.Compare(a.Name, b.Name) })
		return h
	}
	for i := range h {
		for j, end := i+1, i+1; j < len(h); j++ {
			if h[j].Name == h[i].Name {
				f := h[j]
				copy(h[end+1:j+1], h[end:j])
				h[end] = f
				end++
			}
		}
	}
	return h
}

func sameText(a, b string) bool { return a == b }

// appendGroups appends fields as a map, which has those of one name side by side: name to
// last value, or, with all, to the list of all. A map without members is empty. A name is written as it came first.
func appendGroups(dst []byte, fields message.Header, same func(a, b string) bool, all bool, empty string) []byte {
	if len(fields) == 0 {
		return append(dst, empty...)
	}
	sep := byte('{')
	for i := 0; i < len(fields); {
		end := i + 1
		for end < len(fields) && same(fields[i].Name, fields[end].Name) {
			end++
		}
		dst = appendText(append(dst, sep), fields[i].Name)
		dst = append(dst, ':')
		if all {
			dst = appendList(dst, fields[i:end])
		} else {
			dst = appendText(dst, fields[end-1].Value)
		}
		sep, i = ',', end
	}
	return append(dst, '}')
}

func appendList(dst []byte, fields message.Header) []byte {
	sep := byte('[')
	for i := range fields {
		dst = appendText(append(dst, sep), fields[i].Value)
		sep = ','
	}
	return append(dst, ']')
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
	dst = append(dst, `,"clientCert":`...)
	text := x.client.Memo(certificateJSON{}, func() any { return string(appendCertificate(nil, forward.Fields(x.client.Leaf))) })
	return append(dst, text.(string)...)
}

// certificateJSON is the key under which a verdict keeps its certificate's form in events.
type certificateJSON struct{}

func appendCertificate(dst []byte, f forward.ClientCert) []byte {
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
