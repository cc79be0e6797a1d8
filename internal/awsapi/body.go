package awsapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/schema"
)

const (
	mebi            = 1 << 20
	maxUnsignedForm = mebi
	defaultLimit    = mebi
)

// bodyLimits are the largest bodies that are held in memory, in bytes, by service. They
// cover the services' own quotas with room for base64 and JSON around the content:
// definitions of 6 MB (apigateway), deployment packages of 50 MB (lambda), chains of 2
// MiB (acm), batches of 1 MiB (logs), lists of 10,000 parts (s3). Streams have no limit
// here; the backend that reads them does.
var bodyLimits = map[string]int64{
	"apigateway": 10 * mebi,
	"lambda":     70 * mebi,
	"acm":        4 * mebi,
	"logs":       3 * mebi,
	"wafv2":      2 * mebi,
	"s3":         4 * mebi,
}

// limit is the largest body of this call. Who shows no credentials will be refused and
// gets no room to speak of.
func (x *exchange) limit() int64 {
	if !x.scoped && x.scope != "s3" {
		return maxUnsignedForm
	}
	if n, ok := bodyLimits[x.scope]; ok {
		return n
	}
	return defaultLimit
}

// readBody takes the body into memory, so that it can be hashed and then decoded. S3's
// is left alone until the signature's verdict: it may be a stream, or chunked in AWS's
// own way.
func (x *exchange) readBody() error {
	if x.scope == "s3" {
		return nil
	}
	limit := x.limit()
	if x.r.ContentLength >= 0 && x.r.ContentLength <= mebi || limit <= mebi {
		_, err := x.peekBody(limit)
		return err
	}
	if x.r.ContentLength > limit {
		return x.tooLarge(limit)
	}
	if err := x.server.config.Authenticator.Expect(x.r, x.scope); err != nil {
		return err
	}
	if x.r.ContentLength > 0 {
		limit = x.r.ContentLength
	}
	if x.server.held.Add(limit) > maxHeld {
		x.server.held.Add(-limit)
		return awserr.New("ServiceUnavailableException", http.StatusServiceUnavailable, "Too many large requests are under way. Please try again.")
	}
	x.held = limit
	_, err := x.peekBody(limit)
	return err
}

// maxHeld bounds the large bodies that are in memory together, in bytes as sent. While a call
// runs it takes a few times as much.
const maxHeld = 512 * mebi

// release gives back what the call's body held.
func (x *exchange) release() { x.server.held.Add(-x.held) }

// peekBody returns the whole body and leaves it to be read again.
func (x *exchange) peekBody(limit int64) ([]byte, error) {
	if x.r.Body == nil {
		return nil, nil
	}
	body, err := x.readAll(x.r.Body, limit)
	// What was read goes back in front, also when there is more than wanted.
	x.r.Body = readCloser{io.MultiReader(bytes.NewReader(body), x.r.Body), x.r.Body}
	x.request.Body = body
	return body, err
}

// readAll reads r within a limit. It returns what it has read also with an error.
func (x *exchange) readAll(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil && awserr.As(err) != nil:
		return body, err
	case err != nil:
		return body, awserr.New("IncompleteBody", http.StatusBadRequest, "The request body could not be read to its end.").Because(err)
	case int64(len(body)) > limit:
		return body, x.tooLarge(limit)
	}
	return body, nil
}

func (x *exchange) tooLarge(limit int64) error {
	if x.service != nil && x.service.Service.Protocol == schema.RESTXML {
		return awserr.New("MaxMessageLengthExceeded", http.StatusBadRequest, "Your request was too big.").
			With("MaxMessageLengthBytes", fmt.Sprint(limit))
	}
	return awserr.Newf("RequestEntityTooLargeException", http.StatusRequestEntityTooLarge,
		"The request body is larger than %d bytes.", limit)
}

// takeBody gives the operation its body, in the form that the authenticator left it,
// and finds the operation of a form.
func (x *exchange) takeBody(auth Authentication) error {
	body := x.r.Body
	if auth.Body != nil {
		body = auth.Body
		x.describeBody(auth.Length)
	}
	if op := x.request.Operation; op != nil && streams(op.In) {
		if body == nil {
			body = http.NoBody
		}
		x.request.Stream = body
		if x.scope != "s3" { // held in memory for its hash
			x.request.Stream = io.NopCloser(bytes.NewReader(x.request.Body))
		}
		return nil
	}
	if body != nil && (auth.Body != nil || x.scope == "s3") {
		var err error
		if x.request.Body, err = x.readAll(body, x.limit()); err != nil {
			return err
		}
	}
	if x.service != nil && x.service.Service.Protocol == schema.Query {
		return x.takeForm()
	}
	return nil
}

// describeBody makes the headers that the operation reads those of the decoded body:
// its length, and its encoding without the framing that was taken off.
func (x *exchange) describeBody(length int64) {
	if !strings.Contains(x.r.Header.Get("Content-Encoding"), "aws-chunked") {
		return
	}
	h := x.r.Header.Clone()
	h.Del("Content-Length")
	if length >= 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	var kept []string
	for encoding := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && encoding != "aws-chunked" {
			kept = append(kept, encoding)
		}
	}
	h.Del("Content-Encoding")
	if len(kept) > 0 {
		h.Set("Content-Encoding", strings.Join(kept, ","))
	}
	x.request.Header = h
}

// streams reports whether the payload of the input is not held in memory.
func streams(in *schema.Shape) bool {
	m, _ := in.PayloadMember()
	return m != nil && m.IsStreaming()
}

// takeForm joins the parameters of the URL with those of the body and finds the
// operation that they name.
func (x *exchange) takeForm() error {
	form, err := url.ParseQuery(string(x.request.Body))
	if err != nil {
		return awserr.New("MalformedQueryString", http.StatusBadRequest, "The form can not be read: "+err.Error())
	}
	for name, values := range x.request.Query {
		form[name] = append(form[name], values...)
	}
	x.request.Form = form
	action, version := form.Get("Action"), form.Get("Version")
	if action == "" {
		return awserr.New("MissingAction", http.StatusBadRequest, "The request must contain the parameter Action.")
	}
	svc := x.service.Service
	unknown := awserr.Newf("InvalidAction", http.StatusBadRequest, "Could not find operation %s for version %s", action, version)
	if version != svc.APIVersion {
		return unknown
	}
	return x.setOperation(action, unknown)
}

type readCloser struct {
	io.Reader
	io.Closer
}
