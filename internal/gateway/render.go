package gateway

import (
	"strconv"
	"strings"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// render turns a refusal into the answer of the exchange. It is the only place where the
// gateway words an answer of its own.
//
// A type that the deployment customises is rendered with that alone; else the default
// type of its class, when customised, gives headers, template and status; else the
// built-in answer (request-lifecycle, section 3.2).
func (x *exchange) render(r *Refusal) {
	x.res.reset()
	if r.Custom != nil {
		x.renderFirewall(r.Custom)
		return
	}
	if r.Plain != "" {
		x.res.status = r.Status
		x.res.header.Add("Content-Type", "text/plain")
		x.res.setBody(r.Plain)
		return
	}
	x.res.header.Add("Content-Type", "application/json")
	if r.Kind != "" {
		x.res.errorType = r.Kind
	}
	x.res.status = r.status()
	if custom := x.customised(r.Type); custom != nil {
		x.renderCustom(r, custom)
		return
	}
	x.res.setBody(r.builtIn())
}

// renderFirewall answers as a rule of the web ACL says.
func (x *exchange) renderFirewall(c *wafrules.Response) {
	x.res.status = c.Status
	if c.ContentType != "" {
		x.res.header.Add("Content-Type", c.ContentType)
	}
	for _, h := range c.Header {
		x.res.header.Add(h.Name, h.Value)
	}
	x.res.setBody(c.Body)
}

// status returns the status of a refusal that nothing customises.
func (r *Refusal) status() int {
	if r.Status != 0 {
		return r.Status
	}
	return r.Type.Status()
}

// customised returns what the stage's deployment says about a response type.
func (x *exchange) customised(t plan.ResponseType) *plan.GatewayResponse {
	if x.stage == nil || t == plan.RequestTooLarge { // customising it has no effect (section 3.1)
		return nil
	}
	if own := x.stage.Responses[t]; own != nil {
		return own
	}
	return x.stage.Responses[t.Fallback()]
}

// builtIn returns the default body, to the byte (request-lifecycle, section 3.4): errors
// of a method's execution have a space after the colon, refusals of access a capital M.
func (r *Refusal) builtIn() string {
	text := "null"
	if !r.Null {
		text = quoteJSON(r.Message)
	}
	switch {
	case r.Type == plan.AccessDenied:
		return `{"Message":` + text + `}`
	case r.Executing && !r.Null:
		return `{"message": ` + text + `}`
	}
	return `{"message":` + text + `}`
}

// renderCustom fills the answer from a customised gateway response.
func (x *exchange) renderCustom(r *Refusal, custom *plan.GatewayResponse) {
	switch {
	case custom.Status != 0:
		x.res.status = custom.Status
	case x.stage.Responses[r.Type] == custom && r.Type.Status() != 0:
		// A type that was customised without a status takes its own default, not the
		// raiser's choice (request-lifecycle, section 3.2).
		x.res.status = r.Type.Status()
	}
	if t := customTemplate(custom, x.req.Header.Get("Accept")); t != nil {
		x.res.header.Set("Content-Type", t.ContentType)
		x.res.body = t.Text.Append(x.res.body[:0], x, x)
	} else {
		x.res.setBody(r.builtIn())
	}
	for i := range custom.Header {
		h := &custom.Header[i]
		if v, ok := x.value(h.From); ok {
			x.res.header.Set(h.Name, v)
		}
	}
}

// customTemplate selects the template for the client's Accept: the exact type, else
// application/json, else the first.
func customTemplate(custom *plan.GatewayResponse, accept string) *plan.ResponseTemplate {
	want := mediaTypeOf(firstOf(accept))
	for i := range custom.Templates {
		if t := &custom.Templates[i]; strings.EqualFold(t.ContentType, want) {
			return t
		}
	}
	if len(custom.Templates) == 0 {
		return nil
	}
	return &custom.Templates[0] // application/json, when there is one
}

// response is the answer of an exchange while it is put together.
type response struct {
	status    int
	header    message.Header
	errorType string // x-amzn-ErrorType; "" for none
	traced    bool   // X-Amzn-Trace-Id is answered
	body      []byte
	lent      bool // body belongs to somebody else and is not written to

	// stream is the backend's body when it is passed on as it arrives; body is then empty.
	stream *stream

	sent int64 // body bytes sent: $context.responseLength
}

func (r *response) reset() {
	r.status = 0
	r.header = r.header[:0]
	r.errorType = ""
	r.traced = false
	r.body = r.own()
	r.lent = false
	r.stream = nil
}

// lend makes b the body, which stays its owner's.
func (r *response) lend(b []byte) { r.body, r.lent = b, true }

// own returns the body's memory for use again; nil when it is somebody else's.
func (r *response) own() []byte {
	if r.lent {
		return nil
	}
	return kept(r.body)
}

func (r *response) setBody(s string) { r.body = append(r.body[:0], s...) }

// respond sends the answer. Its own header fields come with the names and case that the
// service uses (request-lifecycle, section 2.1).
func (x *exchange) respond() {
	r := &x.res
	r.header.Add("x-amzn-RequestId", x.requestID)
	if r.errorType != "" && !r.header.Has("x-amzn-ErrorType") {
		r.header.Add("x-amzn-ErrorType", r.errorType)
	}
	r.header.Add("x-amz-apigw-id", x.extendedID)
	if r.traced {
		r.header.Add("X-Amzn-Trace-Id", x.traceHeader())
	}
	x.tellLimits()
	if r.stream != nil {
		x.respondStream()
		return
	}
	x.encodeBody()
	if x.w.WriteHead(r.status, r.header, int64(len(r.body))) != nil {
		return
	}
	n, _ := x.w.Write(r.body)
	r.sent = int64(n)
}

// quoteJSON writes s as a JSON string.
func quoteJSON(s string) string {
	return string(appendJSON(make([]byte, 0, len(s)+2), s))
}

// appendJSON appends s as a JSON string: quotes, backslashes and control characters are
// escaped, everything else is left as it is.
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0')
			b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// itoa is strconv.Itoa, which does not allocate below 100.
func itoa(n int) string { return strconv.Itoa(n) }
