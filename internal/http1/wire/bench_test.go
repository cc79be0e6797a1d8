package wire_test

import (
	"strings"
	"testing"

	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

const head = "GET /prod/pets/4711?detail=full&lang=en HTTP/1.1\r\nHost: abcdef1234.execute-api.us-east-1.localhost\r\n" +
	"User-Agent: aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n" +
	"X-Api-Key: 0123456789abcdefghijklmnopqrstuvwxyzABCD\r\nX-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678\r\n\r\n"

func BenchmarkHead(b *testing.B) {
	raw := []byte(head)
	var h message.Header
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		end, _, err := wire.HeadEnd(raw, 0)
		if err != nil {
			b.Fatal(err)
		}
		s := string(raw[:end-2])
		line, block, _ := strings.Cut(s, "\r\n")
		if _, err := wire.ParseRequestLine(line, 1<<20); err != nil {
			b.Fatal(err)
		}
		if h, err = wire.ParseFields(block, h[:0], 100); err != nil {
			b.Fatal(err)
		}
	}
}
