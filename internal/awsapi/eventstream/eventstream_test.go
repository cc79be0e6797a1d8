package eventstream_test

import (
	"bytes"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"gatehouse/internal/awsapi/eventstream"
)

// The SDK's decoder reads what is written, checksums included.
func TestMessagesAreReadBySDK(t *testing.T) {
	var stream []byte
	messages := []eventstream.Message{
		{Event: "PayloadChunk", ContentType: "application/octet-stream", Payload: []byte("part")},
		{Event: "PayloadChunk", Payload: bytes.Repeat([]byte{0, 255}, 100_000)},
		{Event: "InvokeComplete", ContentType: "application/json", Payload: []byte("{}")},
		{Exception: "ServiceException"},
	}
	for _, m := range messages {
		stream = m.Append(stream)
	}
	in, dec := bytes.NewReader(stream), sdk.NewDecoder()
	for i, want := range messages {
		got, err := dec.Decode(in, nil)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		header := func(name string) string {
			if v := got.Headers.Get(name); v != nil {
				return v.String()
			}
			return ""
		}
		if !bytes.Equal(got.Payload, want.Payload) || header(":event-type") != want.Event || header(":exception-type") != want.Exception ||
			header(":content-type") != want.ContentType || (header(":message-type") == "event") != (want.Event != "") {
			t.Errorf("message %d: %v, payload of %d bytes", i, got.Headers, len(got.Payload))
		}
	}
	if in.Len() != 0 {
		t.Errorf("%d bytes are left", in.Len())
	}
}
