package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"

	"gatehouse/internal/http1/upstream"
)

// untrusted words a failed handshake with a backend as the service does, whose words are
// Java's (backend-client-certificates, section 6).
func untrusted(err error) *Refusal {
	r := untrustedReason(err)
	r.Cause = joinCause(r.Cause, err)
	return r
}

func untrustedReason(err error) *Refusal {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name):
		return misconfigured("backend-host-mismatch", "Host name '"+name.Host+"' does not match the certificate subject provided by the peer ("+name.Certificate.Subject.String()+")")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return misconfigured("backend-expired", "PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed")
	case errors.As(err, &authority), errors.As(err, &invalid), errors.As(err, &unverified), upstream.KindOf(err) == upstream.Untrusted:
		return misconfigured("backend-untrusted", "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target")
	}
	if alert := alertOf(err); alert != "" {
		return misconfigured("backend-handshake", "Received fatal alert: "+alert)
	}
	return misconfigured("backend-handshake", "Received fatal alert: handshake_failure")
}

// alertOf returns the TLS alert by which a peer ended a connection, in the words of RFC 8446
// section 6.2 ("bad_certificate"), "" when it was none.
func alertOf(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err == nil {
		return ""
	}
	text, ok := strings.CutPrefix(op.Err.Error(), "tls: ")
	if !ok {
		return ""
	}
	return strings.ReplaceAll(text, " ", "_")
}
