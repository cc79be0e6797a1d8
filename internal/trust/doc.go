// Package trust decides whether a client certificate is good: trust stores, path
// building and verification, the verdict that a connection carries, and what revocation
// data says. It does no I/O: whoever fetches objects hands bytes in, and one interface
// (Responder) asks for OCSP answers.
//
// The life of a verdict:
//
//  1. A trust store object becomes a Bundle (ParseBundle), once, at the management call.
//  2. A Store holds the Snapshot that now counts for one domain: the Bundle, its
//     Revocation data and options. It is swapped as a whole, never changed.
//  3. A handshake on the domain gives a Session with the certificate that the client
//     proved to own. It is not judged in the handshake: a refused certificate gets an HTTP
//     answer.
//  4. Each request asks Session.Judge. It compares one pointer and the time with
//     the kept verdict, and judges again only when the snapshot was swapped or the
//     verdict's time is over. A certificate revoked a moment ago is refused on the next
//     request of an open connection.
//
// Paths are built by this package, not by x509.Certificate.Verify, because a trust
// store may hold what that function decides otherwise: intermediates are no anchors, names
// chain by RFC 5280 section 7.1, directory name constraints count, work is bounded, and each
// refusal has a reason. Parsing and signatures are crypto/x509's. What it does not parse
// never gets here: certificates with negative serial numbers or an extension twice are
// left out of bundles with a warning, and end a client's handshake with an alert.
//
// The specification is reference/mutual-tls.md, A3 for trust stores, B for revocation.
//
// Bundle, Snapshot, Path and Verdict are immutable; Store and Session may be used from
// several goroutines.
package trust
