package trust

// A Reason says why a client certificate was refused. It is for logs, metrics
// and decision records; the answer to the client never carries it.
type Reason uint8

// The reasons. OK is the zero value and means "not refused".
const (
	OK Reason = iota
	NoCertificate
	OtherDomain // the handshake was made for another domain, or without TLS
	Malformed
	UnknownIssuer
	SelfSigned
	BadSignature
	InsecureSignature
	UnsupportedKey
	Expired
	NotYetValid
	IssuerExpired
	IssuerNotYetValid
	ChainTooLong
	NotCA
	PathLength
	Purpose
	NameConstraint
	CriticalExtension
	Policy
	TooMuchWork
	Denied
	NotAllowed
	Revoked
	RevocationUnknown
	numReasons
)

// reasons has for each Reason the words after "Access denied. Reason: " in the
// execution log, and the code of the Application Load Balancer's connection log. The
// three words observed on the service come from reference mutual-tls.md A6.2; the
// others are OpenSSL's.
var reasons = [numReasons]struct{ text, code string }{
	OK:                {"ok", ""},
	NoCertificate:     {"no client certificate", "ClientCertRequired"},
	OtherDomain:       {"handshake for another domain", "ClientCertRequired"},
	Malformed:         {"malformed certificate", "ClientCertInvalid"},
	UnknownIssuer:     {"Could not find issuer for certificate", "ClientCertUntrusted"},
	SelfSigned:        {"self signed certificate", "ClientCertUntrusted"},
	BadSignature:      {"certificate signature failure", "ClientCertUntrusted"},
	InsecureSignature: {"Client cert using an insecure Signature Algorithm", "ClientCertTypeUnsupported"},
	UnsupportedKey:    {"unsupported certificate key", "ClientCertTypeUnsupported"},
	Expired:           {"certificate has expired", "ClientCertExpired"},
	NotYetValid:       {"certificate is not yet valid", "ClientCertNotYetValid"},
	IssuerExpired:     {"issuer certificate has expired", "ClientCertUntrusted"},
	IssuerNotYetValid: {"issuer certificate is not yet valid", "ClientCertUntrusted"},
	ChainTooLong:      {"certificate chain too long", "ClientCertMaxChainDepthExceeded"},
	NotCA:             {"invalid CA certificate", "ClientCertUntrusted"},
	PathLength:        {"path length constraint exceeded", "ClientCertUntrusted"},
	Purpose:           {"unsupported certificate purpose", "ClientCertPurposeInvalid"},
	NameConstraint:    {"name constraint violation", "ClientCertUntrusted"},
	CriticalExtension: {"unhandled critical extension", "ClientCertInvalid"},
	Policy:            {"no explicit policy", "ClientCertUntrusted"},
	TooMuchWork:       {"certificate paths too many", "ClientCertRejected"},
	Denied:            {"certificate on deny list", "ClientCertRejected"},
	NotAllowed:        {"certificate not on allow list", "ClientCertRejected"},
	Revoked:           {"certificate revoked", "ClientCertCrlHit"},
	RevocationUnknown: {"certificate revocation status unknown", "ClientCertCrlProcessingError"},
}

// String is the text for the execution log.
func (r Reason) String() string {
	if r < numReasons {
		return reasons[r].text
	}
	return "unknown reason"
}

// Code is the word of the load balancer's connection log vocabulary, for metrics and
// records: a bounded set. It is "" for OK.
func (r Reason) Code() string {
	if r < numReasons {
		return reasons[r].code
	}
	return "ClientCertRejected"
}

// A Refusal is the error of a certificate that is not trusted.
type Refusal struct {
	Reason Reason
	// Depth counts from the leaf (0) to the certificate at fault.
	Depth int
	// Subject is the subject of the certificate at fault, in encoded order; "" when unknown.
	Subject string
	// Detail adds to Reason for the log; may be "".
	Detail string
}

// Error gives everything that is known, for the log.
func (r *Refusal) Error() string {
	s := r.Reason.String()
	if r.Subject != "" {
		s += ": " + r.Subject
	}
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	return s
}
