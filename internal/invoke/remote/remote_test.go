package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"gatehouse/internal/invoke"
	"gatehouse/internal/invoke/remote"
)

const arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		pattern, arn string
		want         bool
	}{
		{"orders", arn, true}, {"orders", arn + ":live", true}, {"order", arn, false}, {"*", arn, true}, {"ord*", arn, true},
		{"*rs", arn, true}, {"o*d*s", arn, true}, {"o*x*s", arn, false}, {"orders*orders", arn, false},
		{arn, arn, true}, {arn, arn + ":live", true}, {arn + ":live", arn + ":live", true}, {arn + ":live", arn, false},
		{"arn:aws:lambda:*:123456789012:function:*", arn, true}, {"arn:aws:lambda:us-*:function:*", arn, false},
		{"*", "arn:aws:s3:::orders", false}, {"*", "orders", false}, {"", arn, false},
	} {
		r := remote.New([]remote.Route{{Function: tt.pattern}}, remote.Options{})
		if got := r.Find(tt.arn) != nil; got != tt.want {
			t.Errorf("%q leads %s away: %v, want %v", tt.pattern, tt.arn, got, tt.want)
		}
	}
}

// service is a router with one route to a handler.
func service(t *testing.T, lambda bool, o remote.Options, h http.HandlerFunc) (*remote.Router, *remote.Route) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	to := remote.Route{Function: "*", HTTP: s.URL + "/events"}
	if lambda {
		to = remote.Route{Function: "*", Lambda: s.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "token")}
	}
	r := remote.New([]remote.Route{to}, o)
	t.Cleanup(r.Close)
	return r, r.Find(arn)
}

func TestService(t *testing.T) {
	r, to := service(t, false, remote.Options{}, func(w http.ResponseWriter, req *http.Request) {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		switch string(b) {
		case `"fail"`:
			w.Header().Set("X-Amz-Function-Error", "Handled")
			fmt.Fprint(w, `{"errorMessage":"no"}`)
		case `"500"`:
			http.Error(w, "broken", 500)
		case `"500 with document"`:
			w.WriteHeader(500)
			fmt.Fprint(w, `{"errorMessage":"own","errorType":"Own"}`)
		case `"large"`:
			io.WriteString(w, strings.Repeat("x", invoke.MaxPayload+1))
		case `"moved"`:
			http.Redirect(w, req, "/elsewhere", http.StatusFound)
		default:
			fmt.Fprintf(w, `{"path":%q,"event":%s,"type":%q,"arn":%q}`, req.URL.Path, b, req.Header.Get("X-Amz-Invocation-Type"), req.Header.Get("Lambda-Runtime-Invoked-Function-Arn"))
		}
	})
	for payload, want := range map[string]struct{ payload, functionError string }{
		`[1]`:                 {`{"path":"/events","event":[1],"type":"RequestResponse","arn":"` + arn + `"}`, ""},
		``:                    {`{"path":"/events","event":{},"type":"RequestResponse","arn":"` + arn + `"}`, ""},
		`"fail"`:              {`{"errorMessage":"no"}`, "Handled"},
		`"500"`:               {`{"errorMessage":"the service answered 500 Internal Server Error, want a status from 200 to 299","errorType":"Http.Status500"}`, "Unhandled"},
		`"500 with document"`: {`{"errorMessage":"own","errorType":"Own"}`, "Unhandled"},
		`"moved"`:             {`{"errorMessage":"the service answered 302 Found, want a status from 200 to 299","errorType":"Http.Status302"}`, "Unhandled"},
		`"large"`:             {`{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}`, "Unhandled"},
	} {
		res, err := r.Invoke(t.Context(), to, &invoke.Call{Function: arn, Payload: []byte(payload)})
		if err != nil || string(res.Payload) != want.payload || res.FunctionError != want.functionError || res.Status != 200 {
			t.Errorf("%s: %.200q %+v, %v", payload, res.Payload, res.FunctionError, err)
		}
	}
	res, err := r.Invoke(t.Context(), to, &invoke.Call{Function: arn, Async: true})
	if err != nil || res.Status != 202 || res.Payload != nil {
		t.Errorf("asynchronous: %+v, %v", res, err)
	}
	s, err := r.Stream(t.Context(), to, &invoke.Call{Function: arn, Payload: []byte("1")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Body.Close()
	if b, err := io.ReadAll(s.Body); err != nil || !strings.Contains(string(b), `"event":1`) {
		t.Errorf("streamed: %s, %v", b, err)
	}
}

func TestLambdaEndpoint(t *testing.T) {
	r, to := service(t, true, remote.Options{}, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Amzn-Requestid", "id")
		if req.URL.Path != "/2015-03-31/functions/orders/invocations" || !strings.Contains(req.Header.Get("Authorization"), "/eu-west-1/lambda/aws4_request") ||
			req.Header.Get("X-Amz-Security-Token") != "token" {
			t.Errorf("%s %v", req.URL, req.Header)
		}
		switch q := req.URL.Query().Get("Qualifier"); q {
		case "busy":
			w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException:")
			w.WriteHeader(429)
			fmt.Fprint(w, `{"Type":"User","message":"Rate Exceeded."}`)
		case "denied":
			w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
			w.WriteHeader(403)
			fmt.Fprint(w, `{"Message":"User may not"}`)
		case "down":
			w.WriteHeader(503)
		case "fail":
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			fmt.Fprint(w, `{"errorMessage":"no","errorType":"E"}`)
		default:
			w.Header().Set("X-Amz-Executed-Version", "7")
			w.Header().Set("X-Amz-Log-Result", "bG9n")
			fmt.Fprint(w, `"done"`)
		}
	})
	res, err := r.Invoke(t.Context(), to, &invoke.Call{Function: arn})
	if err != nil || string(res.Payload) != `"done"` || res.Version != "7" || string(res.LogTail) != "log" || res.RequestID != "id" {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err := r.Invoke(t.Context(), to, &invoke.Call{Function: arn + ":fail"}); err != nil || res.FunctionError != "Unhandled" {
		t.Errorf("a function that fails: %+v, %v", res, err)
	}
	for qualifier, want := range map[string]invoke.Error{
		"busy":   {Kind: invoke.Throttled, Status: 429, Type: "TooManyRequestsException", Message: "Rate Exceeded."},
		"denied": {Kind: invoke.NotPermitted, Status: 403, Type: "AccessDeniedException", Message: "User may not"},
		"down":   {Kind: invoke.Unavailable, Status: 503, Type: "ServiceException"},
	} {
		_, err := r.Invoke(t.Context(), to, &invoke.Call{Function: arn + ":" + qualifier})
		e, ok := errors.AsType[*invoke.Error](err)
		if !ok || e.Kind != want.Kind || e.Status != want.Status || e.Type != want.Type || e.Message != want.Message {
			t.Errorf("%s: %+v", qualifier, e)
		}
	}
}

// An endpoint that is away, or where nobody may connect to, is unavailable; a caller who
// leaves gets its own context's error.
func TestNoAnswer(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	slow := func(w http.ResponseWriter, req *http.Request) {
		select {
		case <-hang:
		case <-req.Context().Done():
		}
	}
	r, to := service(t, false, remote.Options{Timeout: 20 * time.Millisecond}, slow)
	if _, err := r.Invoke(t.Context(), to, &invoke.Call{Function: arn}); !isUnavailable(err) {
		t.Errorf("after its time: %v", err)
	}
	r, to = service(t, false, remote.Options{}, slow)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Invoke(ctx, to, &invoke.Call{Function: arn}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the caller's time: %v", err)
	}
	r, to = service(t, false, remote.Options{Control: func(_ string, to netip.AddrPort) error { return errors.New("not there") }}, slow)
	if _, err := r.Invoke(t.Context(), to, &invoke.Call{Function: arn}); !isUnavailable(err) || !strings.Contains(err.Error(), "not there") {
		t.Errorf("where nobody may connect to: %v", err)
	}
}

func isUnavailable(err error) bool {
	e, ok := errors.AsType[*invoke.Error](err)
	return ok && e.Kind == invoke.Unavailable
}
