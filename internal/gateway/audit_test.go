package gateway

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/lang/expression"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

// Variables without a value are written as "-" and nothing else.
func TestAccessLogWithoutValues(t *testing.T) {
	b := newBench(t, &model.Method{Integration: &model.Integration{Type: "MOCK", RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`},
		IntegrationResponses: map[string]*model.IntegrationResponse{"200": {}}}, MethodResponses: map[string]*model.MethodResponse{"200": {}}}, nil)
	const format = "$context.error.message $context.error.messageString $context.error.responseType $context.error.validationErrorString $context.integrationErrorMessage $context.integrationLatency " +
		"$context.isCanaryRequest $context.authorizer.principalId $context.identity.caller $context.wafResponseCode $context.integration.responseTransferMode $context.nothing $context.status"
	for s := range b.Plan().Stages {
		s.AccessLog = &plan.AccessLog{Format: expression.CompileAccessLog(format)}
	}
	var line string
	b.Observer = observed(func(r *Record) {
		text, _ := r.AppendAccessLog(nil)
		line = string(text)
	})
	b.do(t, "GET", "/prod/x", "")
	if want := strings.Repeat("- ", 12) + "200"; line != want {
		t.Errorf("served:  %q, want %q", line, want)
	}
	b.do(t, "GET", "/nowhere", "") // a stage that is not there has no log
	b.do(t, "TRACE", "/prod/x", "")
	if want := `Missing Authentication Token "Missing Authentication Token" MISSING_AUTHENTICATION_TOKEN` + strings.Repeat(" -", 9) + " 403"; line != want {
		t.Errorf("refused: %q, want %q", line, want)
	}
}

// X-HTTP-Method-Override chooses the method, and is not passed on by itself
// (routing-and-integrations, section 1).
func TestMethodOverride(t *testing.T) {
	b := proxyBench(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Method+" "+r.Header.Get("X-HTTP-Method-Override"))
	}, nil)
	if a := b.do(t, "POST", "/prod/x", "", message.Field{Name: "X-HTTP-Method-Override", Value: "DELETE"}); a.String() != "200  DELETE " {
		t.Errorf("got %s", a)
	}
	if a := b.do(t, "POST", "/prod/x", "", message.Field{Name: "x-http-method-override", Value: "BREW"}); a.status != 403 {
		t.Errorf("a method that does not exist: %s", a)
	}
}

// Every response type answers by its own customisation alone, else by that of its class, else
// as it is built in (request-lifecycle, section 3).
func TestGatewayResponseTypes(t *testing.T) {
	statuses := map[string]int{
		"ACCESS_DENIED": 403, "API_CONFIGURATION_ERROR": 500, "AUTHORIZER_CONFIGURATION_ERROR": 500, "AUTHORIZER_FAILURE": 500, "BAD_REQUEST_BODY": 400,
		"BAD_REQUEST_PARAMETERS": 400, "EXPIRED_TOKEN": 403, "INTEGRATION_FAILURE": 504, "INTEGRATION_TIMEOUT": 504, "INVALID_API_KEY": 403, "INVALID_SIGNATURE": 403,
		"MISSING_AUTHENTICATION_TOKEN": 403, "QUOTA_EXCEEDED": 429, "RESOURCE_NOT_FOUND": 404, "THROTTLED": 429, "UNAUTHORIZED": 401, "UNSUPPORTED_MEDIA_TYPE": 415, "WAF_FILTERED": 403,
	}
	method := func() *model.Method { return &model.Method{Integration: &model.Integration{Type: "MOCK"}} }
	for name, status := range statuses {
		kind, _ := plan.ParseResponseType(name)
		class := "DEFAULT_4XX"
		if status >= 500 {
			class = "DEFAULT_5XX"
		}
		custom := func(of, code string) model.GatewayResponse {
			return model.GatewayResponse{ResponseType: of, StatusCode: code,
				ResponseParameters: map[string]string{"gatewayresponse.header.Access-Control-Allow-Origin": "'*'", "gatewayresponse.header.X-Asked": "method.request.header.X-Ask", "gatewayresponse.header.X-None": "method.request.querystring.none"},
				ResponseTemplates: map[string]string{"application/json": `{"m":$context.error.messageString,"t":"$context.error.responseType","d":"$context.error.validationErrorString","v":"$stageVariables.v","n":"$context.nothing$stageVariables.nothing"}`,
					"application/xml": `<m>$context.error.message</m>`}}
		}
		rendered := `{"m":"what","t":"` + name + `","d":"detail","v":"1","n":""}`
		for _, c := range []struct {
			what       string
			configured []model.GatewayResponse
			accept     string
			status     int
			body, ct   string
		}{
			{"built in", nil, "", status, "", "application/json"},
			{"own", []model.GatewayResponse{custom(name, "418"), custom(class, "499")}, "", 418, rendered, "application/json"},
			{"own without a status", []model.GatewayResponse{custom(name, "")}, "", status, rendered, "application/json"},
			{"class", []model.GatewayResponse{custom(class, "499")}, "", 499, rendered, "application/json"},
			{"class without a status", []model.GatewayResponse{custom(class, "")}, "application/xml;q=1, */*", status, "<m>what</m>", "application/xml"},
			{"another class", []model.GatewayResponse{custom(map[string]string{"DEFAULT_4XX": "DEFAULT_5XX", "DEFAULT_5XX": "DEFAULT_4XX"}[class], "499")}, "", status, "", "application/json"},
		} {
			b := newBench(t, method(), func(st *model.Stage, s *model.Snapshot) {
				st.Variables, s.GatewayResponses = map[string]string{"v": "1"}, c.configured
			})
			x := &exchange{}
			header := message.Header{{Name: "X-Ask", Value: "me"}}
			if c.accept != "" {
				header.Add("Accept", c.accept)
			}
			a := &answer{}
			x.begin(b.Gateway, b.Plan(), getRequest("/prod/x", header...), a, entry{})
			if err := x.arrive(t.Context()); err != nil {
				t.Fatal(err)
			}
			x.refuse(&Refusal{Type: kind, Message: "what", Detail: "detail", Kind: "KindException", Reason: "test"})
			x.respond()
			body := c.body
			if body == "" {
				body = map[bool]string{true: `{"Message":"what"}`, false: `{"message":"what"}`}[name == "ACCESS_DENIED"]
			}
			cors := a.header.Get("Access-Control-Allow-Origin") + a.header.Get("X-Asked")
			if a.status != c.status || a.body.String() != body || a.header.Get("Content-Type") != c.ct || a.header.Get("x-amzn-ErrorType") != "KindException" ||
				cors != map[bool]string{true: "*me", false: ""}[c.body != ""] || a.header.Has("X-None") || a.header.Has("X-Amzn-Trace-Id") {
				t.Errorf("%s, %s: %d %v %s, want %d %s", name, c.what, a.status, a.header, a.body.String(), c.status, body)
			}
		}
	}
	if len(statuses) != int(plan.ResponseTypeCount)-3 { // the two classes, and REQUEST_TOO_LARGE, which cannot be customised
		t.Errorf("%d types are tested of %d", len(statuses), plan.ResponseTypeCount)
	}
}
