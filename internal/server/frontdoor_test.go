package server_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// A VPC endpoint leads to private APIs and to nothing else: its policy would not be asked about
// a function's URL.
func TestNoFunctionURLByEndpoint(t *testing.T) {
	t.Parallel()
	const id = "vpce-0a1b2c3d"
	g := servertest.Start(t, func(c *config.Config) {
		c.VPCEndpoints = []config.VPCEndpoint{{ID: id, VPC: "vpc-1", Address: "127.0.0.1:0"}}
	})
	u := newURL(t, g, "fn", &lambda.CreateFunctionUrlConfigInput{AuthType: types.FunctionUrlAuthTypeNone}, &lambda.CreateFunctionInput{
		Runtime: pythonRuntime(t), Code: pythonCode(t, urlFunction)})
	if got := u.do("GET", "/text", "", nil); got.status != 200 {
		t.Fatalf("by the public port: %d %s", got.status, got.body)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.CAPool(t)}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, g.Server.EndpointAddress(id))
	}}
	t.Cleanup(tr.CloseIdleConnections)
	u.client = &http.Client{Transport: tr}
	if got := u.do("GET", "/text", "", nil); got.status != 403 || got.body != `{"message":"Forbidden"}` {
		t.Errorf("by the endpoint: %d %s", got.status, got.body)
	}
}
