//go:build ignore

package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"gatehouse/internal/lang/wafrules"
)

// A tally counts the samples of one category.
type tally struct {
	attacks, harmless     int
	found, wrong          int // ours
	crsFound, crsWrong    int
	missed, wronglyCaught []string
}

func init() {
	compare = func() error {
		misses := flag.String("misses", "", "list what is missed and wrongly blocked in categories with this text")
		times := flag.Bool("times", false, "compare times instead of detection")
		flag.Parse()
		if *times {
			return compareTimes()
		}
		return run(*misses)
	}
}

func run(misses string) error {
	corpus, err := readCorpus()
	if err != nil {
		return err
	}
	acl, err := newOurs(ours)
	if err != nil {
		return err
	}
	waf, err := newCoraza()
	if err != nil {
		return err
	}
	tallies := map[string]*tally{}
	scratch := new(wafrules.Scratch)
	for i := range corpus {
		s := &corpus[i]
		t := tallies[s.category]
		if t == nil {
			t = new(tally)
			tallies[s.category] = t
		}
		v, err := acl.Evaluate(s.request(), scratch)
		if err != nil {
			return fmt.Errorf("%s: %w", s.id, err)
		}
		t.add(s, v, blockedByCoraza(waf, s))
	}
	print(tallies, misses)
	return nil
}

func (t *tally) add(s *sample, v *wafrules.Verdict, crs bool) {
	blocked := v.Action == wafrules.Block
	line := fmt.Sprintf("%s %s %s %.150q", s.id, s.method, s.uri, s.body)
	count := func(n *int, when bool) {
		if when {
			*n++
		}
	}
	if s.attack {
		t.attacks++
		count(&t.found, blocked)
		count(&t.crsFound, crs)
		if !blocked {
			t.missed = append(t.missed, fmt.Sprint(line, " ", s.header))
		}
		return
	}
	t.harmless++
	count(&t.wrong, blocked)
	count(&t.crsWrong, crs)
	if blocked {
		last := v.Rules[len(v.Rules)-2]
		m := v.Matches[len(v.Matches)-1]
		t.wronglyCaught = append(t.wronglyCaught, fmt.Sprintf("%s\n        %s: %.80q", line, last.Name, m.Value[m.Start:m.End]))
	}
}

func print(tallies map[string]*tally, misses string) {
	fmt.Println("| Corpus folder | attacks | Gatehouse detects | Coraza + CRS PL1 detects | harmless | Gatehouse blocks | Coraza + CRS PL1 blocks |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|")
	names := make([]string, 0, len(tallies))
	for n := range tallies {
		names = append(names, n)
	}
	slices.Sort(names)
	var sum tally
	row := func(name string, t *tally) {
		fmt.Printf("| %s | %d | %s | %s | %d | %s | %s |\n", name, t.attacks, percent(t.found, t.attacks), percent(t.crsFound, t.attacks),
			t.harmless, percent(t.wrong, t.harmless), percent(t.crsWrong, t.harmless))
	}
	for _, n := range names {
		t := tallies[n]
		row(n, t)
		sum.attacks += t.attacks
		sum.harmless += t.harmless
		sum.found += t.found
		sum.wrong += t.wrong
		sum.crsFound += t.crsFound
		sum.crsWrong += t.crsWrong
	}
	row("all", &sum)
	for _, n := range names {
		if misses != "" && strings.Contains(n, misses) {
			fmt.Fprintf(os.Stderr, "\n%s, missed:\n  %s\n\n%s, wrongly blocked:\n  %s\n", n, strings.Join(tallies[n].missed, "\n  "), n, strings.Join(tallies[n].wronglyCaught, "\n  "))
		}
	}
}

func percent(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}
