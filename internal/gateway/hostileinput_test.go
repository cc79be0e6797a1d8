package gateway

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"gatehouse/internal/invoke"
	"gatehouse/internal/invoke/invoketest"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
)

const badBody = `400 BadRequestException {"message": "Invalid request body"}`

// Whatever an API's author writes and a caller sends, the answer has the service's words, the work
// is bounded, and nothing is left behind.
func TestHostileInput(t *testing.T) {
	doubling := `#set($s = "xxxxxxxxxxxxxxxx")#foreach($i in [1..1000])#set($s = "$s$s")#end$s`
	nested := strings.Repeat(`#foreach($i in [1..1000])`, 5) + "x" + strings.Repeat("#end", 5)
	deepJSON := strings.Repeat("[", 10<<20-1)
	deepObject := strings.Repeat(`{"a":`, 1<<20) + "1" + strings.Repeat("}", 1<<20)
	objects := func(n int) string { return `{"a":[` + strings.Repeat(`{"b":1},`, n-1) + `{"b":1}]}` }
	long, tooLong := objects(500_000), objects(1_000_000) // of two million values at most
	schema := func(s string) string { return `{"$schema":"http://json-schema.org/draft-04/schema#",` + s + `}` }
	for _, tt := range []struct {
		name, template, model, body, want string
	}{
		{"loops in loops", nested, "", "{}", internalError},
		{"a string that doubles", doubling, "", "{}", internalError},
		{"a macro that calls itself", `#macro(m)#m()#m()#end#m()`, "", "{}", internalError},
		{"text that evaluates itself", `#set($t = '#evaluate($t)')#evaluate($t)`, "", "{}", internalError},
		{"a map in itself", `#set($m = {})#set($m.m = $m)$m`, "", "{}", internalError},
		{"a list in itself", `#set($l = [])#set($x = $l.add($l))$l.toString()`, "", "{}", internalError},
		{"a long range", `#foreach($i in [1..2000000000])#end`, "", "{}", internalError},
		{"a pattern that backtracks", `$input.path('$.s').replaceAll("(?=(a+)+$)b", "")`, "", `{"s":"` + strings.Repeat("a", 100_000) + `!"}`, internalError},
		{"a path that scans what it scans", `$input.json('$..[?(@..[?(@..b)])]')`, "", long, internalError},
		{"brackets without an end", `$input.path('$.a')`, "", deepJSON, internalError},
		{"objects a million deep", `$input.path('$.a.a')`, "", deepObject, internalError},
		{"half a million objects", `#if($input.path('$.a').size() > 1000)#end`, "", long, "mock"},
		{"a million objects", `#if($input.path('$.a').size() > 1000)#end`, "", tooLong, internalError},
		{"brackets without an end against a model", "", schema(`"type":"object"`), deepJSON, badBody},
		{"objects a million deep against a model of itself", "", schema(`"type":"object","properties":{"a":{"$ref":"#"}}`), deepObject, badBody},
		{"half a million objects against a model", "", schema(`"properties":{"a":{"items":{"required":["b"]}}}`), long, "mock"},
		{"a million objects against a model", "", schema(`"properties":{"a":{"items":{"required":["b"]}}}`), tooLong, badBody},
		{"half a million objects that must differ", "", schema(`"properties":{"a":{"uniqueItems":true}}`), long, badBody},
		{"a model's pattern that backtracks", "", schema(`"properties":{"s":{"pattern":"^(?=(a+)+$)"}}`), `{"s":"` + strings.Repeat("a", 100_000) + `!"}`, badBody},
		{"no UTF-8 against a model", "", schema(`"type":"object"`), "{\"a\":\"\xff\"}", badBody},
		{"no UTF-8 in a template", `#set($b = $input.body)`, "", "\xff\xfe", "mock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &model.Method{
				MethodResponses: map[string]*model.MethodResponse{"200": {StatusCode: "200"}},
				Integration:     &model.Integration{Type: "MOCK", IntegrationResponses: map[string]*model.IntegrationResponse{"200": {StatusCode: "200"}}},
			}
			text := "mock"
			m.Integration.IntegrationResponses["200"].ResponseTemplates = map[string]*string{"application/json": &text}
			m.Integration.RequestTemplates = map[string]string{"application/json": tt.template + `{"statusCode": 200}`}
			g := newBench(t, m, func(_ *model.Stage, s *model.Snapshot) {
				if tt.model != "" {
					m.RequestValidatorID, m.RequestModels = "v", map[string]string{"application/json": "M"}
					s.RequestValidators = []model.RequestValidator{{ID: "v", ValidateRequestBody: true}}
					s.Models = []model.APIModel{{Name: "M", ContentType: "application/json", Schema: tt.model}}
				}
			})
			before := runtime.NumGoroutine()
			a := g.do(t, "POST", "/prod/x", tt.body)
			got := a.String()
			if a.status == 200 {
				got = a.body.String()
			}
			if got != tt.want {
				t.Errorf("got %.300s, want %s", got, tt.want)
			}
			if !settles(before + 1) { // the clock of backtracking patterns ends by itself
				t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
			}
		})
	}
}

// A backend's answer is as hostile as a caller's request: to mappings, templates and patterns.
func TestHostileAnswers(t *testing.T) {
	slow := `(?=(a+)+$)b.*`
	for _, tt := range []struct{ name, body, template, mapping, want string }{
		{"brackets without an end", strings.Repeat("[", 5<<20), `$input.path('$[0]')`, "", internalError},
		{"no UTF-8", "\xff\xfe", `$input.body`, "", "200  \uFFFD"},
		{"brackets without an end, mapped", strings.Repeat("[", 5<<20), "", "integration.response.body.a", internalError},
	} {
		b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(tt.body)) })
		g := b.to(t, "HTTP", func(m *model.Method, _ *model.RestAPI) {
			r := m.Integration.IntegrationResponses["200"]
			if tt.template != "" {
				r.ResponseTemplates = map[string]*string{"application/json": &tt.template}
			}
			if tt.mapping != "" {
				m.MethodResponses["200"].ResponseParameters["method.response.header.X-Mapped"] = false
				r.ResponseParameters = map[string]string{"method.response.header.X-Mapped": tt.mapping}
			}
			m.MethodResponses["500"] = &model.MethodResponse{StatusCode: "500"}
			m.Integration.IntegrationResponses["500"] = &model.IntegrationResponse{StatusCode: "500", SelectionPattern: &slow}
		})
		a := g.do(t, "POST", "/prod/x", "{}")
		if got := strings.ReplaceAll(a.String(), "\uFFFD\uFFFD", "\uFFFD"); got != tt.want {
			t.Errorf("%s: %.200s, want %s", tt.name, got, tt.want)
		}
	}
}

// A selection pattern that backtracks without end does not match: the default answers, or 500 when
// there is none.
func TestSelectionPatternThatBacktracks(t *testing.T) {
	slow := `(?=(a+)+$)b.*`
	for _, withDefault := range []bool{true, false} {
		m := &model.Method{
			MethodResponses: map[string]*model.MethodResponse{"200": {StatusCode: "200"}, "400": {StatusCode: "400"}},
			Integration: &model.Integration{Type: "AWS", HTTPMethod: "POST", URI: functionURI,
				IntegrationResponses: map[string]*model.IntegrationResponse{"400": {StatusCode: "400", SelectionPattern: &slow}}},
		}
		want := internalError
		if withDefault {
			m.Integration.IntegrationResponses["200"] = &model.IntegrationResponse{StatusCode: "200"}
			want = `200  {"errorMessage":"` + strings.Repeat("a", 50_000) + `!"`
		}
		g := newBench(t, m, nil)
		g.functions.Set(functionARN, func(context.Context, *invoke.Call) ([]byte, error) {
			return nil, &invoketest.FunctionError{Message: strings.Repeat("a", 50_000) + "!"}
		})
		if got := g.do(t, "POST", "/prod/x", "{}", message.Field{Name: "Content-Type", Value: "application/json"}).String(); !strings.HasPrefix(got, want) {
			t.Errorf("default %v: %.200s, want %.200s", withDefault, got, want)
		}
	}
}
