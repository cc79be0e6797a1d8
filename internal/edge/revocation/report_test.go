package revocation

import (
	"encoding/json"
	"strings"
	"testing"

	"gatehouse/internal/trust"
)

// Lists that are empty are lists in a report's JSON too.
func TestReportsHaveNoNull(t *testing.T) {
	b := newBench(t, Options{})
	text, err := json.Marshal(b.m.Reports())
	if err != nil || string(text) != "[]" {
		t.Errorf("without a domain: %s, %v", text, err)
	}
	b.apply(settings(trust.HardFail, "s3://bucket/missing.crl"))
	text, err = json.Marshal(b.m.Reports())
	if err != nil || strings.Contains(string(text), "null") || !strings.Contains(string(text), `"lists":[]`) {
		t.Errorf("with a source that was not read: %s, %v", text, err)
	}
}
