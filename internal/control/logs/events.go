package logs

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	wire "gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/logfilter"
	"gatehouse/internal/logstore"
)

// Limits of PutLogEvents.
const (
	maxBatch      = 1 << 20 // bytes, with eventOverhead for each event
	eventOverhead = 26
	maxSpan       = 24 * time.Hour
	maxAge        = 14 * 24 * time.Hour
	maxAhead      = 2 * time.Hour
)

// maxAnswer bounds the messages of one answer, in bytes, as the service does.
const maxAnswer = 1 << 20

// sequenceToken is answered where the service once wanted a sequence: any token is accepted.
const sequenceToken = "49039859660396571634545646545644563545645645645645645645"

// PutLogEvents appends events to a stream. Events that are too old or too new are left out
// and told.
func (s *Logs) PutLogEvents(ctx context.Context, in *wire.PutLogEventsInput) (*wire.PutLogEventsOutput, error) {
	name, stream := *in.LogGroupName, *in.LogStreamName
	if err := checkBatch(in.LogEvents); err != nil {
		return nil, err
	}
	if err := s.exists(ctx, name); err != nil {
		return nil, err
	}
	if _, ok, err := s.Events.Stream(ctx, key(ctx, name), stream); err != nil || !ok {
		if err == nil {
			err = noStream()
		}
		return nil, unavailable(err)
	}
	out := &wire.PutLogEventsOutput{NextSequenceToken: opt.Of(sequenceToken)}
	now := s.now()
	oldest, newest := now.Add(-maxAge).UnixMilli(), now.Add(maxAhead).UnixMilli()
	var events []logstore.Event
	for i, e := range in.LogEvents {
		switch {
		case *e.Timestamp < oldest:
			out.RejectedLogEventsInfo = rejected(out.RejectedLogEventsInfo)
			out.RejectedLogEventsInfo.TooOldLogEventEndIndex = opt.Of(int32(i + 1))
			continue
		case *e.Timestamp > newest:
			out.RejectedLogEventsInfo = rejected(out.RejectedLogEventsInfo)
			if out.RejectedLogEventsInfo.TooNewLogEventStartIndex == nil {
				out.RejectedLogEventsInfo.TooNewLogEventStartIndex = opt.Of(int32(i))
			}
			continue
		}
		events = append(events, logstore.Event{Position: logstore.Position{Time: *e.Timestamp}, Message: *e.Message})
	}
	return out, unavailable(s.Events.Put(ctx, key(ctx, name), stream, events))
}

func rejected(r *wire.RejectedLogEventsInfo) *wire.RejectedLogEventsInfo {
	if r == nil {
		return &wire.RejectedLogEventsInfo{}
	}
	return r
}

// checkBatch holds a batch to the service's rules.
func checkBatch(events []wire.InputLogEvent) error {
	size := 0
	for i, e := range events {
		size += len(*e.Message) + eventOverhead
		switch {
		case len(*e.Message) > logstore.MaxMessage:
			return invalid(fmt.Sprintf("Log event too large: %d bytes exceeds limit of 262144", len(*e.Message)+eventOverhead))
		case i > 0 && *e.Timestamp < *events[i-1].Timestamp:
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	switch {
	case size > maxBatch:
		return invalid(fmt.Sprintf("Upload too large: %d bytes exceeds limit of %d", size, maxBatch))
	case len(events) > 0 && *events[len(events)-1].Timestamp-*events[0].Timestamp > maxSpan.Milliseconds():
		return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return nil
}

// GetLogEvents reads a stream in pages: the latest first, unless startFromHead says
// otherwise. Both of its tokens are always there; at the end of the stream a token is
// answered with itself.
func (s *Logs) GetLogEvents(ctx context.Context, in *wire.GetLogEventsInput) (*wire.GetLogEventsOutput, error) {
	name, err := named(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	q := logstore.Query{
		Group: key(ctx, name), From: opt.Value(in.StartTime), To: until(in.EndTime),
		Stream: func(n string) bool { return n == *in.LogStreamName },
		Latest: !opt.Value(in.StartFromHead), Limit: int(opt.Or(in.Limit, 10_000)), MaxBytes: maxAnswer,
	}
	at := logstore.Position{}
	if in.NextToken != nil {
		if at, q.Latest, err = parseToken(*in.NextToken); err != nil {
			return nil, err
		}
		if q.Latest {
			q.Before = &at
		} else {
			q.After = &at
		}
	}
	if err := s.exists(ctx, name); err != nil {
		return nil, err
	}
	if _, ok, err := s.Events.Stream(ctx, q.Group, *in.LogStreamName); err != nil || !ok {
		if err == nil {
			err = noStream()
		}
		return nil, unavailable(err)
	}
	events, _, err := s.Events.Read(ctx, q)
	if err != nil {
		return nil, unavailable(err)
	}
	first, last := at, at
	if len(events) > 0 {
		first, last = events[0].Position, events[len(events)-1].Position
	}
	out := &wire.GetLogEventsOutput{Events: []wire.OutputLogEvent{}, NextForwardToken: opt.Of("f/" + eventID(last) + "/s"), NextBackwardToken: opt.Of("b/" + eventID(first) + "/s")}
	for _, e := range events {
		out.Events = append(out.Events, wire.OutputLogEvent{Timestamp: &e.Time, Message: &e.Message, IngestionTime: &e.Ingested})
	}
	return out, nil
}

// until translates an end of time, which is not included.
func until(end *int64) int64 {
	if end == nil {
		return 0
	}
	if *end <= 1 {
		return -1 // nothing: 0 would mean no end
	}
	return *end - 1
}

// eventID names an event in 56 digits, which sort as the events do.
func eventID(p logstore.Position) string { return fmt.Sprintf("%028d%028d", max(p.Time, 0), p.Seq) }

func parseID(id string) (p logstore.Position, ok bool) {
	if len(id) != 56 || strings.Trim(id, "0123456789") != "" {
		return p, false
	}
	var err error
	if p.Time, err = strconv.ParseInt(id[:28], 10, 64); err != nil {
		return p, false
	}
	p.Seq, err = strconv.ParseUint(id[28:], 10, 64)
	return p, err == nil
}

// parseToken reads a token of GetLogEvents.
func parseToken(token string) (p logstore.Position, backward bool, err error) {
	way, id, _ := strings.Cut(token, "/")
	id, ok := strings.CutSuffix(id, "/s")
	if ok && (way == "f" || way == "b") {
		if p, ok := parseID(id); ok {
			return p, way == "b", nil
		}
	}
	return p, false, invalid("The specified nextToken is invalid.")
}

// FilterLogEvents searches the streams of a group, all or those that are named, in order of
// time. This is what `aws logs tail` calls.
func (s *Logs) FilterLogEvents(ctx context.Context, in *wire.FilterLogEventsInput) (*wire.FilterLogEventsOutput, error) {
	name, err := named(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != nil {
		return nil, invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
	}
	pattern, err := logfilter.Compile(opt.Value(in.FilterPattern))
	if err != nil {
		return nil, invalid("Invalid filter pattern: " + err.Error())
	}
	q := logstore.Query{
		Group: key(ctx, name), From: opt.Value(in.StartTime), To: opt.Or(in.EndTime, math.MaxInt64),
		Match: pattern.Match, Limit: int(opt.Or(in.Limit, 10_000)), MaxBytes: maxAnswer,
	}
	switch prefix := opt.Value(in.LogStreamNamePrefix); {
	case len(in.LogStreamNames) > 0:
		q.Stream = func(n string) bool { return slices.Contains(in.LogStreamNames, n) }
	case prefix != "":
		q.Stream = func(n string) bool { return strings.HasPrefix(n, prefix) }
	}
	if in.NextToken != nil {
		place, err := openToken(in.NextToken)
		at, ok := parseID(place)
		if err != nil || !ok {
			return nil, invalid("The specified nextToken is invalid.")
		}
		q.After = &at
	}
	if err := s.exists(ctx, name); err != nil {
		return nil, err
	}
	if err := s.streamsExist(ctx, q.Group, in.LogStreamNames); err != nil {
		return nil, err
	}
	events, more, err := s.Events.Read(ctx, q)
	if err != nil {
		return nil, unavailable(err)
	}
	out := &wire.FilterLogEventsOutput{Events: []wire.FilteredLogEvent{}, SearchedLogStreams: []wire.SearchedLogStream{}}
	for _, e := range events {
		out.Events = append(out.Events, wire.FilteredLogEvent{
			LogStreamName: &e.Stream, Timestamp: &e.Time, Message: &e.Message, IngestionTime: &e.Ingested, EventId: opt.Of(eventID(e.Position)),
		})
	}
	if more && len(events) > 0 {
		out.NextToken = sealToken(eventID(events[len(events)-1].Position))
	}
	return out, nil
}

func (s *Logs) streamsExist(ctx context.Context, g logstore.Group, names []string) error {
	for _, n := range names {
		if _, ok, err := s.Events.Stream(ctx, g, n); err != nil || !ok {
			if err == nil {
				err = noStream()
			}
			return unavailable(err)
		}
	}
	return nil
}
