package userpool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How often an issuer is asked.
const (
	unknownKeyPause = 30 * time.Second // between fetches for keys that are not known
	failurePause    = 10 * time.Second // after a fetch that failed
	fetchTimeout    = 5 * time.Second
)

// A source has the keys of one issuer.
type source struct {
	v      *Verifier
	issuer Issuer
	keys   atomic.Pointer[keySet]

	mu      sync.Mutex
	asked   time.Time // when the last fetch began
	err     error     // of the last fetch
	waiting chan struct{}
}

// errNoKeys is why no token can be judged: the keys were never read, or too long ago.
var errNoKeys = errors.New("the issuer's keys are not known")

// find returns the keys that a token's signature may be verified with, and the set that they
// are of. It asks the issuer
// when it has no keys, or none that the token names.
func (s *source) find(ctx context.Context, kid string, alg jose.SignatureAlgorithm) (*keySet, []jose.JSONWebKey, error) {
	now := s.v.now()
	set := s.keys.Load()
	if !set.usable(now, s.v.options.Keep) {
		if err := s.refresh(ctx, failurePause); err != nil {
			return nil, nil, err
		}
		if set = s.keys.Load(); !set.usable(now, s.v.options.Keep) {
			return nil, nil, errNoKeys
		}
	}
	if !set.fresh(now) {
		s.v.renew(s)
	}
	if found := set.find(kid, alg); found != nil {
		return set, found, nil
	}
	if s.refresh(ctx, unknownKeyPause) == nil {
		set = s.keys.Load()
	}
	return set, set.find(kid, alg), nil
}

// refresh fetches the keys, unless that was done less than pause ago. Of callers at the same
// time one fetches and the others wait.
func (s *source) refresh(ctx context.Context, pause time.Duration) error {
	s.mu.Lock()
	if waiting := s.waiting; waiting != nil {
		s.mu.Unlock()
		select {
		case <-waiting:
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	now := s.v.now()
	if !s.asked.IsZero() && now.Sub(s.asked) < pause {
		defer s.mu.Unlock()
		return s.err
	}
	s.asked, s.waiting = now, make(chan struct{})
	s.mu.Unlock()

	// The others that wait must not lose the keys with this caller.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	set, raw, err := s.v.fetch(bounded, &s.issuer)
	if err == nil {
		s.keys.Store(set)
		s.save(set, raw)
	} else {
		s.v.options.Logger.Warn("the keys of an issuer could not be read; those that are known serve on until their limit", "issuer", s.issuer.Name, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	close(s.waiting)
	s.waiting = nil
	return err
}

// kept is a key set on disk.
type kept struct {
	Issuer  string          `json:"issuer"`
	Fetched time.Time       `json:"fetched"`
	MaxAge  time.Duration   `json:"maxAge"` // in nanoseconds
	KeySet  json.RawMessage `json:"keySet"`
}

// file is where the keys are kept; "" when they are not.
func (s *source) file() string {
	if s.v.options.Dir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s.issuer.Name + "\n" + s.issuer.KeySet))
	return filepath.Join(s.v.options.Dir, hex.EncodeToString(sum[:12])+".json")
}

// save keeps the keys for a start without the network. That it cannot is told and harms
// nothing else.
func (s *source) save(set *keySet, raw []byte) {
	name := s.file()
	if name == "" {
		return
	}
	data, err := json.Marshal(kept{s.issuer.Name, set.fetched, set.maxAge, raw})
	if err == nil {
		err = writeFile(name, data)
	}
	if err != nil {
		s.v.options.Logger.Warn("the keys of an issuer could not be kept on disk", "issuer", s.issuer.Name, "error", err)
	}
}

func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".keys-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// load reads the keys that were kept, if any.
func (s *source) load() {
	name := s.file()
	if name == "" {
		return
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return // never kept
	}
	var k kept
	if json.Unmarshal(data, &k) != nil || k.Issuer != s.issuer.Name || k.Fetched.After(s.v.now()) {
		return
	}
	if keys, err := parseKeys(k.KeySet); err == nil {
		s.keys.Store(&keySet{keys: keys, fetched: k.Fetched, maxAge: k.MaxAge})
	}
}
