package server_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

// post calls POST /_gatehouse/truststore.
func (d *guarded) post(q url.Values) (server.TrustStoreState, string) {
	d.t.Helper()
	q.Set("domain", d.name)
	status, body := operationBy(d.t, d.g, http.MethodPost, "/_gatehouse/truststore?"+q.Encode(), d.g.AWS(d.t))
	var out server.TrustStoreState
	if status != 200 {
		return out, body
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		d.t.Fatal(err)
	}
	return out, ""
}

func (d *guarded) state() server.TrustStoreState {
	d.t.Helper()
	status, body := operation(d.t, d.g, "/_gatehouse/truststore?domain="+d.name)
	var out server.TrustStoreState
	if err := json.Unmarshal([]byte(body), &out); status != 200 || err != nil {
		d.t.Fatalf("%d %s, %v", status, body, err)
	}
	return out
}

// latest has the domain name name no version of its trust store.
func (d *guarded) latest() {
	d.t.Helper()
	d.roll("")
}

// TestTrustStoreIsFollowed: by tag, a new version of the object is the trust store within a second,
// on open connections too; what would lock out everybody, and what is no trust store, is
// not taken in.
func TestTrustStoreIsFollowed(t *testing.T) {
	g := servertest.Start(t, nil)
	stays, leaves := newCA(t, "stays"), newCA(t, "leaves")
	d := guard(t, g, "api.example.test", append(stays.pem(), leaves.pem()...))
	ann, bob := stays.client(t, "ann"), leaves.client(t, "bob")
	clients := map[string]*http.Client{"ann": d.client(&ann, "h2", tls.VersionTLS13), "bob": d.client(&bob, "http/1.1", tls.VersionTLS12)}
	expect := func(what string, annWant, bobWant int) {
		t.Helper()
		d.eventually(what+", ann", clients["ann"], annWant)
		d.eventually(what+", bob", clients["bob"], bobWant)
	}
	expect("at first", 200, 200)
	follow := map[string]string{"gatehouse:truststore": "follow"}
	if err := d.tag(follow); err == nil || !strings.Contains(err.Error(), "names the version") {
		t.Errorf("following with a fixed version: %v", err)
	}
	d.latest()
	if err := d.tag(follow); err == nil || !strings.Contains(err.Error(), "apigateway.amazonaws.com is not authorized to perform: s3:GetObject") {
		t.Errorf("following without permission: %v", err)
	}
	d.allow()
	if err := d.tag(follow); err != nil {
		t.Fatal(err)
	}
	d.upload(stays.pem())
	expect("leaves is gone", 200, 403)
	d.upload([]byte("not a trust store"))
	d.waitProblem("its trust store follows an object that cannot be taken in")
	expect("a damaged object", 200, 403)
	d.upload(leaves.pem())
	d.waitProblem("Every one of the 1 clients that were seen lately would be locked out")
	expect("a trust store without anybody who was seen", 200, 403)
	d.upload(append(stays.pem(), leaves.pem()...))
	expect("both again", 200, 200)
	if p := d.problems(); strings.Contains(p, "cannot be taken in") {
		t.Errorf("ready still tells of what is over: %s", p)
	}
	// A rollback stands although the object is followed, until the object changes.
	if s, refused := d.post(url.Values{"action": {"rollback"}}); refused != "" || s.Previous == nil {
		t.Fatalf("rollback: %+v %s", s, refused)
	}
	expect("rolled back", 200, 403)
	if err := d.tag(map[string]string{"team": "x"}); err != nil { // the follower looks again
		t.Fatal(err)
	}
	expect("still rolled back", 200, 403)
	d.upload(append(leaves.pem(), stays.pem()...))
	expect("the object changed", 200, 200)
	out, err := d.c.GetDomainName(t.Context(), &apigateway.GetDomainNameInput{DomainName: &d.name})
	if err != nil || out.MutualTlsAuthentication.TruststoreVersion != nil {
		t.Errorf("the domain name shows %+v, %v; want no version", out.MutualTlsAuthentication, err)
	}
}

// TestTrustStoreRollOut: a candidate is judged beside the trust store and decides nothing, until it
// is enforced; a rollback needs no object.
func TestTrustStoreRollOut(t *testing.T) {
	g := servertest.Start(t, nil)
	stays, leaves := newCA(t, "stays"), newCA(t, "leaves")
	d := guard(t, g, "api.example.test", append(stays.pem(), leaves.pem()...))
	ann, bob := stays.client(t, "ann"), leaves.client(t, "bob")
	annC, bobC := d.client(&ann, "h2", tls.VersionTLS13), d.client(&bob, "h2", tls.VersionTLS13)
	d.eventually("ann", annC, 200)
	d.put("next.pem", stays.pem())
	d.put("junk.pem", []byte("junk"))
	if err := d.tag(map[string]string{"gatehouse:truststore-candidate": "s3://" + d.bucket + "/junk.pem"}); err == nil || !strings.Contains(err.Error(), "gatehouse:truststore-candidate") {
		t.Errorf("a candidate that is no trust store: %v", err)
	}
	if err := d.tag(map[string]string{"gatehouse:truststore-candidate": "s3://" + d.bucket + "/next.pem"}); err != nil {
		t.Fatal(err)
	}
	status, _, header := get(t, bobC, d.url())
	if status != 200 {
		t.Fatalf("bob is refused by the candidate: %d", status)
	}
	s := d.state()
	if s.Staged == nil || s.Staged.Refused != 1 || len(s.Staged.Plan.LockedOut) != 1 || s.Staged.Plan.LockedOut[0].Subject != "CN=bob" || s.Staged.Plan.Stay != 1 {
		t.Fatalf("state %+v, want bob counted", s)
	}
	if status, body := operation(t, g, "/_gatehouse/decisions/"+url.PathEscape(header.Get("x-amz-apigw-id"))); status != 200 || !strings.Contains(body, `"candidateTrustStoreRefusal":"ClientCertUntrusted"`) {
		t.Errorf("decision: %d %s", status, body)
	}
	d.put("next.pem", []byte("whatever it holds by now"))
	if s, refused := d.post(url.Values{"action": {"enforce"}}); refused != "" || s.Staged != nil || s.Previous == nil || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "1 of 2 clients") {
		t.Fatalf("enforce: %+v %s", s, refused)
	}
	d.eventually("bob, enforced", bobC, 403)
	d.eventually("ann, enforced", annC, 200)
	if out, err := d.c.GetTags(t.Context(), &apigateway.GetTagsInput{ResourceArn: aws.String(d.arn())}); err != nil || out.Tags["gatehouse:truststore-candidate"] != "" {
		t.Errorf("tags after enforcing: %v, %v", out, err)
	}
	if _, refused := d.post(url.Values{"action": {"enforce"}}); !strings.Contains(refused, "no truststore in roll-out") {
		t.Errorf("enforcing twice: %s", refused)
	}
	if _, refused := d.post(url.Values{"action": {"rollback"}}); refused != "" {
		t.Fatalf("rollback: %s", refused)
	}
	d.eventually("bob, rolled back", bobC, 200)

	// apply refuses to lock out everybody; UpdateDomainName warns.
	d.put("none.pem", newCA(t, "nobody").pem())
	none := url.Values{"action": {"apply"}, "uri": {"s3://" + d.bucket + "/none.pem"}}
	if _, refused := d.post(none); !strings.Contains(refused, "Every one of the 2 clients that were seen lately would be locked out") {
		t.Errorf("apply: %s", refused)
	}
	d.eventually("ann, apply refused", annC, 200)
	none.Set("force", "true")
	if _, refused := d.post(none); refused != "" {
		t.Errorf("apply with force: %s", refused)
	}
	d.eventually("ann, forced out", annC, 403)
	if _, refused := d.post(url.Values{"action": {"rollback"}}); refused != "" {
		t.Errorf("rollback after force: %s", refused)
	}
	d.eventually("ann, back", annC, 200)
	out, err := d.c.UpdateDomainName(t.Context(), &apigateway.UpdateDomainNameInput{DomainName: &d.name, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/mutualTlsAuthentication/truststoreUri"), Value: aws.String("s3://" + d.bucket + "/none.pem")},
		{Op: types.OpReplace, Path: aws.String("/mutualTlsAuthentication/truststoreVersion"), Value: aws.String("")}}})
	if err != nil || len(out.MutualTlsAuthentication.TruststoreWarnings) != 1 || !strings.HasPrefix(out.MutualTlsAuthentication.TruststoreWarnings[0], "2 of 2 clients") {
		t.Errorf("UpdateDomainName: %+v, %v; want a warning", out, err)
	}
	d.eventually("ann, by UpdateDomainName", annC, 403)
}

// TestTrustStoreIsStaged: with the tag's value stage, a new version of the object becomes
// the candidate by itself.
func TestTrustStoreIsStaged(t *testing.T) {
	g := servertest.Start(t, nil)
	stays, comes := newCA(t, "stays"), newCA(t, "comes")
	d := guard(t, g, "api.example.test", stays.pem())
	d.latest()
	d.allow()
	if err := d.tag(map[string]string{"gatehouse:truststore": "stage"}); err != nil {
		t.Fatal(err)
	}
	d.upload(append(stays.pem(), comes.pem()...))
	d.waitStaged(func(p server.TrustStorePlan) bool { return len(p.Added) == 1 && len(p.Removed) == 0 })
	bob := comes.client(t, "bob")
	bobC := d.client(&bob, "h2", tls.VersionTLS13)
	d.eventually("bob, staged", bobC, 403)
	if _, refused := d.post(url.Values{"action": {"enforce"}}); refused != "" {
		t.Fatal(refused)
	}
	d.eventually("bob, enforced", bobC, 200)
	// It goes on: the next version is staged again.
	d.upload(comes.pem())
	d.waitStaged(func(p server.TrustStorePlan) bool { return len(p.Added) == 0 && len(p.Removed) == 1 })
}

// waitStaged waits for a candidate with the plan that is wanted.
func (d *guarded) waitStaged(want func(server.TrustStorePlan) bool) {
	d.t.Helper()
	var s server.TrustStoreState
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s = d.state(); s.Staged != nil && want(s.Staged.Plan) {
			return
		}
	}
	d.t.Fatalf("state %+v, want another candidate", s)
}

// TestSteeringTagsNeedPermission: permission to tag is not permission to change what a domain
// name does, and permission to change it is not permission to weaken it.
func TestSteeringTagsNeedPermission(t *testing.T) {
	g := servertest.Start(t, nil)
	root := newCA(t, "root")
	d := guard(t, g, "api.example.test", root.pem())
	d.allow()
	d.put("ca.crl", root.crl(t, 1))
	d.put("secret.txt", []byte("# of others\n"))
	users := iam.NewFromConfig(g.AWS(t))
	statement := func(actions, resource string) string {
		return `{"Effect":"Allow","Action":` + actions + `,"Resource":"` + resource + `"}`
	}
	as := func(name string, statements ...string) *apigateway.Client {
		t.Helper()
		policy := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
		if _, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := users.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &policy}); err != nil {
			t.Fatal(err)
		}
		key, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
		if err != nil {
			t.Fatal(err)
		}
		return apigateway.NewFromConfig(g.AWSWith(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey))
	}
	tagging := statement(`["apigateway:PUT","apigateway:POST","apigateway:DELETE"]`, "arn:aws:apigateway:us-east-1::/tags/*")
	updating := statement(`"apigateway:PATCH"`, d.arn())
	reading := statement(`"s3:GetObject"`, "arn:aws:s3:::"+d.bucket+"/ca.crl")
	tagger := as("tagger", tagging)
	updater := as("updater", tagging, updating, reading)
	owner := as("owner", tagging, updating, reading, statement(`"gatehouse:WeakenControl"`, d.arn()))

	set := func(c *apigateway.Client, key, value string) error {
		_, err := c.TagResource(t.Context(), &apigateway.TagResourceInput{ResourceArn: aws.String(d.arn()), Tags: map[string]string{key: value}})
		return err
	}
	unset := func(c *apigateway.Client, key string) error {
		_, err := c.UntagResource(t.Context(), &apigateway.UntagResourceInput{ResourceArn: aws.String(d.arn()), TagKeys: []string{key}})
		return err
	}
	crl := "s3://" + d.bucket + "/ca.crl"
	for _, c := range []struct {
		what string
		err  error
		want string // "" for success
	}{
		{"an ordinary tag", set(tagger, "team", "x"), ""},
		{"a tag that steers, without update permission", set(tagger, "gatehouse:revocation", "hard-fail"), "is not authorized to perform: apigateway:PATCH on resource: " + d.arn()},
		{"an object that the caller may not read", set(updater, "gatehouse:deny-list", "s3://"+d.bucket+"/secret.txt"), "user/updater is not authorized to perform: s3:GetObject"},
		{"a list", set(updater, "gatehouse:crl", crl), ""},
		{"stronger", set(updater, "gatehouse:revocation", "hard-fail"), ""},
		{"an ordinary tag beside", set(tagger, "team", "y"), ""},
		{"weaker", set(updater, "gatehouse:revocation", "soft-fail"), "is not authorized to perform: gatehouse:WeakenControl on resource: " + d.arn()},
		{"removing the list", unset(updater, "gatehouse:crl"), "gatehouse:WeakenControl"},
		{"removing the mode", unset(updater, "gatehouse:revocation"), "gatehouse:WeakenControl"},
		{"clients without certificates", set(updater, "gatehouse:client-certificate", "optional"), "gatehouse:WeakenControl"},
		{"removing it without update permission", unset(tagger, "gatehouse:revocation"), "apigateway:PATCH"},
		{"weaker, by who may", set(owner, "gatehouse:revocation", "soft-fail"), ""},
		{"by another spelling of the ARN", func() error {
			_, err := tagger.UntagResource(t.Context(), &apigateway.UntagResourceInput{ResourceArn: aws.String(strings.Replace(d.arn(), "us-east-1::", "us-east-1:000000000000:", 1)), TagKeys: []string{"gatehouse:revocation"}})
			return err
		}(), "Invalid resource identifier specified"},
	} {
		switch {
		case c.want == "" && c.err != nil:
			t.Errorf("%s: %v", c.what, c.err)
		case c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.what, c.err, c.want)
		}
	}
	d.waitProblem("was weakened")
	if p := d.problems(); !strings.Contains(p, "user/owner: revocation: hard-fail becomes soft-fail") {
		t.Errorf("ready says %s", p)
	}
	// A domain name cannot be created weak either.
	creator := as("creator", statement(`"apigateway:*"`, "*"))
	if _, err := creator.CreateDomainName(t.Context(), &apigateway.CreateDomainNameInput{
		DomainName: aws.String("other.example.test"), RegionalCertificateArn: aws.String(d.certificate("other.example.test")),
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
		Tags:                  map[string]string{"gatehouse:client-certificate": "optional"},
	}); err == nil || !strings.Contains(err.Error(), "gatehouse:WeakenControl") {
		t.Errorf("a domain name that is made weak: %v", err)
	}
}

// TestOptionalClientCertificates: a domain name may let clients in without a certificate; one
// that is presented must be good all the same, and resource policies can ask for one by path.
func TestOptionalClientCertificates(t *testing.T) {
	g := servertest.Start(t, nil)
	root, stranger := newCA(t, "root"), newCA(t, "stranger")
	d := guard(t, g, "api.example.test", root.pem())
	good, bad := root.client(t, "ann"), stranger.client(t, "eve")
	nobody := d.client(nil, "http/1.1", tls.VersionTLS12)
	if err := d.tag(map[string]string{"gatehouse:client-certificate": "optional"}); err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []string{"h2", "http/1.1"} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, c := range []struct {
				name string
				cert *tls.Certificate
				want int
			}{{"nobody", nil, 200}, {"ann", &good, 200}, {"eve", &bad, 403}} {
				if status, _, _ := get(t, d.client(c.cert, protocol, version), d.url()); status != c.want {
					t.Errorf("%s, %s, %s: %d, want %d", c.name, protocol, tls.VersionName(version), status, c.want)
				}
			}
		}
	}
	if p := d.problems(); !strings.Contains(p, "client certificates are optional") {
		t.Errorf("ready says %s", p)
	}
	d.eventually("nobody, optional", nobody, 200)
	if err := d.tag(map[string]string{"gatehouse:client-certificate": "required"}); err != nil {
		t.Fatal(err)
	}
	d.eventually("nobody on an open connection, required", nobody, 403)
	d.resume(nobody)
	if _, err := nobody.Get(d.url()); err == nil {
		t.Error("nobody on a new connection, required: no error, want an alert")
	}
}

// resume closes the connections of a client, which keeps its sessions.
func (d *guarded) resume(c *http.Client) { c.CloseIdleConnections() }
