package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/message"
	"gatehouse/internal/model"
)

// mocked is a MOCK method that answers 200 with a template.
func mocked(template string) *model.Method {
	return &model.Method{
		MethodResponses: map[string]*model.MethodResponse{"200": {StatusCode: "200", ResponseParameters: map[string]bool{"method.response.header.X-A": false}}},
		Integration: &model.Integration{Type: "MOCK", RequestTemplates: map[string]string{"application/json": `{"statusCode":200}`, "text/plain": `{"statusCode":200}`},
			IntegrationResponses: map[string]*model.IntegrationResponse{"200": {StatusCode: "200", ResponseTemplates: map[string]*string{"application/json": &template}}}},
	}
}

// What ends at the gateway reaches no mapping and no template: fields of the connection, and
// signatures (routing-and-integrations, section 6.1). A token of another kind does.
func TestHeadersThatEndHere(t *testing.T) {
	m := mocked(`[$input.params('Authorization')] $input.params().header.keySet()`)
	b := newBench(t, m, nil)
	for _, c := range []struct{ authorization, want string }{
		{"Bearer t", "[Bearer t] [Authorization, X-B]"},
		{"AWS4-HMAC-SHA256 Credential=k/20200101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0", "[] [X-B]"},
	} {
		a := b.do(t, "GET", "/prod/x", "", message.Field{Name: "Authorization", Value: c.authorization}, message.Field{Name: "Connection", Value: "close"},
			message.Field{Name: "Expect", Value: "x"}, message.Field{Name: "X-B", Value: "1"})
		if a.body.String() != c.want {
			t.Errorf("%s: got %s, want %s", c.authorization, a, c.want)
		}
	}
}

// Names that a client repeats count with their last value wherever they are read, the
// body's type included: what is validated is what the integration takes it for.
func TestRepeatedNames(t *testing.T) {
	m := mocked(`$input.params('h') $input.params('q') $input.params().querystring.q $input.params().header.h`)
	m.RequestValidatorID, m.RequestModels = "v", map[string]string{"application/json": "Pet"}
	b := newBench(t, m, func(_ *model.Stage, s *model.Snapshot) {
		s.RequestValidators = []model.RequestValidator{{ID: "v", ValidateRequestBody: true}}
		s.Models = []model.APIModel{{Name: "Pet", ContentType: "application/json", Schema: `{"type":"object","required":["name"]}`}}
	})
	text, json := message.Field{Name: "Content-Type", Value: "text/plain"}, message.Field{Name: "content-type", Value: "application/json"}
	if a := b.do(t, "POST", "/prod/x?q=1&q=2", `{}`, text, message.Field{Name: "h", Value: "1"}, message.Field{Name: "h", Value: "2"}); a.String() != "200  2 2 2 2" {
		t.Errorf("got %s", a)
	}
	if a := b.do(t, "POST", "/prod/x", `{}`, text, json); a.status != 400 {
		t.Errorf("a body that is JSON in the end is not validated: %s", a)
	}
}

// A template that lists the parameters of a long query string costs its length.
func TestManyParameters(t *testing.T) {
	m := mocked(`$input.params().querystring.size()`)
	b := newBench(t, m, nil)
	var query strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&query, "%x&", i)
	}
	if a := b.do(t, "GET", "/prod/x?"+query.String(), ""); a.String() != "200  5000" {
		t.Errorf("got %s", a)
	}
}

// Header fields that the method response does not declare are not answered, also when they
// were declared when the mapping was made.
func TestUndeclaredResponseHeader(t *testing.T) {
	m := mocked("x")
	m.Integration.IntegrationResponses["200"].ResponseParameters = map[string]string{"method.response.header.X-A": "'a'", "method.response.header.X-B": "'b'"}
	b := newBench(t, m, nil)
	want := message.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "X-A", Value: "a"}}
	if diff := cmp.Diff(want, b.do(t, "GET", "/prod/x", "").own()); diff != "" {
		t.Error(diff)
	}
}

// What overrides the method was meant for the gateway: an HTTP backend does not get it by
// itself.
func TestMethodOverrideEndsHere(t *testing.T) {
	if fateOf(proxyRequest, "X-HTTP-Method-Override") != drop || fateOf(mappedRequest, "X-HTTP-Method-Override") != pass {
		t.Error("X-HTTP-Method-Override: passed on, or not mapped")
	}
}
