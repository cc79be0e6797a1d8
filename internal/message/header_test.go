package message_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/message"
)

func TestHasToken(t *testing.T) {
	tests := []struct {
		value, token string
		want         bool
	}{
		{"close", "close", true}, {"Close", "close", true}, {"keep-alive, \tclose ", "close", true}, {",,close,,", "close", true},
		{"", "close", false}, {"closed", "close", false}, {"clo se", "close", false}, {"close;q=1", "close", false}, {"a,b", "ab", false},
	}
	for _, tt := range tests {
		if got := message.HasToken(tt.value, tt.token); got != tt.want {
			t.Errorf("HasToken(%q, %q) = %v, want %v", tt.value, tt.token, got, tt.want)
		}
	}
}

func TestHeader(t *testing.T) {
	h := message.Header{{Name: "A", Value: "1"}, {Name: "b", Value: "2"}, {Name: "a", Value: "3"}, {Name: "C", Value: ""}}
	if h.Get("a") != "1" || h.Get("B") != "2" || h.Get("x") != "" || h.Count("A") != 2 || !h.Has("c") || h.Has("x") {
		t.Errorf("look-ups in %v", h)
	}
	if diff := cmp.Diff([]string{"1", "3"}, h.Values("A")); diff != "" {
		t.Error(diff)
	}
	h.Set("a", "4")
	h.Add("D", "5")
	h.Set("E", "6")
	h.Del("B")
	want := message.Header{{Name: "a", Value: "4"}, {Name: "C", Value: ""}, {Name: "D", Value: "5"}, {Name: "E", Value: "6"}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
}

// TestEqualName compares every pair of bytes with the rule: ASCII letters fold, nothing
// else does.
func TestEqualName(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			x, y := a, b
			if 'A' <= x && x <= 'Z' {
				x += 32
			}
			if 'A' <= y && y <= 'Z' {
				y += 32
			}
			if got := message.EqualName(string([]byte{byte(a)}), string([]byte{byte(b)})); got != (x == y) {
				t.Fatalf("EqualName(%q, %q) = %v", byte(a), byte(b), got)
			}
		}
	}
}
