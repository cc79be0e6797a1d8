package trust

import (
	"strings"
	"testing"
	"time"
)

// Whatever lets clients in that were refused before is named; what refuses more is not.
func TestWeaker(t *testing.T) {
	strong := Settings{On: true, Mode: HardFail, CRLs: []string{"s3://b/a", "s3://b/c"}, Deny: "s3://b/d", Allow: "s3://b/l", Points: true, OCSP: "aia", MaxAge: time.Hour, Interval: time.Hour}
	with := func(change func(*Settings)) Settings {
		s := strong
		s.CRLs = append([]string(nil), strong.CRLs...)
		change(&s)
		return s
	}
	for _, c := range []struct {
		name          string
		before, after Settings
		want          string // "" for nothing
	}{
		{"the same", strong, strong, ""},
		{"switched on", Settings{}, strong, ""},
		{"switched off", strong, Settings{}, "hard-fail becomes off"},
		{"soft-fail", strong, with(func(s *Settings) { s.Mode = SoftFail }), "hard-fail becomes soft-fail"},
		{"hard-fail", with(func(s *Settings) { s.Mode = SoftFail }), strong, ""},
		{"a list less", strong, with(func(s *Settings) { s.CRLs = s.CRLs[:1] }), "s3://b/c is no longer used"},
		{"a list more", strong, with(func(s *Settings) { s.CRLs = append(s.CRLs, "s3://b/e") }), ""},
		{"another version of a list", strong, with(func(s *Settings) { s.CRLs[0] += "?versionId=1" }), "s3://b/a is no longer used"},
		{"another deny-list", strong, with(func(s *Settings) { s.Deny = "s3://b/x" }), "deny-list"},
		{"no allow-list", strong, with(func(s *Settings) { s.Allow = "" }), "allow-list"},
		{"an allow-list", with(func(s *Settings) { s.Allow = "" }), strong, ""},
		{"no distribution points", strong, with(func(s *Settings) { s.Points = false }), "distribution points"},
		{"another responder", strong, with(func(s *Settings) { s.OCSP = "http://other" }), "OCSP: aia is no longer asked"},
		{"leaf only", strong, with(func(s *Settings) { s.LeafOnly = true }), "intermediate CAs"},
		{"uncovered accepted", strong, with(func(s *Settings) { s.AcceptUncovered = true }), "no source covers"},
		{"longer grace", strong, with(func(s *Settings) { s.Grace = time.Minute }), "stale lists"},
		{"longer age", strong, with(func(s *Settings) { s.MaxAge = 2 * time.Hour }), "without an end"},
		{"asked more often", strong, with(func(s *Settings) { s.Interval = time.Minute }), ""},
	} {
		got := strings.Join(Weaker(c.before, c.after), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := strong.Objects(); len(got) != 4 {
		t.Errorf("objects %v, want four", got)
	}
	for place, want := range map[string][2]string{"s3://b/k": {"s3://b/k", ""}, "s3://b/k?versionId=V": {"s3://b/k", "V"}} {
		if uri, version := SplitPlace(place); uri != want[0] || version != want[1] {
			t.Errorf("%s: %s, %s", place, uri, version)
		}
	}
}
