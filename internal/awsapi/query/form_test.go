package query

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/sts"
	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
)

func TestDecodeForm(t *testing.T) {
	for form, want := range map[string]*iam.CreateRoleInput{
		"":                       {},
		"Unknown=x&RoleName.a=b": nil,
		"RoleName=":              {RoleName: new("")},
		"RoleName=a+b%2B":        {RoleName: new("a b+")},
		"Tags=":                  {Tags: []iam.Tag{}},
		"Tags.member.10.Key=b&Tags.member.9.Key=a&Tags.member.9.Value=": {Tags: []iam.Tag{{Key: new("a"), Value: new("")}, {Key: new("b")}}},
		"Tags.member.2000000000.Key=a":                                  {Tags: []iam.Tag{{Key: new("a")}}},
		"Tags.member.01.Key=a":                                          nil,
		"Tags.member.-1.Key=a":                                          nil,
		"Tags.member.99999999999999999999.Key=a":                        nil,
		"MaxSessionDuration=1.5":                                        nil,
		"RoleName=a&RoleName=a":                                         nil,
	} {
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		got := new(iam.CreateRoleInput)
		err = DecodeForm(values, iam.Service().Shape("CreateRoleRequest"), got)
		if want == nil {
			if err == nil {
				t.Errorf("%s: no error", form)
			}
			continue
		}
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", form, err, d)
		}
	}
}

// What is decoded and sent again decodes to the same; what is not decoded is refused
// with the parameter's name.
func FuzzDecodeForm(f *testing.F) {
	samples := []struct {
		svc   *schema.Service
		shape string
		typ   reflect.Type
		seed  string
	}{
		{iam.Service(), "CreateRoleRequest", reflect.TypeFor[iam.CreateRoleInput](), "RoleName=r&MaxSessionDuration=3600&Tags.member.1.Key=a&Tags.member.1.Value=b"},
		{iam.Service(), "SimulateCustomPolicyRequest", reflect.TypeFor[iam.SimulateCustomPolicyInput](), "ActionNames.member.1=a&ContextEntries.member.1.ContextKeyValues.member.3=x&PolicyInputList="},
		{sts.Service(), "AssumeRoleRequest", reflect.TypeFor[sts.AssumeRoleInput](), "RoleArn=x&DurationSeconds=900&PolicyArns.member.1.arn=y"},
	}
	for i, s := range samples {
		f.Add(i, s.seed)
	}
	f.Fuzz(func(t *testing.T, i int, form string) {
		values, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		s := samples[uint(i)%uint(len(samples))]
		sh := s.svc.Shape(s.shape)
		first, second := reflect.New(s.typ).Interface(), reflect.New(s.typ).Interface()
		if err := DecodeForm(values, sh, first); err != nil {
			return
		}
		again := url.Values{}
		encode(again, "", sh, reflect.ValueOf(first).Elem())
		if err := DecodeForm(again, sh, second); err != nil {
			t.Fatalf("%v: %v", err, again)
		}
		if d := cmp.Diff(first, second); d != "" {
			t.Fatalf("%v (-first +second):\n%s", again, d)
		}
	})
}

// encode writes a form as clients do. The models in use have neither maps nor flattened
// lists in inputs.
func encode(form url.Values, path string, sh *schema.Shape, v reflect.Value) {
	switch sh.Kind {
	case schema.Structure:
		if path != "" && v.IsZero() {
			form.Set(path, "")
		}
		for i := range sh.Members {
			if value, ok := scalar.Present(v.Field(i)); ok {
				encode(form, strings.TrimPrefix(path+"."+sh.Members[i].Wire, "."), sh.Members[i].Shape, value)
			}
		}
	case schema.List:
		if v.Len() == 0 {
			form.Set(path, "")
		}
		for i := range v.Len() {
			encode(form, fmt.Sprintf("%s.member.%d", path, i+1), sh.Elem.Shape, v.Index(i))
		}
	case schema.Map:
		panic("a map in an input")
	default:
		form.Set(path, scalar.Text(v, sh, schema.ISO8601))
	}
}

func BenchmarkDecodeForm(b *testing.B) {
	form, err := url.ParseQuery("Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%7D&Tags.member.1.Key=a&Tags.member.1.Value=b")
	if err != nil {
		b.Fatal(err)
	}
	sh := iam.Service().Shape("CreateRoleRequest")
	b.ReportAllocs()
	for b.Loop() {
		if err := DecodeForm(form, sh, new(iam.CreateRoleInput)); err != nil {
			b.Fatal(err)
		}
	}
}

// bag has what no input of the services in use has: maps and flattened lists.
type bag struct {
	Labels map[string]int32
	Flat   []string
	Marks  map[string]string
}

func bagShape() *schema.Shape {
	svc := (&schema.Service{Name: "bags", Protocol: schema.Query, Shapes: []schema.Shape{
		{Name: "Bag", Kind: schema.Structure, Members: []schema.Member{
			{Name: "Labels", Type: "Labels"}, {Name: "Flat", Type: "Names", Flattened: true}, {Name: "Marks", Wire: "Mark", Type: "Marks", Flattened: true}}},
		{Name: "Labels", Kind: schema.Map, Key: &schema.Member{Type: "Name"}, Elem: &schema.Member{Type: "Number"}},
		{Name: "Marks", Kind: schema.Map, Key: &schema.Member{Type: "Name", Wire: "Name"}, Elem: &schema.Member{Type: "Name", Wire: "Text"}},
		{Name: "Names", Kind: schema.List, Elem: &schema.Member{Type: "Name", Wire: "Entry"}},
		{Name: "Name", Kind: schema.String}, {Name: "Number", Kind: schema.Integer},
	}}).Link()
	return svc.Shape("Bag")
}

func TestDecodeFormMapsAndFlattened(t *testing.T) {
	for form, want := range map[string]*bag{
		"Labels.entry.2.key=b&Labels.entry.2.value=2&Labels.entry.1.key=a&Labels.entry.1.value=1": {Labels: map[string]int32{"a": 1, "b": 2}},
		"Labels=":                                       {Labels: map[string]int32{}},
		"Entry.1=x&Entry.2=y":                           {Flat: []string{"x", "y"}},
		"Mark.1.Name=a&Mark.1.Text=b":                   {Marks: map[string]string{"a": "b"}},
		"Labels.entry.1.key=a":                          nil,
		"Labels.entry.1.value=1":                        nil,
		"Labels.entry.1.key.x=a&Labels.entry.1.value=1": nil,
		"Labels.entry.1.key=a&Labels.entry.1.value=b":   nil,
		"Entry.x=1":                                     nil,
		"Mark.x=1":                                      nil,
	} {
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		got := new(bag)
		err = DecodeForm(values, bagShape(), got)
		if (err != nil) != (want == nil) {
			t.Errorf("%s: error %v", form, err)
		}
		if d := cmp.Diff(want, got); want != nil && d != "" {
			t.Errorf("%s (-want +got):\n%s", form, d)
		}
	}
}
