package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/config"
	"gatehouse/internal/control/identities"
	"gatehouse/internal/localca"
	"gatehouse/internal/logstore"
	"gatehouse/internal/store"
)

// The files of the data folder beside the store's own.
const (
	caFile     = "local-ca.pem" // certificate and key, mode 0600
	caCertFile = "local-ca.crt" // the certificate alone, for clients
	logsFolder = "logs"         // events of log groups
)

// CABundle is the file with the local CA's certificate, for clients to trust.
func CABundle(c *config.Config) string { return filepath.Join(c.Data, caCertFile) }

// openData opens the data folder: store, logs, root key, local CA.
func (s *Server) openData(ctx context.Context) (err error) {
	c := s.config
	if s.store, err = store.Open(ctx, store.Options{Dir: c.Data, URL: c.Store.Reveal(), KeyFile: c.KeyFile, Logger: s.log}); err != nil {
		return err
	}
	if err := s.checkDev(ctx); err != nil {
		return err
	}
	if s.events, err = logstore.Open(logstore.Options{Dir: filepath.Join(c.Data, logsFolder), Logger: s.log}); err != nil {
		return err
	}
	if s.root, err = rootKey(c); err != nil {
		return err
	}
	if s.ca, err = localca.Open(ctx, localca.File(filepath.Join(c.Data, caFile)), time.Now()); err != nil {
		return err
	}
	return writeIfChanged(CABundle(c), s.ca.PEM())
}

// rootKey is the configured root key, --dev's, or the folder's own.
func rootKey(c *config.Config) (identities.RootKey, error) {
	switch {
	case c.RootAccessKeyID != "":
		return identities.RootKey{AccessKeyID: c.RootAccessKeyID, SecretAccessKey: c.RootSecretAccessKey.Reveal()}, nil
	case c.Dev:
		return identities.DevRootKey, nil
	}
	return identities.OpenRootKey(c.Data)
}

// RootKey finds the root key that a server with this configuration has, without making
// one: for `gatehouse env`.
func RootKey(c *config.Config) (identities.RootKey, error) {
	if c.RootAccessKeyID != "" || c.Dev {
		return rootKey(c)
	}
	return identities.LoadRootKey(c.Data)
}

// checkDev holds the two kinds of state apart: what --dev made accepted any credentials
// and must never be served for real, and the reverse would open real state to anyone.
func (s *Server) checkDev(ctx context.Context) error {
	_, err := s.store.Update(ctx, func(tx *store.Tx) error {
		mark, err := tx.Meta(store.MetaDev)
		if errors.Is(err, store.ErrNotFound) {
			value := "no"
			if s.config.Dev {
				value = "yes"
			}
			return tx.SetMeta(store.MetaDev, []byte(value))
		}
		if err != nil {
			return err
		}
		switch {
		case s.config.Dev && string(mark) != "yes":
			return fmt.Errorf("data folder %s was not made by --dev: --dev accepts any credentials and refuses to open it; name another with --data", s.config.Data)
		case !s.config.Dev && string(mark) == "yes":
			return fmt.Errorf("data folder %s was made by --dev, which accepts any credentials: it is not served without --dev; name another with --data", s.config.Data)
		}
		return nil
	})
	return err
}

func writeIfChanged(name string, data []byte) error {
	if have, err := os.ReadFile(name); err == nil && string(have) == string(data) {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}
