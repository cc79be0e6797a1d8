package observe

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatehouse/internal/plan"
	"gatehouse/internal/trust"
)

// certificates tells, when metrics are read, for how many days each certificate is valid
// that the current plan holds: those that domains present, and the CAs of trust stores.
// Reading a trust store is an atomic load, so what was rolled out a moment ago shows.
type certificates struct {
	plan atomic.Pointer[plan.Plan]
}

var daysLeft = prometheus.NewDesc("gatehouse_certificate_days_left",
	"Days until a certificate ends, negative when it has: of a domain (use server) or of its trust store (use trust-store).",
	[]string{"domain", "use", "subject", "sha256"}, nil)

// Describe implements prometheus.Collector.
func (c *certificates) Describe(to chan<- *prometheus.Desc) { to <- daysLeft }

// Collect implements prometheus.Collector.
func (c *certificates) Collect(to chan<- prometheus.Metric) {
	p := c.plan.Load()
	if p == nil {
		return
	}
	now := time.Now()
	for d := range p.Domains {
		if d.Certificate != nil && d.Certificate.Leaf != nil {
			to <- daysOf(d.Name, "server", d.Certificate.Leaf, now)
		}
		if d.Trust == nil {
			continue
		}
		if s := d.Trust.Load(); s != nil && s.Bundle != nil {
			for _, ca := range s.Bundle.Certificates() {
				to <- daysOf(d.Name, "trust-store", ca, now)
			}
		}
	}
}

// daysOf is the metric of one certificate. The first 16 digits of its fingerprint tell
// certificates of one subject apart.
func daysOf(domain, use string, c *x509.Certificate, now time.Time) prometheus.Metric {
	sum := sha256.Sum256(c.Raw)
	return prometheus.MustNewConstMetric(daysLeft, prometheus.GaugeValue, c.NotAfter.Sub(now).Hours()/24,
		domain, use, strings.ToValidUTF8(trust.Subject(c), "?"), hex.EncodeToString(sum[:8]))
}
