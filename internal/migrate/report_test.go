package migrate

import (
	"strings"
	"testing"
)

// Warnings of documents are no refusals, and do not bury them.
func TestReportShowsSomeWarnings(t *testing.T) {
	var r Report
	for i := range 50 {
		r.add(Warned, "big.json", "warning %d", i)
	}
	r.add(Refused, "bad.json", "no document")
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.HasPrefix(text, "## Refused (1)\n\n- bad.json: no document\n") || !strings.Contains(text, "## Warned (50)") ||
		strings.Count(text, "- big.json: ") != maxWarnings || !strings.Contains(text, "- … and 30 more, which the report as JSON has\n") {
		t.Errorf("printed:\n%s", text)
	}
}
