package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The log hears of each thing once at every threshold, and not of what is seen to.
func TestExpiryNews(t *testing.T) {
	told := expiryNews{}
	one := func(e Expiring, first int) bool { return len(told.of([]Expiring{e}, first)) == 1 }
	var got []bool
	for _, days := range []float64{60, 44, 43, 29.5, 29, 0.5, 0.2, -1, -2} {
		got = append(got, one(Expiring{Use: useTrustStore, Holder: "d", DaysLeft: days}, 45))
	}
	if diff := cmp.Diff([]bool{false, true, false, true, false, true, false, true, false}, got); diff != "" {
		t.Errorf("trust store CA (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		name string
		e    Expiring
		want bool
	}{
		{"ahead of what the account wants", Expiring{Holder: "a", DaysLeft: 20}, false},
		{"within what the account wants", Expiring{Holder: "a", DaysLeft: 9}, true},
		{"renewed by itself", Expiring{Holder: "b", DaysLeft: 5, Renewal: "automatic"}, false},
		{"renewal fails", Expiring{Holder: "b", DaysLeft: 5, Renewal: "automatic", Problem: "no"}, true},
		{"a list that is replaced every hour", Expiring{Use: useCRL, Holder: "c", DaysLeft: .01, Renewal: "automatic", Problem: "slow"}, false},
		{"a list that is stale", Expiring{Use: useCRL, Holder: "c", DaysLeft: -.01, Renewal: "automatic"}, true},
	} {
		if one(c.e, 10) != c.want {
			t.Errorf("%s: got %v, want %v", c.name, !c.want, c.want)
		}
	}
	if !one(Expiring{Use: useTrustStore, Holder: "d", DaysLeft: 400}, 45) && !one(Expiring{Use: useTrustStore, Holder: "d", DaysLeft: 1}, 45) {
		t.Error("after a renewal the next end is no news")
	}
}
