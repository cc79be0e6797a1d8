package server_test

//lint:file-ignore SA1019 Terraform still makes the old tagging calls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/server/servertest"
)

const group = "/gw/orders"

// logClient is CloudWatch Logs of a running server.
func logClient(t *testing.T, g *servertest.Gatehouse) *cloudwatchlogs.Client {
	return cloudwatchlogs.NewFromConfig(g.AWS(t))
}

// ok fails the test when a call failed.
func ok[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// wantError holds a call's error against "Code: message".
func wantError(t *testing.T, name string, err error, want string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		t.Errorf("%s: got %v, want %s", name, err, want)
		return
	}
	if got := e.ErrorCode() + ": " + e.ErrorMessage(); got != want && !(strings.HasSuffix(want, "…") && strings.HasPrefix(got, strings.TrimSuffix(want, "…"))) {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}

func TestLogGroupsAndStreams(t *testing.T) {
	g := servertest.Start(t, nil)
	c, ctx := logClient(t, g), t.Context()
	name := aws.String(group)
	ok[*cloudwatchlogs.CreateLogGroupOutput](t)(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name, Tags: map[string]string{"rev": "1"}}))
	ok[*cloudwatchlogs.CreateLogGroupOutput](t)(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/gw/other")}))
	ok[*cloudwatchlogs.PutRetentionPolicyOutput](t)(c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(7)}))

	found := ok[*cloudwatchlogs.DescribeLogGroupsOutput](t)(c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: name}))
	if len(found.LogGroups) != 1 {
		t.Fatalf("%d groups, want one", len(found.LogGroups))
	}
	one := found.LogGroups[0]
	if *one.Arn != "arn:aws:logs:us-east-1:000000000000:log-group:/gw/orders:*" || *one.RetentionInDays != 7 || *one.LogGroupArn+":*" != *one.Arn || *one.CreationTime == 0 {
		t.Errorf("got %+v", one)
	}
	page := ok[*cloudwatchlogs.DescribeLogGroupsOutput](t)(c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{Limit: aws.Int32(1)}))
	rest := ok[*cloudwatchlogs.DescribeLogGroupsOutput](t)(c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{NextToken: page.NextToken}))
	if *page.LogGroups[0].LogGroupName != group || len(rest.LogGroups) != 1 || *rest.LogGroups[0].LogGroupName != "/gw/other" || rest.NextToken != nil {
		t.Errorf("pages: %+v, %+v", page.LogGroups, rest.LogGroups)
	}

	ok[*cloudwatchlogs.TagResourceOutput](t)(c.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: one.LogGroupArn, Tags: map[string]string{"team": "a"}}))
	ok[*cloudwatchlogs.UntagLogGroupOutput](t)(c.UntagLogGroup(ctx, &cloudwatchlogs.UntagLogGroupInput{LogGroupName: name, Tags: []string{"rev"}}))
	old := ok[*cloudwatchlogs.ListTagsLogGroupOutput](t)(c.ListTagsLogGroup(ctx, &cloudwatchlogs.ListTagsLogGroupInput{LogGroupName: name}))
	if diff := cmp.Diff(map[string]string{"team": "a"}, old.Tags); diff != "" {
		t.Error(diff)
	}

	for _, s := range []string{"b", "a"} {
		ok[*cloudwatchlogs.CreateLogStreamOutput](t)(c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: name, LogStreamName: aws.String(s)}))
	}
	streams := ok[*cloudwatchlogs.DescribeLogStreamsOutput](t)(c.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: name}))
	if len(streams.LogStreams) != 2 || *streams.LogStreams[0].LogStreamName != "a" || *streams.LogStreams[0].Arn != *one.LogGroupArn+":log-stream:a" {
		t.Errorf("streams %+v", streams.LogStreams)
	}
	ok[*cloudwatchlogs.DeleteLogStreamOutput](t)(c.DeleteLogStream(ctx, &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: name, LogStreamName: aws.String("b")}))
	ok[*cloudwatchlogs.DeleteRetentionPolicyOutput](t)(c.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: name}))
	ok[*cloudwatchlogs.DeleteLogGroupOutput](t)(c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: name}))
	_, err := c.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: name})
	wantError(t, "deleted group", err, "ResourceNotFoundException: The specified log group does not exist.")
}

func TestLogErrors(t *testing.T) {
	g := servertest.Start(t, nil)
	c, ctx := logClient(t, g), t.Context()
	name := aws.String(group)
	ok[*cloudwatchlogs.CreateLogGroupOutput](t)(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name}))
	ok[*cloudwatchlogs.CreateLogStreamOutput](t)(c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: name, LogStreamName: aws.String("s")}))
	now := time.Now().UnixMilli()
	put := func(stream string, times ...int64) error {
		in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: name, LogStreamName: &stream}
		for _, at := range times {
			in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: &at, Message: aws.String("m")})
		}
		_, err := c.PutLogEvents(ctx, in)
		return err
	}
	second := func(_ any, err error) error { return err }
	for _, x := range []struct {
		name string
		err  error
		want string
	}{
		{"group twice", second(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name})), "ResourceAlreadyExistsException: The specified log group already exists"},
		{"KMS key", second(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("k"), KmsKeyId: aws.String("arn:aws:kms:us-east-1:1:key/x")})), "InvalidParameterException: kmsKeyId is not supported…"},
		{"steering tag", second(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("k"), Tags: map[string]string{"gatehouse:x": "1"}})), "InvalidParameterException: Unknown tag gatehouse:x on LogGroup…"},
		{"stream twice", second(c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: name, LogStreamName: aws.String("s")})), "ResourceAlreadyExistsException: The specified log stream already exists"},
		{"retention", second(c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(2)})), "InvalidParameterException: 1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5…"},
		{"no group", second(c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("none")})), "ResourceNotFoundException: The specified log group does not exist."},
		{"no stream", put("none", now), "ResourceNotFoundException: The specified log stream does not exist."},
		{"order", put("s", now, now-1), "InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order."},
		{"span", put("s", now-25*3600_000, now), "InvalidParameterException: The batch of log events in a single PutLogEvents request cannot span more than 24 hours."},
		{"token", second(c.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: name, NextToken: aws.String("x")})), "InvalidParameterException: The specified nextToken is invalid."},
		{"pattern", second(c.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: name, FilterPattern: aws.String(`"x`)})), "InvalidParameterException: Invalid filter pattern: position 1: the quote is not closed"},
		{"metric filter", second(c.DescribeMetricFilters(ctx, &cloudwatchlogs.DescribeMetricFiltersInput{LogGroupName: name})), "NotImplemented…"},
	} {
		wantError(t, x.name, x.err, x.want)
	}
}

func TestLogEvents(t *testing.T) {
	g := servertest.Start(t, nil)
	c, ctx := logClient(t, g), t.Context()
	name, stream := aws.String(group), aws.String("s")
	ok[*cloudwatchlogs.CreateLogGroupOutput](t)(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name}))
	ok[*cloudwatchlogs.CreateLogStreamOutput](t)(c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: name, LogStreamName: stream}))
	base := time.Now().Add(-time.Minute).UnixMilli()
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: name, LogStreamName: stream}
	for i := range int64(10) {
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: aws.Int64(base + i), Message: aws.String(fmt.Sprintf(`{"n": %d}`, i))})
	}
	ok[*cloudwatchlogs.PutLogEventsOutput](t)(c.PutLogEvents(ctx, in))
	old := &cloudwatchlogs.PutLogEventsInput{LogGroupName: name, LogStreamName: stream,
		LogEvents: []types.InputLogEvent{{Timestamp: aws.Int64(base - 20*24*3600_000), Message: aws.String("old")}}}
	if out := ok[*cloudwatchlogs.PutLogEventsOutput](t)(c.PutLogEvents(ctx, old)); out.RejectedLogEventsInfo == nil || *out.RejectedLogEventsInfo.TooOldLogEventEndIndex != 1 {
		t.Errorf("an event that is too old: %+v", out.RejectedLogEventsInfo)
	}

	g = g.Restart(t)
	c = logClient(t, g)
	get := func(in cloudwatchlogs.GetLogEventsInput) (string, *cloudwatchlogs.GetLogEventsOutput) {
		t.Helper()
		in.LogGroupName, in.LogStreamName = name, stream
		out := ok[*cloudwatchlogs.GetLogEventsOutput](t)(c.GetLogEvents(ctx, &in))
		var s strings.Builder
		for _, e := range out.Events {
			s.WriteString(strings.Trim(*e.Message, `{"n: }`))
		}
		return s.String(), out
	}
	if got, _ := get(cloudwatchlogs.GetLogEventsInput{}); got != "0123456789" {
		t.Errorf("all: %s", got)
	}
	if got, _ := get(cloudwatchlogs.GetLogEventsInput{StartTime: aws.Int64(base + 2), EndTime: aws.Int64(base + 4)}); got != "23" {
		t.Errorf("a range without its end: %s", got)
	}
	latest, out := get(cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(4)})
	before, older := get(cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(4), NextToken: out.NextBackwardToken})
	again, _ := get(cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(4), NextToken: older.NextForwardToken})
	if latest != "6789" || before != "2345" || again != "6789" {
		t.Errorf("pages backward and forward: %s %s %s", latest, before, again)
	}
	if got, end := get(cloudwatchlogs.GetLogEventsInput{NextToken: out.NextForwardToken}); got != "" || *end.NextForwardToken != *out.NextForwardToken {
		t.Errorf("at the end: %q, token %s, want %s", got, *end.NextForwardToken, *out.NextForwardToken)
	}

	var all []string
	ids := map[string]bool{}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(c, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: name, Limit: aws.Int32(2), FilterPattern: aws.String(`{ $.n >= 3 && $.n != 5 }`)})
	for pages.HasMorePages() {
		for _, e := range ok[*cloudwatchlogs.FilterLogEventsOutput](t)(pages.NextPage(ctx)).Events {
			all = append(all, strings.Trim(*e.Message, `{"n: }`))
			ids[*e.EventId] = true
		}
	}
	if got := strings.Join(all, ""); got != "346789" || len(ids) != 6 {
		t.Errorf("filtered: %s, %d ids", got, len(ids))
	}
}

// eventually reads until want events fit, for lines that are written after an answer.
func eventually(t *testing.T, c *cloudwatchlogs.Client, in cloudwatchlogs.FilterLogEventsInput, want int) []types.FilteredLogEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		out, err := c.FilterLogEvents(ctx, &in)
		var missing *types.ResourceNotFoundException
		if err != nil && !errors.As(err, &missing) {
			t.Fatal(err)
		}
		if err == nil && len(out.Events) >= want {
			return out.Events
		}
	}
}
