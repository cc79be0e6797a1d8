//go:build ignore

package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3"

	"gatehouse/internal/lang/wafrules"
)

// A tally counts the samples of one category.
type tally struct {
	attacks, harmless     int
	found, wrong          int // ours
	refused               int // attacks that our HTTP parser refuses before any rule
	crsFound, crsWrong    int
	msFound, msWrong      int
	missed, wronglyCaught []string
	heldMissed            map[string]int // of what is held out, by the corpus's rule
}

func init() {
	compare = func() error {
		misses := flag.String("misses", "", "list what is missed and wrongly blocked in categories with this text; of what is held out only how many, by the corpus's rule")
		times := flag.Bool("times", false, "compare times instead of detection")
		alone := flag.Bool("alone", false, "leave the others out")
		flag.Parse()
		if *times {
			return compareTimes()
		}
		return run(*misses, *alone)
	}
}

func run(misses string, alone bool) error {
	corpus, err := readCorpus()
	if err != nil {
		return err
	}
	acl, err := newOurs(ours)
	if err != nil {
		return err
	}
	var waf coraza.WAF
	var ms *modSecurity
	if !alone {
		if waf, err = newCoraza(); err != nil {
			return err
		}
		if ms, err = newModSecurity(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	tallies := map[string]*tally{}
	scratch := new(wafrules.Scratch)
	for i := range corpus {
		s := &corpus[i]
		v, err := acl.Evaluate(s.request(), scratch)
		if err != nil {
			return fmt.Errorf("%s: %w", s.id, err)
		}
		crs, byMS := waf != nil && blockedByCoraza(waf, s), false
		if ms != nil {
			if byMS, _, err = ms.run(s, 0); err != nil {
				return fmt.Errorf("%s: libmodsecurity: %w", s.id, err)
			}
		}
		for _, name := range s.rows() {
			t := tallies[name]
			if t == nil {
				t = new(tally)
				tallies[name] = t
			}
			t.add(s, v, crs, byMS)
		}
	}
	print(tallies, misses)
	if ms != nil {
		if err := ms.end(); err != nil {
			return err
		}
	}
	return compareProse(acl, waf)
}

// covered are the folders about attacks that some managed group is about.
var covered = []string{"913", "930", "931", "932", "933", "934", "941", "942", "944"}

// rows are the lines of the table that a sample counts in.
func (s *sample) rows() []string {
	rows := []string{s.category, "~ all"}
	if slices.Contains(covered, s.category[:3]) {
		rows = append(rows, "~ 913, 930 to 934, 941, 942, 944")
		if s.held {
			rows = append(rows, "~ of these, held out")
		}
	}
	return rows
}

func (t *tally) add(s *sample, v *wafrules.Verdict, crs, byMS bool) {
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
		count(&t.refused, !blocked && s.refused())
		count(&t.crsFound, crs)
		count(&t.msFound, byMS)
		if !blocked && !s.held {
			t.missed = append(t.missed, fmt.Sprint(line, " ", s.header))
		}
		if !blocked && s.held {
			if t.heldMissed == nil {
				t.heldMissed = map[string]int{}
			}
			rule, _, _ := strings.Cut(s.id, "-")
			t.heldMissed[rule]++
		}
		return
	}
	t.harmless++
	count(&t.wrong, blocked)
	count(&t.crsWrong, crs)
	count(&t.msWrong, byMS)
	if blocked && !s.held {
		last := v.Rules[len(v.Rules)-2]
		m := v.Matches[len(v.Matches)-1]
		t.wronglyCaught = append(t.wronglyCaught, fmt.Sprintf("%s\n        %s: %.80q", line, last.Name, m.Value[m.Start:m.End]))
	}
}

func print(tallies map[string]*tally, misses string) {
	fmt.Println("| Corpus folder | attacks | Gatehouse detects | its HTTP parser refuses more | Coraza + CRS PL1 | libmodsecurity + CRS PL1 | harmless | Gatehouse blocks | Coraza + CRS PL1 | libmodsecurity + CRS PL1 |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	names := make([]string, 0, len(tallies))
	for n := range tallies {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		t := tallies[n]
		fmt.Printf("| %s | %d | %s | %s | %s | %s | %d | %s | %s | %s |\n", strings.TrimPrefix(n, "~ "), t.attacks, percent(t.found, t.attacks), percent(t.refused, t.attacks), percent(t.crsFound, t.attacks),
			percent(t.msFound, t.attacks), t.harmless, percent(t.wrong, t.harmless), percent(t.crsWrong, t.harmless), percent(t.msWrong, t.harmless))
	}
	for _, n := range names {
		if misses != "" && strings.Contains(n, misses) {
			fmt.Fprintf(os.Stderr, "\n%s, missed:\n  %s\n\n%s, wrongly blocked:\n  %s\n\n%s, held out and missed, by rule: %v\n",
				n, strings.Join(tallies[n].missed, "\n  "), n, strings.Join(tallies[n].wronglyCaught, "\n  "), n, tallies[n].heldMissed)
		}
	}
}

func percent(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}
