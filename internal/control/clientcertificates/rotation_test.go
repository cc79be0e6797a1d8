package clientcertificates

import (
	"testing"
	"time"

	"gatehouse/internal/model"
)

// TestDue: what is due for a certificate, by its tag and the time.
func TestDue(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	in := func(d time.Duration) time.Time { return now.Add(d) }
	text := func(d time.Duration) string { return in(d).Format(time.RFC3339) }
	successor := func(switchIn time.Duration, tag string) *model.SuccessorCertificate {
		return &model.SuccessorCertificate{SwitchDate: in(switchIn), Tag: tag}
	}
	never := time.Time{}
	for _, c := range []struct {
		name string
		tag  string
		cert model.ClientCertificate
		what step
		at   time.Time
	}{
		{"no tag", "", model.ClientCertificate{ExpirationDate: in(day)}, nothing, never},
		{"auto, long before", auto, model.ClientCertificate{ExpirationDate: in(100 * day)}, nothing, in(70 * day)},
		{"auto, in time", auto, model.ClientCertificate{ExpirationDate: in(30 * day)}, makeSuccessor, in(23 * day)},
		{"auto, late", auto, model.ClientCertificate{ExpirationDate: in(3 * day)}, makeSuccessor, in(day)},
		{"auto, too late", auto, model.ClientCertificate{ExpirationDate: in(-day)}, makeSuccessor, in(day)},
		{"auto, published", auto, model.ClientCertificate{ExpirationDate: in(20 * day), Successor: successor(13*day, auto)}, nothing, in(13 * day)},
		{"auto, at the switch", auto, model.ClientCertificate{ExpirationDate: in(7 * day), Successor: successor(0, auto)}, switchOver, never},
		{"auto, switched late", auto, model.ClientCertificate{ExpirationDate: in(day), Successor: successor(-6*day, auto)}, switchOver, never},
		{"date ahead", text(day), model.ClientCertificate{ExpirationDate: in(99 * day)}, makeSuccessor, in(day)},
		{"date in the past", text(-day), model.ClientCertificate{ExpirationDate: in(99 * day)}, nothing, never},
		{"date that was acted on", text(day), model.ClientCertificate{ExpirationDate: in(99 * day), Rotated: text(day)}, nothing, never},
		{"date moved", text(2 * day), model.ClientCertificate{ExpirationDate: in(99 * day), Successor: successor(day, text(day))}, moveSwitch, in(2 * day)},
		{"date moved into the past", text(-day), model.ClientCertificate{ExpirationDate: in(99 * day), Successor: successor(day, text(day))}, dropSuccessor, never},
		{"tag taken away", "", model.ClientCertificate{ExpirationDate: in(99 * day), Successor: successor(day, text(day))}, dropSuccessor, never},
		{"by command, without a tag", "", model.ClientCertificate{ExpirationDate: in(99 * day), Successor: successor(day, "")}, nothing, in(day)},
		{"by command, with a tag", auto, model.ClientCertificate{ExpirationDate: in(9 * day), Successor: successor(day, "")}, nothing, in(day)},
		{"predecessor still published", "", model.ClientCertificate{Predecessor: &model.PredecessorCertificate{Until: in(time.Minute)}}, nothing, in(time.Minute)},
		{"predecessor to be forgotten", "", model.ClientCertificate{Predecessor: &model.PredecessorCertificate{Until: now}}, forgetPredecessor, never},
	} {
		if c.tag != "" {
			c.cert.Tags = map[string]string{model.RotateTag: c.tag}
		}
		if what, at := due(&c.cert, now); what != c.what || !at.Equal(c.at) {
			t.Errorf("%s: got %q at %v, want %q at %v", c.name, what, at, c.what, c.at)
		}
	}
}
