package gateway

import (
	"cmp"
	"crypto/tls"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/variable"
	"gatehouse/internal/message"
	"gatehouse/internal/trust/forward"
)

// AppendVariable gives the values of $context (mapping-templates, section 5). It
// implements variable.Source for parameter mappings, gateway responses and access logs.
func (x *exchange) AppendVariable(dst []byte, id variable.ID, arg string) ([]byte, bool) {
	if s, ok := x.text(id); ok {
		return append(dst, s...), s != ""
	}
	if n, ok := x.wafNumber(id); ok {
		return strconv.AppendInt(dst, n, 10), true
	}
	if n, ok := x.number(id); ok {
		return strconv.AppendInt(dst, n, 10), true
	}
	switch id {
	case variable.RequestTime:
		return append(dst, x.g.second.text(x.start)...), true
	case variable.SourceIP:
		if x.test {
			return append(dst, testSource...), true
		}
		return x.req.Conn.Remote.Addr().AppendTo(dst), true
	case variable.Path:
		return x.appendContextPath(dst), true
	case variable.ErrorMessageString:
		switch {
		case x.refusal == nil:
			return dst, false
		case x.refusal.Null:
			return append(dst, "null"...), true
		}
		return appendJSON(dst, x.refusal.Message), true
	case variable.Status:
		return strconv.AppendInt(dst, int64(x.res.status), 10), x.res.status != 0
	}
	if v, ok := x.authorizerText(id, arg); ok {
		return append(dst, v...), true
	}
	if n, ok := x.authorizerNumber(id); ok {
		return strconv.AppendInt(dst, n, 10), true
	}
	if v, ok := x.wafText(id); ok {
		return append(dst, v...), v != ""
	}
	if v := x.clientCertText(id); v != "" {
		return append(dst, v...), true
	}
	return dst, false
}

// clientCertText gives the fields of the client certificate on domains with mutual TLS,
// also of one that was refused: access logs show it.
func (x *exchange) clientCertText(id variable.ID) string {
	if x.client == nil || x.client.Leaf == nil || id < variable.ClientCertPEM || id > variable.ClientCertNotAfter {
		return ""
	}
	f := x.client.Memo(certFields{}, func() any { return forward.Fields(x.client.Leaf) }).(forward.ClientCert)
	switch id {
	case variable.ClientCertPEM:
		return f.PEM
	case variable.ClientCertSubjectDN:
		return f.SubjectDN
	case variable.ClientCertIssuerDN:
		return f.IssuerDN
	case variable.ClientCertSerialNumber:
		return f.SerialNumber
	case variable.ClientCertNotBefore:
		return f.Validity.NotBefore
	}
	return f.Validity.NotAfter
}

// certFields is the key under which a connection keeps the fields of its certificate.
type certFields struct{}

// text gives the variables that are strings at hand; ok is false for all others.
func (x *exchange) text(id variable.ID) (string, bool) {
	switch id {
	case variable.RequestID:
		return x.requestID, true
	case variable.ExtendedRequestID:
		return x.extendedID, true
	case variable.Protocol:
		return "HTTP/1.1", true // backends see HTTP/1.1 whatever the client spoke
	case variable.HTTPMethod:
		return x.verb, true
	case variable.DomainName:
		return x.req.Host, true
	case variable.DomainPrefix:
		prefix, _, _ := strings.Cut(x.req.Host, ".")
		return prefix, true
	case variable.UserAgent:
		return x.req.Header.Get("User-Agent"), true
	case variable.TLSVersion:
		if x.req.Conn.TLS == nil {
			return "", true
		}
		return strings.Replace(tls.VersionName(x.req.Conn.TLS.Version), "TLS 1.", "TLSv1.", 1), true
	case variable.CipherSuite:
		if x.req.Conn.TLS == nil {
			return "", true
		}
		return tls.CipherSuiteName(x.req.Conn.TLS.CipherSuite), true
	case variable.BasePathMatched:
		switch {
		case x.rule != "": // of the two, only what led here is told
			return "", true
		case x.domain != nil && x.base == "":
			return "(none)", true
		}
		return x.base, true
	case variable.RoutingRuleIDMatched:
		return x.rule, true
	case variable.ErrorMessage, variable.ErrorResponseType, variable.ValidationErrorString:
		return x.errorText(id), true
	case variable.IdentityAccountID, variable.IdentityAccessKey, variable.IdentityCaller, variable.IdentityUser, variable.IdentityUserARN:
		return x.callerText(id), true
	case variable.IdentityAPIKey:
		return x.key, true
	case variable.IsCanaryRequest:
		return x.canaryText(), true
	case variable.ResponseTransferMode:
		return x.transferMode(), true
	case variable.IdentityAPIKeyID:
		return x.grant.KeyID, true
	case variable.VPCID, variable.VPCEID:
		if x.endpoint == nil {
			return "", true
		}
		if id == variable.VPCID {
			return x.endpoint.VPC, true
		}
		return x.endpoint.ID, true
	case variable.XRayTraceID:
		return x.trace.root, true
	case variable.IntegrationError:
		return x.backend.problem, true
	case variable.AWSEndpointRequestID, variable.IntegrationRequestID:
		return x.backend.requestID, true
	}
	return x.stageText(id)
}

// callerText gives the variables of a signed request.
func (x *exchange) callerText(id variable.ID) string {
	if x.caller == nil {
		return ""
	}
	switch id {
	case variable.IdentityAccountID:
		return x.caller.Account
	case variable.IdentityAccessKey:
		return x.accessKey
	case variable.IdentityUserARN:
		return x.caller.ARN
	}
	return x.caller.ID
}

// stageText gives the variables that the stage and method know.
func (x *exchange) stageText(id variable.ID) (string, bool) {
	switch id {
	case variable.AccountID, variable.APIID, variable.DeploymentID, variable.Stage, variable.EndpointType:
		if x.stage == nil {
			return "", true
		}
	case variable.ResourceID, variable.ResourcePath, variable.OperationName:
		if x.method == nil {
			return "", true
		}
	}
	switch id {
	case variable.AccountID:
		return x.stage.Account, true
	case variable.APIID:
		return x.stage.API.ID, true
	case variable.DeploymentID:
		return x.stage.DeploymentID, true
	case variable.Stage:
		return x.stage.Name, true
	case variable.EndpointType:
		return x.stage.EndpointType, true
	case variable.ResourceID:
		return x.method.Resource.ID, true
	case variable.ResourcePath:
		return x.method.Resource.Path, true
	case variable.OperationName:
		return x.method.OperationName, true
	}
	return "", false
}

func (x *exchange) errorText(id variable.ID) string {
	if x.refusal == nil {
		return ""
	}
	switch id {
	case variable.ErrorMessage:
		return x.refusal.Message
	case variable.ErrorResponseType:
		return x.refusal.Type.String()
	}
	return x.refusal.Detail
}

// number gives the variables that are numbers.
func (x *exchange) number(id variable.ID) (int64, bool) {
	switch id {
	case variable.RequestTimeEpoch:
		return x.start.UnixMilli(), true
	case variable.ResponseLength:
		return x.res.sent, true
	case variable.ResponseLatency:
		return x.g.now().Sub(x.start).Milliseconds(), true
	case variable.IntegrationLatency:
		return x.backend.latency.Milliseconds(), x.backend.called
	case variable.IntegrationStatus:
		n := cmp.Or(x.backend.answered, x.backend.status)
		return int64(n), n != 0
	case variable.IntegrationAPIStatus:
		return int64(x.backend.status), x.backend.status != 0
	case variable.TimeToAllHeaders:
		return x.backend.toHeaders.Milliseconds(), x.backend.toHeaders != 0
	case variable.TimeToFirstContent:
		return x.backend.toContent.Milliseconds(), x.backend.toContent != 0
	}
	return 0, false
}

// appendContextPath appends $context.path: with the stage on default endpoints, and the
// path as requested, base path included, on custom domains. Slashes at its front count as one
// (aws-behaviour-recorded, section 22).
func (x *exchange) appendContextPath(dst []byte) []byte {
	if x.entry.named {
		return x.appendRawPath(dst)
	}
	return append(append(dst, '/'), strings.TrimLeft(x.req.Path, "/")...)
}

// appendRawPath is appendContextPath with the slashes that the client sent.
func (x *exchange) appendRawPath(dst []byte) []byte {
	if !x.entry.named {
		return append(dst, x.req.Path...)
	}
	dst = append(dst, '/')
	dst = append(dst, x.entry.stage...)
	return append(dst, x.entry.path...)
}

// Parameter gives what references other than $context stand for. It implements
// expression.Parameters.
func (x *exchange) Parameter(source expression.Source, name string) string {
	v, _ := x.parameter(source, name)
	return v
}

// parameter returns a stage variable or a parameter of the request. Names are compared with
// case, headers included; of several values the last counts (routing-and-integrations,
// section 7).
func (x *exchange) parameter(source expression.Source, name string) (string, bool) {
	switch source {
	case expression.StageVariable:
		if x.stage == nil {
			return "", false
		}
		v, ok := x.stage.Variables[name]
		return v, ok
	case expression.Path:
		v, ok := x.params.Get(name)
		return unescapePath(v), ok
	case expression.Query:
		return lastQuery(x.req.RawQuery, name)
	case expression.MultiQuery:
		vs := allQuery(x.req.RawQuery, name)
		return strings.Join(vs, ","), len(vs) > 0
	case expression.Header:
		return x.lastHeader(name)
	case expression.MultiHeader:
		vs := x.allHeaders(name)
		return strings.Join(vs, ","), len(vs) > 0
	}
	return "", false
}

// lastHeader returns the value of the last line called name, case included, unless it is
// one that mappings never see.
func (x *exchange) lastHeader(name string) (string, bool) {
	h := x.req.Header
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Name == name || sameLower(h[i].Name, name) {
			return h[i].Value, !x.unmapped(h[i])
		}
	}
	return "", false
}

func (x *exchange) allHeaders(name string) []string {
	var vs []string
	for _, f := range x.req.Header {
		if (f.Name == name || sameLower(f.Name, name)) && !x.unmapped(f) {
			vs = append(vs, f.Value)
		}
	}
	return vs
}

// unmapped reports whether a field ends at the gateway: those of the connection, and the
// caller's signature (routing-and-integrations, section 6.1).
func (x *exchange) unmapped(f message.Field) bool { return hiddenHeader(f.Name) || x.isCredential(f) }

// sameLower lets a name that arrived in lower case, as all do over HTTP/2, stand for name:
// the case that its client chose is not known.
func sameLower(arrived, name string) bool {
	return arrived == strings.ToLower(arrived) && message.EqualName(arrived, name)
}

// trace is the X-Amzn-Trace-Id of an exchange (request-lifecycle, section 2.3).
type trace struct {
	header string
	root   string
}

// newTrace keeps the client's root, parent and sampling decision and makes up the rest.
func newTrace(header string, now time.Time) trace {
	var root, parent, sampled string
	for part := range strings.SplitSeq(header, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case !isTraceValue(value):
		case key == "Root":
			root = value
		case key == "Parent":
			parent = value
		case key == "Sampled":
			sampled = value
		}
	}
	if sampled == "" {
		sampled = "0"
		if parent != "" {
			sampled = "1"
		}
	}
	if root == "" {
		parent = "" // of another trace
	}
	b := append(make([]byte, 0, 128), "Root="...)
	if root == "" {
		b = appendTraceRoot(b, now)
	} else {
		b = append(b, root...)
	}
	end := len(b)
	b = append(b, ";Parent="...)
	if parent == "" {
		b = appendTraceParent(b)
	} else {
		b = append(b, parent...)
	}
	b = append(append(b, ";Sampled="...), sampled...)
	t := trace{header: string(b)}
	t.root = t.header[len("Root="):end]
	return t
}

// isTraceValue bounds what is taken over from clients.
func isTraceValue(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789abcdefABCDEF-?") == ""
}
