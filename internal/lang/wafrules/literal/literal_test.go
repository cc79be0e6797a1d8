package literal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// found lists every occurrence as "id@end".
func found(a *Automaton, s string) []string {
	var got []string
	pos, st := 0, State(0)
	for {
		pos, st = a.Next(s, pos, st)
		if pos < 0 {
			slices.Sort(got)
			return got
		}
		for _, id := range a.Outputs(st) {
			got = append(got, fmt.Sprintf("%d@%d", id, pos))
		}
	}
}

// naive lists the same by comparing everywhere.
func naive(literals []string, s string) []string {
	var want []string
	for id, l := range literals {
		for i := 0; l != "" && i+len(l) <= len(s); i++ {
			if equalFold(s[i:i+len(l)], l) {
				want = append(want, fmt.Sprintf("%d@%d", id, i+len(l)))
			}
		}
	}
	slices.Sort(want)
	return want
}

func equalFold(a, b string) bool {
	for i := range len(a) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}

func TestOverlappingLiterals(t *testing.T) {
	literals := []string{"he", "SHE", "his", "hers", "", "he"}
	got := found(Build(literals), "uShers")
	want := []string{"0@4", "1@4", "3@6", "5@4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAgainstNaiveSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abAB\x00\xff"[r.IntN(6)]
		}
		return string(b)
	}
	for range 2000 {
		literals := make([]string, 1+r.IntN(6))
		for i := range literals {
			literals[i] = word(r.IntN(5))
		}
		s := word(r.IntN(40))
		if diff := cmp.Diff(naive(literals, s), found(Build(literals), s)); diff != "" {
			t.Fatalf("literals %q in %q (-naive +automaton):\n%s", literals, s, diff)
		}
	}
}

func TestNoLiterals(t *testing.T) {
	if got := found(Build(nil), "anything"); got != nil {
		t.Errorf("found %v, want nothing", got)
	}
}

func TestEveryByteIsAClass(t *testing.T) {
	all := make([]string, 256)
	for i := range all {
		all[i] = string([]byte{byte(i)})
	}
	a := Build(all)
	for i := range 256 {
		if diff := cmp.Diff(naive(all, all[i]), found(a, all[i])); diff != "" {
			t.Fatalf("byte %#x: %s", i, diff)
		}
	}
}

func FuzzAgainstNaiveSearch(f *testing.F) {
	f.Add([]byte("he\nshe\nhers"), "ushers")
	f.Fuzz(func(t *testing.T, list []byte, s string) {
		if len(list) > 200 || len(s) > 200 {
			return
		}
		var literals []string
		for _, l := range bytes.Split(list, []byte("\n")) {
			literals = append(literals, string(l))
		}
		if diff := cmp.Diff(naive(literals, s), found(Build(literals), s)); diff != "" {
			t.Fatalf("(-naive +automaton):\n%s", diff)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	literals := make([]string, 500)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range literals {
		l := make([]byte, 4+r.IntN(8))
		for j := range l {
			l[j] = "abcdefghijklmnopqrstuvwxyz_/.-("[r.IntN(31)]
		}
		literals[i] = string(l)
	}
	a := Build(literals)
	text := strings.Repeat(`{"name":"value of a field","id":12345},`, 50)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		pos, st := 0, State(0)
		for {
			if pos, st = a.Next(text, pos, st); pos < 0 {
				break
			}
		}
	}
}
