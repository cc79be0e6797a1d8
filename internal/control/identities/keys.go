package identities

import (
	"context"
	"crypto/subtle"
	"sync"
	"time"

	"gatehouse/internal/awsapi/sigv4"
)

// A Key is an access key with its secret.
type Key struct {
	ID     string
	Secret string
}

// String keeps the secret out of logs.
func (k Key) String() string { return k.ID }

// Lookup implements sigv4.Keys, without the database.
func (s *Service) Lookup(_ context.Context, id, token string) (sigv4.Credential, error) {
	if token != "" {
		return s.lookupSession(id, token)
	}
	if subtle.ConstantTimeCompare([]byte(id), []byte(s.config.Root.AccessKeyID)) == 1 {
		return sigv4.Credential{Secret: s.config.Root.SecretAccessKey, Principal: rootPrincipal(s.config.Account)}, nil
	}
	k := s.dir.key(id)
	if k == nil || !k.Active {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	sub := s.dir.subject(k.account, k.userID)
	if sub == nil {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	return sigv4.Credential{Secret: k.secret, Principal: userPrincipal(sub)}, nil
}

func (s *Service) lookupSession(id, token string) (sigv4.Credential, error) {
	c, err := s.open(token)
	if err != nil || c.KeyID != id {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	if s.now().Unix() >= c.Expires {
		return sigv4.Credential{}, sigv4.ErrTokenExpired
	}
	p, ok := s.sessionPrincipal(c)
	if !ok {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	return sigv4.Credential{Secret: c.Secret, Principal: p}, nil
}

// lastUsed remembers, in this process, when access keys were used.
type lastUsed struct {
	mu   sync.Mutex
	keys map[string]usage
}

type usage struct {
	at              time.Time
	service, region string
}

// maxUsed bounds the keys that are remembered.
const maxUsed = 10000

func (l *lastUsed) note(id string, u usage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = map[string]usage{}
	}
	if _, known := l.keys[id]; known || len(l.keys) < maxUsed {
		l.keys[id] = u
	}
}

func (l *lastUsed) get(id string) (usage, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u, ok := l.keys[id]
	return u, ok
}
