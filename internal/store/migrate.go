package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Schema history, a folder per dialect; the same number means the same step. A
// published file is never edited.
//
//go:embed migrations
var migrations embed.FS

// migrator returns what brings a schema up to date.
func migrator(dialect goose.Dialect, db *sql.DB) (*goose.Provider, error) {
	folder := "migrations/sqlite"
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithTableName("schema_versions")}
	if dialect == goose.DialectPostgres {
		folder = "migrations/postgres"
		locker, err := lock.NewPostgresSessionLocker() // nodes that start together take turns
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, db, files, options...)
}

// migrate applies what is missing. A schema newer than this program gives ErrNewer.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB) error {
	provider, err := migrator(dialect, db)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("schema version: %w", err)
	}
	if current > target {
		return fmt.Errorf("%w: schema version is %d, this program knows versions up to %d", ErrNewer, current, target)
	}
	if current == target {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("upgrade schema from version %d to %d: %w", current, target, err)
	}
	return nil
}
