// Package migrate carries REST APIs to a server: from OpenAPI documents with stage settings, or
// from a live account of API Gateway. It speaks the service's own management API on both sides,
// so that Amazon, another Gatehouse and this one are the same to it. The command import runs it.
// It keeps no state: what is there already is brought up to date, so that it can run again.
package migrate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A Conn makes signed calls of API Gateway's management API. It is safe for concurrent use.
type Conn struct {
	Endpoint    string // https://apigateway.us-east-1.amazonaws.com, http://127.0.0.1:4566
	Region      string
	Credentials aws.CredentialsProvider
}

// NewConn connects to where a configuration leads: its own endpoint, or Amazon's.
func NewConn(cfg aws.Config) (*Conn, error) {
	if cfg.Region == "" {
		return nil, errors.New("no region is configured: set AWS_REGION")
	}
	c := &Conn{Endpoint: "https://apigateway." + cfg.Region + ".amazonaws.com", Region: cfg.Region, Credentials: cfg.Credentials}
	if cfg.BaseEndpoint != nil {
		c.Endpoint = strings.TrimSuffix(*cfg.BaseEndpoint, "/")
	}
	return c, nil
}

// An apiError is a refusal of the service.
type apiError struct {
	status        int
	code, message string
}

// Error returns the service's code and text.
func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.code, e.message) }

func isCode(err error, code string) bool {
	var e *apiError
	return errors.As(err, &e) && e.code == code
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// document is a body that is sent as it is.
type document []byte

// call sends a request with in as JSON, or as it is when it is a document, and decodes the answer
// into out, which may be nil or a *document. Throttled and failing calls are tried again.
func (c *Conn) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	switch in := in.(type) {
	case nil:
	case document:
		body = in
	default:
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	for attempt := 0; ; attempt++ {
		err := c.once(ctx, method, path, body, out)
		var e *apiError
		if err == nil || attempt == 5 || !errors.As(err, &e) || e.status != http.StatusTooManyRequests && e.status < 500 {
			return err
		}
		wait := time.NewTimer(time.Second << attempt) // Amazon allows a few of these calls in a second
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}

func (c *Conn) once(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	key, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, key, req, hex.EncodeToString(sum[:]), "apigateway", c.Region, time.Now()); err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return refusal(res, text)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *document:
		*out = text
		return nil
	}
	return json.Unmarshal(text, out)
}

func refusal(res *http.Response, text []byte) error {
	code, _, _ := strings.Cut(res.Header.Get("X-Amzn-Errortype"), ":")
	e := &apiError{status: res.StatusCode, code: code}
	var said struct{ Message string }
	if json.Unmarshal(text, &said) == nil {
		e.message = said.Message
	}
	return e
}

// all reads every page of a list.
func all[T any](ctx context.Context, c *Conn, path string) ([]T, error) {
	var found []T
	u, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	q.Set("limit", "500")
	for {
		u.RawQuery = q.Encode()
		var page struct {
			Position string `json:"position"`
			Item     []T    `json:"item"`
		}
		if err := c.call(ctx, http.MethodGet, u.String(), nil, &page); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		found = append(found, page.Item...)
		if page.Position == "" {
			return found, nil
		}
		q.Set("position", page.Position)
	}
}

// patch is one patch operation.
type patch struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value,omitempty"`
}

type patches struct {
	PatchOperations []patch `json:"patchOperations"`
}
