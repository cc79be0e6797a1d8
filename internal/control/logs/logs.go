package logs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	wire "gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/logstore"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// Logs serves the operations. Its fields are set before the first call.
type Logs struct {
	Store  *store.Store
	Events *logstore.Store
	Log    *slog.Logger

	// Now returns the time; nil means time.Now.
	Now func() time.Time
}

var groups = store.Collection[model.LogGroup]{Kind: model.KindLogGroup}

func (s *Logs) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// key names a group of the caller's in the log store.
func key(ctx context.Context, name string) logstore.Group {
	c := awsapi.CallFrom(ctx)
	return logstore.Group{Account: c.Account, Region: c.Region, Name: name}
}

// The errors in the words of the service.
func noGroup() *awserr.Error {
	return wire.ResourceNotFoundException("The specified log group does not exist.")
}

func noStream() *awserr.Error {
	return wire.ResourceNotFoundException("The specified log stream does not exist.")
}

func invalid(message string) *awserr.Error { return wire.InvalidParameterException(message) }

// unavailable translates errors of the log store.
func unavailable(err error) error {
	if errors.Is(err, logstore.ErrFull) || errors.Is(err, logstore.ErrClosed) {
		return wire.ServiceUnavailableException("The service cannot complete the request.")
	}
	return err
}

// group loads a group's document, or one made up for a group that only the data plane
// knows.
func (s *Logs) group(ctx context.Context, tx *store.Tx, name string) (model.LogGroup, error) {
	g, err := groups.Get(tx, operation.Scope(ctx), name)
	if !errors.Is(err, store.ErrNotFound) {
		return g, err
	}
	if k := key(ctx, name); s.Events.Has(k) {
		return implied(s.Events.Summary(k)), nil
	}
	return g, noGroup()
}

func implied(s logstore.Summary) model.LogGroup {
	return model.LogGroup{LogGroupName: s.Name, CreationTime: s.Created}
}

// exists refuses groups that are not there.
func (s *Logs) exists(ctx context.Context, name string) error {
	if s.Events.Has(key(ctx, name)) {
		return nil
	}
	return s.Store.View(ctx, func(tx *store.Tx) error { _, err := s.group(ctx, tx, name); return err })
}

// change loads a group, lets f change it, and writes it back.
func (s *Logs) change(ctx context.Context, name string, f func(g *model.LogGroup) error) (g model.LogGroup, err error) {
	_, err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if g, err = s.group(ctx, tx, name); err != nil {
			return err
		}
		if err = f(&g); err != nil {
			return err
		}
		return groups.Put(tx, operation.Scope(ctx), name, g)
	})
	return g, err
}

// named returns the name that a call gives a group by, as a name or as an identifier: a
// name or an ARN of the caller's own account and region.
func named(ctx context.Context, name, identifier *string) (string, error) {
	switch {
	case name != nil && identifier != nil:
		return "", invalid("LogGroup name and LogGroup identifier are mutually exclusive parameters.")
	case name != nil:
		return *name, nil
	case identifier == nil:
		return "", invalid("Either logGroupName or logGroupIdentifier must be specified.")
	case !strings.HasPrefix(*identifier, "arn:"):
		return *identifier, nil
	}
	return fromARN(ctx, *identifier)
}

// fromARN returns the name of the group that an ARN is for.
func fromARN(ctx context.Context, arn string) (string, error) {
	c := awsapi.CallFrom(ctx)
	a, ok := model.ParseARN(strings.TrimSuffix(arn, ":*"))
	name, isGroup := strings.CutPrefix(a.Resource, "log-group:")
	if !ok || a.Service != "logs" || !isGroup {
		return "", invalid("The ARN is not a log group's: " + arn)
	}
	if a.Region != c.Region || a.Account != c.Account {
		return "", noGroup()
	}
	return name, nil
}

// retentionEvery is how often the retention of all groups is told to the log store, for
// what other nodes changed.
const retentionEvery = time.Minute

// Run keeps the log store told of retention until ctx ends.
func (s *Logs) Run(ctx context.Context) error {
	tick := time.NewTicker(retentionEvery)
	defer tick.Stop()
	for {
		if err := s.applyRetention(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("the retention of log groups could not be read; it stays as it was", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *Logs) applyRetention(ctx context.Context) error {
	return s.Store.View(ctx, func(tx *store.Tx) error {
		for it, err := range groups.All(tx) {
			if err != nil {
				return err
			}
			s.Events.SetRetention(logstore.Group{Account: it.Key.Account, Region: it.Key.Region, Name: it.Key.ID}, days(it.Value.RetentionInDays))
		}
		return nil
	})
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
