package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// pgChannel is where commits are announced; it is private to one database.
const pgChannel = "gatehouse_changes"

// pgConnections bounds the connections of one node, besides the one that listens.
const pgConnections = 16

// A postgresDB is a PostgreSQL database shared by the nodes of a cluster.
type postgresDB struct {
	config *pgx.ConnConfig
	pool   *sql.DB
	// updating lets one update of this node at a time wait for the cluster's lock, so
	// that waiting takes one connection of the pool and not all.
	updating chan struct{}
}

func openPostgres(ctx context.Context, url string) (*postgresDB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("store: PostgreSQL URL: %w", err) // pgx leaves out the password
	}
	if _, given := config.RuntimeParams["application_name"]; !given {
		config.RuntimeParams["application_name"] = "gatehouse"
	}
	d := &postgresDB{config: config, pool: stdlib.OpenDB(*config), updating: make(chan struct{}, 1)}
	d.pool.SetMaxOpenConns(pgConnections)
	d.pool.SetMaxIdleConns(pgConnections)
	d.pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := migrate(ctx, goose.DialectPostgres, d.pool); err != nil {
		d.close()
		return nil, fmt.Errorf("store: PostgreSQL at %s, database %s: %w", config.Host, config.Database, err)
	}
	return d, nil
}

func (d *postgresDB) begin(ctx context.Context, m mode) (_ *session, err error) {
	if m == modeUpdate {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case d.updating <- struct{}{}:
		}
		defer func() {
			if err != nil {
				<-d.updating
			}
		}()
	}
	conn, err := d.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	ses := &session{conn: conn, interruptible: true, writer: m == modeUpdate}
	switch m {
	case modeView:
		err = ses.control(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	case modeAppend:
		err = ses.control(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED")
	case modeUpdate:
		// The lock comes before the snapshot, which the first query takes: so each
		// update sees all earlier ones, and revisions are committed in their order.
		err = ses.control(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ")
		if err == nil {
			_, err = conn.ExecContext(ctx, "LOCK TABLE revision IN EXCLUSIVE MODE")
		}
	}
	if err != nil {
		discard(conn)
		return nil, err
	}
	return ses, nil
}

// discard closes a connection whose state is unknown instead of pooling it.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // this is how database/sql is told
	conn.Close()
}

func (d *postgresDB) end(ses *session) {
	if ses.broken {
		discard(ses.conn)
		// What broke this connection has likely broken those that lie idle.
		d.pool.SetMaxIdleConns(0)
		d.pool.SetMaxIdleConns(pgConnections)
	} else {
		ses.close()
	}
	if ses.writer {
		<-d.updating
	}
}

func (d *postgresDB) announce(ctx context.Context, ses *session) error {
	_, err := ses.exec(ctx, "SELECT pg_notify('"+pgChannel+"', '')")
	return err
}

// listen holds one connection on which the server announces commits. Without it
// changes are still seen, by polling.
func (d *postgresDB) listen(ctx context.Context, log *slog.Logger, changed func()) {
	for ctx.Err() == nil {
		err := d.listenOnce(ctx, changed)
		if ctx.Err() != nil {
			return
		}
		log.Warn("listening for changes of the store ended; trying again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (d *postgresDB) listenOnce(ctx context.Context, changed func()) error {
	conn, err := pgx.ConnectConfig(ctx, d.config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+pgChannel); err != nil {
		return err
	}
	changed() // something may have been committed while nobody listened
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		changed()
	}
}

func (d *postgresDB) resumeSerial(ctx context.Context, ses *session, table, column string) error {
	_, err := ses.exec(ctx, "SELECT setval(pg_get_serial_sequence('"+table+"', '"+column+"'), coalesce(max("+column+"), 0) + 1, false) FROM "+table)
	return err
}

// analyze is what autovacuum does a minute later. Until then, look-ups by id in a
// large scope that was just filled may use the index of creation.
func (d *postgresDB) analyze(ctx context.Context) error {
	_, err := d.pool.ExecContext(ctx, "ANALYZE documents, names, secrets, attachments, object_versions, object_parts, chunks")
	return err
}

// retriable reports serialization failures, deadlocks, and connections that broke
// before the transaction was told to commit.
func (d *postgresDB) retriable(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "40001", "40P01", "55P03", // serialization failure, deadlock, lock not available
			"57P01", "57P02", "57P03": // the server shuts down, crashed, starts
			return true
		}
		return false
	}
	if _, ok := errors.AsType[*commitError](err); ok {
		return pgconn.SafeToRetry(err) // else it may have been committed
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}

func (d *postgresDB) explain(err error) error {
	if errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// check asks for every table once; the server guards its own files.
func (d *postgresDB) check(ctx context.Context) error {
	if err := d.pool.PingContext(ctx); err != nil {
		return fmt.Errorf("store: check: %w", err)
	}
	return nil
}

// shrink has nothing to do: autovacuum makes room for what comes next.
func (d *postgresDB) shrink(context.Context) error { return nil }

func (d *postgresDB) close() error { return d.pool.Close() }
