package conformance

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	gw "github.com/aws/aws-sdk-go-v2/service/apigateway"

	"gatehouse/internal/lang/jsonschema"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/server/servertest"
)

// A flattened schema stands alone and judges bodies as the models it was made of do, when
// they contain each other and themselves, and have definitions of their own.
func TestFlattenedModelsJudgeAlike(t *testing.T) {
	g := servertest.Start(t, nil)
	c, _ := client(t, g)
	ctx := t.Context()
	api := must(c.CreateRestApi(ctx, &gw.CreateRestApiInput{Name: aws.String("flat")}))(t).Id
	ref := func(name string) string { return `{"$ref":"` + jsonschema.ModelURI(*api, name) + `"}` }
	create := func(name, schema string) {
		t.Helper()
		must(c.CreateModel(ctx, &gw.CreateModelInput{RestApiId: api, Name: &name, ContentType: aws.String("application/json"), Schema: &schema}))(t)
	}
	texts := map[string]string{
		"Leaf": `{"type":"object","properties":{"id":{"$ref":"#/definitions/id"}},"required":["id"],"definitions":{"id":{"type":"integer"}}}`,
		"Tree": `{"type":"object","properties":{"leaf":` + ref("Leaf") + `,"kind":{"$ref":"#/definitions/kind"},"children":{"type":"array","items":` + ref("Tree") + `}},"definitions":{"kind":{"enum":["a","b"]}}}`,
	}
	create("Leaf", texts["Leaf"])
	create("Tree", texts["Tree"])
	flat := *must(c.GetModel(ctx, &gw.GetModelInput{RestApiId: api, ModelName: aws.String("Tree"), Flatten: true}))(t).Schema
	v, err := ojson.Parse(flat, ojson.Limits{})
	if err != nil {
		t.Fatalf("%v: %s", err, flat)
	}
	if refs := jsonschema.References(v, *api); len(refs) != 0 {
		t.Errorf("still refers to %v: %s", refs, flat)
	}
	alone, err := jsonschema.Compile(v, "", nil)
	if err != nil {
		t.Fatalf("%v: %s", err, flat)
	}
	together, err := jsonschema.CompileModel(*api, "Tree", func(name string) (string, bool) { s, ok := texts[name]; return s, ok })
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]bool{
		`{}`:                             true,
		`{"leaf":{"id":1},"kind":"a"}`:   true,
		`{"leaf":{"id":"x"}}`:            false,
		`{"leaf":{}}`:                    false,
		`{"kind":"c"}`:                   false,
		`{"children":[{"kind":"b"},{}]}`: true,
		`{"children":[{"children":[{"leaf":1}]}]}`: false,
		`{"children":[{"leaf":{"id":1.5}}]}`:       false,
	} {
		b := ojson.Value{}
		if b, err = ojson.Parse(body, ojson.Limits{}); err != nil {
			t.Fatal(err)
		}
		one, err1 := alone.Valid(b)
		two, err2 := together.Valid(b)
		if one != want || two != want || err1 != nil || err2 != nil {
			t.Errorf("%s: flat %v, %v; together %v, %v; want %v", body, one, err1, two, err2, want)
		}
	}
}
