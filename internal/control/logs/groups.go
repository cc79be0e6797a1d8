package logs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	wire "gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/logstore"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// noKMS refuses what would only be stored: nothing would be encrypted with the key.
func noKMS() error {
	return invalid("kmsKeyId is not supported: log groups are not encrypted with KMS keys. Encrypt the disk that holds the data folder.")
}

// CreateLogGroup makes a group.
func (s *Logs) CreateLogGroup(ctx context.Context, in *wire.CreateLogGroupInput) (*wire.CreateLogGroupOutput, error) {
	switch {
	case opt.Value(in.KmsKeyId) != "":
		return nil, noKMS()
	case in.LogGroupClass != nil && *in.LogGroupClass != wire.LogGroupClassStandard:
		return nil, invalid("logGroupClass " + string(*in.LogGroupClass) + " is not supported, want STANDARD.")
	case opt.Value(in.DeletionProtectionEnabled):
		return nil, invalid("deletionProtectionEnabled is not supported.")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	name := *in.LogGroupName
	g := model.LogGroup{LogGroupName: name, CreationTime: s.now().UnixMilli(), Tags: opt.Map(in.Tags)}
	_, err := s.Store.Update(ctx, func(tx *store.Tx) error {
		if s.Events.Has(key(ctx, name)) {
			return store.ErrExists
		}
		return groups.Create(tx, operation.Scope(ctx), name, g)
	})
	if errors.Is(err, store.ErrExists) {
		return nil, wire.ResourceAlreadyExistsException("The specified log group already exists")
	}
	return nil, err
}

// DeleteLogGroup removes a group with its events. When something still logs to it, the
// next line brings it back.
func (s *Logs) DeleteLogGroup(ctx context.Context, in *wire.DeleteLogGroupInput) (*wire.DeleteLogGroupOutput, error) {
	name := *in.LogGroupName
	if err := s.exists(ctx, name); err != nil {
		return nil, err
	}
	_, err := s.Store.Update(ctx, func(tx *store.Tx) error { return groups.Delete(tx, operation.Scope(ctx), name) })
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return nil, unavailable(s.Events.DeleteGroup(ctx, key(ctx, name)))
}

// DescribeLogGroups lists groups in order of their names.
func (s *Logs) DescribeLogGroups(ctx context.Context, in *wire.DescribeLogGroupsInput) (*wire.DescribeLogGroupsOutput, error) {
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	after, err := openToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	wanted, err := s.wanted(ctx, in)
	if err != nil {
		return nil, err
	}
	known, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeLogGroupsOutput{LogGroups: []wire.LogGroup{}}
	limit := int(opt.Or(in.Limit, 50))
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !wanted(name) || after != "" && name <= after {
			continue
		}
		if len(out.LogGroups) == limit {
			out.NextToken = sealToken(*out.LogGroups[limit-1].LogGroupName)
			break
		}
		out.LogGroups = append(out.LogGroups, known[name].wire(operation.Scope(ctx)))
	}
	return out, nil
}

// wanted judges names by the members of a DescribeLogGroups call.
func (s *Logs) wanted(ctx context.Context, in *wire.DescribeLogGroupsInput) (func(name string) bool, error) {
	var listed map[string]bool
	for _, id := range in.LogGroupIdentifiers {
		name, err := named(ctx, nil, &id)
		if err != nil {
			return nil, err
		}
		if listed == nil {
			listed = map[string]bool{}
		}
		listed[name] = true
	}
	prefix, pattern := opt.Value(in.LogGroupNamePrefix), strings.ToLower(opt.Value(in.LogGroupNamePattern))
	standard := in.LogGroupClass == nil || *in.LogGroupClass == wire.LogGroupClassStandard
	return func(name string) bool {
		return standard && strings.HasPrefix(name, prefix) && strings.Contains(strings.ToLower(name), pattern) && (listed == nil || listed[name])
	}, nil
}

// described is a group with what it takes on disk.
type described struct {
	model.LogGroup
	bytes int64
}

// known lists the groups of the caller's account and region, from both places.
func (s *Logs) known(ctx context.Context) (map[string]described, error) {
	in := operation.Scope(ctx)
	out := map[string]described{}
	for _, sum := range s.Events.Groups(in.Account, in.Region) {
		out[sum.Name] = described{implied(sum), sum.Bytes}
	}
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		for it, err := range groups.In(tx, in) {
			if err != nil {
				return err
			}
			out[it.Value.LogGroupName] = described{it.Value, out[it.Value.LogGroupName].bytes}
		}
		return nil
	})
	return out, err
}

func (d described) wire(in store.Scope) wire.LogGroup {
	arn := model.LogGroupARN(in.Region, in.Account, d.LogGroupName)
	return wire.LogGroup{
		LogGroupName: &d.LogGroupName, CreationTime: &d.CreationTime, RetentionInDays: opt.NonZero(int32(d.RetentionInDays)),
		MetricFilterCount: opt.Of(int32(0)), Arn: opt.Of(arn + ":*"), LogGroupArn: &arn, StoredBytes: &d.bytes,
		LogGroupClass: opt.Of(wire.LogGroupClassStandard),
	}
}

// retentions are the numbers of days that the service takes.
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// PutRetentionPolicy says how long a group's events are kept.
func (s *Logs) PutRetentionPolicy(ctx context.Context, in *wire.PutRetentionPolicyInput) (*wire.PutRetentionPolicyOutput, error) {
	if !slices.Contains(retentions, *in.RetentionInDays) {
		return nil, invalid(fmt.Sprintf("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %s",
			*in.RetentionInDays, strings.ReplaceAll(fmt.Sprint(retentions), " ", ", ")))
	}
	return nil, s.retain(ctx, *in.LogGroupName, int(*in.RetentionInDays))
}

// DeleteRetentionPolicy keeps a group's events for ever.
func (s *Logs) DeleteRetentionPolicy(ctx context.Context, in *wire.DeleteRetentionPolicyInput) (*wire.DeleteRetentionPolicyOutput, error) {
	return nil, s.retain(ctx, *in.LogGroupName, 0)
}

func (s *Logs) retain(ctx context.Context, name string, n int) error {
	_, err := s.change(ctx, name, func(g *model.LogGroup) error { g.RetentionInDays = n; return nil })
	if err == nil {
		s.Events.SetRetention(key(ctx, name), days(n))
	}
	return err
}

// AssociateKmsKey is refused.
func (s *Logs) AssociateKmsKey(context.Context, *wire.AssociateKmsKeyInput) (*wire.AssociateKmsKeyOutput, error) {
	return nil, noKMS()
}

// DisassociateKmsKey has nothing to do: no group has a key.
func (s *Logs) DisassociateKmsKey(ctx context.Context, in *wire.DisassociateKmsKeyInput) (*wire.DisassociateKmsKeyOutput, error) {
	name, err := named(ctx, in.LogGroupName, in.ResourceIdentifier)
	if err != nil {
		return nil, err
	}
	return nil, s.exists(ctx, name)
}

// CreateLogStream makes a stream without events.
func (s *Logs) CreateLogStream(ctx context.Context, in *wire.CreateLogStreamInput) (*wire.CreateLogStreamOutput, error) {
	if err := s.exists(ctx, *in.LogGroupName); err != nil {
		return nil, err
	}
	created, err := s.Events.CreateStream(ctx, key(ctx, *in.LogGroupName), *in.LogStreamName)
	switch {
	case errors.Is(err, logstore.ErrTooMany):
		return nil, wire.LimitExceededException("Resource limit exceeded: a log group has at most 10000 log streams.")
	case err != nil:
		return nil, unavailable(err)
	case !created:
		return nil, wire.ResourceAlreadyExistsException("The specified log stream already exists")
	}
	return nil, nil
}

// DeleteLogStream removes a stream with its events.
func (s *Logs) DeleteLogStream(ctx context.Context, in *wire.DeleteLogStreamInput) (*wire.DeleteLogStreamOutput, error) {
	if err := s.exists(ctx, *in.LogGroupName); err != nil {
		return nil, err
	}
	deleted, err := s.Events.DeleteStream(ctx, key(ctx, *in.LogGroupName), *in.LogStreamName)
	if err == nil && !deleted {
		return nil, noStream()
	}
	return nil, unavailable(err)
}

// DescribeLogStreams lists a group's streams by name, or by the time of their last event.
func (s *Logs) DescribeLogStreams(ctx context.Context, in *wire.DescribeLogStreamsInput) (*wire.DescribeLogStreamsOutput, error) {
	name, err := named(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	byTime := in.OrderBy != nil && *in.OrderBy == wire.OrderByLastEventTime
	prefix := opt.Value(in.LogStreamNamePrefix)
	if byTime && prefix != "" {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	after, err := openToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	if err := s.exists(ctx, name); err != nil {
		return nil, err
	}
	streams, err := s.Events.Streams(ctx, key(ctx, name))
	if err != nil {
		return nil, unavailable(err)
	}
	// A position in the listing is the sort key of the last stream that was shown.
	place := func(st logstore.Stream) string {
		if byTime {
			return fmt.Sprintf("%020d %s", max(st.Last, 0), st.Name)
		}
		return st.Name
	}
	slices.SortFunc(streams, func(a, b logstore.Stream) int { return strings.Compare(place(a), place(b)) })
	descending := opt.Value(in.Descending)
	if descending {
		slices.Reverse(streams)
	}
	out := &wire.DescribeLogStreamsOutput{LogStreams: []wire.LogStream{}}
	limit, last := int(opt.Or(in.Limit, 50)), ""
	for _, st := range streams {
		at := place(st)
		if !strings.HasPrefix(st.Name, prefix) || after != "" && (!descending && at <= after || descending && at >= after) {
			continue
		}
		if len(out.LogStreams) == limit {
			out.NextToken = sealToken(last)
			break
		}
		out.LogStreams = append(out.LogStreams, wireStream(model.LogGroupARN(operation.Scope(ctx).Region, operation.Scope(ctx).Account, name), st))
		last = at
	}
	return out, nil
}

func wireStream(groupARN string, st logstore.Stream) wire.LogStream {
	return wire.LogStream{
		LogStreamName: &st.Name, CreationTime: &st.Created, FirstEventTimestamp: opt.NonZero(st.First), LastEventTimestamp: opt.NonZero(st.Last),
		LastIngestionTime: opt.NonZero(st.Ingested), UploadSequenceToken: opt.Of(sequenceToken), Arn: opt.Of(groupARN + ":log-stream:" + st.Name),
		StoredBytes: opt.Of(int64(0)), // of single streams, the service always says 0
	}
}

// sealToken and openToken hide a place in a listing from callers.
func sealToken(place string) *string {
	return opt.Of(base64.RawURLEncoding.EncodeToString([]byte("1" + place)))
}

func openToken(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil || len(b) < 2 || b[0] != '1' {
		return "", invalid("The specified nextToken is invalid.")
	}
	return string(b[1:]), nil
}
