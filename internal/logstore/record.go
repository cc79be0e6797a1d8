package logstore

import (
	"encoding/binary"
	"hash/crc32"
)

// A segment file is the magic followed by frames, the first of which names the group. A
// frame is
//
//	length   4 bytes, of the payload
//	checksum 4 bytes, CRC-32C of the payload
//	payload  kind 1, time 8, ingestion time 8, length of the stream's name 2, name, message
//
// of kindLines, time is that of the first event, and message their block (see Lines); with all
// other numbers little-endian. Everything has one encoding only, so that what was read is
// byte for byte what would be written.
const (
	magic       = "GHLOG\x00\x00\x01"
	frameHead   = 8
	payloadHead = 1 + 8 + 8 + 2
)

// MaxMessage is the longest message of an event, in bytes: 256 KiB less the 26 bytes that
// the service counts for each event, as its documentation has it.
const MaxMessage = 256<<10 - 26

// MaxStreamName is the longest name of a stream, in bytes: 512 characters of UTF-8.
const MaxStreamName = 2048

const maxPayload = payloadHead + MaxStreamName + MaxMessage

type kind uint8

const (
	kindEvent   kind = 1 + iota
	kindGroup        // the group's name, the first frame of a segment
	kindCreated      // a stream was created
	kindDeleted      // a stream was deleted with all that is before this record
	kindLines        // events that were appended at once
	kindEnd
)

// A record is one decoded frame. Its slices point into the segment.
type record struct {
	kind     kind
	time     int64 // milliseconds since 1970, of the event
	ingested int64 // milliseconds since 1970
	stream   []byte
	message  []byte
}

// appendFrame appends r's frame. The stream's name and message must be within the limits.
func appendFrame[S, M ~string | ~[]byte](dst []byte, k kind, time, ingested int64, stream S, message M) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0) // frameHead
	dst = append(dst, byte(k))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(time))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(ingested))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(stream)))
	dst = append(dst, stream...)
	dst = append(dst, message...)
	payload := dst[at+frameHead:]
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(dst[at+4:], crc32.Checksum(payload, castagnoli))
	return dst
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// nextFrame decodes the first frame of data. n is its length in bytes; 0 when data does
// not start with a whole and sound frame.
func nextFrame(data []byte) (r record, n int) {
	if len(data) < frameHead+payloadHead {
		return r, 0
	}
	length := int(binary.LittleEndian.Uint32(data))
	if length < payloadHead || length > maxPayload || length > len(data)-frameHead {
		return r, 0
	}
	payload := data[frameHead : frameHead+length]
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
		return r, 0
	}
	name := int(binary.LittleEndian.Uint16(payload[17:]))
	if payload[0] == 0 || kind(payload[0]) >= kindEnd || name > MaxStreamName || name > length-payloadHead || length-payloadHead-name > MaxMessage {
		return r, 0
	}
	r = record{
		kind:     kind(payload[0]),
		time:     int64(binary.LittleEndian.Uint64(payload[1:])),
		ingested: int64(binary.LittleEndian.Uint64(payload[9:])),
		stream:   payload[payloadHead : payloadHead+name],
		message:  payload[payloadHead+name:],
	}
	if r.kind == kindLines && !eachLine(r.message, r.time, func(int64, []byte) bool { return true }) {
		return record{}, 0
	}
	return r, frameHead + length
}

// scan calls f with every record of a segment, as frames does, but with the events of
// kindLines one by one, as if each were a record. Their messages are valid until the next call.
func scan(data []byte, f func(r record) bool) (g Group, sound int) {
	return frames(data, func(r record) bool {
		if r.kind != kindLines {
			return f(r)
		}
		event, more := r, true
		event.kind = kindEvent
		eachLine(r.message, r.time, func(time int64, message []byte) bool {
			event.time, event.message = time, message
			more = f(event)
			return more
		})
		return more
	})
}

// frames calls f with every sound record of a segment after its head, until f returns false
// or the segment ends or is damaged. It returns the group that the segment names, and how
// many bytes are sound; 0 when not even the head is.
func frames(data []byte, f func(r record) bool) (g Group, sound int) {
	if len(data) < len(magic) || string(data[:len(magic)]) != magic {
		return Group{}, 0
	}
	head, n := nextFrame(data[len(magic):])
	if n == 0 || head.kind != kindGroup || head.time != 0 || head.ingested != 0 || len(head.stream) != 0 {
		return Group{}, 0
	}
	g, ok := parseGroup(string(head.message))
	if !ok {
		return Group{}, 0
	}
	sound = len(magic) + n
	for {
		r, n := nextFrame(data[sound:])
		if n == 0 || r.kind == kindGroup {
			return g, sound
		}
		sound += n
		if !f(r) {
			return g, sound
		}
	}
}

// appendHead appends what a segment of g starts with.
func appendHead(dst []byte, g Group) []byte {
	dst = append(dst, magic...)
	return appendFrame(dst, kindGroup, 0, 0, "", g.encode())
}
