package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// Names of variables for the process that TestEventsOutliveServer kills.
const (
	killedData  = "GATEHOUSE_TEST_KILLED_DATA"
	killedQueue = "GATEHOUSE_TEST_KILLED_QUEUE"
)

// sent is a request that a fake service got.
type sent struct {
	path, target, authorization, token string
	form                               url.Values
	body                               string
}

// fakeService stands for SQS, SNS and EventBridge; it takes everything.
func fakeService(t *testing.T, answer string) (base string, got <-chan sent) {
	all := make(chan sent, 20)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := sent{path: r.URL.Path, target: r.Header.Get("X-Amz-Target"), authorization: r.Header.Get("Authorization"), token: r.Header.Get("X-Amz-Security-Token")}
		if s.target == "" {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			s.form = r.PostForm
		} else {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			s.body = string(b)
		}
		all <- s
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, all
}

func received(t *testing.T, got <-chan sent) sent {
	t.Helper()
	select {
	case s := <-got:
		return s
	case <-time.After(60 * time.Second):
		t.Fatal("nothing came")
		return sent{}
	}
}

// asyncFunction makes a function that answers its event, with a role that may do everything
// that allow matches.
func asyncFunction(t *testing.T, g *servertest.Gatehouse, name, allow string) (*lambda.Client, *string) {
	t.Helper()
	role := newRole(t, g, name, "lambda.amazonaws.com", allow)
	c := lambda.NewFromConfig(g.AWS(t))
	fn, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: pythonRuntime(t), Role: role, Handler: aws.String("m.handler"),
		Code: pythonCode(t, "def handler(e, c):\n    if e == 'fail': raise ValueError('no')\n    return e\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, fn.FunctionArn
}

func destination(t *testing.T, c *lambda.Client, function *string, arn string) {
	t.Helper()
	_, err := c.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName: function, MaximumRetryAttempts: aws.Int32(0),
		DestinationConfig: &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: &arn}, OnFailure: &types.OnFailure{Destination: &arn}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func sendEvent(t *testing.T, c *lambda.Client, function *string, payload string) {
	t.Helper()
	out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: function, InvocationType: types.InvocationTypeEvent, Payload: []byte(payload)})
	if err != nil || out.StatusCode != 202 {
		t.Fatalf("an event: %+v, %v", out, err)
	}
}

// An event that was acknowledged is carried out, though the server is killed before: here it
// waits because the function may not run, and its outcome goes to a queue afterwards.
func TestEventsOutliveServer(t *testing.T) {
	if os.Getenv(killedData) != "" {
		serveUntilKilled(t)
		return
	}
	t.Parallel()
	queue, got := fakeService(t, "<SendMessageResponse/>")
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEventsOutliveServer$")
	cmd.Env = append(os.Environ(), killedData+"="+dir, killedQueue+"="+queue)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := ""
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		address, _ = strings.CutPrefix(lines.Text(), "control ")
	}
	c := config.Defaults()
	c.Data = dir
	killed := &servertest.Gatehouse{Config: c, Control: address}
	calls, fn := asyncFunction(t, killed, "later", "sqs:SendMessage")
	destination(t, calls, fn, "arn:aws:sqs:us-east-1:000000000000:outcomes")
	if _, err := calls.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: fn, ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	const events = 20
	for i := range events {
		sendEvent(t, calls, fn, fmt.Sprint(i))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()

	g := servertest.Start(t, killedConfig(dir, queue))
	calls = lambda.NewFromConfig(g.AWS(t))
	if _, err := calls.DeleteFunctionConcurrency(t.Context(), &lambda.DeleteFunctionConcurrencyInput{FunctionName: fn}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for len(seen) < events {
		var record struct {
			RequestContext  struct{ Condition string }
			RequestPayload  json.RawMessage
			ResponsePayload json.RawMessage
		}
		message := received(t, got).form.Get("MessageBody")
		if err := json.Unmarshal([]byte(message), &record); err != nil {
			t.Fatal(err)
		}
		if record.RequestContext.Condition != "Success" || string(record.RequestPayload) != string(record.ResponsePayload) {
			t.Errorf("outcome %s", message)
		}
		seen[string(record.RequestPayload)] = true
	}
}

func killedConfig(dir, queue string) func(*config.Config) {
	return func(c *config.Config) {
		c.Data = dir
		c.AWS.Endpoints = map[string]string{"sqs": queue}
	}
}

// serveUntilKilled is what the other process does.
func serveUntilKilled(t *testing.T) {
	g := servertest.Start(t, killedConfig(os.Getenv(killedData), os.Getenv(killedQueue)))
	fmt.Println("control " + g.Control)
	select {}
}

// Queues, topics and buses are told of outcomes in the name of the function's role, which
// needs to be allowed that.
func TestOutcomeDestinations(t *testing.T) {
	t.Parallel()
	base, got := fakeService(t, `{"FailedEntryCount": 0, "Entries": []}`)
	g := servertest.Start(t, func(c *config.Config) { c.AWS.Endpoints = map[string]string{"*": base + "/{service}"} })
	c, fn := asyncFunction(t, g, "tells", "*")
	for _, tt := range []struct {
		arn, payload, path, service string
		want                        func(s sent) string
	}{
		{"arn:aws:sqs:eu-west-1:111122223333:q", `"x"`, "/sqs/111122223333/q", "eu-west-1/sqs", func(s sent) string {
			return s.form.Get("Action") + " " + s.form.Get("QueueUrl") + " " + s.form.Get("MessageBody")
		}},
		{"arn:aws:sns:us-east-1:000000000000:topic", `"fail"`, "/sns/", "us-east-1/sns", func(s sent) string {
			return s.form.Get("Action") + " " + s.form.Get("TopicArn") + " " + s.form.Get("Message")
		}},
		{"arn:aws:events:us-east-1:000000000000:event-bus/bus", `"x"`, "/events/", "us-east-1/events", func(s sent) string {
			var doc struct {
				Entries []struct{ EventBusName, DetailType, Detail string }
			}
			if err := json.Unmarshal([]byte(s.body), &doc); err != nil || len(doc.Entries) != 1 {
				t.Fatalf("%s: %v", s.body, err)
			}
			return s.target + " " + doc.Entries[0].EventBusName + " " + doc.Entries[0].DetailType + " " + doc.Entries[0].Detail
		}},
	} {
		destination(t, c, fn, tt.arn)
		sendEvent(t, c, fn, tt.payload)
		s := received(t, got)
		if s.path != tt.path || !strings.Contains(s.authorization, "/"+tt.service+"/aws4_request") || s.token == "" {
			t.Errorf("%s: %+v", tt.arn, s)
		}
		var want string
		switch {
		case strings.Contains(tt.arn, "sqs"):
			want = "SendMessage " + base + "/sqs/111122223333/q {"
		case strings.Contains(tt.arn, "sns"):
			want = "Publish " + tt.arn + " {"
		default:
			want = "AWSEvents.PutEvents bus Lambda Function Invocation Result - Success {"
		}
		if text := tt.want(s); !strings.HasPrefix(text, want) || !strings.Contains(text, `"requestPayload":`+tt.payload) || strings.Contains(text, `"RetriesExhausted"`) != (tt.payload == `"fail"`) {
			t.Errorf("%s: %s, want %s", tt.arn, text, want)
		}
	}

	// A role that may not: nothing comes but what another function is told afterwards.
	policy, name := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sqs:*","Resource":"*"}]}`, "tells"
	if _, err := iam.NewFromConfig(g.AWS(t)).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("not"), PolicyDocument: &policy}); err != nil {
		t.Fatal(err)
	}
	destination(t, c, fn, "arn:aws:sqs:us-east-1:000000000000:forbidden")
	sendEvent(t, c, fn, `"x"`)
	other, allowed := asyncFunction(t, g, "other", "sqs:SendMessage")
	destination(t, other, allowed, "arn:aws:sqs:us-east-1:000000000000:allowed")
	sendEvent(t, other, allowed, `"x"`)
	if s := received(t, got); s.path != "/sqs/000000000000/allowed" {
		t.Errorf("a role without permission reached %s", s.path)
	}
}
