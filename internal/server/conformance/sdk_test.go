package conformance

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/server/servertest"
)

// gatewayService is API Gateway's entry among the services of a server.
func gatewayService(t *testing.T, g *servertest.Gatehouse) schema.Bound {
	t.Helper()
	for _, b := range g.Server.Services() {
		if b.Service.Name == "apigateway" {
			return b
		}
	}
	t.Fatal("no apigateway among the services")
	return schema.Bound{}
}

// client is an SDK client that notes which operations succeeded.
func client(t *testing.T, g *servertest.Gatehouse) (*apigateway.Client, *seen) {
	s := &seen{}
	c := apigateway.NewFromConfig(g.AWS(t), func(o *apigateway.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Seen", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				out, meta, err := next.HandleInitialize(ctx, in)
				if err == nil {
					s.add(middleware.GetOperationName(ctx))
				}
				return out, meta, err
			}), middleware.Before)
		})
	})
	return c, s
}

type seen struct {
	mu    sync.Mutex
	names []string
}

func (s *seen) add(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, name)
}

// creates are the operations that need no identifier, so that one that is not there cannot
// be given.
var creates = regexp.MustCompile(`^(?:CreateRestApi|CreateApiKey|CreateUsagePlan|ImportApiKeys|ImportRestApi|GenerateClientCertificate|GetAccount|UpdateAccount|Get(?:RestApis|ApiKeys|UsagePlans|ClientCertificates|VpcLinks|DomainNames|DomainNameAccessAssociations|SdkTypes))$`)

// Every operation that names something which is not there says so, in the caller's terms: no
// internal failure, nothing made up.
func TestUnknownIdentifiers(t *testing.T) {
	g := servertest.Start(t, nil)
	c, _ := client(t, g)
	for _, name := range gatewayService(t, g).Implemented() {
		if creates.MatchString(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			method := reflect.ValueOf(c).MethodByName(name)
			in := reflect.New(method.Type().In(1).Elem())
			fill(in.Elem())
			out := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
			err, _ := out[1].Interface().(error)
			var e smithy.APIError
			if !errors.As(err, &e) {
				t.Fatalf("answered %+v, %v; want a refusal", out[0], err)
			}
			switch e.ErrorCode() {
			case "NotFoundException", "BadRequestException", "ConflictException":
			default:
				t.Errorf("%s: %s; want NotFoundException or BadRequestException", e.ErrorCode(), e.ErrorMessage())
			}
			if e.ErrorMessage() == "" {
				t.Error("the refusal says nothing")
			}
		})
	}
}

// fill sets the members of an SDK input to values that name nothing.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		if !f.CanSet() {
			continue
		}
		switch x := f.Addr().Interface().(type) {
		case **string:
			*x = aws.String(unknown(v.Type().Field(i).Name))
		case *[]byte:
			*x = []byte("{}")
		case *[]types.PatchOperation:
			*x = []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/description"), Value: aws.String("x")}}
		case *[]string:
			*x = []string{"nosuch"}
		case *map[string]string:
			if v.Type().Field(i).Name == "Tags" {
				*x = map[string]string{"a": "b"}
			}
		case **types.DocumentationPartLocation:
			*x = &types.DocumentationPartLocation{Type: types.DocumentationPartTypeApi}
		default:
			if f.Kind() == reflect.String { // an enumeration
				if values := f.MethodByName("Values"); values.IsValid() {
					f.Set(values.Call(nil)[0].Index(0))
				}
			}
		}
	}
}

func unknown(member string) string {
	switch {
	case member == "StatusCode":
		return "200"
	case member == "HttpMethod":
		return "GET"
	case member == "Position", member == "Limit":
		return ""
	case strings.HasSuffix(strings.ToLower(member), "arn"):
		return "arn:aws:apigateway:us-east-1::/restapis/nosuch"
	case member == "StartDate", member == "EndDate":
		return "2026-11-23"
	case member == "Properties":
		return "{}"
	}
	return "nosuch"
}

// Each member of each body refuses a value of the wrong JSON type and, for enumerations, a
// value outside: before anything is looked up.
func TestWrongTypesAndEnums(t *testing.T) {
	g := servertest.Start(t, nil)
	w := newWire(t, g)
	b := gatewayService(t, g)
	label := regexp.MustCompile(`\{[^}]*\}`)
	implemented := b.Implemented()
	tried := 0
	for i := range b.Service.Operations {
		op := &b.Service.Operations[i]
		if !slices.Contains(implemented, op.Name) || op.In.Payload != "" || op.Method == http.MethodGet {
			continue
		}
		uri := label.ReplaceAllStringFunc(op.URI, func(l string) string {
			if strings.Contains(strings.ToLower(l), "status") {
				return "200"
			}
			if l == "{responseType}" || l == "{response_type}" {
				return "THROTTLED"
			}
			return "nosuch"
		})
		for _, m := range op.In.Members {
			if m.Loc != schema.Body {
				continue
			}
			for body, code := range wrong(m) {
				tried++
				if a := w.call(t, op.Method, uri, `{"`+m.Wire+`":`+body+`}`); a.status != 400 || a.code != code {
					t.Errorf("%s %s %s: %d %s %s, want %s", op.Name, m.Wire, body, a.status, a.code, a.body, code)
				}
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d cases", tried)
	}
}

// wrong returns values that a member cannot have, with the error that each gives.
func wrong(m schema.Member) map[string]string {
	const serialization, validation = "SerializationException", "ValidationException"
	switch m.Shape.Kind {
	case schema.String:
		out := map[string]string{"true": serialization, "1": serialization, "[]": serialization, "{}": serialization}
		if len(m.Shape.Enum) > 0 {
			out[`"wrong"`] = validation
		}
		return out
	case schema.Boolean, schema.Integer, schema.Long, schema.Double:
		return map[string]string{"[]": serialization, "{}": serialization}
	case schema.List:
		return map[string]string{`"x"`: serialization, `{}`: serialization}
	case schema.Map, schema.Structure:
		return map[string]string{`"x"`: serialization, `[]`: serialization}
	}
	return nil
}
