package trust

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseSettings(t *testing.T) {
	on := DefaultSettings()
	with := func(change func(*Settings)) Settings { s := on; change(&s); return s }
	for _, c := range []struct {
		name string
		tags map[string]string
		doc  string
		want Settings
	}{
		{"nothing", map[string]string{"team": "x"}, "", Settings{}},
		{"off", map[string]string{TagRevocation: "off", TagCRL: "s3://b/k"}, "", Settings{}},
		{"soft", map[string]string{TagRevocation: "soft-fail"}, "", on},
		{"hard with a CRL", map[string]string{TagRevocation: "hard-fail", TagCRL: "https://a/b.crl"}, "",
			with(func(s *Settings) { s.Mode, s.CRLs = HardFail, []string{"https://a/b.crl"} })},
		{"lists alone", map[string]string{TagDeny: "s3://b/d", TagAllow: "s3://b/a"}, "",
			with(func(s *Settings) { s.Points, s.OCSP, s.Deny, s.Allow = false, "", "s3://b/d", "s3://b/a" })},
		{"lists, but off", map[string]string{TagDeny: "s3://b/d", TagSettings: "s3://b/k"}, `{"mode":"off"}`, Settings{}},
		{"document", map[string]string{TagSettings: "s3://b/k"},
			`{"mode":"hard-fail","crls":["s3://b/a?versionId=1","http://x/y"],"denyList":"s3://b/d","allowList":"s3://b/a","distributionPoints":false,
			 "ocsp":"off","nonce":true,"scope":"leaf","uncovered":"accept","graceSeconds":60,"maxAgeSeconds":0,"intervalSeconds":120}`,
			Settings{On: true, Mode: HardFail, CRLs: []string{"s3://b/a?versionId=1", "http://x/y"}, Deny: "s3://b/d", Allow: "s3://b/a",
				Nonce: true, LeafOnly: true, AcceptUncovered: true, Grace: time.Minute, Interval: 2 * time.Minute}},
		{"tag over document", map[string]string{TagSettings: "s3://b/k", TagRevocation: "soft-fail", TagCRL: "s3://b/other"},
			`{"mode":"hard-fail","crls":["s3://b/a"],"ocsp":"http://ocsp.example.com"}`,
			with(func(s *Settings) { s.CRLs, s.OCSP = []string{"s3://b/other"}, "http://ocsp.example.com" })},
	} {
		var doc []byte
		if c.doc != "" {
			doc = []byte(c.doc)
		}
		got, err := ParseSettings(c.tags, doc)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got, cmpopts.IgnoreUnexported(Settings{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestParseSettingsRefuses(t *testing.T) {
	for _, c := range []struct {
		tags map[string]string
		doc  string
		want string
	}{
		{map[string]string{TagRevocation: "on"}, "", "gatehouse:revocation"},
		{map[string]string{TagRevocation: "soft-fail", TagCRL: "file:///etc/passwd"}, "", "gatehouse:crl"},
		{map[string]string{TagRevocation: "soft-fail", TagCRL: "http://user@host/"}, "", "gatehouse:crl"},
		{map[string]string{TagRevocation: "soft-fail", TagSettings: "s3://b/k"}, "", "was not read"},
		{nil, `{"modes":"off"}`, `unknown field "modes"`},
		{nil, `{} {}`, "more than one value"},
		{nil, `[]`, "JSON document"},
		{nil, `{"mode":"x"}`, "mode: "},
		{nil, `{"crls":["x"]}`, "crls[0]: "},
		{nil, `{"crls":[` + strings.Repeat(`"s3://b/k",`, 30) + `"s3://b/k"]}`, "crls: found 31"},
		{nil, `{"denyList":"x"}`, "denyList: "},
		{nil, `{"scope":"x"}`, "scope: "},
		{nil, `{"uncovered":"x"}`, "uncovered: "},
		{nil, `{"ocsp":"s3://b/k"}`, "ocsp: "},
		{nil, `{"graceSeconds":-1}`, "graceSeconds: "},
		{nil, `{"intervalSeconds":59}`, "intervalSeconds: "},
	} {
		var doc []byte
		if c.doc != "" {
			doc = []byte(c.doc)
		}
		if c.tags == nil {
			c.tags = map[string]string{TagSettings: "s3://b/k"}
		}
		if _, err := ParseSettings(c.tags, doc); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %s: got %v, want an error with %q", c.tags, c.doc, err, c.want)
		}
	}
}
