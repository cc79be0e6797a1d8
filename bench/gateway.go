package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// Addresses of a real Gatehouse.
const (
	controlAddr = "127.0.0.1:18120"
	stage       = "bench"
)

// The root key that --dev has.
const rootKeyID, rootSecret = "test", "test"

// gateway starts bin serve and gives it, through its AWS API, an API that passes
// everything on to the backends, also behind mutualDomain. host is what requests to its
// default endpoint must carry as Host.
func gateway(bin, dir string) (p *process, host string, err error) {
	data, err := os.MkdirTemp(dir, "data")
	if err != nil {
		return nil, "", err
	}
	p, err = launch("gatehouse", proxyCPU, controlAddr, bin, "serve", "--dev", "--data", filepath.Join(data, "gatehouse"),
		"--control", controlAddr, "--http", frontHTTP, "--https", frontHTTPS)
	if err != nil {
		return nil, "", err
	}
	ctx := context.Background()
	id, err := createAPI(ctx)
	if err == nil {
		err = mapDomain(ctx, id, dir, mutualDomain, stage)
	}
	if err != nil {
		p.stop()
		return nil, "", err
	}
	return p, id + ".execute-api.us-east-1.localhost", nil
}

// client calls the API of the Gatehouse that is measured.
func client() *apigateway.Client {
	return apigateway.New(apigateway.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://" + controlAddr),
		Credentials:  credentials.NewStaticCredentialsProvider(rootKeyID, rootSecret, ""),
	})
}

// createAPI makes an API with /{proxy+} to the backend and /sink to the sink, deploys
// it and returns its id.
func createAPI(ctx context.Context) (string, error) {
	c := client()
	api, err := c.CreateRestApi(ctx, &apigateway.CreateRestApiInput{Name: aws.String("bench")})
	if err != nil {
		return "", err
	}
	for part, uri := range map[string]string{"{proxy+}": "http://" + backendAddr + "/{proxy}", "sink": "http://" + sinkAddr + "/sink"} {
		r, err := c.CreateResource(ctx, &apigateway.CreateResourceInput{RestApiId: api.Id, ParentId: api.RootResourceId, PathPart: aws.String(part)})
		if err != nil {
			return "", err
		}
		method := &apigateway.PutMethodInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: aws.String("ANY"), AuthorizationType: aws.String("NONE")}
		integration := &apigateway.PutIntegrationInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: aws.String("ANY"),
			Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("ANY"), Uri: aws.String(uri)}
		if part == "{proxy+}" {
			method.RequestParameters = map[string]bool{"method.request.path.proxy": true}
			integration.RequestParameters = map[string]string{"integration.request.path.proxy": "method.request.path.proxy"}
		}
		if _, err := c.PutMethod(ctx, method); err != nil {
			return "", err
		}
		if _, err := c.PutIntegration(ctx, integration); err != nil {
			return "", err
		}
	}
	if _, err := c.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: api.Id, StageName: aws.String(stage)}); err != nil {
		return "", fmt.Errorf("deploying: %w", err)
	}
	return *api.Id, nil
}
