// Package sigv4 verifies requests that are signed with AWS Signature Version 4, in the
// Authorization header or in the query (presigned), for any service and every payload
// form that the SDKs send. The management side and the gateway's AWS_IAM methods call
// it; it knows neither stores nor protocols: keys come from Keys, refusals go out as
// Error in the words of the service's family.
//
// The rules are those of the AWS General Reference ("Signature Version 4 signing
// process") and, for S3, of its API Reference ("Authenticating Requests"). Stricter
// than the service, anything that could be read in two ways is refused: a signing
// header or parameter that is there twice, two mechanisms at once, a Host line that
// differs from the authority.
//
// A Verifier is safe for concurrent use. A Result and its Body belong to the request.
package sigv4

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/message"
)

// A Request is the part of an HTTP request that a signature covers. The verifier does
// not change it.
type Request struct {
	Method   string
	Path     string // raw, as sent: "/a%2Fb"
	RawQuery string // raw, without "?"
	Host     string // Host header or :authority, as sent
	Header   message.Header

	// Body is read by Verify only when its hash is needed first; otherwise through
	// Result.Body. Nil means no body.
	Body io.Reader

	// PayloadHash is the hex SHA-256 of the body, when the caller has it already:
	// Body is then neither hashed nor needed. "" in the usual case.
	PayloadHash string
}

// Keys finds credentials. Implementations are safe for concurrent use and fast: the
// data plane asks once for each signed request.
type Keys interface {
	// Lookup returns the credential of an access key. sessionToken is "" for
	// long-term keys; an implementation refuses a token where none belongs and the
	// absence of one where it does, with ErrUnknownKey, which is also the answer
	// for an inactive key. A token that was good once is ErrTokenExpired. Any other
	// error means that keys cannot be looked up now.
	Lookup(ctx context.Context, accessKeyID, sessionToken string) (Credential, error)
}

// A Credential is a key that exists.
type Credential struct {
	Secret    string
	Principal Principal
}

// A Verifier checks signatures. Its fields are set before use and not changed after.
type Verifier struct {
	Keys Keys

	// Now is the clock; nil is time.Now.
	Now func() time.Time

	// AcceptUnknown, when set, gives the credential of an access key that Keys does
	// not know, without any check of the signature. It is for management calls of
	// --dev alone, and acts only for an Authorization header that is well formed in
	// every other respect, never for presigned requests. Keys that are known are
	// verified all the same.
	AcceptUnknown func(ctx context.Context, accessKeyID, sessionToken string) (Credential, bool)

	derived keyCache
}

// A Result is a request whose signature is good.
type Result struct {
	Claim      // what was signed, proven now
	Credential Credential

	// Unverified is set when AcceptUnknown vouched for the key.
	Unverified bool

	// Body is the request's body, decoded when it was aws-chunked and checked while
	// it is read. What it yields is proven only when it has returned io.EOF.
	Body *Body
}

// noSecret stands in for the secret of keys that do not exist, so that refusing them
// costs what refusing a wrong signature costs.
var noSecret = sync.OnceValue(rand.Text)

// Verify checks that r is signed for the service by a known key, now. A refusal is an
// *Error. Body bytes are read before the signature is checked only when the payload
// hash is not in the request, and then at most svc.MaxBody of them.
func (v *Verifier) Verify(ctx context.Context, svc *Service, r *Request) (*Result, error) {
	a := new(struct { // one allocation for all of it
		res  Result
		body Body
		p    payload
	})
	res, p, f := &a.res, &a.p, svc.Family
	res.Body = &a.body
	if err := res.Claim.parse(r, f); err != nil {
		return nil, err
	}
	if err := v.checkClaim(svc, r, &res.Claim); err != nil {
		return nil, err
	}
	if err := p.choose(svc, r, &res.Claim); err != nil {
		return nil, err
	}
	refusal := v.lookup(ctx, f, res)
	if refusal != nil && refusal.Kind == Unavailable {
		return nil, refusal
	}
	if res.Unverified {
		res.Body.init(f, r.Body, p, nil, &res.Claim)
		return res, nil
	}
	key, cached, err := v.checkSignature(svc, r, &res.Claim, p, res.Credential.Secret)
	if refusal != nil {
		return nil, refusal
	}
	if err != nil {
		return nil, err
	}
	if !cached {
		v.derived.put(res.AccessKeyID, res.Credential.Secret, res.Scope, key)
	}
	res.Body.init(f, r.Body, p, key, &res.Claim)
	return res, nil
}

// Expect checks what can be checked of r without its body, whose hash the signature covers: that
// it claims a key that is known, the service, and a time that is now. It proves nothing. A
// refusal is the *Error that Verify would give.
func (v *Verifier) Expect(ctx context.Context, svc *Service, r *Request) error {
	var res Result
	if err := res.Claim.parse(r, svc.Family); err != nil {
		return err
	}
	if err := v.checkClaim(svc, r, &res.Claim); err != nil {
		return err
	}
	if err := v.lookup(ctx, svc.Family, &res); err != nil {
		return err
	}
	return nil
}

// checkClaim checks all that needs no key: scope, clock, coverage of headers.
func (v *Verifier) checkClaim(svc *Service, r *Request, c *Claim) *Error {
	f := svc.Family
	if c.Scope.Service != svc.Name {
		return f.refuse(WrongService, f.wrongService(svc, c), nil)
	}
	if svc.Region != nil && !svc.Region(c.Scope.Region) {
		return f.refuse(WrongRegion, f.wrongRegion(svc, c), nil)
	}
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	if err := checkClock(svc, c, now().UTC()); err != nil {
		return err
	}
	return checkCoverage(f, r, c)
}

func (f Family) wrongService(svc *Service, c *Claim) string {
	if f == FamilyS3 {
		return "The authorization header is malformed; incorrect service \"" + c.Scope.Service + "\". This endpoint belongs to \"" + svc.Name + "\"."
	}
	return "Credential should be scoped to correct service: '" + svc.Name + "'."
}

func (f Family) wrongRegion(svc *Service, c *Claim) string {
	if f == FamilyS3 && svc.HomeRegion != "" {
		return "The authorization header is malformed; the region '" + c.Scope.Region + "' is wrong; expecting '" + svc.HomeRegion + "'"
	}
	return ""
}

// checkClock compares the signing time with ours.
func checkClock(svc *Service, c *Claim, now time.Time) *Error {
	f, skew := svc.Family, svc.Skew
	if c.Time.After(now.Add(skew)) {
		return f.refuse(NotYetCurrent, f.clockText("Signature not yet current: ", " is still later than ", c, now, skew, " + "), nil)
	}
	if c.Expires > 0 {
		if end := c.Time.Add(c.Expires); now.After(end) {
			text := ""
			if f != FamilyS3 {
				text = "Signature expired: " + end.Format(timeFormat) + " is now earlier than " + now.Format(timeFormat)
			}
			return f.refuse(PresignExpired, text, nil)
		}
		return nil
	}
	if c.Time.Before(now.Add(-skew)) {
		return f.refuse(SignatureExpired, f.clockText("Signature expired: ", " is now earlier than ", c, now, -skew, " - "), nil)
	}
	return nil
}

// clockText words a clock refusal (reference request-lifecycle.md 4.4); S3 has a fixed text.
func (f Family) clockText(what, relation string, c *Claim, now time.Time, skew time.Duration, sign string) string {
	if f == FamilyS3 {
		return ""
	}
	minutes := "5 min.)"
	if skew.Abs() == 15*time.Minute {
		minutes = "15 min.)"
	}
	return what + c.stamp + relation + now.Add(skew).Format(timeFormat) + " (" + now.Format(timeFormat) + sign + minutes
}

// checkCoverage refuses requests that the signature does not pin down: an x-amz-
// header outside it, a line that must be single and is not, a Host line that differs
// from the authority.
func checkCoverage(f Family, r *Request, c *Claim) *Error {
	for i := range r.Header {
		name, value := r.Header[i].Name, r.Header[i].Value
		if message.EqualName(name, "Host") && value != r.Host {
			return f.refuse(Ambiguous, "", causef("Host line %q differs from authority %q", value, r.Host))
		}
		amz := len(name) > 6 && message.EqualName(name[:6], "x-amz-")
		if amz && !listed(c.names, name) && !mayBeUnsigned(name) {
			return f.refuse(NotSigned, "", causef("header %s is not signed", name))
		}
		if mustBeSingle(name, amz) && r.Header.Count(name) > 1 {
			return f.refuse(Ambiguous, "", causef("%d headers %s, want one", r.Header.Count(name), name))
		}
	}
	return nil
}

// mayBeUnsigned lists the x-amz- headers that need no place in SignedHeaders: the
// payload hash is a line of the canonical request itself; CloudFront adds its id to
// requests after they were signed.
func mayBeUnsigned(name string) bool {
	return message.EqualName(name, "x-amz-content-sha256") || message.EqualName(name, "x-amz-cf-id")
}

// mustBeSingle lists the headers whose lines must not be joined or split without
// breaking the signature. S3 joins the lines of user metadata itself, and SDKs send
// the list of attributes of GetObjectAttributes and of lists a line each.
func mustBeSingle(name string, amz bool) bool {
	if amz {
		return (len(name) < 11 || !message.EqualName(name[:11], "x-amz-meta-")) &&
			!message.EqualName(name, "x-amz-object-attributes") && !message.EqualName(name, "x-amz-optional-object-attributes")
	}
	switch len(name) {
	case len("Host"):
		return message.EqualName(name, "Host") || message.EqualName(name, "Date")
	case len("Content-MD5"):
		return message.EqualName(name, "Content-MD5")
	case len("Content-Type"):
		return message.EqualName(name, "Content-Type")
	case len("Content-Length"):
		return message.EqualName(name, "Content-Length")
	}
	return false
}

// listed reports whether the ";"-separated names contain name, in any case.
func listed(names, name string) bool {
	for n := range strings.SplitSeq(names, ";") {
		if message.EqualName(n, name) {
			return true
		}
	}
	return false
}

// lookup finds the credential. On a refusal res holds a secret that matches nothing,
// so that the caller can go on and take the same time.
func (v *Verifier) lookup(ctx context.Context, f Family, res *Result) *Error {
	c := &res.Claim
	cred, err := v.Keys.Lookup(ctx, c.AccessKeyID, c.SessionToken)
	switch {
	case err == nil:
		res.Credential = cred
		return nil
	case errors.Is(err, ErrUnknownKey):
		if v.AcceptUnknown != nil && !c.Presigned {
			if cred, ok := v.AcceptUnknown(ctx, c.AccessKeyID, c.SessionToken); ok {
				res.Credential, res.Unverified = cred, true
				return nil
			}
		}
		res.Credential.Secret = noSecret()
		return f.refuse(UnknownKey, f.unknownText(c), err)
	case errors.Is(err, ErrTokenExpired):
		res.Credential.Secret = noSecret()
		return f.refuse(TokenExpired, "", err)
	}
	return f.refuse(Unavailable, "", err)
}

// unknownText is S3's other answer for temporary keys.
func (f Family) unknownText(c *Claim) string {
	if f == FamilyS3 && c.SessionToken != "" {
		return "The provided token is malformed or otherwise invalid."
	}
	return ""
}

// scratch holds the buffers of one verification.
type scratch struct {
	canon, tmp, msg, mac []byte
	params               []param
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// checkSignature computes the signature under secret and compares. cached tells that
// the key came from the cache.
func (v *Verifier) checkSignature(svc *Service, r *Request, c *Claim, p *payload, secret string) (key *signingKey, cached bool, _ *Error) {
	f := svc.Family
	if err := p.resolve(svc, r); err != nil {
		return nil, false, err
	}
	key, cached = v.derived.get(c.AccessKeyID, secret, c.Scope)
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	ok, cause := s.matches(svc, r, c, p, key, r.Path)
	if !ok && cause == nil && !svc.EncodeOnce {
		if path, differs := normalised(r.Path); differs {
			ok, cause = s.matches(svc, r, c, p, key, path)
		}
	}
	if !ok {
		return nil, false, f.refuse(Mismatch, "", cause)
	}
	return key, cached, nil
}

// matches builds the canonical request for path and compares signatures. The cause is
// set when the request has no canonical form.
func (s *scratch) matches(svc *Service, r *Request, c *Claim, p *payload, key *signingKey, path string) (bool, error) {
	if cause := s.canonical(svc, r, c, p.hash, path); cause != nil {
		return false, cause
	}
	sum := sha256.Sum256(s.canon)
	b := s.msg[:0]
	b = append(b, algorithm+"\n"...)
	b = append(b, c.stamp...)
	b = append(b, '\n')
	b = c.Scope.appendTo(b)
	b = append(b, '\n')
	b = hex.AppendEncode(b, sum[:])
	s.msg = b
	var want [sha256.Size]byte
	want, s.mac = key.sign(s.msg, s.mac)
	return sameHex(want, c.signature), nil
}

// sameHex compares a sum with its hex form in constant time. The form is 64 digits.
func sameHex(sum [sha256.Size]byte, digits string) bool {
	var got [2 * sha256.Size]byte
	hex.Encode(got[:], sum[:])
	return subtle.ConstantTimeCompare(got[:], []byte(digits)) == 1
}

func (s Scope) appendTo(b []byte) []byte {
	b = append(b, s.Date...)
	b = append(b, '/')
	b = append(b, s.Region...)
	b = append(b, '/')
	b = append(b, s.Service...)
	return append(b, "/"+terminator...)
}

// canonical writes the canonical request into s.canon.
func (s *scratch) canonical(svc *Service, r *Request, c *Claim, hash, path string) error {
	b := append(s.canon[:0], r.Method...)
	b = append(b, '\n')
	if path == "" {
		path = "/"
	}
	ok := true
	if svc.EncodeOnce {
		b, ok = appendPathOnce(b, path)
	} else {
		b = appendPathTwice(b, path)
	}
	if !ok {
		return causef("path %q has a broken escape", path)
	}
	b = append(b, '\n')
	b, s.tmp, s.params, ok = appendQuery(b, r.RawQuery, c.Presigned, s.tmp, s.params)
	if !ok {
		return causef("query %q has a broken escape", r.RawQuery)
	}
	b = append(b, '\n')
	b, absent := appendHeaders(b, r, c.names)
	if absent != "" {
		return causef("signed header %q is not in the request", absent)
	}
	b = append(b, '\n')
	b = append(b, c.names...)
	b = append(b, '\n')
	s.canon = append(b, hash...)
	return nil
}
