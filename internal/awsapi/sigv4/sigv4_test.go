package sigv4

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"gatehouse/internal/message"
)

// The examples of the AWS documentation: "Authenticating Requests: Using the
// Authorization Header" and "... Using Query Parameters" for S3, and "Create a signed
// AWS API request" for IAM.
func TestPublishedExamples(t *testing.T) {
	const s3Host = "examplebucket.s3.amazonaws.com"
	s3Auth := func(names, sig string) string {
		return "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + names + ",Signature=" + sig
	}
	const date, empty = "x-amz-date: 20130524T000000Z", "x-amz-content-sha256: " + emptyHash
	at2013 := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name string
		svc  Service
		at   time.Time
		r    *Request
	}{
		{"s3 get", S3(), at2013, parts("GET", s3Host, "/test.txt", "", "Range: bytes=0-9", date, empty,
			s3Auth("host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"))},
		{"s3 put", S3(), at2013, parts("PUT", s3Host, "/test$file.text", "Welcome to Amazon S3.", "Date: Fri, 24 May 2013 00:00:00 GMT", date,
			"x-amz-storage-class: REDUCED_REDUNDANCY", "x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			s3Auth("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))},
		{"s3 lifecycle", S3(), at2013, parts("GET", s3Host, "/?lifecycle", "", date, empty,
			s3Auth("host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))},
		{"s3 list", S3(), at2013, parts("GET", s3Host, "/?max-keys=2&prefix=J", "", date, empty,
			s3Auth("host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))},
		{"s3 presigned", S3(), at2013.Add(23 * time.Hour), parts("GET", s3Host, "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404", "")},
		{"iam", Query("iam"), time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC), parts("GET", "iam.amazonaws.com", "/?Action=ListUsers&Version=2010-05-08", "",
			"Content-Type: application/x-www-form-urlencoded; charset=utf-8", "X-Amz-Date: 20150830T123600Z",
			"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, _, err := verifyAll(t, newVerifier(tc.at), tc.svc, tc.r); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSDKSigner(t *testing.T) {
	s3 := S3()
	rest, js, query, execute := RestJSON("apigateway"), JSON("logs"), Query("sts"), ExecuteAPI(1<<20)
	for _, tc := range []struct {
		name string
		svc  Service
		call call
	}{
		{"rest", rest, call{method: "GET", url: "http://localhost:4566/restapis?limit=3&position=a%20b%2Bc"}},
		{"rest arn in path", rest, call{method: "PUT", url: "http://localhost:4566/tags/arn%3Aaws%3Aapigateway%3Aus-west-2%3A%3A%2Frestapis%2Fx", body: `{"tags":{}}`}},
		{"rest doubled slashes", rest, call{method: "GET", url: "http://localhost:4566/a//b/../c/./"}},
		{"json", js, call{method: "POST", url: "http://127.0.0.1:4566/", body: "{}", header: map[string]string{"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1"}}},
		{"query", query, call{method: "POST", url: "https://sts.local/", body: "Action=GetCallerIdentity&Version=2011-06-15", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}},
		{"spaces in a header", rest, call{method: "GET", url: "http://h/", header: map[string]string{"X-Amz-Thing": "  a   b c  "}}},
		{"temporary", rest, call{method: "GET", url: "http://h/", id: "ASIATEMP", secret: "temporary", token: "token/+="}},
		{"execute-api", execute, call{method: "POST", url: "http://a.execute-api.localhost:8080/prod/pets/%E2%82%AC?x=%7B1%7D&x=0&y", body: "hello"}},
		{"execute-api unsigned payload", execute, call{method: "POST", url: "http://a.localhost/", body: "hello", hash: unsignedPayload, sendHash: true}},
		{"execute-api presigned", execute, call{method: "GET", url: "http://a.localhost/prod/x?X-Amz-Expires=60&q=1", presign: true}},
		{"sts presigned without expiry", query, call{method: "GET", url: "http://sts.local/?Action=GetCallerIdentity&Version=2011-06-15", presign: true}},
		{"presigned temporary", query, call{method: "GET", url: "http://sts.local/?Action=X", presign: true, id: "ASIATEMP", secret: "temporary", token: "token/+="}},
		{"s3 put", s3, call{method: "PUT", url: "http://localhost:4566/b/a%2Bb/c%20d/%21.txt?x-id=PutObject", body: "data", sendHash: true, header: map[string]string{"X-Amz-Meta-A": "1"}}},
		{"s3 key with dots and slashes", s3, call{method: "GET", url: "http://localhost:4566/b/a//b/../c/./d", sendHash: true}},
		{"s3 unsigned", s3, call{method: "PUT", url: "https://b.s3.localhost/k", body: "data", hash: unsignedPayload, sendHash: true}},
		{"s3 presigned put", s3, call{method: "PUT", url: "https://b.s3.localhost/k%20%28x%29?X-Amz-Expires=604800", body: "anything", hash: unsignedPayload, presign: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.call.service = tc.svc.Name
			v := newVerifier(testTime.Add(time.Minute))
			for range 2 { // the second time with the cached key
				body, res, err := verifyAll(t, v, tc.svc, FromHTTP(tc.call.sign(t)))
				if err != nil {
					t.Fatal(err)
				}
				if body != tc.call.body {
					t.Errorf("body %q, want %q", body, tc.call.body)
				}
				if res.Presigned != tc.call.presign || res.Scope.Region != "us-east-1" || res.Credential.Principal.ARN == "" {
					t.Errorf("result %+v", res)
				}
			}
		})
	}
}

// The Python and Java SDKs sign the path without empty and dot segments.
func TestNormalisedPathIsAccepted(t *testing.T) {
	svc := RestJSON("apigateway")
	for sent, signed := range map[string]string{"/a//b": "/a/b", "//a/./b/": "/a/b/", "/a/x/../b": "/a/b", "/..//": "/"} {
		r := FromHTTP(call{method: "GET", url: "http://h" + signed, service: svc.Name}.sign(t))
		r.Path = sent
		if _, _, err := verifyAll(t, newVerifier(testTime), svc, r); err != nil {
			t.Errorf("%s signed as %s: %v", sent, signed, err)
		}
	}
	r := FromHTTP(call{method: "GET", url: "http://h/b/k", service: "s3", sendHash: true}.sign(t))
	r.Path = "/b//k"
	_, _, err := verifyAll(t, newVerifier(testTime), S3(), r)
	wantRefusal(t, err, Mismatch, "SignatureDoesNotMatch", 403)
}

// Whatever the SDK signs is accepted, and no longer when any one signed element changes.
func TestRandomRoundTripsAndTampering(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("abzAZ09-._~ !$&'()*+,;=:@/%€\"<>[]{}|\\^`")
	text := func(n int) string {
		var b strings.Builder
		for range rnd.IntN(n) {
			b.WriteRune(alphabet[rnd.IntN(len(alphabet))])
		}
		return b.String()
	}
	for i := range 400 {
		svc := []Service{S3(), RestJSON("apigateway"), ExecuteAPI(1 << 20)}[i%3]
		// S3 clients escape all but the unreserved bytes and the slashes of a key.
		u := url.URL{Scheme: "http", Host: "localhost:4566", Path: "/" + text(20)}
		if svc.EncodeOnce {
			u.RawPath = string(appendPathTwice(nil, u.Path))
		}
		q := url.Values{}
		for range rnd.IntN(4) {
			q.Add(fmt.Sprintf("k%d", rnd.IntN(3)), text(10))
		}
		u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
		c := call{method: "PUT", url: u.String(), service: svc.Name, body: "body " + text(9), sendHash: svc.Name == "s3",
			header: map[string]string{"X-Amz-Meta-T": strings.Trim(strings.ReplaceAll(text(12), "€", ""), " "), "Content-Type": "text/plain"}}
		if _, _, err := verifyAll(t, newVerifier(testTime), svc, FromHTTP(c.sign(t))); err != nil {
			t.Fatalf("%s %s: %v", svc.Name, c.url, err)
		}
		for name, tamper := range map[string]func(r *Request){
			"method": func(r *Request) { r.Method = "GET" },
			"path":   func(r *Request) { r.Path += "x" },
			"query":  func(r *Request) { r.RawQuery += "&z=1" },
			"host":   func(r *Request) { r.Host = "other" },
			"header": func(r *Request) { r.Header.Set("x-amz-meta-t", r.Header.Get("x-amz-meta-t")+"x") },
			"split":  func(r *Request) { r.Header.Add("content-type", "a/b") },
			"date":   func(r *Request) { r.Header.Set("x-amz-date", testTime.Add(time.Second).Format(timeFormat)) },
			"token":  func(r *Request) { r.Header.Add("x-amz-security-token", "t") },
			"body":   func(r *Request) { r.Body = strings.NewReader("another") },
			"scope": func(r *Request) {
				r.Header.Set("authorization", strings.Replace(r.Header.Get("authorization"), "us-east-1", "us-east-2", 1))
			},
			"names": func(r *Request) {
				r.Header.Set("authorization", strings.Replace(r.Header.Get("authorization"), "content-type;", "", 1))
			},
			"signature": func(r *Request) {
				a := r.Header.Get("authorization")
				last := byte('0')
				if a[len(a)-1] == '0' {
					last = '1'
				}
				r.Header.Set("authorization", a[:len(a)-1]+string(last))
			},
		} {
			r := FromHTTP(c.sign(t))
			tamper(r)
			if _, _, err := verifyAll(t, newVerifier(testTime), svc, r); err == nil {
				t.Fatalf("%s %s: accepted with another %s", svc.Name, c.url, name)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	base := call{method: "POST", url: "http://h/x", body: "{}"}
	edit := func(from, to string) func(*Request) {
		return func(r *Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
		}
	}
	late := func(d time.Duration) func(*call) { return func(c *call) { c.at = testTime.Add(-d) } }
	presign := func(query string) func(*call) {
		return func(c *call) { c.presign, c.method, c.body, c.url = true, "GET", "", "http://h/x?"+query }
	}
	rest, js, query, s3 := RestJSON("apigateway"), JSON("acm"), Query("iam"), S3()
	for _, tc := range []struct {
		name   string
		svc    Service
		call   func(*call)
		edit   func(*Request)
		kind   Kind
		code   string
		status int
		text   string // contained in the message
	}{
		{"no signature", rest, nil, func(r *Request) { r.Header.Del("Authorization") }, Missing, "MissingAuthenticationTokenException", 403, "Missing Authentication Token"},
		{"no signature", js, nil, func(r *Request) { r.Header.Del("Authorization") }, Missing, "MissingAuthenticationTokenException", 400, ""},
		{"no signature", query, nil, func(r *Request) { r.Header.Del("Authorization") }, Missing, "MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
		{"no signature", s3, nil, func(r *Request) { r.Header.Del("Authorization") }, Missing, "AccessDenied", 403, "Access Denied"},
		{"bearer", rest, nil, func(r *Request) { r.Header.Set("Authorization", "Bearer abc") }, Incomplete, "IncompleteSignatureException", 403, "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '"},
		{"no signature part", rest, nil, edit(", Signature=", ", Signature=,X="), Incomplete, "IncompleteSignatureException", 403, ""},
		{"empty signature part", rest, nil, func(r *Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e")
		}, Incomplete, "IncompleteSignatureException", 403, "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4"},
		{"no date", query, nil, func(r *Request) { r.Header.Del("X-Amz-Date") }, Incomplete, "IncompleteSignature", 400, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "},
		{"part twice", rest, nil, edit("Credential=", "Credential=x/y, Credential="), Ambiguous, "InvalidSignatureException", 403, ""},
		{"header twice", rest, nil, func(r *Request) { r.Header.Add("authorization", r.Header.Get("Authorization")) }, Ambiguous, "InvalidSignatureException", 403, ""},
		{"date twice", rest, nil, func(r *Request) { r.Header.Add("x-amz-date", r.Header.Get("X-Amz-Date")) }, Ambiguous, "InvalidSignatureException", 403, ""},
		{"host line differs", rest, nil, func(r *Request) { r.Header.Add("Host", "evil") }, Ambiguous, "InvalidSignatureException", 403, ""},
		{"host not signed", rest, nil, edit("host;", ""), NotSigned, "InvalidSignatureException", 403, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"x-amz not signed", rest, nil, func(r *Request) { r.Header.Add("X-Amz-Other", "1") }, NotSigned, "InvalidSignatureException", 403, ""},
		{"x-amz not signed", s3, nil, func(r *Request) { r.Header.Add("x-amz-acl", "public-read") }, NotSigned, "AccessDenied", 403, "There were headers present in the request which were not signed"},
		{"unknown key", rest, func(c *call) { c.id, c.secret = "AKIANOBODY", "x" }, nil, UnknownKey, "UnrecognizedClientException", 403, "The security token included in the request is invalid."},
		{"unknown key", query, func(c *call) { c.id, c.secret = "AKIANOBODY", "x" }, nil, UnknownKey, "InvalidClientTokenId", 403, ""},
		{"unknown key", s3, func(c *call) { c.id, c.secret = "AKIANOBODY", "x" }, nil, UnknownKey, "InvalidAccessKeyId", 403, "does not exist in our records"},
		{"unknown token", s3, func(c *call) { c.id, c.secret, c.token = "ASIATEMP", "temporary", "bad" }, nil, UnknownKey, "InvalidAccessKeyId", 403, "malformed"},
		{"expired token", rest, func(c *call) { c.id, c.secret, c.token = "ASIATEMP", "temporary", "old" }, nil, TokenExpired, "ExpiredTokenException", 403, "The security token included in the request is expired"},
		{"keys away", rest, func(c *call) { c.id, c.secret = "BROKEN", "x" }, nil, Unavailable, "InternalFailure", 500, ""},
		{"wrong secret", rest, func(c *call) { c.id, c.secret = testID, "x" }, nil, Mismatch, "InvalidSignatureException", 403, "The request signature we calculated does not match"},
		{"wrong secret", s3, func(c *call) { c.id, c.secret = testID, "x" }, nil, Mismatch, "SignatureDoesNotMatch", 403, "Check your key and signing method."},
		{"old", rest, late(6 * time.Minute), nil, SignatureExpired, "InvalidSignatureException", 403, "Signature expired: 20261123T045400Z is now earlier than 20261123T045500Z (20261123T050000Z - 5 min.)"},
		{"old", query, late(16 * time.Minute), nil, SignatureExpired, "SignatureDoesNotMatch", 403, "(20261123T050000Z - 15 min.)"},
		{"old", s3, late(16 * time.Minute), nil, SignatureExpired, "RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."},
		{"early", js, late(-6 * time.Minute), nil, NotYetCurrent, "InvalidSignatureException", 400, "Signature not yet current: 20261123T050600Z is still later than 20261123T050500Z (20261123T050000Z + 5 min.)"},
		{"region", s3, nil, edit("us-east-1", "eu-west-1"), WrongRegion, "AuthorizationHeaderMalformed", 400, "the region 'eu-west-1' is wrong; expecting 'us-east-1'"},
		{"region", rest, nil, edit("us-east-1", "eu-west-1"), WrongRegion, "InvalidSignatureException", 403, "Credential should be scoped to a valid region."},
		{"service", rest, nil, edit("/apigateway/", "/lambda/"), WrongService, "InvalidSignatureException", 403, "Credential should be scoped to correct service: 'apigateway'."},
		{"terminator", query, nil, edit("aws4_request", "aws4"), Mismatch, "SignatureDoesNotMatch", 403, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4'."},
		{"scope date", query, nil, edit("/20261123/", "/20261122/"), Mismatch, "SignatureDoesNotMatch", 403, "'20261122' != '20261123', from '20261123T050000Z'."},
		{"scope elements", query, nil, edit("/us-east-1/", "/us-east-1/x/"), Incomplete, "IncompleteSignature", 400, "Credential must have exactly 5 slash-delimited elements"},
		{"upper-case signature", rest, nil, func(r *Request) {
			a, s, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", a+"Signature="+strings.ToUpper(s))
		}, Mismatch, "InvalidSignatureException", 403, ""},
		{"unsigned payload", rest, func(c *call) { c.hash, c.sendHash = unsignedPayload, true }, nil, HashMissing, "InvalidSignatureException", 403, ""},
		{"stream", rest, func(c *call) { c.hash, c.sendHash = streamSigned, true }, nil, HashMissing, "InvalidSignatureException", 403, ""},
		{"no content hash", s3, func(c *call) { c.sendHash = false }, nil, HashMissing, "InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256"},
		{"odd content hash", s3, func(c *call) { c.hash = "required" }, nil, HashMissing, "InvalidRequest", 400, ""},
		{"other body", s3, nil, func(r *Request) { r.Body = strings.NewReader("x") }, PayloadMismatch, "XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."},
		{"large body", rest, nil, func(r *Request) { r.Body = strings.NewReader(strings.Repeat("x", 101)) }, TooLarge, "RequestEntityTooLargeException", 413, ""},
		{"chunked without a stream form", s3, func(c *call) { c.header = map[string]string{"Content-Encoding": "gzip, aws-chunked"} }, nil, HashMissing, "InvalidRequest", 400, ""},
		{"stream without length", s3, func(c *call) { c.hash = streamTrailer }, nil, LengthMissing, "MissingContentLength", 411, ""},
		{"both mechanisms", s3, presign("X-Amz-Expires=60"), func(r *Request) { r.Header.Add("Authorization", "AWS4-HMAC-SHA256 a=b") }, Ambiguous, "InvalidArgument", 400, "Only one auth mechanism allowed"},
		{"presigned over", s3, presign("X-Amz-Expires=60"), func(r *Request) {}, 0, "", 0, ""},
		{"presigned over", s3, func(c *call) { presign("X-Amz-Expires=60")(c); late(2 * time.Minute)(c) }, nil, PresignExpired, "AccessDenied", 403, "Request has expired"},
		{"presigned over", query, func(c *call) { presign("X-Amz-Expires=60")(c); late(2 * time.Minute)(c) }, nil, PresignExpired, "SignatureDoesNotMatch", 403, "Signature expired: 20261123T045900Z is now earlier than 20261123T050000Z"},
		{"presigned without expiry", s3, presign(""), nil, BadPresign, "AuthorizationQueryParametersError", 400, "X-Amz-Expires parameters."},
		{"presigned for long", s3, presign("X-Amz-Expires=604801"), nil, BadPresign, "AuthorizationQueryParametersError", 400, "must be less than 604800 seconds"},
		{"presigned for ever", s3, presign("X-Amz-Expires=never"), nil, BadPresign, "AuthorizationQueryParametersError", 400, "X-Amz-Expires should be a number"},
		{"presigned parameter twice", s3, presign("X-Amz-Expires=60"), func(r *Request) { r.RawQuery += "&X%2DAmz-Expires=61" }, Incomplete, "AuthorizationHeaderMalformed", 400, ""},
		{"presigned token twice", s3, func(c *call) {
			presign("X-Amz-Expires=60")(c)
			c.id, c.secret, c.token = "ASIATEMP", "temporary", "token/+="
		}, func(r *Request) { r.Header.Add("x-amz-security-token", "token/+=") }, Ambiguous, "InvalidArgument", 400, ""},
	} {
		t.Run(tc.svc.Name+" "+tc.name, func(t *testing.T) {
			c := base
			c.service, c.sendHash = tc.svc.Name, tc.svc.Name == "s3"
			if tc.call != nil {
				tc.call(&c)
			}
			if c.presign && c.service == "s3" {
				c.hash, c.sendHash = unsignedPayload, false
			}
			r := FromHTTP(c.sign(t))
			if tc.edit != nil {
				tc.edit(r)
			}
			svc := tc.svc
			svc.MaxBody, svc.HomeRegion = 100, "us-east-1"
			svc.Region = func(region string) bool { return region == "us-east-1" }
			_, _, err := verifyAll(t, newVerifier(testTime), svc, r)
			if tc.kind == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := wantRefusal(t, err, tc.kind, tc.code, tc.status); !strings.Contains(e.Message, tc.text) {
				t.Errorf("message %q, want it to contain %q", e.Message, tc.text)
			}
		})
	}
}

func TestEveryKindHasWords(t *testing.T) {
	for f := range wordings {
		for k := 1; k < numKinds; k++ {
			if w := wordings[f][k]; w.code == "" || w.message == "" || w.status < 400 {
				t.Errorf("family %d, kind %d: %+v is not complete", f, k, w)
			}
		}
	}
}

// --dev: unknown keys pass with any signature, but only with a good Authorization
// header; known keys are verified; presigned requests are too.
func TestAcceptUnknown(t *testing.T) {
	v := newVerifier(testTime)
	v.AcceptUnknown = func(_ context.Context, id, _ string) (Credential, bool) {
		return Credential{Principal: Principal{Kind: Root, ARN: id}}, true
	}
	svc := RestJSON("apigateway")
	c := call{method: "POST", url: "http://h/x", body: "{}", service: svc.Name, id: "anything", secret: "x"}
	body, res, err := verifyAll(t, v, svc, FromHTTP(c.sign(t)))
	if err != nil || !res.Unverified || body != "{}" || res.Credential.Principal.ARN != "anything" {
		t.Errorf("unknown key: %q %+v, %v", body, res, err)
	}
	bad := FromHTTP(c.sign(t))
	bad.Header.Set("Authorization", strings.Replace(bad.Header.Get("Authorization"), "Signature=", "Signature=g", 1))
	_, _, err = verifyAll(t, v, svc, bad)
	wantRefusal(t, err, Mismatch, "InvalidSignatureException", 403)

	known := c
	known.id, known.secret = testID, "wrong"
	_, _, err = verifyAll(t, v, svc, FromHTTP(known.sign(t)))
	wantRefusal(t, err, Mismatch, "InvalidSignatureException", 403)

	presigned := c
	presigned.presign, presigned.method, presigned.body = true, "GET", ""
	_, _, err = verifyAll(t, v, svc, FromHTTP(presigned.sign(t)))
	wantRefusal(t, err, UnknownKey, "UnrecognizedClientException", 403)

	// An aws-chunked body is decoded though its signatures cannot be checked.
	stream := signedStream(t, "hello world", 4, nil)
	v.Keys = mapKeys{}
	if body, _, err = verifyAll(t, v, S3(), stream); err != nil || body != "hello world" {
		t.Errorf("stream of an unknown key: %q, %v", body, err)
	}
}

func TestRotatedSecretIsNotServedFromTheCache(t *testing.T) {
	keys := mapKeys{testID: testSecret}
	v := &Verifier{Keys: keys, Now: func() time.Time { return testTime }}
	c := call{method: "GET", url: "http://h/x", service: "iam"}
	if _, _, err := verifyAll(t, v, Query("iam"), FromHTTP(c.sign(t))); err != nil {
		t.Fatal(err)
	}
	keys[testID] = "rotated"
	_, _, err := verifyAll(t, v, Query("iam"), FromHTTP(c.sign(t)))
	wantRefusal(t, err, Mismatch, "SignatureDoesNotMatch", 403)
}

func TestKeyCacheIsBounded(t *testing.T) {
	var c keyCache
	for i := range maxKeys + 100 {
		c.put(fmt.Sprint(i), "s", Scope{}, &signingKey{})
	}
	if len(c.keys) != maxKeys {
		t.Errorf("%d keys, want %d", len(c.keys), maxKeys)
	}
}

func TestPeek(t *testing.T) {
	for _, presign := range []bool{false, true} {
		s, ok := Peek(FromHTTP(call{method: "GET", url: "http://h/x", service: "lambda", presign: presign}.sign(t)))
		if want := (Scope{"20261123", "us-east-1", "lambda"}); !ok || s != want {
			t.Errorf("presign %v: %v %v, want %v", presign, s, ok, want)
		}
	}
	if s, ok := Peek(parts("GET", "h", "/", "")); ok {
		t.Errorf("scope %v of an unsigned request", s)
	}
}

func TestReadAll(t *testing.T) {
	v := newVerifier(testTime)
	for _, svc := range []Service{S3(), RestJSON("apigateway")} { // read while verifying, read before
		for limit, fails := range map[int64]bool{4: false, 3: true} {
			c := call{method: "PUT", url: "http://h/x", body: "data", service: svc.Name, sendHash: svc.HashRequired}
			res, err := v.Verify(t.Context(), &svc, FromHTTP(c.sign(t)))
			if err != nil {
				t.Fatal(err)
			}
			data, err := res.Body.ReadAll(limit)
			if fails {
				wantRefusal(t, err, TooLarge, svc.Family.refuse(TooLarge, "", nil).Code, svc.Family.refuse(TooLarge, "", nil).Status)
			} else if err != nil || string(data) != "data" {
				t.Errorf("%s: %q, %v", svc.Name, data, err)
			}
		}
	}
}

func TestHashGivenByCaller(t *testing.T) {
	svc := ExecuteAPI(0)
	c := call{method: "POST", url: "http://h/x", body: "data", service: svc.Name}
	r := FromHTTP(c.sign(t))
	r.PayloadHash, r.Body = hashHex("data"), iotest.ErrReader(fmt.Errorf("must not be read"))
	if _, err := newVerifier(testTime).Verify(t.Context(), &svc, r); err != nil {
		t.Error(err)
	}
	r.PayloadHash = hashHex("other")
	_, err := newVerifier(testTime).Verify(t.Context(), &svc, r)
	wantRefusal(t, err, Mismatch, "InvalidSignatureException", 403)
}

func TestFromMessage(t *testing.T) {
	in := FromHTTP(call{method: "POST", url: "http://h/a%2Fb?x=1", body: "data", service: "execute-api"}.sign(t))
	m := &message.Request{Method: in.Method, Path: in.Path, RawQuery: in.RawQuery, Host: in.Host, Body: in.Body,
		Header: append(message.Header{{Name: "Host", Value: "h"}}, in.Header...)}
	if _, _, err := verifyAll(t, newVerifier(testTime), ExecuteAPI(10), FromMessage(m)); err != nil {
		t.Error(err)
	}
}
