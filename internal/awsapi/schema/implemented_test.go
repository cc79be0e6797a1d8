package schema_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/awsapi/gen/resourcegroupstaggingapi"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/s3control"
	"gatehouse/internal/awsapi/gen/sts"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/awsapi/schema"
)

func bounds() []schema.Bound {
	return []schema.Bound{apigateway.Bind(apigateway.Unimplemented{}), wafv2.Bind(wafv2.Unimplemented{}), acm.Bind(acm.Unimplemented{}),
		lambda.Bind(lambda.Unimplemented{}), iam.Bind(iam.Unimplemented{}), sts.Bind(sts.Unimplemented{}), logs.Bind(logs.Unimplemented{}),
		s3.Bind(s3.Unimplemented{}), s3control.Bind(s3control.Unimplemented{}), resourcegroupstaggingapi.Bind(resourcegroupstaggingapi.Unimplemented{})}
}

// Parts of a backend, as control packages make them: by value, by pointer, with a
// fallback of their own.
type byPointer struct{ n int }

func (p *byPointer) GetAccount(context.Context, *apigateway.GetAccountInput) (*apigateway.Account, error) {
	p.n++
	return nil, nil
}

type byValue struct{}

func (byValue) GetTags(context.Context, *apigateway.GetTagsInput) (*apigateway.GetTagsOutput, error) {
	return nil, nil
}

type withFallback struct{ apigateway.Unimplemented }

func (*withFallback) GetStage(context.Context, *apigateway.GetStageInput) (*apigateway.Stage, error) {
	return nil, nil
}

func (withFallback) GetStages(context.Context, *apigateway.GetStagesInput) (*apigateway.GetStagesOutput, error) {
	return nil, nil
}

type whole struct {
	*byPointer
	byValue
	apigateway.Unimplemented
}

func TestImplemented(t *testing.T) {
	for _, c := range []struct {
		backend apigateway.Backend
		want    []string
	}{
		{apigateway.Unimplemented{}, nil},
		{&whole{}, []string{"GetAccount", "GetTags"}},
		{whole{byPointer: &byPointer{}}, []string{"GetAccount", "GetTags"}},
		{&withFallback{}, []string{"GetStage", "GetStages"}},
	} {
		if d := cmp.Diff(c.want, apigateway.Bind(c.backend).Implemented()); d != "" {
			t.Errorf("%T (-want +got):\n%s", c.backend, d)
		}
	}
}

func TestServiceSizes(t *testing.T) {
	if n := len(apigateway.Service().Operations); n != 124 {
		t.Errorf("apigateway has %d operations, want all 124", n)
	}
	for _, b := range bounds() {
		if len(b.Service.Operations) == 0 || len(b.Implemented()) != 0 {
			t.Errorf("%s: %d operations, %v implemented", b.Service.Name, len(b.Service.Operations), b.Implemented())
		}
	}
}

// The codecs take member i of a shape for field i of its struct, of the kind that
// schema.Kind documents.
func TestTypesFollowShapes(t *testing.T) {
	for _, b := range bounds() {
		t.Run(b.Service.FullName, func(t *testing.T) {
			seen := map[reflect.Type]bool{}
			for i := range b.Service.Operations {
				op := &b.Service.Operations[i]
				checkStruct(t, op.In, reflect.TypeOf(op.Handler.New()).Elem(), seen)
				m := reflect.ValueOf(b.Fallback).MethodByName(op.Name)
				checkStruct(t, op.Out, m.Type().Out(0).Elem(), seen)
			}
			if len(seen) == 0 {
				t.Error("nothing was checked")
			}
		})
	}
}

func checkStruct(t *testing.T, sh *schema.Shape, typ reflect.Type, seen map[reflect.Type]bool) {
	t.Helper()
	if seen[typ] {
		return
	}
	seen[typ] = true
	if typ.Kind() != reflect.Struct || typ.NumField() != len(sh.Members) {
		t.Fatalf("%s has %d members, %v does not fit", sh.Name, len(sh.Members), typ)
	}
	for i := range sh.Members {
		m, field := &sh.Members[i], typ.Field(i)
		if len(m.Name) != len(field.Name) || m.Name[1:] != field.Name[1:] {
			t.Errorf("%s.%s is the field %s", sh.Name, m.Name, field.Name)
		}
		if m.IsStreaming() {
			if field.Type.Kind() != reflect.Interface {
				t.Errorf("%s.%s streams into a %v", sh.Name, m.Name, field.Type)
			}
			continue
		}
		want := field.Type
		if want.Kind() == reflect.Pointer {
			want = want.Elem()
		} else if k := m.Shape.Kind; k != schema.List && k != schema.Map && k != schema.Blob {
			t.Errorf("%s.%s is not a pointer: %v", sh.Name, m.Name, field.Type)
		}
		checkType(t, m.Shape, want, seen)
	}
}

var kinds = map[schema.Kind]reflect.Kind{schema.String: reflect.String, schema.Boolean: reflect.Bool, schema.Integer: reflect.Int32,
	schema.Long: reflect.Int64, schema.Float: reflect.Float32, schema.Double: reflect.Float64, schema.Timestamp: reflect.Struct,
	schema.Blob: reflect.Slice, schema.List: reflect.Slice, schema.Map: reflect.Map, schema.Structure: reflect.Struct}

func checkType(t *testing.T, sh *schema.Shape, typ reflect.Type, seen map[reflect.Type]bool) {
	t.Helper()
	if kinds[sh.Kind] != typ.Kind() {
		t.Errorf("%s is a %v", sh.Name, typ)
		return
	}
	switch sh.Kind {
	case schema.List:
		checkType(t, sh.Elem.Shape, typ.Elem(), seen)
	case schema.Map:
		elem := typ.Elem()
		if elem.Kind() == reflect.Pointer { // a sparse map
			elem = elem.Elem()
		}
		checkType(t, sh.Elem.Shape, elem, seen)
	case schema.Structure:
		checkStruct(t, sh, typ, seen)
	}
}
