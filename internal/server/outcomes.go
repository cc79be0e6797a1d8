package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/awscall"
	"gatehouse/internal/control/functions"
	"gatehouse/internal/lang/awsuri"
	"gatehouse/internal/message"
)

// lambdaService is the service principal in whose name functions' roles are taken on.
const lambdaService = "lambda.amazonaws.com"

// asyncSession is the session name of roles that deliver the outcome of asynchronous calls.
const asyncSession = "awslambda_async"

// outcomeAnswer is how much of a service's answer is read, in bytes.
const outcomeAnswer = 64 << 10

// sendOutcome hands the outcome of an asynchronous call to SQS, SNS or EventBridge, at the
// endpoint that is configured for integrations too. Where that is not AWS, the role is one of
// ours and its policies have to allow it.
func (s *Server) sendOutcome(ctx context.Context, role string, o functions.Outcome) error {
	m, err := wordOutcome(o)
	if err != nil {
		return err
	}
	at, err := awscall.Endpoints(s.config.AWS.Endpoints).Resolve(m.uri, s.awsEndpoints().Own)
	if err != nil {
		return err
	}
	if at.Own {
		return fmt.Errorf("Gatehouse has no service %s: set aws.endpoints.%s", m.uri.Service, m.uri.Service)
	}
	if !at.AWS {
		if err := s.functionMay(ctx, role, m.uri.Service, m.action, o.To); err != nil {
			return err
		}
	}
	key, err := s.services.functionKey(ctx, role, at.AWS)
	if err != nil {
		return err
	}
	req, err := m.request(ctx, at, key)
	if err != nil {
		return err
	}
	res, err := s.outcomes.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, outcomeAnswer))
	if err != nil {
		return err
	}
	return m.judge(res.StatusCode, answer)
}

// outcomeClient connects where backends may be, and follows nobody elsewhere.
func (s *Server) outcomeClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.DialContext = nil, s.functionDialer().DialContext
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// An outcomeMessage is an outcome as a service takes it.
type outcomeMessage struct {
	uri    awsuri.URI
	action string     // of policies: "sqs:SendMessage"
	form   url.Values // of the Query protocol; nil for JSON
	path   string     // behind the endpoint's own
	target string     // X-Amz-Target of JSON
	body   []byte     // JSON
}

// busPrefix is what the resource of an event bus begins with.
const busPrefix = "event-bus/"

// wordOutcome words an outcome for its destination (Lambda guide, "Capturing records of Lambda
// asynchronous invocations").
func wordOutcome(o functions.Outcome) (*outcomeMessage, error) {
	arn := strings.SplitN(o.To, ":", 6)
	if len(arn) != 6 {
		return nil, fmt.Errorf("destination %q: want an ARN", o.To)
	}
	service, region, account, name := arn[2], arn[3], arn[4], arn[5]
	m := &outcomeMessage{uri: awsuri.URI{Partition: arn[1], Region: region, Service: service}}
	switch service {
	case "sqs":
		m.uri.Action, m.action, m.path = "SendMessage", "sqs:SendMessage", "/"+account+"/"+name
		m.form = url.Values{"MessageBody": {string(o.Document)}}
	case "sns":
		m.uri.Action, m.action, m.path = "Publish", "sns:Publish", "/"
		m.form = url.Values{"TopicArn": {o.To}, "Message": {string(o.Document)}}
	case "events":
		m.uri.Action, m.action, m.path, m.target = "PutEvents", "events:PutEvents", "/", "AWSEvents.PutEvents"
		kind := "Lambda Function Invocation Result - Failure"
		if o.Success {
			kind = "Lambda Function Invocation Result - Success"
		}
		var err error
		m.body, err = json.Marshal(map[string]any{"Entries": []any{map[string]any{
			"Source": "lambda", "DetailType": kind, "Detail": string(o.Document), "EventBusName": strings.TrimPrefix(name, busPrefix),
			"Resources": []string{o.To, o.Function},
		}}})
		if err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("destination %q: want SQS, SNS or EventBridge", o.To)
	}
	return m, nil
}

// request makes the signed request of m to an endpoint.
func (m *outcomeMessage) request(ctx context.Context, at awscall.Endpoint, key sigv4.SigningKey) (*http.Request, error) {
	call := awscall.Describe(m.uri)
	base := at.Scheme + "://" + at.Host + at.Prefix
	body := m.body
	header := message.Header{{Name: "Content-Type", Value: call.ContentType}}
	if m.form != nil {
		header[0].Value = "application/x-www-form-urlencoded"
		version, err := url.ParseQuery(call.Query) // Action and Version
		if err != nil {
			return nil, err
		}
		for name, value := range version {
			m.form[name] = value
		}
		if m.uri.Service == "sqs" {
			m.form.Set("QueueUrl", base+m.path)
		}
		body = []byte(m.form.Encode())
	} else {
		header.Add("X-Amz-Target", m.target)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+m.path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	signed := sigv4.Request{Method: req.Method, Path: req.URL.EscapedPath(), Host: req.URL.Host, Header: header}
	if err := sigv4.Sign(&signed, key, &sigv4.Service{Name: call.Signing}, call.Region, time.Now(), hex.EncodeToString(sum[:])); err != nil {
		return nil, err
	}
	for _, f := range signed.Header {
		req.Header.Set(f.Name, f.Value)
	}
	return req, nil
}

// judge reads the answer to m. EventBridge tells in it that it did not take an event.
func (m *outcomeMessage) judge(status int, answer []byte) error {
	excerpt := answer[:min(len(answer), 500)]
	if status < 200 || status > 299 {
		return fmt.Errorf("%s answered %d: %s", m.uri.Service, status, excerpt)
	}
	var events struct{ FailedEntryCount int }
	if m.uri.Service == "events" && (json.Unmarshal(answer, &events) != nil || events.FailedEntryCount > 0) {
		return fmt.Errorf("%s did not take the event: %s", m.uri.Service, excerpt)
	}
	return nil
}
