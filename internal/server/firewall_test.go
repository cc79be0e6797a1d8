package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	"github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"gatehouse/internal/config"
	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

// filtered is an API whose stage "prod" stands behind a web ACL.
type filtered struct {
	*api
	waf   *wafv2.Client
	acl   *types.WebACLSummary
	token *string
}

func visible(name string) *types.VisibilityConfig {
	return &types.VisibilityConfig{MetricName: &name, SampledRequestsEnabled: true, CloudWatchMetricsEnabled: true}
}

// blockOn is a rule that blocks what contains a text.
func blockOn(name string, priority int32, text string, field *types.FieldToMatch) types.Rule {
	return types.Rule{Name: &name, Priority: priority, VisibilityConfig: visible(name), Action: &types.RuleAction{Block: &types.BlockAction{}},
		Statement: &types.Statement{ByteMatchStatement: &types.ByteMatchStatement{SearchString: []byte(text), FieldToMatch: field, PositionalConstraint: types.PositionalConstraintContains,
			TextTransformations: []types.TextTransformation{{Type: types.TextTransformationTypeUrlDecode}}}}}
}

var inQuery = &types.FieldToMatch{QueryString: &types.QueryString{}}

func filter(t *testing.T, g *servertest.Gatehouse, rules ...types.Rule) *filtered {
	t.Helper()
	a := &filtered{api: newAPI(t, g), waf: wafv2.NewFromConfig(g.AWS(t))}
	hello := a.resource("/hello")
	a.mock(hello, "GET", `{"statusCode": 200}`, `hello`)
	a.mock(hello, "POST", `{"statusCode": 200}`, `hello`)
	a.deploy("prod")
	out, err := a.waf.CreateWebACL(t.Context(), &wafv2.CreateWebACLInput{Name: aws.String("acl"), Scope: types.ScopeRegional, Rules: rules, VisibilityConfig: visible("acl"),
		DefaultAction: &types.DefaultAction{Allow: &types.AllowAction{}}})
	if err != nil {
		t.Fatal(err)
	}
	a.acl, a.token = out.Summary, out.Summary.LockToken
	if _, err := a.waf.AssociateWebACL(t.Context(), &wafv2.AssociateWebACLInput{WebACLArn: a.acl.ARN, ResourceArn: aws.String("arn:aws:apigateway:us-east-1::/restapis/" + *a.id + "/stages/prod")}); err != nil {
		t.Fatal(err)
	}
	return a
}

// send asks for /prod/hello with the query, and a body if there is one.
func (a *filtered) send(c *http.Client, query, body string) (int, string, http.Header) {
	a.t.Helper()
	method := "GET"
	if body != "" {
		method = "POST"
	}
	req, err := http.NewRequest(method, "https://"+a.host()+"/prod/hello?"+query, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	return do(a.t, c, req)
}

func TestWebACL(t *testing.T) {
	g := servertest.Start(t, nil)
	body := &types.FieldToMatch{Body: &types.Body{OversizeHandling: types.OversizeHandlingMatch}}
	a := filter(t, g, blockOn("query", 1, "evil", inQuery), blockOn("body", 2, "evil", body))
	c := g.Client(t, nil)
	if status, body, _ := a.send(c, "q=good", ""); status != 200 || body != "hello" {
		t.Errorf("a good request: %d %s", status, body)
	}
	status, text, header := a.send(c, "q=%65vil", "")
	if status != 403 || text != `{"message":"Forbidden"}` || header.Get("x-amzn-errortype") != "ForbiddenException" {
		t.Errorf("a blocked request: %d %s %v", status, text, header)
	}
	if status, _, _ := a.send(c, "", `{"a":"evil"}`); status != 403 {
		t.Errorf("a blocked body: %d", status)
	}
	if status, _, _ := a.send(c, "", `{"a":"`+strings.Repeat("x", 20_000)+`"}`); status != 403 {
		t.Errorf("a body past the limit: %d", status)
	}
	if status, _, _ := a.send(c, "", `{"a":"good"}`); status != 200 {
		t.Errorf("a good body: %d", status)
	}
	// What does not exist is blocked as well: the firewall comes before the resource.
	req, _ := http.NewRequest("GET", "https://"+a.host()+"/prod/none?evil", nil)
	if status, text, _ := do(t, c, req); status != 403 || !strings.Contains(text, "Forbidden") {
		t.Errorf("a blocked request for nothing: %d %s", status, text)
	}

	// A change acts when the call returns, and outlives a restart.
	custom := blockOn("query", 1, "bad", inQuery)
	custom.Action.Block.CustomResponse = &types.CustomResponse{ResponseCode: aws.Int32(429), CustomResponseBodyKey: aws.String("k"), ResponseHeaders: []types.CustomHTTPHeader{{Name: aws.String("X-Why"), Value: aws.String("bad")}}}
	next, err := a.waf.UpdateWebACL(t.Context(), &wafv2.UpdateWebACLInput{Name: a.acl.Name, Id: a.acl.Id, Scope: types.ScopeRegional, LockToken: a.token, Rules: []types.Rule{custom}, VisibilityConfig: visible("acl"),
		DefaultAction: &types.DefaultAction{Allow: &types.AllowAction{}}, CustomResponseBodies: map[string]types.CustomResponseBody{"k": {ContentType: types.ResponseContentTypeTextPlain, Content: aws.String("slow down")}}})
	if err != nil {
		t.Fatal(err)
	}
	a.token = next.NextLockToken
	g = g.Restart(t)
	c = g.Client(t, nil)
	if status, text, header := a.send(c, "bad", ""); status != 429 || text != "slow down" || header.Get("X-Why") != "bad" || header.Get("Content-Type") != "text/plain" {
		t.Errorf("a custom response: %d %q %v", status, text, header)
	}
	if status, _, _ := a.send(c, "evil", ""); status != 200 {
		t.Errorf("what the old rules blocked: %d", status)
	}
	a.c = apigateway.NewFromConfig(g.AWS(t))
	stage, err := a.c.GetStage(t.Context(), &apigateway.GetStageInput{RestApiId: a.id, StageName: aws.String("prod")})
	if err != nil || aws.ToString(stage.WebAclArn) != *a.acl.ARN {
		t.Errorf("the stage's web ACL: %v, %v", stage.WebAclArn, err)
	}
}

func TestWebACLRecords(t *testing.T) {
	g := servertest.Start(t, nil)
	a := filter(t, g, blockOn("query", 1, "evil", inQuery))
	const group = "aws-waf-logs-all"
	logs := cloudwatchlogs.NewFromConfig(g.AWS(t))
	if _, err := logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(group)}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.waf.PutLoggingConfiguration(t.Context(), &wafv2.PutLoggingConfigurationInput{LoggingConfiguration: &types.LoggingConfiguration{ResourceArn: a.acl.ARN,
		LogDestinationConfigs: []string{"arn:aws:logs:us-east-1:000000000000:log-group:" + group}, RedactedFields: []types.FieldToMatch{{QueryString: &types.QueryString{}}}}}); err != nil {
		t.Fatal(err)
	}
	c := g.Client(t, nil)
	a.send(c, "evil", "")
	now := time.Now()
	from, to := now.Add(-time.Hour), now.Add(time.Hour)
	samples, err := a.waf.GetSampledRequests(t.Context(), &wafv2.GetSampledRequestsInput{WebAclArn: a.acl.ARN, RuleMetricName: aws.String("query"), Scope: types.ScopeRegional, MaxItems: aws.Int64(5), TimeWindow: &types.TimeWindow{StartTime: &from, EndTime: &to}})
	if err != nil || len(samples.SampledRequests) != 1 || *samples.SampledRequests[0].Request.URI != "/prod/hello?evil" || *samples.SampledRequests[0].Action != "BLOCK" {
		t.Errorf("samples: %+v, %v", samples, err)
	}
	var record struct {
		Action, TerminatingRuleID string
		HTTPRequest               struct{ URI, Args string }
	}
	for deadline := time.After(10 * time.Second); record.Action == ""; {
		events, err := logs.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(group)})
		if err != nil {
			t.Fatal(err)
		}
		if len(events.Events) > 0 {
			if err := json.Unmarshal([]byte(*events.Events[0].Message), &record); err != nil {
				t.Fatal(err)
			}
			break
		}
		select {
		case <-deadline:
			t.Fatal("no record arrived in the log group")
		default:
		}
	}
	if record.Action != "BLOCK" || record.TerminatingRuleID != "query" || record.HTTPRequest.URI != "/prod/hello" || record.HTTPRequest.Args != "REDACTED" {
		t.Errorf("record %+v", record)
	}
}

func TestRateBasedRule(t *testing.T) {
	g := servertest.Start(t, nil)
	a := filter(t, g, types.Rule{Name: aws.String("rate"), Priority: 1, VisibilityConfig: visible("rate"), Action: &types.RuleAction{Block: &types.BlockAction{}},
		Statement: &types.Statement{RateBasedStatement: &types.RateBasedStatement{Limit: aws.Int64(10), AggregateKeyType: types.RateBasedStatementAggregateKeyTypeIp}}})
	c := g.Client(t, nil)
	for i := range 12 {
		want := 200
		if i >= 10 {
			want = 403
		}
		if status, _, _ := a.send(c, "", ""); status != want {
			t.Errorf("request %d: %d, want %d", i+1, status, want)
		}
	}
	keys, err := a.waf.GetRateBasedStatementManagedKeys(t.Context(), &wafv2.GetRateBasedStatementManagedKeysInput{Scope: types.ScopeRegional, WebACLName: a.acl.Name, WebACLId: a.acl.Id, RuleName: aws.String("rate")})
	if err != nil || len(keys.ManagedKeysIPV4.Addresses) != 1 || keys.ManagedKeysIPV4.Addresses[0] != "127.0.0.1/32" {
		t.Errorf("limited: %+v, %v", keys, err)
	}
}

// What the operator supplies makes groups and rules possible that are otherwise refused.
func TestFirewallLists(t *testing.T) {
	file := filepath.Join(t.TempDir(), "anonymous.txt")
	if err := os.WriteFile(file, []byte("# exits\n203.0.113.0/24\n127.0.0.1 # this machine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := servertest.Start(t, func(c *config.Config) { c.Firewall.Anonymous = file })
	a := filter(t, g, types.Rule{Name: aws.String("anonymous"), Priority: 1, VisibilityConfig: visible("anonymous"), OverrideAction: &types.OverrideAction{None: &types.NoneAction{}},
		Statement: &types.Statement{ManagedRuleGroupStatement: &types.ManagedRuleGroupStatement{VendorName: aws.String("AWS"), Name: aws.String("AWSManagedRulesAnonymousIpList")}}})
	if status, _, _ := a.send(g.Client(t, nil), "", ""); status != 403 {
		t.Errorf("a listed address: %d, want 403", status)
	}
	geo := types.Rule{Name: aws.String("geo"), Priority: 1, VisibilityConfig: visible("geo"), Action: &types.RuleAction{Block: &types.BlockAction{}},
		Statement: &types.Statement{GeoMatchStatement: &types.GeoMatchStatement{CountryCodes: []types.CountryCode{types.CountryCodeFr}}}}
	_, err := a.waf.CheckCapacity(t.Context(), &wafv2.CheckCapacityInput{Scope: types.ScopeRegional, Rules: []types.Rule{geo}})
	if err == nil || !strings.Contains(err.Error(), "no geographic database is configured") {
		t.Errorf("a rule on countries without a database: %v", err)
	}
}

// A list of robots' networks lets those through that come from there.
func TestFirewallBots(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bots.txt")
	if err := os.WriteFile(file, []byte("# robots\n127.0.0.0/8 Googlebot\n192.0.2.0/24 bingbot # elsewhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := servertest.Start(t, func(c *config.Config) { c.Firewall.Bots = file })
	a := filter(t, g, types.Rule{Name: aws.String("bots"), Priority: 1, VisibilityConfig: visible("bots"), OverrideAction: &types.OverrideAction{None: &types.NoneAction{}},
		Statement: &types.Statement{ManagedRuleGroupStatement: &types.ManagedRuleGroupStatement{VendorName: aws.String("AWS"), Name: aws.String("AWSManagedRulesBotControlRuleSet")}}})
	for agent, want := range map[string]int{"Mozilla/5.0 (compatible; Googlebot/2.1)": 200, "Mozilla/5.0 (compatible; bingbot/2.0)": 403} {
		req, _ := http.NewRequest("GET", "https://"+a.host()+"/prod/hello", nil)
		req.Header.Set("User-Agent", agent)
		if status, _, _ := do(t, g.Client(t, nil), req); status != want {
			t.Errorf("%s: %d, want %d", agent, status, want)
		}
	}
	if err := os.WriteFile(file, []byte("127.0.0.0/8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Stop(t)
	var report strings.Builder
	if err := server.Check(t.Context(), g.Config, &report); err == nil || !strings.Contains(report.String(), "bots.txt:1") {
		t.Errorf("a line without a robot: %v, %s", err, report.String())
	}
}

// Every way to the stage passes the web ACL, which also sees paths as they were sent.
func TestNoWayAroundTheWebACL(t *testing.T) {
	g := servertest.Start(t, nil)
	a := filter(t, g, blockOn("path", 1, "/prod/hello", &types.FieldToMatch{UriPath: &types.UriPath{}}))
	c := g.Client(t, nil)
	for _, url := range []string{
		"https://" + a.host() + "/prod/hello", "http://" + a.host() + "/prod/hello", "https://" + a.host() + "/prod/%68ello",
		"http://" + g.Control + "/restapis/" + *a.id + "/prod/_user_request_/hello", "http://" + g.Control + "/_aws/execute-api/" + *a.id + "/prod/hello",
	} {
		client := c
		if strings.Contains(url, g.Control) {
			client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		}
		if status, body, _ := get(t, client, url); status != 403 || body != `{"message":"Forbidden"}` {
			t.Errorf("%s: %d %s, want 403", url, status, body)
		}
	}
}

// What rules insert is in the request that mappings see, and $context tells of the web ACL.
func TestWebACLContext(t *testing.T) {
	g := servertest.Start(t, nil)
	count := blockOn("count", 1, "q=", inQuery)
	count.Action = &types.RuleAction{Count: &types.CountAction{CustomRequestHandling: &types.CustomRequestHandling{InsertHeaders: []types.CustomHTTPHeader{{Name: aws.String("seen"), Value: aws.String("yes")}}}}}
	a := filter(t, g, count)
	shown := a.resource("/shown")
	a.mock(shown, "GET", `{"statusCode": 200}`, `$context.wafResponseCode $context.webaclArn $input.params().header.get('x-amzn-waf-seen')`)
	a.deploy("prod")
	status, body, _ := get(t, g.Client(t, nil), "https://"+a.host()+"/prod/shown?q=1")
	if want := "WAF_ALLOW " + *a.acl.ARN + " yes"; status != 200 || body != want {
		t.Errorf("got %d %q, want %q", status, body, want)
	}
}
