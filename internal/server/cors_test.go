package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

// CORS the way the guide has it: an OPTIONS method of type MOCK answers preflights, and
// gateway responses give every error of the gateway's own the header that browsers want
// (routing-and-integrations, section 13).
func TestCORS(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	r := a.resource("/pets")
	a.method(r, "OPTIONS", apigateway.PutIntegrationInput{Type: types.IntegrationTypeMock, RequestTemplates: map[string]string{"application/json": "{ statusCode: 200 }"}})
	a.respond(r, "OPTIONS", "204", apigateway.PutIntegrationResponseInput{ResponseParameters: map[string]string{
		"method.response.header.Access-Control-Allow-Headers": "'Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token'",
		"method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'",
		"method.response.header.Access-Control-Allow-Origin":  "'*'",
	}})
	a.proxyFunction(r, "GET", "nobody")
	a.mock(a.resource("/limited"), "GET", `{"statusCode": 200}`, ``)
	for _, kind := range []types.GatewayResponseType{types.GatewayResponseTypeDefault4xx, types.GatewayResponseTypeDefault5xx} {
		if _, err := a.c.PutGatewayResponse(t.Context(), &apigateway.PutGatewayResponseInput{RestApiId: a.id, ResponseType: kind, ResponseParameters: map[string]string{
			"gatewayresponse.header.Access-Control-Allow-Origin": "method.request.header.Origin", "gatewayresponse.header.Vary": "'Origin'",
		}}); err != nil {
			t.Fatal(err)
		}
	}
	a.deploy("prod")
	a.stage("prod", map[string]string{"/limited/GET/throttling/rateLimit": "0", "/limited/GET/throttling/burstLimit": "0"})
	c := g.Client(t, nil)
	send := func(method, path, authorization string) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+a.host()+"/prod"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://app.example.com")
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		return do(t, c, req)
	}
	if status, body, h := send("OPTIONS", "/pets", ""); status != 204 || body != "" || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "GET,OPTIONS" || !strings.HasPrefix(h.Get("Access-Control-Allow-Headers"), "Content-Type,") {
		t.Errorf("preflight: %d %q %v", status, body, h)
	}
	for _, tt := range []struct {
		name, method, path, authorization string
		status                            int
		body, kind                        string
	}{
		{"no such path", "GET", "/none", "", 403, `{"message":"Missing Authentication Token"}`, "MissingAuthenticationTokenException"},
		{"no such method", "DELETE", "/pets", "", 403, `{"message":"Missing Authentication Token"}`, "MissingAuthenticationTokenException"},
		{"no such path, with a token", "GET", "/none", "Bearer abc", 403, `{"message":"Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '`, "IncompleteSignatureException"},
		{"no such path, with a password", "GET", "/none", "Basic dXNlcjpwYXNzd29yZA==", 403, `{"message":"Authorization header requires 'Credential' parameter. `, "IncompleteSignatureException"},
		{"throttled", "GET", "/limited", "", 429, `{"message":"Too Many Requests"}`, "TooManyRequestsException"},
		{"function without permission", "GET", "/pets", "", 500, `{"message": "Internal server error"}`, "InternalServerErrorException"},
	} {
		status, body, h := send(tt.method, tt.path, tt.authorization)
		if status != tt.status || !strings.HasPrefix(body, tt.body) || h.Get("x-amzn-ErrorType") != tt.kind {
			t.Errorf("%s: %d %s %s", tt.name, status, body, h.Get("x-amzn-ErrorType"))
		}
		if h.Get("Access-Control-Allow-Origin") != "https://app.example.com" || h.Get("Vary") != "Origin" {
			t.Errorf("%s: header %v", tt.name, h)
		}
	}
	if _, _, h := send("OPTIONS", "/pets", ""); h.Get("Vary") != "" {
		t.Errorf("a gateway response acts on an answer of a method: %v", h)
	}
}
