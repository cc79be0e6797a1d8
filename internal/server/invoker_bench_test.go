package server_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"gatehouse/internal/invoke"
	"gatehouse/internal/server/servertest"
)

// A warm call as the gateway makes it: permission, look-up and the function itself, in
// Python, which does nothing.
func BenchmarkInvoker(b *testing.B) {
	g := servertest.Start(b, nil)
	c := lambda.NewFromConfig(g.AWS(b))
	fn, err := c.CreateFunction(b.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("fn"), Runtime: pythonRuntime(b), Role: newRole(b, g, "fn", "lambda.amazonaws.com"),
		Handler: aws.String("m.handler"), Code: pythonCode(b, "def handler(e, c): return 1\n"),
	})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := c.AddPermission(b.Context(), &lambda.AddPermissionInput{
		FunctionName: aws.String("fn"), StatementId: aws.String("api"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com"),
	}); err != nil {
		b.Fatal(err)
	}
	call := &invoke.Call{Function: *fn.FunctionArn, Payload: []byte(`{"a":1}`), By: invoke.Authority{Source: "arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/x", Account: "000000000000"}}
	for b.Loop() {
		if res, err := g.Server.Invoker().Invoke(b.Context(), call); err != nil || res.FunctionError != "" {
			b.Fatalf("%+v, %v", res, err)
		}
	}
}
