package identities

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// A session is a set of temporary credentials. It is not stored: its token is the
// session itself, sealed with a key that every node of the store derives. It ends by
// time, or with the user or role that it belongs to.
type session struct {
	KeyID      string            `json:"k"`
	Secret     string            `json:"s"`
	Account    string            `json:"a"`
	SubjectID  string            `json:"i,omitempty"` // of the user or role; "" for root
	Name       string            `json:"n,omitempty"` // of the session of a role
	Issued     int64             `json:"t"`           // seconds since 1970
	Expires    int64             `json:"e"`
	Policies   []string          `json:"p,omitempty"` // session policies
	PolicyARNs []string          `json:"m,omitempty"` // managed session policies
	Tags       map[string]string `json:"g,omitempty"` // session tags
	Transitive []string          `json:"v,omitempty"` // their transitive keys
	Source     string            `json:"o,omitempty"` // source identity

	compiled []*iampolicy.Policy // Policies
}

// A sealing is the key that session tokens are sealed with, derived from the store's,
// and the tokens that it has opened. A restored store brings another key: sessions of
// before then end.
type sealing struct {
	aead   cipher.AEAD
	opened sessionCache
}

// newSealing derives the key. Every node of a store derives the same.
func newSealing(st *store.Store) (*sealing, error) {
	block, err := aes.NewCipher(st.KeyedHash("session tokens of STS", nil)[:32])
	if err != nil {
		return nil, fmt.Errorf("sealing session tokens: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("sealing session tokens: %w", err)
	}
	return &sealing{aead: aead}, nil
}

// maxToken bounds the tokens that are looked at: a session's policies have 2,048
// characters, its tags at most 50 times 384.
const maxToken = 40 << 10

// issue completes a session with keys and seals it.
func (s *Service) issue(c *session, lifetime time.Duration) (Key, string, time.Time, error) {
	now := s.now()
	c.KeyID, c.Secret = newID("ASIA", 16), newSecret()
	c.Issued, c.Expires = now.Unix(), now.Add(lifetime).Unix()
	plain, err := json.Marshal(c)
	if err != nil {
		return Key{}, "", time.Time{}, fmt.Errorf("sealing a session: %w", err)
	}
	token := base64.StdEncoding.EncodeToString(s.seal.Load().aead.Seal(nil, nil, plain, nil))
	return Key{c.KeyID, c.Secret}, token, time.Unix(c.Expires, 0).UTC(), nil
}

var errBadToken = errors.New("session token was not made here")

// open returns the session of a token, remembered when it was seen before.
func (s *Service) open(token string) (*session, error) {
	seal := s.seal.Load()
	if c := seal.opened.get(token); c != nil {
		return c, nil
	}
	if len(token) > maxToken {
		return nil, errBadToken
	}
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return nil, errBadToken
	}
	plain, err := seal.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, errBadToken
	}
	c := new(session)
	if err := json.Unmarshal(plain, c); err != nil {
		return nil, fmt.Errorf("%w: %v", errBadToken, err)
	}
	for _, text := range c.Policies {
		c.compiled = append(c.compiled, s.compile(text, iampolicy.Identity, "session policy of "+c.KeyID))
	}
	seal.opened.put(token, c)
	return c, nil
}

// maxSessions bounds the sessions that are remembered open.
const maxSessions = 4096

// A sessionCache remembers opened tokens.
type sessionCache struct {
	mu   sync.RWMutex
	open map[string]*session
}

func (s *sessionCache) get(token string) *session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.open[token]
}

func (s *sessionCache) put(token string, c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]*session{}
	}
	for old := range s.open {
		if len(s.open) < maxSessions {
			break
		}
		delete(s.open, old)
	}
	s.open[token] = c
}

// principal returns whom a session stands for. It reports false when the user or role
// is gone.
func (s *Service) sessionPrincipal(c *session) (sigv4.Principal, bool) {
	if c.SubjectID == "" {
		p := rootPrincipal(c.Account)
		p.Session = c
		return p, true
	}
	sub := s.dir.subject(c.Account, c.SubjectID)
	if sub == nil {
		return sigv4.Principal{}, false
	}
	p := userPrincipal(sub)
	if sub.sort == &roles {
		p = rolePrincipal(sub, c.Name)
	}
	p.Session = c
	return p, true
}

func rootPrincipal(account string) sigv4.Principal {
	return sigv4.Principal{Kind: sigv4.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", ID: account}
}

func userPrincipal(sub *subject) sigv4.Principal {
	return sigv4.Principal{Kind: sigv4.User, Account: sub.account, ARN: sub.arn, ID: sub.ID, Name: sub.Name}
}

func rolePrincipal(sub *subject, name string) sigv4.Principal {
	return sigv4.Principal{Kind: sigv4.AssumedRole, Account: sub.account, ID: sub.ID + ":" + name, Name: sub.Name, RoleARN: sub.arn,
		ARN: "arn:aws:sts::" + sub.account + ":assumed-role/" + sub.Name + "/" + name}
}
