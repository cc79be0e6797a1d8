package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeFormat = "20060102T150405Z"

	// maxAuthorization bounds the Authorization header; real ones have 300 bytes
	// and 15 for each further signed header.
	maxAuthorization = 8 << 10

	// maxPresign is how long a presigned request may live (S3 and execute-api: 7 days).
	maxPresign = 7 * 24 * time.Hour
)

// A Scope is what a derived key is good for.
type Scope struct {
	Date    string // "20060102", UTC
	Region  string
	Service string
}

func (s Scope) String() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + terminator
}

// A Claim is what a request says about its own signature: nothing of it is proven
// until Verify has returned it.
type Claim struct {
	AccessKeyID  string
	Scope        Scope
	Time         time.Time     // of signing
	Presigned    bool          // signed by query
	Expires      time.Duration // presigned requests: how long from Time; 0 when not given
	SessionToken string

	stamp       string // Time as it was sent or, for a Date header, in the basic form
	names       string // SignedHeaders: "host;x-amz-date"
	signature   string // 64 hex digits
	contentHash string // x-amz-content-sha256 as sent; "" without
}

// Peek returns the credential scope that a request claims, for choosing the service
// before anything is verified. It reports false when there is no readable claim.
func Peek(r *Request) (Scope, bool) {
	var c Claim
	if err := c.parse(r, FamilyRestJSON); err != nil {
		return Scope{}, false
	}
	return c.Scope, true
}

// parse reads the claim from the Authorization header or from the query.
func (c *Claim) parse(r *Request, f Family) *Error {
	var q authQuery
	if err := parseAuthQuery(&q, r.RawQuery); err != nil {
		return f.refuse(Incomplete, "", err)
	}
	if n := r.Header.Count("Authorization"); n > 1 {
		return f.refuse(Ambiguous, "", causef("%d Authorization headers", n))
	} else if n == 1 {
		if q.present() {
			return f.refuse(Ambiguous, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified", nil)
		}
		return c.parseHeader(r, f)
	}
	if q.present() {
		return c.parsePresigned(r, &q, f)
	}
	return f.refuse(Missing, "", nil)
}

// parseHeader reads a header-signed request.
func (c *Claim) parseHeader(r *Request, f Family) *Error {
	value := r.Header.Get("Authorization")
	if len(value) > maxAuthorization {
		return f.refuse(Incomplete, "", causef("Authorization header of %d bytes, want at most %d", len(value), maxAuthorization))
	}
	credential, names, signature, err := splitAuthorization(value, f)
	if err != nil {
		return err
	}
	c.names, c.signature = names, signature
	stamp, ok, err := headerTime(r, c, f)
	if err != nil {
		return err
	}
	if credential == "" || names == "" || signature == "" || !ok {
		return f.refuse(Incomplete, missingParts(credential, names, signature, ok, value), nil)
	}
	c.stamp = stamp
	if err := c.setCredential(credential, f); err != nil {
		return err
	}
	if c.SessionToken, err = single(r, "X-Amz-Security-Token", f); err != nil {
		return err
	}
	if c.contentHash, err = single(r, "X-Amz-Content-Sha256", f); err != nil {
		return err
	}
	return c.check(f)
}

// splitAuthorization takes "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…"
// apart. Absent parts are "".
func splitAuthorization(value string, f Family) (credential, names, signature string, _ *Error) {
	alg, rest, _ := strings.Cut(value, " ")
	if alg != algorithm {
		if !strings.Contains(rest, "=") {
			return "", "", "", f.notKeyValue(value)
		}
		return "", "", "", f.refuse(Incomplete, missingParts("", "", "", true, value),
			causef("algorithm %q, want %s", alg, algorithm))
	}
	for part := range strings.SplitSeq(rest, ",") {
		part = strings.Trim(part, " ")
		key, v, ok := strings.Cut(part, "=")
		if !ok {
			return "", "", "", f.notKeyValue(value)
		}
		var to *string
		switch key {
		case "Credential":
			to = &credential
		case "SignedHeaders":
			to = &names
		case "Signature":
			to = &signature
		default:
			return "", "", "", f.refuse(Incomplete, "", causef("Authorization has an unknown part %q", key))
		}
		if *to != "" {
			return "", "", "", f.refuse(Ambiguous, "", causef("Authorization has two parts %q", key))
		}
		*to = v
	}
	return credential, names, signature, nil
}

func (f Family) notKeyValue(value string) *Error {
	sum := sha256.Sum256([]byte(value))
	return f.refuse(Incomplete, "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '"+
		base64.StdEncoding.EncodeToString(sum[:])+"'.", nil)
}

// missingParts has one sentence for each part that is absent (reference
// request-lifecycle.md 4.4).
func missingParts(credential, names, signature string, date bool, value string) string {
	var b strings.Builder
	if credential == "" {
		b.WriteString("Authorization header requires 'Credential' parameter. ")
	}
	if signature == "" {
		b.WriteString("Authorization header requires 'Signature' parameter. ")
	}
	if names == "" {
		b.WriteString("Authorization header requires 'SignedHeaders' parameter. ")
	}
	if !date {
		b.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	b.WriteString("Authorization=" + value)
	return b.String()
}

// headerTime reads the signing time from X-Amz-Date or else from Date, and gives its
// basic form. ok is false when neither is there.
func headerTime(r *Request, c *Claim, f Family) (stamp string, ok bool, _ *Error) {
	v, err := single(r, "X-Amz-Date", f)
	if err != nil {
		return "", false, err
	}
	if v == "" {
		if v, err = single(r, "Date", f); err != nil || v == "" {
			return "", false, err
		}
		for _, layout := range []string{time.RFC1123, "Mon, 02 Jan 2006 15:04:05 -0700"} {
			if t, perr := time.Parse(layout, v); perr == nil {
				c.Time = t.UTC()
				return c.Time.Format(timeFormat), true, nil
			}
		}
	}
	if c.Time, ok = parseStamp(v); !ok {
		return "", false, f.badDate(v)
	}
	return v, true, nil
}

func (f Family) badDate(v string) *Error {
	return f.refuse(Incomplete, "Date must be in ISO-8601 'basic format'. Got '"+v+"'. See http://en.wikipedia.org/wiki/ISO_8601", nil)
}

// parseStamp reads "20060102T150405Z" and nothing else: the text itself is signed.
func parseStamp(v string) (time.Time, bool) {
	if len(v) != len(timeFormat) {
		return time.Time{}, false
	}
	t, err := time.Parse(timeFormat, v)
	return t, err == nil
}

// setCredential reads "AKID/20060102/region/service/aws4_request" and compares its
// date with the signing time.
func (c *Claim) setCredential(v string, f Family) *Error {
	var p [5]string
	n := 0
	for part := range strings.SplitSeq(v, "/") {
		if n < len(p) {
			p[n] = part
		}
		n++
	}
	if n != len(p) {
		return f.refuse(Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '"+v+"'", nil)
	}
	c.AccessKeyID, c.Scope = p[0], Scope{Date: p[1], Region: p[2], Service: p[3]}
	if !validKeyID(p[0]) {
		return f.refuse(Incomplete, "", causef("access key id %q: want 1 to 128 letters, digits, '_', '-', '.'", p[0]))
	}
	if p[4] != terminator {
		return f.refuse(Mismatch, "Credential should be scoped with a valid terminator: 'aws4_request', not '"+p[4]+"'.", nil)
	}
	if day := c.stamp[:8]; p[1] != day {
		return f.refuse(Mismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"+
			p[1]+"' != '"+day+"', from '"+c.stamp+"'.", nil)
	}
	return nil
}

func validKeyID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !unreserved(s[i]) {
			return false
		}
	}
	return true
}

// check refuses what no signer writes: header names not in lower case, not sorted or
// twice, Host not among them, a signature that is not 64 lower-case hex digits.
func (c *Claim) check(f Family) *Error {
	last, host := "", false
	for name := range strings.SplitSeq(c.names, ";") {
		if name == "" || name <= last || strings.ToLower(name) != name {
			return f.refuse(Incomplete, "", causef("SignedHeaders %q: want lower case, sorted, each once; at %q", c.names, name))
		}
		host = host || name == "host"
		last = name
	}
	if !host {
		return f.refuse(NotSigned, f.hostNotSigned(), causef("SignedHeaders %q lacks host", c.names))
	}
	if !isHexHash(c.signature) {
		return f.refuse(Mismatch, "", causef("signature is not 64 lower-case hex digits"))
	}
	return nil
}

func (f Family) hostNotSigned() string {
	if f == FamilyS3 {
		return ""
	}
	return "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
}

func isHexHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !('0' <= s[i] && s[i] <= '9' || 'a' <= s[i] && s[i] <= 'f') {
			return false
		}
	}
	return true
}

// single returns the only line called name, or "". Two lines are refused: the
// signature would be the same for their joined value.
func single(r *Request, name string, f Family) (string, *Error) {
	if n := r.Header.Count(name); n > 1 {
		return "", f.refuse(Ambiguous, "", causef("%d headers %s, want one", n, name))
	}
	return r.Header.Get(name), nil
}

// authQuery holds the parameters of a presigned request; the flags tell absent from empty.
type authQuery struct {
	algorithm, credential, date, expires, names, signature, token, contentHash queryValue
}

type queryValue struct {
	value string
	set   bool
}

// present reports whether the query claims to sign the request.
func (q *authQuery) present() bool {
	return q.algorithm.set || q.credential.set || q.signature.set
}

func (q *authQuery) field(name string) *queryValue {
	switch name {
	case "X-Amz-Algorithm":
		return &q.algorithm
	case "X-Amz-Credential":
		return &q.credential
	case "X-Amz-Date":
		return &q.date
	case "X-Amz-Expires":
		return &q.expires
	case "X-Amz-SignedHeaders":
		return &q.names
	case "X-Amz-Signature":
		return &q.signature
	case "X-Amz-Security-Token":
		return &q.token
	case "X-Amz-Content-Sha256":
		return &q.contentHash
	}
	return nil
}

// parseAuthQuery finds the signing parameters of a raw query. A parameter that is
// there twice is an error, and so is one that does not unescape.
func parseAuthQuery(q *authQuery, raw string) error {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return causef("query parameter name: %w", err)
		}
		to := q.field(name)
		if to == nil {
			continue
		}
		if to.set {
			return causef("query parameter %s is there twice", name)
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return causef("query parameter %s: %w", name, err)
		}
		*to = queryValue{value, true}
	}
	return nil
}

// parsePresigned reads a query-signed request.
func (c *Claim) parsePresigned(r *Request, q *authQuery, f Family) *Error {
	c.Presigned, c.names, c.signature, c.stamp = true, q.names.value, q.signature.value, q.date.value
	if q.algorithm.value != algorithm {
		return f.refuse(BadPresign, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"", nil)
	}
	if q.credential.value == "" || c.names == "" || c.signature == "" || c.stamp == "" || (f == FamilyS3 && !q.expires.set) {
		return f.refuse(BadPresign, "", nil)
	}
	var ok bool
	if c.Time, ok = parseStamp(c.stamp); !ok {
		return f.refuse(BadPresign, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"", nil)
	}
	if err := c.setCredential(q.credential.value, f); err != nil {
		return err
	}
	if err := c.setExpires(q.expires, f); err != nil {
		return err
	}
	if err := c.setPresignedToken(r, q, f); err != nil {
		return err
	}
	return c.check(f)
}

func (c *Claim) setExpires(v queryValue, f Family) *Error {
	if !v.set {
		return nil
	}
	n, err := strconv.ParseUint(v.value, 10, 32)
	if err != nil {
		return f.refuse(BadPresign, "X-Amz-Expires should be a number", nil)
	}
	if n == 0 || n > uint64(maxPresign/time.Second) {
		return f.refuse(BadPresign, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds", nil)
	}
	c.Expires = time.Duration(n) * time.Second
	return nil
}

// setPresignedToken takes the session token and the payload hash from the query or,
// when they are signed headers, from there; both at once could be read in two ways.
func (c *Claim) setPresignedToken(r *Request, q *authQuery, f Family) *Error {
	token, err := single(r, "X-Amz-Security-Token", f)
	if err != nil {
		return err
	}
	hash, err := single(r, "X-Amz-Content-Sha256", f)
	if err != nil {
		return err
	}
	if token != "" && q.token.set || hash != "" && q.contentHash.set && hash != q.contentHash.value {
		return f.refuse(Ambiguous, "", causef("session token or payload hash both in query and header"))
	}
	c.SessionToken, c.contentHash = token+q.token.value, q.contentHash.value
	if hash != "" {
		c.contentHash = hash
	}
	return nil
}
