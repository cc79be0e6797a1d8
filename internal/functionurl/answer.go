package functionurl

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/invoke"
	"gatehouse/internal/message"
)

// A refusal is an answer that no function made.
type refusal struct {
	status int
	kind   string // of x-amzn-ErrorType; "" for a body that is plain text
	body   string
}

func (r *refusal) Error() string { return r.body }

// Refusals of function URLs (aws-behaviour-recorded.md, section 28; Lambda guide).
var (
	errForbidden = &refusal{403, "AccessDeniedException",
		`{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`}
	errTooLarge = &refusal{413, "RequestTooLargeException",
		fmt.Sprintf(`{"Message":"Request must be smaller than %d bytes for the InvokeFunction operation"}`, maxBody)}
	errBadRequest  = &refusal{400, "BadRequestException", `{"Message":"Bad Request"}`}
	errMisdirected = &refusal{421, "", "Misdirected Request"}
	errFunction    = &refusal{502, "", "Internal Server Error"}
	errThrottled   = &refusal{429, "TooManyRequestsException", `{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}`}
	errNoMemory    = &refusal{503, "ServiceException", `{"Message":"Service Unavailable"}`}
	errInternal    = &refusal{500, "InternalFailure", `{"Message":"Internal Server Error"}`}
)

// unverified words a refused signature.
func unverified(err error) error {
	e, ok := errors.AsType[*sigv4.Error](err)
	if !ok {
		return err
	}
	if e.Kind == sigv4.Missing {
		return errForbidden
	}
	body, _ := json.Marshal(map[string]string{"message": e.Message})
	return &refusal{e.Status, e.Code, string(body)}
}

// refuse answers an error; what is not a refusal is logged and hidden.
func (x *exchange) refuse(err error) {
	r, ok := err.(*refusal)
	if e, called := errors.AsType[*invoke.Error](err); called {
		switch e.Kind {
		case invoke.Throttled:
			r, ok = errThrottled, true
		case invoke.TooLarge:
			r, ok = errTooLarge, true
		case invoke.NotFound, invoke.NotPermitted:
			r, ok = errForbidden, true
		}
	}
	if !ok {
		if !errors.Is(err, context.Canceled) {
			x.h.Log.Error("a function URL could not be served", "request", x.id, "error", err)
		}
		r = errInternal
	}
	h := message.Header{{Name: "x-amzn-RequestId", Value: x.id}}
	if r.kind != "" {
		h.Add("x-amzn-ErrorType", r.kind)
		h.Add("Content-Type", "application/json")
	}
	x.addCORS(&h)
	x.send(r.status, h, []byte(r.body))
}

// send sends a whole answer. That the client is gone is not our failure.
func (x *exchange) send(status int, h message.Header, body []byte) {
	if x.w.WriteHead(status, h, int64(len(body))) == nil {
		x.w.Write(body)
	}
}

// response is a function's answer in payload format 2.0.
type response struct {
	StatusCode      *int            `json:"statusCode"`
	Headers         map[string]any  `json:"headers"`
	Cookies         []string        `json:"cookies"`
	Body            json.RawMessage `json:"body"`
	IsBase64Encoded bool            `json:"isBase64Encoded"`
}

// answer turns a function's answer into the response. An object with a statusCode describes
// one; everything else is the body itself.
func (x *exchange) answer(payload []byte) error {
	var r response
	if trimmed := bytes.TrimSpace(payload); len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(trimmed, &r) != nil || r.StatusCode == nil {
		return x.plain(payload)
	}
	if *r.StatusCode < 100 || *r.StatusCode > 599 {
		return errFunction
	}
	body, err := r.content()
	if err != nil {
		return errFunction
	}
	h, err := x.head(&r)
	if err != nil {
		return err
	}
	x.send(*r.StatusCode, h, body)
	return nil
}

// plain answers what does not describe a response: text as it is, the rest as JSON.
func (x *exchange) plain(payload []byte) error {
	var text string
	if json.Unmarshal(payload, &text) == nil && len(payload) > 0 && bytes.TrimSpace(payload)[0] == '"' {
		payload = []byte(text)
	}
	h := message.Header{{Name: "x-amzn-RequestId", Value: x.id}, {Name: "Content-Type", Value: "application/json"}}
	x.addCORS(&h)
	x.send(http.StatusOK, h, payload)
	return nil
}

// content is the body of a response; one that is no text is answered as JSON.
func (r *response) content() ([]byte, error) {
	if len(r.Body) == 0 || string(r.Body) == "null" {
		return nil, nil
	}
	var text string
	if json.Unmarshal(r.Body, &text) != nil {
		return r.Body, nil
	}
	if r.IsBase64Encoded {
		return base64.StdEncoding.DecodeString(text)
	}
	return []byte(text), nil
}

// head makes the header of a response that a function describes.
func (x *exchange) head(r *response) (message.Header, error) {
	h := message.Header{{Name: "x-amzn-RequestId", Value: x.id}}
	for name, value := range r.Headers {
		text, ok := scalar(value)
		if !ok || !validField(name, text) {
			return nil, errFunction
		}
		h.Set(name, text)
	}
	for _, c := range r.Cookies {
		if !validField("Set-Cookie", c) {
			return nil, errFunction
		}
		h.Add("Set-Cookie", c)
	}
	if !h.Has("Content-Type") {
		h.Add("Content-Type", "application/json")
	}
	x.addCORS(&h)
	return h, nil
}

// scalar is a header's value as text.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// validField reports whether a line can be sent without becoming another (RFC 9110, section 5).
func validField(name, value string) bool {
	if name == "" {
		return false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return !strings.ContainsAny(value, "\r\n\x00")
}

// integration is the content type of streams that begin with a description of the response.
const integration = "application/vnd.awslambda.http-integration-response"

// maxPrelude bounds the description, its end included, in bytes.
const maxPrelude = 16 << 10

// stream answers with what the function writes, as it comes.
func (x *exchange) stream(ctx context.Context) error {
	s, err := x.h.Functions.Stream(ctx, x.url, x.id, x.event())
	if err != nil {
		return err
	}
	defer s.Body.Close()
	if s.FunctionError != "" {
		return errFunction
	}
	r := &response{Headers: map[string]any{"Content-Type": "application/octet-stream"}}
	var rest []byte
	switch s.ContentType {
	case integration:
		if r, rest, err = prelude(s.Body); err != nil {
			return errFunction
		}
	case "":
	default:
		r.Headers["Content-Type"] = s.ContentType
	}
	if r.StatusCode == nil {
		ok := http.StatusOK
		r.StatusCode = &ok
	}
	if *r.StatusCode < 100 || *r.StatusCode > 599 {
		return errFunction
	}
	h, err := x.head(r)
	if err != nil {
		return err
	}
	return x.pass(*r.StatusCode, h, io.MultiReader(bytes.NewReader(rest), s.Body))
}

// pass sends an answer part by part. When it breaks off, so does the response.
func (x *exchange) pass(status int, h message.Header, body io.Reader) error {
	if x.w.WriteHead(status, h, -1) != nil {
		return nil
	}
	buf := make([]byte, 16<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, werr := x.w.Write(buf[:n]); werr != nil || x.w.Flush() != nil {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			x.w.Abort()
			return nil
		}
	}
}

// prelude reads the description that a stream begins with: JSON and 8 NUL bytes. rest is
// what was read beyond.
func prelude(body io.Reader) (r *response, rest []byte, err error) {
	end := make([]byte, 8)
	var head []byte
	for {
		if i := bytes.Index(head, end); i >= 0 {
			r = new(response)
			return r, head[i+len(end):], json.Unmarshal(head[:i], r)
		}
		if len(head) >= maxPrelude {
			return nil, nil, fmt.Errorf("no end of the description within %d bytes", maxPrelude)
		}
		part := make([]byte, 4<<10)
		n, err := body.Read(part)
		head = append(head, part[:n]...)
		if err != nil && !bytes.Contains(head, end) {
			return nil, nil, fmt.Errorf("the stream ended in its description: %w", err)
		}
	}
}
