package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	"github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// operate calls an operation of the control port with the credentials of cfg.
func operate(t *testing.T, g *servertest.Gatehouse, cfg aws.Config, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.Control+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	creds, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, "UNSIGNED-PAYLOAD", "gatehouse", cfg.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	status, answer, _ := do(t, http.DefaultClient, req)
	return status, answer
}

// newUser makes a user who may do one thing.
func newUser(t *testing.T, g *servertest.Gatehouse, name, action string) aws.Config {
	t.Helper()
	c := iam.NewFromConfig(g.AWS(t))
	if _, err := c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`
	if _, err := c.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &policy}); err != nil {
		t.Fatal(err)
	}
	key, err := c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return g.AWSWith(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey)
}

// The web ACL's part of a decision: matched bytes are masked, and shown to who may see them.
func TestDecisionsTellWhatTheWebACLMatched(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	watch := blockOn("watch", 1, "watched", inQuery)
	watch.Action = &types.RuleAction{Count: &types.CountAction{}}
	a := filter(t, g, watch, blockOn("query", 2, "evil", inQuery))
	may, mayRaw := newUser(t, g, "ann", "gatehouse:Explain"), newUser(t, g, "bob", "gatehouse:ExplainRaw")
	c := g.Client(t, nil)
	for query, want := range map[string]int{"q=watched+%65vil+secret": 403, "q=watched": 200} {
		status, _, header := a.send(c, query, "")
		if status != want {
			t.Fatalf("%s: %d, want %d", query, status, want)
		}
		id := header.Get("x-amz-apigw-id")
		decisions(t, g, id) // waits for it
		path := "/_gatehouse/decisions/" + id
		status, masked := operate(t, g, may, "GET", path, "")
		if status != 200 || strings.Contains(masked, "atched+") || strings.Contains(masked, `"matched"`) || !strings.Contains(masked, `"hash":"`) {
			t.Errorf("%s, masked: %d %s", query, status, masked)
		}
		var out struct {
			Decisions []struct {
				WAF struct {
					Action, Rule string
					Matches      []struct {
						Rule, Statement, Component, Matched string
						Transformations                     []string
						Offset, Length                      int
					}
				}
			}
		}
		status, raw := operate(t, g, mayRaw, "GET", path+"?raw=true", "")
		if err := json.Unmarshal([]byte(raw), &out); status != 200 || err != nil || len(out.Decisions) != 1 {
			t.Fatalf("%s, raw: %d %s %v", query, status, raw, err)
		}
		got := out.Decisions[0].WAF
		if m := got.Matches[0]; m.Rule != "watch" || m.Matched != "watched" || m.Offset != 2 || m.Component != "query" || m.Transformations[0] != "URL_DECODE" {
			t.Errorf("%s: %+v", query, m)
		}
		if want == 403 && (len(got.Matches) != 2 || got.Rule != "query" || got.Action != "BLOCK" || got.Matches[1].Matched != "evil" || got.Matches[1].Offset != 10) {
			t.Errorf("%s: %+v", query, got)
		}
		if status, body := operate(t, g, may, "GET", path+"?raw=true", ""); status != 403 {
			t.Errorf("raw, for who may only see it masked: %d %s", status, body)
		}
	}
}

// What a web ACL protects is not kept, whoever asks.
func TestProtectedBytesAreNotKept(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := filter(t, g, blockOn("query", 1, "evil", inQuery))
	if _, err := a.waf.UpdateWebACL(t.Context(), &wafv2.UpdateWebACLInput{Name: a.acl.Name, Id: a.acl.Id, Scope: types.ScopeRegional, LockToken: a.token, Rules: []types.Rule{blockOn("query", 1, "evil", inQuery)}, VisibilityConfig: visible("acl"),
		DefaultAction: &types.DefaultAction{Allow: &types.AllowAction{}}, DataProtectionConfig: &types.DataProtectionConfig{DataProtections: []types.DataProtection{{
			Action: types.DataProtectionActionSubstitution, Field: &types.FieldToProtect{FieldType: types.FieldToProtectTypeQueryString}}}}}); err != nil {
		t.Fatal(err)
	}
	_, _, header := a.send(g.Client(t, nil), "evil", "")
	id := header.Get("x-amz-apigw-id")
	decisions(t, g, id)
	if _, body := operate(t, g, g.AWS(t), "GET", "/_gatehouse/decisions/"+id+"?raw=true", ""); strings.Contains(body, "evil") || !strings.Contains(body, `"length":4`) {
		t.Errorf("got %s", body)
	}
}

func TestTryAndReplayWebACL(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	rate := types.Rule{Name: aws.String("rate"), Priority: 2, VisibilityConfig: visible("rate"), Action: &types.RuleAction{Block: &types.BlockAction{}},
		Statement: &types.Statement{RateBasedStatement: &types.RateBasedStatement{Limit: aws.Int64(10), AggregateKeyType: types.RateBasedStatementAggregateKeyTypeIp}}}
	a := filter(t, g, blockOn("query", 1, "evil", inQuery), rate)
	trial := func(path string, in map[string]any, more string) (int, string) {
		t.Helper()
		in["webAcl"] = *a.acl.ARN
		head, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		return operate(t, g, g.AWS(t), "POST", "/_gatehouse/waf/"+path, string(head)+more)
	}
	request := []byte("GET /prod/hello?q=%65vil HTTP/1.1\nHost: h\n\n")
	for range 12 { // trials count for nobody
		if status, body := trial("try", map[string]any{"request": []byte("GET / HTTP/1.1\n\n")}, ""); status != 200 || !strings.Contains(body, `"action":"ALLOW"`) {
			t.Fatalf("a harmless request: %d %s", status, body)
		}
	}
	if status, body := trial("try", map[string]any{"request": request}, ""); status != 200 || !strings.Contains(body, `"rule":"query"`) || !strings.Contains(body, `"matched":"evil"`) {
		t.Errorf("try: %d %s", status, body)
	}
	other := json.RawMessage(`{"DefaultAction":{"Block":{}},"LockToken":"x","Rules":[],"VisibilityConfig":{"MetricName":"m","SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":true}}`)
	if status, body := trial("try", map[string]any{"request": request, "definition": other}, ""); status != 200 || !strings.Contains(body, `"rule":"Default_Action"`) || !strings.Contains(body, `"status":403`) {
		t.Errorf("try with another definition: %d %s", status, body)
	}
	log := ` {"timestamp":1,"action":"ALLOW","terminatingRuleId":"Default_Action","httpRequest":{"clientIp":"192.0.2.1","uri":"/prod/hello","args":"q=evil","httpMethod":"GET","requestId":"r"}}`
	if status, body := trial("replay", map[string]any{}, log+"\n"+log); status != 200 || !strings.Contains(body, `"changed":2`) || !strings.Contains(body, `"requestId":"r"`) {
		t.Errorf("replay: %d %s", status, body)
	}
	if status, body := trial("replay", map[string]any{"definition": []any{}}, log); status != 200 || !strings.Contains(body, `"changed":0`) {
		t.Errorf("replay without rules: %d %s", status, body)
	}
	for path, in := range map[string]map[string]any{
		"try":    {"request": request, "definition": json.RawMessage(`[{"Name":"x"}]`)},
		"try?":   {"request": []byte("no request")},
		"try?2":  {"request": request, "client": "nobody"},
		"replay": {"definition": json.RawMessage(`{"Rules":[]}`)},
	} {
		if status, body := trial(path, in, ""); status != 400 || body == "" {
			t.Errorf("%s %v: %d %s", path, in, status, body)
		}
	}
	if status, body := operate(t, g, g.AWS(t), "POST", "/_gatehouse/waf/try", `{"webAcl":"`+strings.Replace(*a.acl.ARN, "us-east-1", "eu-west-1", 1)+`"}`); status != 400 {
		t.Errorf("a web ACL of another region: %d %s", status, body)
	}
	nobody := newUser(t, g, "nobody", "gatehouse:Explain")
	if status, body := operate(t, g, nobody, "POST", "/_gatehouse/waf/try", `{}`); status != 403 {
		t.Errorf("without permission: %d %s", status, body)
	}
	resp, err := http.Post("http://"+g.Control+"/_gatehouse/waf/try", "", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode < 400 {
		t.Errorf("without a signature: %s", resp.Status)
	}
}

// Delivery streams and buckets stand for what the configuration maps them to.
func TestFirewallLogDestinations(t *testing.T) {
	t.Parallel()
	const (
		stream   = "arn:aws:firehose:us-east-1:000000000000:deliverystream/aws-waf-logs-file"
		bucket   = "arn:aws:s3:::aws-waf-logs-http/prefix"
		grouped  = "arn:aws:s3:::aws-waf-logs-group"
		unmapped = "arn:aws:s3:::aws-waf-logs-nothing"
	)
	received := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- r.Header.Get("Authorization") + " " + string(body)
	}))
	defer collector.Close()
	file := filepath.Join(t.TempDir(), "waf.log")
	g := servertest.Start(t, func(c *config.Config) {
		c.Firewall.Logs = []config.FirewallLog{{Destination: stream, File: file}, {Destination: bucket, URL: collector.URL, Token: "secret"}, {Destination: grouped, Group: "aws-waf-logs-mine"}}
		c.Firewall.ExplainLogs = true
	})
	a := filter(t, g, blockOn("query", 1, "evil", inQuery))
	c := g.Client(t, nil)
	blockedTo := func(destination string) {
		t.Helper()
		if _, err := a.waf.PutLoggingConfiguration(t.Context(), &wafv2.PutLoggingConfigurationInput{LoggingConfiguration: &types.LoggingConfiguration{ResourceArn: a.acl.ARN, LogDestinationConfigs: []string{destination}}}); err != nil {
			t.Fatal(err)
		}
		if status, _, _ := a.send(c, "evil", ""); status != 403 {
			t.Fatalf("status %d", status)
		}
	}
	check := func(what, line string) {
		t.Helper()
		var l struct {
			Action, TerminatingRuleID string
			Explanation               []struct{ Rule, Component, Hash, Matched string }
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Action != "BLOCK" || l.TerminatingRuleID != "query" || len(l.Explanation) != 1 || l.Explanation[0].Component != "query" || len(l.Explanation[0].Hash) != 16 || l.Explanation[0].Matched != "" {
			t.Errorf("%s: %q: %+v, %v", what, line, l, err)
		}
	}
	blockedTo(stream)
	for end := time.Now().Add(10 * time.Second); ; {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 0 {
			check("file", string(text))
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing comes to the file")
		}
	}
	blockedTo(bucket)
	select {
	case got := <-received:
		line, ok := strings.CutPrefix(got, "Bearer secret ")
		if !ok {
			t.Errorf("received %q", got)
		}
		check("collector", line)
	case <-time.After(10 * time.Second):
		t.Fatal("nothing comes to the collector")
	}
	blockedTo(grouped)
	check("group", *eventually(t, logClient(t, g), cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("aws-waf-logs-mine")}, 1)[0].Message)

	ready := func() string {
		_, body, _ := get(t, http.DefaultClient, "http://"+g.Control+"/_gatehouse/ready")
		return body
	}
	if strings.Contains(ready(), "firewall.logs") {
		t.Errorf("mapped destinations are listed: %s", ready())
	}
	blockedTo(unmapped)
	if !strings.Contains(ready(), unmapped) {
		t.Errorf("a destination that nothing stands for is not listed: %s", ready())
	}
}
