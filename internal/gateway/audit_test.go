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
