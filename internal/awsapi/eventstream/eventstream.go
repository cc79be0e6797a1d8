// Package eventstream writes messages in AWS's event stream encoding
// (application/vnd.amazon.eventstream): the answers of operations that tell one thing
// after the other. It only writes, and only headers that are text, which is all that
// answers need.
package eventstream

import (
	"encoding/binary"
	"hash/crc32"
)

// ContentType is the media type of an event stream.
const ContentType = "application/vnd.amazon.eventstream"

// MaxPayload is the largest payload of a message, in bytes (the format allows 16 MB with
// everything; SDKs refuse more).
const MaxPayload = 16<<20 - 1<<12

// A Message is one event or error.
type Message struct {
	// Event is the value of :event-type: the name of the member of the stream's union. ""
	// makes an exception of Exception.
	Event     string
	Exception string // value of :exception-type

	ContentType string // "application/json", "application/octet-stream"; "" leaves it out
	Payload     []byte // at most MaxPayload bytes
}

// Append appends the encoded message to b. The format (Smithy, "Amazon Event Stream
// specification"): total length, length of the headers and a CRC-32 of both, the headers,
// the payload, and a CRC-32 of all before it; numbers are big endian.
func (m *Message) Append(b []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, 12)...)
	b = appendHeader(b, ":message-type", m.kind())
	if m.Event != "" {
		b = appendHeader(b, ":event-type", m.Event)
	} else {
		b = appendHeader(b, ":exception-type", m.Exception)
	}
	if m.ContentType != "" {
		b = appendHeader(b, ":content-type", m.ContentType)
	}
	headers := len(b) - start - 12
	b = append(b, m.Payload...)
	total := len(b) - start + 4
	prelude := b[start : start+12]
	binary.BigEndian.PutUint32(prelude, uint32(total))
	binary.BigEndian.PutUint32(prelude[4:], uint32(headers))
	binary.BigEndian.PutUint32(prelude[8:], crc32.ChecksumIEEE(prelude[:8]))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

func (m *Message) kind() string {
	if m.Event == "" {
		return "exception"
	}
	return "event"
}

// text is the type of a header's value that is text.
const text = 7

// appendHeader appends a header with a text value, both shorter than 256 bytes.
func appendHeader(b []byte, name, value string) []byte {
	b = append(b, byte(len(name)))
	b = append(b, name...)
	b = append(b, text)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}
