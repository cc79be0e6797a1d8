package trust

import (
	"slices"
	"strings"
)

// Weaker says in which respects after lets clients through that before did not, in words;
// none when nothing became weaker. A list that is replaced by another counts: nobody can say
// what the other one will hold.
func Weaker(before, after Settings) []string {
	if !before.On {
		return nil
	}
	var out []string
	say := func(weaker bool, what string) {
		if weaker {
			out = append(out, what)
		}
	}
	say(before.strength() > after.strength(), "revocation: "+before.modeName()+" becomes "+after.modeName())
	if !after.On {
		return out
	}
	for _, place := range before.CRLs {
		say(!slices.Contains(after.CRLs, place), "revocation: the list "+place+" is no longer used")
	}
	say(before.Deny != "" && after.Deny != before.Deny, "the deny-list "+before.Deny+" is no longer used")
	say(before.Allow != "" && after.Allow != before.Allow, "the allow-list "+before.Allow+" is no longer used")
	say(before.Points && !after.Points, "distribution points are no longer asked")
	say(before.OCSP != "" && after.OCSP != before.OCSP, "OCSP: "+before.OCSP+" is no longer asked")
	say(!before.LeafOnly && after.LeafOnly, "intermediate CAs are no longer checked")
	say(!before.AcceptUncovered && after.AcceptUncovered && after.Mode == HardFail, "certificates that no source covers are accepted")
	say(after.Grace > before.Grace, "stale lists are used for longer")
	say(after.MaxAge > before.MaxAge, "answers without an end are used for longer")
	return out
}

func (s Settings) strength() int {
	switch {
	case !s.On:
		return 0
	case s.Mode == HardFail:
		return 2
	}
	return 1
}

func (s Settings) modeName() string {
	return [...]string{"off", "soft-fail", "hard-fail"}[s.strength()]
}

// Objects lists the S3 places that the settings follow, each once.
func (s Settings) Objects() []string {
	var out []string
	for _, place := range slices.Concat(s.CRLs, []string{s.Deny, s.Allow}) {
		if strings.HasPrefix(place, "s3://") && !slices.Contains(out, place) {
			out = append(out, place)
		}
	}
	return out
}
