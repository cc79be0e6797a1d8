package userpool

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/internal/gateway/authorizer"
	"gatehouse/internal/lang/ojson"
)

// A Token is a verified token.
type Token struct {
	// Claims are all claims as text, in the order of the token: lists joined by commas, dates
	// as the service prints them.
	Claims []authorizer.Pair

	// Access tells an access token from an identity token.
	Access bool

	// Scopes are those of an access token.
	Scopes []string

	// Audience is the claim aud; access tokens of Cognito have none.
	Audience []string

	end time.Time // exp
}

// HasScope reports whether the token has one of scopes.
func (t *Token) HasScope(scopes []string) bool {
	return slices.ContainsFunc(t.Scopes, func(s string) bool { return slices.Contains(scopes, s) })
}

// A Kind is why a token was refused.
type Kind uint8

const (
	Invalid     Kind = iota // not a token of one of the pools
	Expired                 // it was one
	Unavailable             // the issuer's keys are not known: nothing can be said
)

// An Error is a refused token. Its text is for logs.
type Error struct {
	Kind   Kind
	Reason string
	Cause  error // may be nil
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Reason + ": " + e.Cause.Error()
	}
	return e.Reason
}

func (e *Error) Unwrap() error { return e.Cause }

func invalid(reason string, cause error) *Error { return &Error{Invalid, reason, cause} }

// skew is how far the clock of an issuer may be ahead of ours. A token is never accepted
// after its end.
const skew = time.Minute

// maxToken is the longest token, in bytes: a header field is not longer.
const maxToken = 16 << 10

// claimsOf reads the payload of a compact token, verified or not.
func claimsOf(payload []byte) (ojson.Value, error) {
	v, err := ojson.Parse(string(payload), ojson.Limits{Depth: 32, Bytes: maxToken, Values: maxToken})
	if err != nil {
		return v, invalid("the token's claims are not JSON", err)
	}
	if v.Kind() != ojson.Object {
		return v, invalid("the token's claims are not an object", nil)
	}
	return v, nil
}

// issuerOf reads the claim iss of a token before it is verified: it selects the pool whose
// keys must verify it.
func issuerOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > maxToken {
		return "", invalid("not a signed token in compact form", nil)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", invalid("the token's claims are not base64", err)
	}
	claims, err := claimsOf(payload)
	if err != nil {
		return "", err
	}
	iss, _ := claims.Get("iss")
	if iss.Kind() != ojson.String {
		return "", invalid("the token has no issuer", nil)
	}
	return iss.Text(), nil
}

// judge reads the claims of a token whose signature was verified.
func (i *Issuer) judge(header jose.Header, payload []byte, now time.Time) (*Token, error) {
	v, err := claimsOf(payload)
	if err != nil {
		return nil, err
	}
	if iss, _ := v.Get("iss"); iss.Kind() != ojson.String || iss.Text() != i.Name {
		return nil, invalid("the token is of another issuer", nil)
	}
	end, err := judgeTimes(v, now)
	if err != nil {
		return nil, err
	}
	t := &Token{Audience: list(v, "aud"), Scopes: scopesOf(v), end: end}
	if t.Access, err = i.isAccess(header, v); err != nil {
		return nil, err
	}
	if i.Audiences != nil {
		client, _ := v.Get("client_id")
		meant := func(a string) bool { return a == client.Text() || slices.Contains(t.Audience, a) }
		if !slices.ContainsFunc(i.Audiences, meant) {
			return nil, invalid("the token is meant for another audience", nil)
		}
	}
	for name, value := range v.Members() {
		t.Claims = append(t.Claims, authorizer.Pair{Name: name, Value: claimText(name, value)})
	}
	return t, nil
}

// judgeTimes compares exp, nbf and iat with the clock, and returns exp (RFC 7519, section 4.1).
func judgeTimes(v ojson.Value, now time.Time) (end time.Time, err error) {
	exp, ok := seconds(v, "exp")
	if !ok {
		return end, invalid("the token has no end", nil)
	}
	for _, name := range []string{"nbf", "iat"} {
		claim, there := v.Get(name)
		at, ok := seconds(v, name)
		if there && claim.Kind() != ojson.Null && !ok {
			return end, invalid("the claim "+name+" is no time", nil)
		}
		if ok && at.After(now.Add(skew)) {
			return end, invalid("the token is not valid yet", nil)
		}
	}
	if !now.Before(exp) {
		return end, &Error{Kind: Expired, Reason: "the token expired at " + exp.UTC().Format(time.RFC3339)}
	}
	return exp, nil
}

// seconds reads a claim that is a number of seconds since 1970.
func seconds(v ojson.Value, name string) (time.Time, bool) {
	claim, _ := v.Get(name)
	f, ok := claim.Float()
	if !ok || f < 0 || f > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

// isAccess tells access tokens from identity tokens: Cognito says so in token_use; other
// issuers by the type (RFC 9068, section 2.1; Keycloak's claim typ) or by having scopes,
// which identity tokens do not (OpenID Connect Core 1.0, section 2).
func (i *Issuer) isAccess(header jose.Header, v ojson.Value) (bool, error) {
	use, _ := v.Get("token_use")
	switch use.Text() {
	case "access":
		return true, nil
	case "id":
		return false, nil
	}
	if use.Kind() != ojson.None || !i.Own {
		return false, invalid("the token is neither for identity nor for access", nil)
	}
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	if claim, _ := v.Get("typ"); claim.Text() != "" {
		typ = claim.Text()
	}
	switch {
	case strings.EqualFold(strings.TrimPrefix(strings.ToLower(typ), "application/"), "at+jwt"), typ == "Bearer":
		return true, nil
	case typ == "ID":
		return false, nil
	}
	_, scope := v.Get("scope")
	_, scp := v.Get("scp")
	return scope || scp, nil
}

// scopesOf reads scope, a text with spaces, or scp, which some issuers have as a list.
func scopesOf(v ojson.Value) []string {
	var out []string
	for _, name := range []string{"scope", "scp"} {
		for _, s := range list(v, name) {
			out = append(out, strings.Fields(s)...)
		}
	}
	return out
}

// list reads a claim that is a text or a list of texts.
func list(v ojson.Value, name string) []string {
	claim, _ := v.Get(name)
	if claim.Kind() == ojson.String {
		return []string{claim.Text()}
	}
	var out []string
	for e := range claim.Elements() {
		if e.Kind() == ojson.String {
			out = append(out, e.Text())
		}
	}
	return out
}

// claimText writes a claim as the service shows it: dates of the three registered claims as
// Java prints them, lists joined by commas, everything else as JSON.
func claimText(name string, v ojson.Value) string {
	switch v.Kind() {
	case ojson.String:
		return v.Text()
	case ojson.Number:
		if name == "exp" || name == "iat" || name == "nbf" {
			if f, ok := v.Float(); ok && f >= 0 && f < 1<<40 {
				return time.Unix(int64(f), 0).UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
			}
		}
		if n, ok := v.Int(); ok {
			return strconv.FormatInt(n, 10)
		}
	case ojson.Array:
		var parts []string
		for e := range v.Elements() {
			parts = append(parts, claimText("", e))
		}
		return strings.Join(parts, ",")
	}
	return v.JSON()
}
