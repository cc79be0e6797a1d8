package restapis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// harness is the operations over a store of their own.
func harness(t testing.TB) (*RestAPIs, context.Context) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return &RestAPIs{Store: st}, awsapi.WithCall(t.Context(), &awsapi.Call{Account: "000000000000", Region: "us-east-1"})
}

// contents is every document that belongs to an API, and the API, as text by place.
func contents(t testing.TB, ctx context.Context, s *RestAPIs, api string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		for doc, err := range tx.In(model.KindRestAPI, operation.Scope(ctx)) {
			if err != nil {
				return err
			}
			all[fmt.Sprint(doc.Key)] = string(doc.Body)
		}
		for _, kind := range ownedKinds {
			for doc, err := range tx.In(kind, operation.Scope(ctx).Of(api)) {
				if err != nil {
					return err
				}
				all[fmt.Sprint(doc.Key)] = string(doc.Body)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const startDocument = `
swagger: "2.0"
info: {title: start}
x-amazon-apigateway-request-validators: {all: {validateRequestBody: true, validateRequestParameters: true}}
x-amazon-apigateway-gateway-responses: {THROTTLED: {statusCode: 429}}
x-amazon-apigateway-documentation: {version: "1", documentationParts: [{location: {type: API}, properties: {a: 1}}]}
paths:
  /pets/{id}: {get: {x-amazon-apigateway-request-validator: all, responses: {200: {description: ok, schema: {$ref: '#/definitions/Pet'}}}, x-amazon-apigateway-integration: {type: mock}}}
definitions: {Pet: {type: object}}
`

// A refused import changes nothing. One that is taken leaves an API that hangs together: what
// methods refer to is there, and each resource has its parent and its path.
func FuzzPutRestApi(f *testing.F) {
	f.Add([]byte(startDocument), true, false)
	f.Add([]byte(strings.ReplaceAll(startDocument, "{id}", "{other}")), false, false)
	f.Add([]byte(strings.ReplaceAll(startDocument, "validator: all", "validator: none")), true, true)
	f.Add([]byte(strings.ReplaceAll(startDocument, "THROTTLED", "WRONG")), true, false)
	f.Add([]byte(`{"openapi":"3.0.1","info":{"title":"t"},"paths":{"/a/{b+}/c":{}}}`), false, false)
	s, ctx := harness(f)
	f.Fuzz(func(t *testing.T, body []byte, overwrite, strict bool) {
		made, err := s.ImportRestApi(ctx, &apigateway.ImportRestApiInput{Body: []byte(startDocument)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.DeleteRestApi(ctx, &apigateway.DeleteRestApiInput{RestApiId: made.Id})
		mode := apigateway.PutModeMerge
		if overwrite {
			mode = apigateway.PutModeOverwrite
		}
		before := contents(t, ctx, s, *made.Id)
		out, err := s.PutRestApi(ctx, &apigateway.PutRestApiInput{RestApiId: made.Id, Mode: &mode, FailOnWarnings: &strict, Body: body})
		if err == nil {
			if strict && len(out.Warnings) > 0 {
				t.Errorf("taken with warnings %q", out.Warnings)
			}
			hangsTogether(t, ctx, s, *made.Id)
			return
		}
		if e := awserr.As(err); e == nil || e.Code != "BadRequestException" || e.Message == "" {
			t.Fatalf("%v, want a BadRequestException that says something", err)
		}
		after := contents(t, ctx, s, *made.Id)
		if len(after) != len(before) {
			t.Errorf("%d documents after a refusal, %d before", len(after), len(before))
		}
		for key, text := range before {
			if after[key] != text {
				t.Errorf("%s: %s after a refusal, %s before", key, after[key], text)
			}
		}
	})
}

func hangsTogether(t *testing.T, ctx context.Context, s *RestAPIs, api string) {
	t.Helper()
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		owner := operation.Scope(ctx).Of(api)
		refs := storedReferences(tx, owner)
		for r, err := range resources.In(tx, owner) {
			if err != nil {
				return err
			}
			if r.Value.Path != "/" {
				parent, err := resources.Get(tx, owner, r.Value.ParentID)
				if err != nil || joinPath(parent.Path, r.Value.PathPart) != r.Value.Path {
					t.Errorf("resource %+v below %+v, %v", r.Value, parent, err)
				}
			}
			for verb, m := range r.Value.Methods {
				if err := checkMethod(refs, m); err != nil || verb != m.HTTPMethod {
					t.Errorf("%s %s: %v", verb, r.Value.Path, err)
				}
			}
		}
		for m, err := range models.In(tx, owner) {
			if err != nil {
				return err
			}
			if err := checkModel(tx, owner, m.Value); err != nil {
				t.Errorf("model %s: %v", m.Value.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// An import is one transaction: when its last step fails, nothing of it is there.
func TestImportIsOneTransaction(t *testing.T) {
	s, ctx := harness(t)
	_, err := s.ImportRestApi(ctx, &apigateway.ImportRestApiInput{Body: []byte(strings.ReplaceAll(startDocument, "type: mock", "type: http"))})
	if e := awserr.As(err); e == nil || !strings.Contains(e.Message, "Unable to put integration on 'GET' for resource at path '/pets/{id}'") {
		t.Fatalf("got %v", err)
	}
	if got := contents(t, ctx, s, "none"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.ImportRestApi(cancelled, &apigateway.ImportRestApiInput{Body: []byte(startDocument)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got := contents(t, ctx, s, "none"); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}
