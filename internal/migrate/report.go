package migrate

import (
	"fmt"
	"io"
	"strings"
)

// A Verdict says what became of something.
type Verdict string

// The verdicts, from best to worst.
const (
	Carried     Verdict = "carried"      // it is here and acts as there
	NotEnforced Verdict = "not enforced" // it is kept and shown, and nothing acts on it
	Differs     Verdict = "differs"      // it is here, in another form
	NotCarried  Verdict = "not carried"  // it is not here: somebody has to bring it
	Warned      Verdict = "warned"       // the document was taken, and this was said about it
	Refused     Verdict = "refused"      // it was tried and refused
)

var verdicts = []Verdict{Refused, NotCarried, Warned, Differs, NotEnforced, Carried}

// maxWarnings bounds the warnings that people are shown: a document has the same one for each of
// its operations. The report as JSON has all.
const maxWarnings = 20

// A Finding tells of one thing.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	What    string  `json:"what"` // where it is: `API abc "pets"`, `stage prod of API abc`
	Note    string  `json:"note,omitempty"`
}

// A Report tells what became of everything that was looked at.
type Report struct {
	Findings []Finding `json:"findings"`
}

func (r *Report) add(v Verdict, what, format string, args ...any) {
	note := format
	if len(args) > 0 {
		note = fmt.Sprintf(format, args...)
	}
	f := Finding{v, what, strings.ReplaceAll(note, "\n\t", "; ")}
	for _, have := range r.Findings {
		if have == f {
			return
		}
	}
	r.Findings = append(r.Findings, f)
}

// Count returns how many findings have a verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, f := range r.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

// Print writes the report for people, as Markdown: worst first.
func (r *Report) Print(w io.Writer) error {
	for _, v := range verdicts {
		if r.Count(v) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "## %s (%d)\n\n", strings.ToUpper(string(v[:1]))+string(v[1:]), r.Count(v)); err != nil {
			return err
		}
		shown := 0
		for _, f := range r.Findings {
			if f.Verdict != v {
				continue
			}
			if shown++; v == Warned && shown > maxWarnings {
				continue
			}
			line := "- " + f.What
			if f.Note != "" {
				line += ": " + f.Note
			}
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
		if v == Warned && shown > maxWarnings {
			if _, err := fmt.Fprintf(w, "- … and %d more, which the report as JSON has\n", shown-maxWarnings); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}
