package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// loggedStage is a second stage of the same deployment, with a log.
const loggedStage = "logged"

// jsonFormat is the access log format that the console offers as JSON.
const jsonFormat = `{ "requestId":"$context.requestId", "extendedRequestId":"$context.extendedRequestId","ip": "$context.identity.sourceIp", "caller":"$context.identity.caller", "user":"$context.identity.user", "requestTime":"$context.requestTime", "httpMethod":"$context.httpMethod", "resourcePath":"$context.resourcePath", "status":"$context.status", "protocol":"$context.protocol", "responseLength":"$context.responseLength" }`

// measureLogs measures what an access log (level "") or an execution log of a level adds to
// plain proxying on the same process.
func measureLogs(sc scenario, bin, dir, level string, rounds int, d time.Duration) error {
	p, err := launch("gatehouse", proxyCPU, controlAddr, bin, "serve", "--dev", "--data", dir, "--control", controlAddr, "--http", frontHTTP, "--https", frontHTTPS)
	if err != nil {
		return err
	}
	defer p.stop()
	ctx := context.Background()
	id, err := createAPI(ctx)
	if err != nil {
		return err
	}
	if err := logTo(ctx, id, level); err != nil {
		return err
	}
	sc.nginx, sc.front = "http://"+frontHTTP+"/"+stage, "http://"+frontHTTP+"/"+loggedStage
	sc.load = wrk(64, "/1k", "", dir, id+".execute-api.us-east-1.localhost")
	return measure(sc, p, p, rounds, d)
}

// logTo makes loggedStage of the newest deployment.
func logTo(ctx context.Context, id, level string) error {
	c := client()
	st, err := c.GetStage(ctx, &apigateway.GetStageInput{RestApiId: &id, StageName: aws.String(stage)})
	if err != nil {
		return err
	}
	if _, err := c.CreateStage(ctx, &apigateway.CreateStageInput{RestApiId: &id, StageName: aws.String(loggedStage), DeploymentId: st.DeploymentId}); err != nil {
		return err
	}
	values := map[string]string{"/accessLogSettings/destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:bench", "/accessLogSettings/format": jsonFormat}
	if level != "" {
		// A method setting brings the service's throttle of 10,000 requests per second with it.
		values = map[string]string{"/*/*/logging/loglevel": level, "/*/*/throttling/rateLimit": "1000000", "/*/*/throttling/burstLimit": "1000000"}
	}
	var patches []types.PatchOperation
	for path, value := range values {
		patches = append(patches, types.PatchOperation{Op: types.OpReplace, Path: &path, Value: &value})
	}
	_, err = c.UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: &id, StageName: aws.String(loggedStage), PatchOperations: patches})
	return err
}
