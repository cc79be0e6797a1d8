package userpool

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// An Issuer is who signs the tokens of a pool.
type Issuer struct {
	// Name is the claim iss: "https://keycloak.example.com/realms/partners".
	Name string

	// KeySet is the address of the issuer's keys; "" finds it in the issuer's document
	// /.well-known/openid-configuration (OpenID Connect Discovery 1.0, section 4).
	KeySet string

	// Audiences are those that tokens may be meant for, as aud or client_id; nil accepts all.
	Audiences []string

	// Algorithms are those that tokens may be signed with; nil means RS256.
	Algorithms []jose.SignatureAlgorithm

	// Own is set for issuers that the operator named: they may live in private networks,
	// which Cognito's may not.
	Own bool
}

// poolARN is the ARN of a user pool; its groups are region and id.
var poolARN = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):cognito-idp:([a-z0-9-]+):\d{12}:userpool/([a-z0-9-]+_[A-Za-z0-9]+)$`)

// IssuerOf returns Cognito's issuer of a pool.
func IssuerOf(arn string) (Issuer, error) {
	m := poolARN.FindStringSubmatch(arn)
	if m == nil || !strings.HasPrefix(m[3], m[2]+"_") {
		return Issuer{}, fmt.Errorf("user pool %q: want arn:aws:cognito-idp:{region}:{account}:userpool/{region}_{id}", arn)
	}
	name := "https://cognito-idp." + m[2] + ".amazonaws.com"
	if m[1] == "aws-cn" {
		name += ".cn"
	}
	name += "/" + m[3]
	return Issuer{Name: name, KeySet: name + "/.well-known/jwks.json"}, nil
}

func (i *Issuer) algorithms() []jose.SignatureAlgorithm {
	if len(i.Algorithms) == 0 {
		return []jose.SignatureAlgorithm{jose.RS256}
	}
	return i.Algorithms
}
