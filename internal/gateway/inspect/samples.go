package inspect

import (
	"sync"
	"time"

	"gatehouse/internal/lang/wafrules/record"
)

const (
	keptSamples    = 500           // per metric, the most that one call may ask for
	sampledFor     = 3 * time.Hour // samples older than this are not shown
	maxSampleBytes = 64 << 20      // of all metrics; beyond, likewise
	maxMetrics     = 1000          // beyond, the one that was used least recently is forgotten
	perMinute      = 60            // samples kept of one minute, so that a busy one leaves the others
	minutes        = int64(sampledFor / time.Minute)
)

// Samples keeps samples of requests in memory, bounded. It is safe for concurrent use.
type Samples struct {
	mu      sync.Mutex
	metrics map[sampleKey]*samples
	clock   int64 // counts uses, to find the least recent
	size    int   // of all samples together, in bytes
}

type sampleKey struct{ acl, metric string }

// samples are those of one metric: a ring of the latest, and how many requests there
// were in each minute.
type samples struct {
	used   int64
	size   int // in bytes
	ring   []record.Sample
	next   int
	counts [minutes]minuteCount
}

type minuteCount struct {
	minute   int64
	requests int64
}

// Wants counts a request and reports whether a sample of it is to be kept: the first ones
// of each minute.
func (s *Samples) Wants(acl, metric string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.metric(sampleKey{acl, metric})
	minute := at.Unix() / 60
	c := &m.counts[((minute%minutes)+minutes)%minutes]
	if c.minute != minute {
		*c = minuteCount{minute: minute}
	}
	c.requests++
	return c.requests <= perMinute
}

// Sample keeps a sample.
func (s *Samples) Sample(acl, metric string, sample record.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.metric(sampleKey{acl, metric})
	added := sizeOf(&sample)
	if len(m.ring) < keptSamples {
		m.ring = append(m.ring, sample)
	} else {
		added -= sizeOf(&m.ring[m.next])
		m.ring[m.next] = sample
		m.next = (m.next + 1) % keptSamples
	}
	m.size += added
	for s.size += added; s.size > maxSampleBytes; {
		s.forgetOne()
	}
}

// sizeOf is roughly the memory of a sample, in bytes.
func sizeOf(sample *record.Sample) int {
	r := &sample.Request
	n := 512 + len(r.URI) + len(r.Args)
	for _, h := range r.Headers {
		n += 32 + len(h.Name) + len(h.Value)
	}
	for _, l := range sample.Labels {
		n += 16 + len(l)
	}
	return n
}

func (s *Samples) metric(k sampleKey) *samples {
	if s.metrics == nil {
		s.metrics = map[sampleKey]*samples{}
	}
	m := s.metrics[k]
	if m == nil {
		if len(s.metrics) == maxMetrics {
			s.forgetOne()
		}
		m = new(samples)
		s.metrics[k] = m
	}
	s.clock++
	m.used = s.clock
	return m
}

func (s *Samples) forgetOne() {
	var oldest sampleKey
	least := s.clock + 1
	for k, m := range s.metrics {
		if m.used < least {
			oldest, least = k, m.used
		}
	}
	s.size -= s.metrics[oldest].size
	delete(s.metrics, oldest)
}

// Sampled returns at most limit samples between the times, oldest first, and how many
// requests there were.
func (s *Samples) Sampled(acl, metric string, from, to time.Time, limit int) (list []record.Sample, population int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.metrics[sampleKey{acl, metric}]
	if m == nil {
		return nil, 0
	}
	for i := range m.ring {
		sample := &m.ring[(m.next+i)%len(m.ring)]
		if !sample.Time.Before(from) && !sample.Time.After(to) && len(list) < limit {
			list = append(list, *sample)
		}
	}
	for _, c := range m.counts {
		if c.requests > 0 && c.minute >= from.Unix()/60 && c.minute <= to.Unix()/60 {
			population += c.requests
		}
	}
	return list, max(population, int64(len(list)))
}
