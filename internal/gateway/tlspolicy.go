package gateway

import (
	"gatehouse/internal/plan"
	"gatehouse/internal/trust"
)

var errTLSPolicy = forbidden("security-policy")

// checkTLS holds the connection against the API's security policy and endpoint access mode.
// The handshake went by the domain's policy, since the API is known only now (mutual-tls,
// section A5.2); whichever name led here, the API's is kept too.
func (x *exchange) checkTLS(s *plan.Stage) error {
	conn := x.req.Conn
	if conn == nil || conn.TLS == nil {
		return nil
	}
	if p := s.TLSPolicy; p != nil && !p.Allows(conn.TLS.Version, conn.TLS.CipherSuite) {
		return errTLSPolicy
	}
	if s.StrictSNI && conn.ServerName != trust.NormalHost(x.req.Host) {
		return errHostMismatch
	}
	return nil
}
