package functionurl

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/trust/forward"
)

// event is a request in payload format 2.0 (Lambda guide, "Invoking Lambda function URLs").
type event struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext  requestContext    `json:"requestContext"`
	Body            *string           `json:"body,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	AccountID    string      `json:"accountId"`
	APIID        string      `json:"apiId"`
	Authorizer   *authorizer `json:"authorizer,omitempty"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	HTTP         httpContext `json:"http"`
	RequestID    string      `json:"requestId"`
	RouteKey     string      `json:"routeKey"`
	Stage        string      `json:"stage"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

type authorizer struct {
	IAM iamContext `json:"iam"`
}

// iamContext says who signed a request.
type iamContext struct {
	AccessKey       string  `json:"accessKey"`
	AccountID       string  `json:"accountId"`
	CallerID        string  `json:"callerId"`
	CognitoIdentity *string `json:"cognitoIdentity"`
	PrincipalOrgID  *string `json:"principalOrgId"`
	UserARN         string  `json:"userArn"`
	UserID          string  `json:"userId"`
}

const defaultRoute = "$default"

// event makes the function's event.
func (x *exchange) event() []byte {
	host := x.req.Host
	if port := strings.IndexByte(host, ':'); port >= 0 {
		host = host[:port]
	}
	path := x.req.Path
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	ev := event{
		Version: "2.0", RouteKey: defaultRoute, RawPath: x.req.Path, RawQueryString: x.req.RawQuery, Query: x.query(),
		RequestContext: requestContext{
			AccountID: "anonymous", APIID: x.url.ID, DomainName: strings.ToLower(host), DomainPrefix: x.url.ID, RequestID: x.id,
			RouteKey: defaultRoute, Stage: defaultRoute,
			Time: x.start.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: x.start.UnixMilli(),
			HTTP: httpContext{
				Method: x.req.Method, Path: path, Protocol: "HTTP/1.1", SourceIP: x.req.Conn.Remote.Addr().Unmap().String(),
				UserAgent: x.req.Header.Get("User-Agent"),
			},
		},
	}
	if c := x.caller; c != nil {
		ev.RequestContext.AccountID = c.Account
		ev.RequestContext.Authorizer = &authorizer{iamContext{AccessKey: x.key, AccountID: c.Account, CallerID: c.ID, UserARN: c.ARN, UserID: c.ID}}
	}
	ev.Headers, ev.Cookies = x.headers(host)
	if len(x.body) > 0 {
		text := string(x.body)
		if ev.IsBase64Encoded = !isText(x.req.Header.Get("Content-Type")) || !utf8.ValidString(text); ev.IsBase64Encoded {
			text = base64.StdEncoding.EncodeToString(x.body)
		}
		ev.Body = &text
	}
	b, err := json.Marshal(ev)
	if err != nil {
		panic("functionurl: " + err.Error()) // our own types
	}
	return b
}

// hidden are headers that functions do not see: those of the connection, and credentials
// that were judged.
var hidden = map[string]bool{
	"connection": true, "keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true, "expect": true,
	"proxy-connection": true, "x-forwarded-for": true, "x-forwarded-port": true, "x-forwarded-proto": true,
}

// headers joins lines of a name by commas; names are in lower case. Cookies come apart. What
// claims a verified client certificate is left out: nobody verified one here, and a function
// may believe it where it also answers an API's methods.
func (x *exchange) headers(host string) (h map[string]string, cookies []string) {
	h = make(map[string]string, len(x.req.Header)+3)
	for _, f := range x.req.Header {
		name := strings.ToLower(f.Name)
		switch {
		case hidden[name], forward.IsReserved(name), name == "authorization" && x.url.IAM:
		case name == "cookie":
			for c := range strings.SplitSeq(f.Value, ";") {
				if c = strings.TrimSpace(c); c != "" {
					cookies = append(cookies, c)
				}
			}
		case h[name] != "":
			h[name] += "," + f.Value
		default:
			h[name] = f.Value
		}
	}
	h["host"] = host
	h["x-forwarded-for"] = x.req.Conn.Remote.Addr().Unmap().String()
	h["x-forwarded-proto"], h["x-forwarded-port"] = "http", "80"
	if x.req.Conn.TLS != nil {
		h["x-forwarded-proto"], h["x-forwarded-port"] = "https", "443"
	}
	return h, cookies
}

// query decodes the query string; values of a name are joined by commas.
func (x *exchange) query() map[string]string {
	if x.req.RawQuery == "" {
		return nil
	}
	q := make(map[string]string)
	for pair := range strings.SplitSeq(x.req.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescaped(name), unescaped(value)
		if old, ok := q[name]; ok {
			value = old + "," + value
		}
		q[name] = value
	}
	return q
}

// unescaped decodes a part of a query; one that is not encoded rightly stays as it is.
func unescaped(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// isText reports whether bodies of a media type come as text, not in base64.
func isText(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch t {
	case "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded":
		return true
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml")
}
