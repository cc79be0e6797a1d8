package functions

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"

	"gatehouse/internal/awsapi/eventstream"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/runtime"
)

// InvokeWithResponseStream calls a function and passes its answer on while it is written.
func (f *Functions) InvokeWithResponseStream(ctx context.Context, in *lambda.InvokeWithResponseStreamInput) (*lambda.InvokeWithResponseStreamOutput, error) {
	if err := unsupported(map[string]bool{"TenantId": in.TenantId != nil}); err != nil {
		return nil, err
	}
	t, req, err := f.called(ctx, in.FunctionName, in.Qualifier, in.ClientContext, in.Payload)
	if err != nil {
		return nil, err
	}
	if opt.Text(in.InvocationType) == string(lambda.ResponseStreamingInvocationTypeDryRun) {
		return &lambda.InvokeWithResponseStreamOutput{StatusCode: opt.Of(int32(204))}, nil
	}
	s, err := t.stream(ctx, f, req)
	if err != nil {
		return nil, refusal(err)
	}
	events := &eventReader{stream: s, tail: opt.Text(in.LogType) == string(lambda.LogTypeTail)}
	return &lambda.InvokeWithResponseStreamOutput{
		StatusCode: opt.Of(int32(200)), ExecutedVersion: &t.version.Version, EventStream: events, ResponseStreamContentType: opt.Of(eventstream.ContentType),
	}, nil
}

// An eventReader gives a streamed answer as framed events: PayloadChunk for each part, then
// InvokeComplete, with the failure when there was one.
type eventReader struct {
	stream *runtime.Stream
	tail   bool // InvokeComplete has the end of the log

	part   [16 << 10]byte
	frames []byte // what is framed and not read
	buf    []byte // what frames is in
	ended  bool
}

// Read implements io.Reader.
func (e *eventReader) Read(p []byte) (int, error) {
	if len(e.frames) == 0 {
		if e.ended {
			return 0, io.EOF
		}
		e.next()
	}
	n := copy(p, e.frames)
	e.frames = e.frames[n:]
	return n, nil
}

// Close implements io.Closer.
func (e *eventReader) Close() error { return e.stream.Body.Close() }

// next frames what comes next. A function that failed before it answered has no chunk.
func (e *eventReader) next() {
	n, err := 0, io.EOF
	if e.stream.FunctionError == "" {
		n, err = e.stream.Body.Read(e.part[:])
	}
	e.buf = e.buf[:0]
	if n > 0 {
		m := eventstream.Message{Event: "PayloadChunk", ContentType: "application/octet-stream", Payload: e.part[:n]}
		e.buf = m.Append(e.buf)
	}
	if err != nil {
		e.ended = true
		m := eventstream.Message{Event: "InvokeComplete", ContentType: "application/json", Payload: e.complete(err)}
		e.buf = m.Append(e.buf)
	}
	e.frames = e.buf
}

// complete is the document of InvokeComplete; err is how reading the answer ended.
func (e *eventReader) complete(err error) []byte {
	fields := make(map[string]string, 3)
	failed, midway := errors.AsType[*runtime.StreamError](err)
	switch {
	case e.stream.FunctionError != "":
		document, readErr := io.ReadAll(e.stream.Body)
		if readErr != nil {
			document = []byte(readErr.Error())
		}
		fields["ErrorCode"], fields["ErrorDetails"] = e.stream.FunctionError, string(document)
	case midway:
		fields["ErrorCode"], fields["ErrorDetails"] = "Unhandled", string(failed.Payload)
	case err != io.EOF:
		fields["ErrorCode"], fields["ErrorDetails"] = "Unhandled", err.Error()
	}
	if tail := e.stream.Result().LogTail; e.tail && len(tail) > 0 {
		fields["LogResult"] = base64.StdEncoding.EncodeToString(tail)
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic("functions: " + err.Error()) // a map of text
	}
	return b
}
