package userpool

import (
	"crypto/sha256"
	"sync"
	"time"
)

// verified remembers tokens that were verified, by their digest, so that a signature is
// verified once for each set of keys. An entry counts only while the issuer's keys are the
// very set that verified it: a key that is withdrawn takes its tokens along. The zero value
// is empty.
type verified struct {
	shards [verifiedShards]struct {
		mu  sync.Mutex
		now map[[sha256.Size]byte]verifiedToken
		old map[[sha256.Size]byte]verifiedToken
	}
}

// verifiedShards times twice verifiedTokens bounds how many tokens are remembered.
const (
	verifiedShards = 16
	verifiedTokens = 512
)

type verifiedToken struct {
	source *source
	set    *keySet
	token  *Token
	end    time.Time // exp
}

// get returns what is known of a token.
func (v *verified) get(digest [sha256.Size]byte) (verifiedToken, bool) {
	s := &v.shards[digest[0]%verifiedShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.now[digest]; ok {
		return t, true
	}
	t, ok := s.old[digest]
	if ok { // used again: it is not among those that go next
		s.now[digest] = t
	}
	return t, ok
}

// put remembers a token. Those that were not used since the map was full twice are forgotten.
func (v *verified) put(digest [sha256.Size]byte, t verifiedToken) {
	s := &v.shards[digest[0]%verifiedShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || len(s.now) >= verifiedTokens {
		s.now, s.old = make(map[[sha256.Size]byte]verifiedToken, 64), s.now
	}
	s.now[digest] = t
}
