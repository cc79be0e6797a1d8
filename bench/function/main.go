// Command function is the Lambda function that `bench functions` measures: it answers at
// once, or after the time that the query parameter sleep names.
package main

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, ev events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
		if d, err := time.ParseDuration(ev.QueryStringParameters["sleep"]); err == nil {
			time.Sleep(d)
		}
		return events.APIGatewayProxyResponse{StatusCode: 200, Body: "hello"}, nil
	})
}
