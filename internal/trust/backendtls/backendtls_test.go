package backendtls

import (
	"testing"

	"gatehouse/internal/trust/pkitest"
)

// TestIdentities: whatever decides who we are or whom we believe makes another identity.
func TestIdentities(t *testing.T) {
	root := pkitest.Root(t, "root")
	client := func(name string) *Client {
		c, err := NewClient(root.Client(t, name).TLS())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	roots, err := ParseRoots(root.PEM())
	if err != nil {
		t.Fatal(err)
	}
	ann, bob := client("ann"), client("bob")
	seen := map[string]Options{}
	for _, o := range []Options{
		{}, {Client: ann}, {Client: bob}, {SkipIssuer: true}, {Client: ann, SkipIssuer: true}, {Roots: roots},
		{Client: ann, Roots: roots}, {ServerName: "a.test"}, {ServerName: "b.test"}, {Client: ann, ServerName: "a.test"},
	} {
		c, id := o.Config()
		if other, ok := seen[id]; ok {
			t.Errorf("identity %q is of %+v and of %+v", id, o, other)
		}
		seen[id] = o
		if got := ClientOf(id); got != o.Client.ID() {
			t.Errorf("client of identity %q: got %q, want %q", id, got, o.Client.ID())
		}
		if (c.GetClientCertificate != nil) != (o.Client != nil) || (c.VerifyConnection != nil) != o.SkipIssuer || c.InsecureSkipVerify != o.SkipIssuer {
			t.Errorf("%+v: the configuration does not do what the identity %q says", o, id)
		}
		if _, again := o.Config(); again != id {
			t.Errorf("%+v: identities %q and %q, want the same", o, id, again)
		}
	}
	if _, err := ParseRoots([]byte("no PEM")); err == nil {
		t.Error("a bundle without certificates was taken")
	}
}
