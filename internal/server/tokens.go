package server

import (
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/internal/gateway/userpool"
)

// tokensFolder is where the keys of token issuers are kept, in the data folder.
const tokensFolder = "issuers"

// openTokens makes the verifier of user pools' tokens.
func (s *Server) openTokens() *userpool.Verifier {
	issuers := map[string]userpool.Issuer{}
	for _, u := range s.config.UserPools {
		issuer := userpool.Issuer{Name: u.Issuer, KeySet: u.KeySet}
		if !slices.Contains(u.Audiences, "*") {
			issuer.Audiences = u.Audiences
		}
		for _, a := range u.Algorithms {
			issuer.Algorithms = append(issuer.Algorithms, jose.SignatureAlgorithm(a)) // Config.Check knows them
		}
		issuers[u.ARN] = issuer
	}
	return userpool.New(userpool.Options{
		Issuers: issuers, Dir: filepath.Join(s.config.Data, tokensFolder), Egress: s.egress(), Logger: s.log,
		AllowFetch: func() []netip.Prefix {
			live := s.live.Load()
			return live.Networks(live.Egress.AllowFetch)
		},
	})
}

// issuerProblems names the issuers whose keys could not be read at the last attempt.
func (s *Server) issuerProblems() []string {
	var out []string
	for _, r := range s.tokens.Reports() {
		if r.Err == nil {
			continue
		}
		state := "its tokens are refused"
		if r.Keys > 0 {
			state = "the keys of " + r.Fetched.UTC().Format(time.RFC3339) + " serve until " + r.Until.UTC().Format(time.RFC3339)
		}
		out = append(out, "token issuer "+r.Issuer+": its keys cannot be read, "+state+": "+r.Err.Error())
	}
	return out
}
