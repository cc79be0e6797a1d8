package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOtherSpellings(t *testing.T) {
	for raw, want := range map[string][]string{
		"":                  nil,
		"admin":             nil,
		"admin/users.json":  nil,
		"admin/":            {"admin"},
		"admin//":           {"admin", "admin/"},
		"%61dmin/x":         {"admin/x"},
		"%61dmin/":          {"admin", "admin/", "%61dmin"},
		"admin%2Fx":         {"admin/x"},
		"admin%5cx":         {"admin/x"},
		"./admin":           {"admin"},
		"open/../admin":     {"admin"},
		"open/%2e%2E/admin": {"admin"},
		"open/..;/admin":    {"open/..;/admin", "admin"},
		"admin;v=1/x":       {"admin;v=1/x", "admin/x"},
		"open//admin":       {"open/admin"},
		"a/.well-known/x":   nil,
		"../../admin":       {"admin"},
		"100%":              nil,
	} {
		got := otherSpellings(raw)
		if d := cmp.Diff(without(want, raw), got); d != "" {
			t.Errorf("%q (-want +got):\n%s", raw, d)
		}
	}
}

// without drops what is the raw path itself from a list.
func without(list []string, raw string) []string {
	var kept []string
	for _, s := range list {
		if s != raw {
			kept = append(kept, s)
		}
	}
	return kept
}

func TestHasDotSegment(t *testing.T) {
	for raw, want := range map[string]bool{
		"a/b.c": false, "a/..b": false, "...": false, "a;x=..": false, ".well-known": false,
		"..": true, "a/../b": true, "a/%2e%2E/b": true, "a%2F..%2fb": true, "a%5c..": true, "a/./b": true, "a/..;/b": true, "a/%2e%2e%3bx/b": true, ".;": true,
	} {
		if got := hasDotSegment(raw); got != want {
			t.Errorf("%q: got %v, want %v", raw, got, want)
		}
	}
}
