package userpool

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/gateway/authorizer"
)

const pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Abc123"

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })

func newRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

// An issuer publishes keys and signs tokens.
type issuer struct {
	t       testing.TB
	server  *httptest.Server
	fetches atomic.Int32
	down    atomic.Bool
	body    atomic.Value // of the key set: []byte

	mu  sync.Mutex
	now time.Time
}

func newIssuer(t testing.TB, keys ...jose.JSONWebKey) *issuer {
	i := &issuer{t: t, now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	i.publish(keys...)
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		i.fetches.Add(1)
		if i.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Write(i.body.Load().([]byte))
	})
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"issuer": i.name(), "jwks_uri": i.server.URL + "/keys"})
	})
	mux.Handle("/moved", http.RedirectHandler("/keys", http.StatusFound))
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) name() string { return i.server.URL }

func (i *issuer) publish(keys ...jose.JSONWebKey) {
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		i.t.Fatal(err)
	}
	i.body.Store(b)
}

func (i *issuer) clock() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

func (i *issuer) advance(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now = i.now.Add(d)
}

func (i *issuer) verifier(change func(*Options, *Issuer)) *Verifier {
	o := Options{Now: i.clock}
	own := Issuer{Name: i.name(), KeySet: i.server.URL + "/keys"}
	if change != nil {
		change(&o, &own)
	}
	o.Issuers = map[string]Issuer{pool: own}
	return New(o)
}

func public(k any, id string) jose.JSONWebKey {
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return jose.JSONWebKey{Key: &k.PublicKey, KeyID: id, Algorithm: "RS256", Use: "sig"}
	case *ecdsa.PrivateKey:
		return jose.JSONWebKey{Key: &k.PublicKey, KeyID: id, Use: "sig"}
	}
	panic("no such key")
}

// claims are those of an identity token, with changes: nil takes one away.
func (i *issuer) claims(changes map[string]any) map[string]any {
	c := map[string]any{"iss": i.name(), "sub": "s1", "aud": "app", "token_use": "id", "iat": i.clock().Unix(), "exp": i.clock().Add(time.Hour).Unix()}
	for k, v := range changes {
		c[k] = v
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, header map[string]any, claims map[string]any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	for k, v := range header {
		o = o.WithHeader(jose.HeaderKey(k), v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// outcome is "ok", or why a token was refused.
func outcome(v *Verifier, token string) string {
	_, err := v.Verify(context.Background(), []string{pool}, token)
	var e *Error
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &e):
		return "not an Error: " + err.Error()
	}
	return []string{"invalid", "expired", "unavailable"}[e.Kind] + ": " + e.Reason
}

// TestTokens is the table of what is a token of the pool and what is not.
func TestTokens(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := newRSA(2048)
	encryption := public(other, "enc")
	encryption.Use = "enc"
	i := newIssuer(t, public(rsaKey(), "k1"), public(ec, "e1"), encryption)
	der, err := x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	asSecret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	k1 := map[string]any{"kid": "k1"}
	good := sign(t, jose.RS256, rsaKey(), k1, i.claims(nil))
	parts := strings.Split(good, ".")
	raw := base64.RawURLEncoding.EncodeToString
	noneHeader := raw([]byte(`{"alg":"none","kid":"k1"}`))
	tampered, _ := json.Marshal(i.claims(map[string]any{"sub": "root"}))
	hour := func(h time.Duration) int64 { return i.clock().Add(h * time.Hour).Unix() }
	embedded := public(other, "own")
	for _, c := range []struct{ name, token, want string }{
		{"identity token", good, "ok"},
		{"with its scheme", "Bearer " + good, "ok"},
		{"scheme in lower case", "bearer " + good, "ok"},
		{"another scheme", "Basic " + good, "invalid: the token cannot be read"},
		{"algorithm none", noneHeader + "." + parts[1] + ".", "invalid: the token cannot be read"},
		{"algorithm None", raw([]byte(`{"alg":"None"}`)) + "." + parts[1] + "." + parts[2], "invalid: the token cannot be read"},
		{"HS256 with the public key as secret", sign(t, jose.HS256, asSecret, k1, i.claims(nil)), "invalid: the token cannot be read"},
		{"HS256 with the DER of the public key", sign(t, jose.HS256, der, k1, i.claims(nil)), "invalid: the token cannot be read"},
		{"an algorithm that is not the issuer's", sign(t, jose.RS512, rsaKey(), k1, i.claims(nil)), "invalid: the token cannot be read"},
		{"EC key, not offered", sign(t, jose.ES256, ec, map[string]any{"kid": "e1"}, i.claims(nil)), "invalid: the token cannot be read"},
		{"another key with the kid", sign(t, jose.RS256, other, k1, i.claims(nil)), "invalid: the token's signature is wrong"},
		{"the kid of a key of another kind", sign(t, jose.RS256, rsaKey(), map[string]any{"kid": "e1"}, i.claims(nil)), "invalid: the token names a key that its issuer does not have"},
		{"a key for encryption", sign(t, jose.RS256, other, map[string]any{"kid": "enc"}, i.claims(nil)), "invalid: the token names a key that its issuer does not have"},
		{"unknown kid", sign(t, jose.RS256, other, map[string]any{"kid": "k2"}, i.claims(nil)), "invalid: the token names a key that its issuer does not have"},
		{"no kid among several keys", sign(t, jose.RS256, rsaKey(), nil, i.claims(nil)), "invalid: the token names a key that its issuer does not have"},
		{"a key of the token's own", sign(t, jose.RS256, other, map[string]any{"kid": "own", "jwk": embedded}, i.claims(nil)), "invalid: the token names a key that its issuer does not have"},
		{"a critical header", raw([]byte(`{"alg":"RS256","kid":"k1","crit":["x"],"x":1}`)) + "." + parts[1] + "." + parts[2], "invalid: the token's signature is wrong"},
		{"changed claims", parts[0] + "." + raw(tampered) + "." + parts[2], "invalid: the token's signature is wrong"},
		{"signature cut", good[:len(good)-4], "invalid: the token's signature is wrong"},
		{"no signature", parts[0] + "." + parts[1] + ".", "invalid: the token's signature is wrong"},
		{"four parts", good + ".x", "invalid: not a signed token in compact form"},
		{"encrypted", good + ".x.y", "invalid: not a signed token in compact form"},
		{"not a token", "abc", "invalid: not a signed token in compact form"},
		{"empty", "", "invalid: not a signed token in compact form"},
		{"long", strings.Repeat("a", maxToken) + "." + parts[1] + ".c", "invalid: not a signed token in compact form"},
		{"another issuer", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Abc123"})), "invalid: the token is of another issuer"},
		{"issuer with a slash", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"iss": i.name() + "/"})), "invalid: the token is of another issuer"},
		{"no issuer", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"iss": nil})), "invalid: the token has no issuer"},
		{"expired", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"exp": hour(-1)})), "expired: the token expired at 2026-03-04T04:06:07Z"},
		{"ends now", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"exp": hour(0)})), "expired: the token expired at 2026-03-04T05:06:07Z"},
		{"expired, by another key", sign(t, jose.RS256, other, k1, i.claims(map[string]any{"exp": hour(-1)})), "invalid: the token's signature is wrong"},
		{"no end", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"exp": nil})), "invalid: the token has no end"},
		{"end as text", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"exp": "9999999999"})), "invalid: the token has no end"},
		{"end beyond time", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"exp": 1e300})), "invalid: the token has no end"},
		{"not yet", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"nbf": hour(1)})), "invalid: the token is not valid yet"},
		{"issued by a clock 30 s ahead", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"iat": i.clock().Unix() + 30})), "ok"},
		{"issued tomorrow", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"iat": hour(24)})), "invalid: the token is not valid yet"},
		{"unknown use", sign(t, jose.RS256, rsaKey(), k1, i.claims(map[string]any{"token_use": "refresh"})), "invalid: the token is neither for identity nor for access"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := outcome(i.verifier(nil), c.token); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestKinds tells identity tokens from access tokens, for Cognito and for others.
func TestKinds(t *testing.T) {
	i := newIssuer(t, public(rsaKey(), "k1"))
	for _, c := range []struct {
		name   string
		header map[string]any
		change map[string]any
		access bool
		scopes []string
	}{
		{"Cognito's identity", nil, nil, false, nil},
		{"Cognito's access", nil, map[string]any{"token_use": "access", "scope": "a/read  openid"}, true, []string{"a/read", "openid"}},
		{"RFC 9068", map[string]any{"typ": "at+jwt"}, map[string]any{"token_use": nil}, true, nil},
		{"RFC 9068 in full", map[string]any{"typ": "application/at+JWT"}, map[string]any{"token_use": nil}, true, nil},
		{"Keycloak's access", map[string]any{"typ": "JWT"}, map[string]any{"token_use": nil, "typ": "Bearer", "scope": "x"}, true, []string{"x"}},
		{"Keycloak's identity", map[string]any{"typ": "JWT"}, map[string]any{"token_use": nil, "typ": "ID"}, false, nil},
		{"a list of scopes", nil, map[string]any{"token_use": nil, "scp": []string{"x", "y"}}, true, []string{"x", "y"}},
		{"plain", nil, map[string]any{"token_use": nil}, false, nil},
	} {
		header := map[string]any{"kid": "k1"}
		for k, v := range c.header {
			header[k] = v
		}
		got, err := i.verifier(nil).Verify(t.Context(), []string{pool}, sign(t, jose.RS256, rsaKey(), header, i.claims(c.change)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Access != c.access || cmp.Diff(got.Scopes, c.scopes) != "" {
			t.Errorf("%s: access %v, scopes %v", c.name, got.Access, got.Scopes)
		}
	}
}

// TestClaims: all claims are text, in the order of the token.
func TestClaims(t *testing.T) {
	i := newIssuer(t, public(rsaKey(), "k1"))
	token := sign(t, jose.RS256, rsaKey(), map[string]any{"kid": "k1"}, i.claims(map[string]any{
		"cognito:groups": []string{"admins", "users"}, "email_verified": true, "auth_time": 1595526713, "rate": 0.5,
		"identities": []map[string]any{{"userId": "1"}}, "address": map[string]any{"city": "é"}, "exp": 1804107967, "iat": 1595526713,
	}))
	got, err := i.verifier(nil).Verify(t.Context(), []string{pool}, token)
	if err != nil {
		t.Fatal(err)
	}
	want := []authorizer.Pair{
		{Name: "address", Value: `{"city":"é"}`}, {Name: "aud", Value: "app"}, {Name: "auth_time", Value: "1595526713"}, {Name: "cognito:groups", Value: "admins,users"},
		{Name: "email_verified", Value: "true"}, {Name: "exp", Value: "Wed Mar 03 21:06:07 UTC 2027"}, {Name: "iat", Value: "Thu Jul 23 17:51:53 UTC 2020"},
		{Name: "identities", Value: `{"userId":"1"}`}, {Name: "iss", Value: i.name()}, {Name: "rate", Value: "0.5"}, {Name: "sub", Value: "s1"}, {Name: "token_use", Value: "id"},
	}
	if diff := cmp.Diff(want, got.Claims); diff != "" {
		t.Error(diff)
	}
}

func TestAudiences(t *testing.T) {
	i := newIssuer(t, public(rsaKey(), "k1"))
	v := i.verifier(func(_ *Options, own *Issuer) { own.Audiences = []string{"app", "other"} })
	for want, change := range map[string]map[string]any{
		"ok":  {"aud": []string{"x", "app"}},
		"ok ": {"aud": nil, "client_id": "other"},
		"invalid: the token is meant for another audience":  {"aud": "App"},
		"invalid: the token is meant for another audience ": {"aud": nil},
	} {
		if got := outcome(v, sign(t, jose.RS256, rsaKey(), map[string]any{"kid": "k1"}, i.claims(change))); got != strings.TrimSpace(want) {
			t.Errorf("%v: %s", change, got)
		}
	}
}

// TestRotation: a new key is found when a token names it, an old one is not trusted any more
// when it is gone, and tokens with made-up keys do not make the issuer's life hard.
func TestRotation(t *testing.T) {
	old, next := rsaKey(), newRSA(2048)
	i := newIssuer(t, public(old, "k1"))
	v := i.verifier(nil)
	byOld := sign(t, jose.RS256, old, map[string]any{"kid": "k1"}, i.claims(map[string]any{"exp": i.clock().Add(100 * time.Hour).Unix()}))
	byNext := sign(t, jose.RS256, next, map[string]any{"kid": "k2"}, i.claims(map[string]any{"exp": i.clock().Add(100 * time.Hour).Unix()}))
	if got := outcome(v, byOld); got != "ok" {
		t.Fatal(got)
	}
	i.publish(public(next, "k2"))
	for range 100 {
		if got := outcome(v, byNext); got == "ok" {
			t.Fatal("fetched again at once")
		}
	}
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	if got := outcome(v, byOld); got != "ok" {
		t.Errorf("before the keys were read again: %s", got)
	}
	i.advance(unknownKeyPause)
	if got := outcome(v, byNext); got != "ok" {
		t.Errorf("the new key: %s", got)
	}
	if got := outcome(v, byOld); got == "ok" {
		t.Error("the old key is trusted after it was withdrawn")
	}
	if n := i.fetches.Load(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

// TestIssuerDown: known keys serve until their limit, then nobody passes; and they serve a
// start without the network.
func TestIssuerDown(t *testing.T) {
	i := newIssuer(t, public(rsaKey(), "k1"))
	dir := t.TempDir()
	keep := func(o *Options, _ *Issuer) { o.Dir = dir }
	v := i.verifier(keep)
	token := sign(t, jose.RS256, rsaKey(), map[string]any{"kid": "k1"}, i.claims(map[string]any{"exp": i.clock().Add(100 * time.Hour).Unix()}))
	if got := outcome(v, token); got != "ok" {
		t.Fatal(got)
	}
	i.down.Store(true)
	i.advance(DefaultKeep - time.Second)
	restarted := i.verifier(keep)
	for name, v := range map[string]*Verifier{"the same": v, "restarted": restarted} {
		if got := outcome(v, token); got != "ok" {
			t.Errorf("%s: before the limit: %s", name, got)
		}
	}
	i.advance(time.Second)
	for name, v := range map[string]*Verifier{"the same": v, "restarted": restarted, "new": i.verifier(keep), "without a folder": i.verifier(nil)} {
		if got := outcome(v, token); !strings.HasPrefix(got, "unavailable: ") {
			t.Errorf("%s: after the limit: %s", name, got)
		}
	}
	before := i.fetches.Load()
	for range 100 {
		outcome(v, token)
	}
	if n := i.fetches.Load() - before; n != 0 {
		t.Errorf("%d fetches right after one that failed", n)
	}
	i.down.Store(false)
	i.advance(failurePause)
	if got := outcome(v, token); got != "ok" {
		t.Errorf("back: %s", got)
	}
	if r := v.Reports(); len(r) != 1 || r[0].Keys != 1 || r[0].Err != nil || !r[0].Until.Equal(i.clock().Add(DefaultKeep)) {
		t.Errorf("reports %+v", r)
	}
}

// TestRenewal: keys that are not fresh are renewed beside the requests.
func TestRenewal(t *testing.T) {
	i := newIssuer(t, public(rsaKey(), "k1"))
	v := i.verifier(nil)
	token := sign(t, jose.RS256, rsaKey(), map[string]any{"kid": "k1"}, i.claims(nil))
	outcome(v, token)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { v.Run(ctx) })
	i.advance(10 * time.Minute) // max-age
	for i.fetches.Load() < 2 && t.Context().Err() == nil {
		if got := outcome(v, token); got != "ok" {
			t.Fatal(got)
		}
	}
	cancel()
	done.Wait()
}

// TestOneFetchForAll: many first tokens at once make one fetch.
func TestOneFetchForAll(t *testing.T) {
	i := newIssuer(t, public(rsaKey(), "k1"))
	v := i.verifier(nil)
	token := sign(t, jose.RS256, rsaKey(), map[string]any{"kid": "k1"}, i.claims(nil))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := outcome(v, token); got != "ok" {
				t.Error(got)
			}
		})
	}
	wg.Wait()
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// TestWhereKeysComeFrom: discovery, and what is not followed.
func TestWhereKeysComeFrom(t *testing.T) {
	i := newIssuer(t, public(rsaKey(), "k1"))
	token := sign(t, jose.RS256, rsaKey(), map[string]any{"kid": "k1"}, i.claims(nil))
	for name, c := range map[string]struct {
		change func(*Options, *Issuer)
		ok     bool
	}{
		"discovered": {func(_ *Options, own *Issuer) { own.KeySet = "" }, true},
		"moved":      {func(_ *Options, own *Issuer) { own.KeySet = i.server.URL + "/moved" }, false},
		"absent":     {func(_ *Options, own *Issuer) { own.KeySet = i.server.URL + "/absent" }, false},
		"denied address": {func(o *Options, _ *Issuer) {
			o.Egress = func(string, netip.AddrPort) error { return errors.New("denied") }
		}, false},
	} {
		if got := outcome(i.verifier(c.change), token); (got == "ok") != c.ok || !c.ok && !strings.HasPrefix(got, "unavailable") {
			t.Errorf("%s: %s", name, got)
		}
	}
	// What an issuer names, and what an API's owner names, may not lead into our networks.
	o := Options{}
	if _, err := o.newClient(true).Get(i.server.URL + "/keys"); err == nil || !strings.Contains(err.Error(), "egress.allow-fetch") {
		t.Errorf("a private address was fetched from: %v", err)
	}
	o.AllowFetch = func() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
	if resp, err := o.newClient(true).Get(i.server.URL + "/keys"); err != nil {
		t.Errorf("a listed address: %v", err)
	} else {
		resp.Body.Close()
	}
}

func TestIssuerOf(t *testing.T) {
	for arn, want := range map[string]string{
		pool: "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Abc123",
		"arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_x":                      "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_x",
		"arn:aws:cognito-idp:us-east-1:123456789012:userpool/eu-west-1_x":                           "",
		"arn:aws:cognito-idp:evil.example.com/:123456789012:userpool/evil.example.com/_x":           "",
		"arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_x/../../evil":                "",
		"arn:aws:cognito-idp:us-east-1.evil.example:123456789012:userpool/us-east-1.evil.example_x": "",
		"arn:aws:s3:us-east-1:123456789012:userpool/us-east-1_x":                                    "",
	} {
		got, err := IssuerOf(arn)
		if got.Name != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", arn, got.Name, err)
		}
	}
}

func TestWeakKeysAreLeftOut(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		i := newIssuer(t, public(weak, "k1"))
		if _, err := parseKeys(i.body.Load().([]byte)); err == nil {
			t.Error("a key of 1024 bits was taken")
		}
	}
	for _, set := range []string{``, `{}`, `[]`, `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"a"}]}`, `{"keys":[{"kty":"RSA"}]}`, `{"keys":` + strings.Repeat(" ", maxKeySet) + `[]}`} {
		if keys, err := parseKeys([]byte(set)); err == nil {
			t.Errorf("%.40q gave %d keys", set, len(keys))
		}
	}
}

// FuzzToken: nothing but what the key signed is a token, and the same bytes twice are judged
// the same.
func FuzzToken(f *testing.F) {
	i := newIssuer(f, public(rsaKey(), "k1"))
	v := i.verifier(nil)
	good := sign(f, jose.RS256, rsaKey(), map[string]any{"kid": "k1"}, i.claims(nil))
	if got := outcome(v, good); got != "ok" {
		f.Fatal(got)
	}
	f.Add(good)
	f.Add("Bearer " + good)
	f.Add("a.e30.b")
	f.Fuzz(func(t *testing.T, token string) {
		got := outcome(v, token)
		if got != outcome(v, token) {
			t.Fatalf("judged in two ways: %q", token)
		}
		// The last character of the signature has bits that mean nothing.
		if b := bare(token); got == "ok" && (len(b) != len(good) || b[:len(b)-1] != good[:len(good)-1]) {
			t.Fatalf("%q is a token", token)
		}
	})
}

// TestRemembered: a token that was verified is not remembered beyond its end, for other pools,
// or when its key is withdrawn.
func TestRemembered(t *testing.T) {
	i := newIssuer(t, public(rsaKey(), "k1"))
	other := newIssuer(t, public(rsaKey(), "k1"))
	v := i.verifier(nil)
	const otherPool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_Other"
	v.options.Issuers[otherPool] = Issuer{Name: other.name(), KeySet: other.server.URL + "/keys"}
	token := sign(t, jose.RS256, rsaKey(), map[string]any{"kid": "k1"}, i.claims(nil))
	for range 2 {
		if got := outcome(v, token); got != "ok" {
			t.Fatal(got)
		}
	}
	if _, err := v.Verify(t.Context(), []string{otherPool}, token); err == nil {
		t.Error("the token passes for another pool")
	}
	if _, err := v.Verify(t.Context(), []string{otherPool, pool}, token); err != nil {
		t.Errorf("for both pools: %v", err)
	}
	i.advance(time.Hour)
	if got := outcome(v, token); !strings.HasPrefix(got, "expired") {
		t.Errorf("at its end: %s", got)
	}
	for n := range 4 * verifiedShards * verifiedTokens {
		v.verified.put(sha256.Sum256([]byte{byte(n), byte(n >> 8), byte(n >> 16)}), verifiedToken{})
	}
	n := 0
	for s := range v.verified.shards {
		n += len(v.verified.shards[s].now) + len(v.verified.shards[s].old)
	}
	if n > 2*verifiedShards*verifiedTokens {
		t.Errorf("%d tokens are remembered", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	i := newIssuer(b, public(rsaKey(), "k1"))
	v := i.verifier(nil)
	token := sign(b, jose.RS256, rsaKey(), map[string]any{"kid": "k1"}, i.claims(nil))
	for b.Loop() {
		if _, err := v.Verify(b.Context(), []string{pool}, token); err != nil {
			b.Fatal(err)
		}
	}
}
