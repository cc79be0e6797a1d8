package gateway

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// backendFacts is what the call of the integration left for logs and metrics.
type backendFacts struct {
	called  bool
	latency time.Duration
	status  int    // of the backend's answer; 0 when there was none
	problem string // $context.integrationErrorMessage

	answered  int    // the status that a function behind AWS_PROXY answered; else 0
	requestID string // of the AWS endpoint

	// toHeaders and toContent are the times until a streamed answer's header and the first of
	// its body were there.
	toHeaders, toContent time.Duration
}

// maxBody is the largest body of a buffered request or response, in bytes.
const maxBody = 10 << 20

// integrate runs the method's integration and leaves the client's answer in x.res.
func (x *exchange) integrate(ctx context.Context) error {
	i := x.method.Integration
	if i.Broken != "" {
		return misconfigured("integration-broken", i.Broken)
	}
	if err := x.refuseOtherProtocols(i); err != nil {
		return err
	}
	if i.Type != plan.AWSProxy { // which has no mappings
		if err := x.checkBodyMappings(i); err != nil {
			return err
		}
	}
	switch i.Type {
	case plan.Mock:
		return x.mock(i)
	case plan.HTTPProxy:
		return x.proxy(ctx, i)
	case plan.HTTP:
		return x.callHTTP(ctx, i)
	case plan.AWSProxy:
		return x.answerFromFunction(ctx, i)
	case plan.AWS:
		if i.Service != nil {
			return x.callService(ctx, i)
		}
		return x.callFunction(ctx, i)
	}
	return notOffered("integration type")
}

// contentType returns the media type of the request's body without parameters;
// application/json when the client named none. Of several the last counts, as in mappings
// and events: whoever validates the body and whoever reads it must mean the same.
func (x *exchange) contentType() string {
	h := x.req.Header
	for i := len(h) - 1; i >= 0; i-- {
		if message.EqualName(h[i].Name, "Content-Type") {
			return mediaTypeOf(h[i].Value)
		}
	}
	return mediaTypeOf("")
}

func mediaTypeOf(value string) string {
	value, _, _ = strings.Cut(value, ";")
	if value = strings.TrimSpace(value); value == "" {
		return "application/json"
	}
	return value
}

// readBody returns the request's body. It is read once, into the exchange's buffer.
func (x *exchange) readBody() ([]byte, error) {
	if x.bodyRead {
		return x.body, nil
	}
	x.bodyRead = true
	b := x.body[:0]
	for {
		if len(b) == cap(b) {
			var err error
			if b, err = x.grow(b, x.req.ContentLength); err != nil {
				return nil, err
			}
		}
		n, err := x.req.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > maxBody, errors.Is(err, message.ErrBodyTooLarge):
			return nil, errBodyTooLarge
		case errors.Is(err, io.EOF):
			x.body = b
			return b, nil
		case refusalIn(err) != nil:
			return nil, refusalIn(err)
		case err != nil:
			return nil, &Refusal{Type: plan.Default4XX, Status: 400, Message: "Bad Request", Kind: "BadRequestException", Reason: "body-unreadable", Cause: err}
		}
	}
}

// template selects the request template for the body's content type and applies the
// passthrough behaviour (routing-and-integrations, section 4.6). nil: the body passes.
func (x *exchange) requestTemplate(i *plan.Integration) (*plan.Template, error) {
	ct := x.contentType()
	for n := range i.Templates {
		t := &i.Templates[n]
		if strings.EqualFold(t.ContentType, ct) || t.ContentType == "$default" {
			return t, nil
		}
	}
	if i.Passthrough == plan.Never || i.Passthrough == plan.WhenNoTemplates && len(i.Templates) > 0 {
		return nil, errUnsupported
	}
	return nil, nil
}

// selectResponse finds the integration response for a selection value: the first whose
// pattern matches the whole of it, else the default.
func selectResponse(i *plan.Integration, value string, status int) (*plan.IntegrationResponse, error) {
	for _, r := range i.Responses {
		if r.Pattern.MatchString(value) {
			return r, nil
		}
	}
	if i.Default == nil {
		return nil, noOutputMapping(status)
	}
	return i.Default, nil
}

func noOutputMapping(status int) *Refusal {
	return misconfigured("no-output-mapping", "No match for output mapping and no default output mapping configured. Endpoint Response Status Code: "+itoa(status))
}

// finish answers with an integration response: status, mapped header fields, and the
// template for the client's Accept or else body as it is. What templates override wins.
func (x *exchange) finish(r *plan.IntegrationResponse, from responseSource) error {
	if !x.method.Responses[r.Status] {
		return misconfigured("invalid-method-response", "Output mapping refers to an invalid method response: "+itoa(r.Status))
	}
	payload, err := x.convertResponse(r, from)
	if err != nil {
		return err
	}
	x.res.status = r.Status
	x.res.header.Add("Content-Type", "application/json")
	if t := responseTemplate(r.Templates, x.req.Header.Get("Accept")); t != nil {
		x.res.header.Set("Content-Type", t.ContentType)
		if x.res.body, err = x.renderTemplate(x.res.body[:0], t, payload); err != nil {
			return untransformed("response", err)
		}
	} else {
		x.res.body = append(x.res.body[:0], payload...)
	}
	for n := range r.Parameters {
		m := &r.Parameters[n]
		v, ok, err := x.responseValue(m, from)
		if err != nil {
			return err
		}
		if ok {
			x.setMapped(m.Name, v)
		}
	}
	return x.overrideResponse()
}

// setMapped sets a response header field that a mapping names.
func (x *exchange) setMapped(name, value string) {
	switch fateOf(mappedResponse, name) {
	case drop:
	case remap:
		x.res.header.Set(remapped(name), value)
	default:
		x.res.header.Set(name, value)
	}
}

// responseTemplate selects the response template by the client's Accept: the exact type,
// else application/json, else the first (routing-and-integrations, section 4.5).
func responseTemplate(templates []plan.Template, accept string) *plan.Template {
	if len(templates) == 0 {
		return nil
	}
	want := mediaTypeOf(firstOf(accept))
	fallback := &templates[0]
	for n := range templates {
		t := &templates[n]
		if strings.EqualFold(t.ContentType, want) {
			return t
		}
		if t.ContentType == "application/json" {
			fallback = t
		}
	}
	return fallback
}

// firstOf returns the first element of a list header.
func firstOf(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return first
}
