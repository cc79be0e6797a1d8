package config

import (
	"strings"
	"testing"
)

// Mistakes in lists of user pools and VPC endpoints are named by their place.
func TestPoolsAndEndpoints(t *testing.T) {
	c := Defaults()
	c.UserPools = []UserPool{
		{ARN: "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a", Issuer: "https://id.example.com", Audiences: []string{"*"}, Algorithms: []string{"ES256"}},
		{ARN: "pool", Issuer: "id.example.com", KeySet: "file:///etc/keys", Algorithms: []string{"HS256", "none"}},
	}
	c.VPCEndpoints = []VPCEndpoint{
		{ID: "vpce-1", VPC: "vpc-1", Address: "10.0.0.5:443"},
		{ID: "vpce-1", VPC: "1", Address: "10.0.0.5", ProxyProtocol: []string{"10.0.0.0"}},
	}
	err := c.Check()
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, want := range []string{
		`user-pools[1].arn: found "pool"`, `user-pools[1].issuer: found "id.example.com"`, `user-pools[1].key-set: found "file:///etc/keys"`,
		`user-pools[1].audiences`, `user-pools[1].algorithms: found "HS256"`, `user-pools[1].algorithms: found "none"`,
		`vpc-endpoints[1].id: found "vpce-1", want each endpoint once`, `vpc-endpoints[1].vpc: found "1"`, `vpc-endpoints[1].address: found "10.0.0.5"`, `vpc-endpoints[1].proxy-protocol: found "10.0.0.0"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "[0]") {
		t.Errorf("what is right is a mistake:\n%v", err)
	}
}
