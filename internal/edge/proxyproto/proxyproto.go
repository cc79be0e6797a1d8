// Package proxyproto reads the header that load balancers put before a connection to tell
// whose it is: the PROXY protocol, versions 1 and 2, as specified by HAProxy
// (proxy-protocol.txt, 2020). It reads exactly the header and nothing behind it.
//
// Package edge calls it on connections from the networks that are configured to
// send the header. It keeps no state.
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// maxV1 is the longest header of version 1, CRLF included (section 2.1). maxV2 bounds the
// variable part of version 2: addresses and TLVs, certificates of the client among them.
const (
	maxV1 = 107
	maxV2 = 16 << 10
)

var signatureV2 = []byte("\r\n\r\n\x00\r\nQUIT\n")

// A Header is what the sender said about the connection.
type Header struct {
	// Source and Destination are the ends of the original connection. They are not
	// valid when the sender speaks for itself (LOCAL, a health check) or does not know
	// (UNKNOWN, UNSPEC): the socket's own addresses then count.
	Source, Destination netip.AddrPort
	// Version is 1 or 2.
	Version int
}

// Read reads one header from r. An error means that the connection must be closed: its
// sender is not what the configuration says. The caller sets a deadline.
func Read(r io.Reader) (Header, error) {
	var start [12]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return Header{}, fmt.Errorf("PROXY protocol: reading the header: %w", err)
	}
	if bytes.Equal(start[:], signatureV2) {
		h, err := readV2(r)
		if err != nil {
			return Header{}, fmt.Errorf("PROXY protocol version 2: %w", err)
		}
		return h, nil
	}
	if !bytes.HasPrefix(start[:], []byte("PROXY ")) {
		return Header{}, fmt.Errorf("PROXY protocol: the connection starts with %q, want a header", start[:])
	}
	h, err := readV1(r, start[:])
	if err != nil {
		return Header{}, fmt.Errorf("PROXY protocol version 1: %w", err)
	}
	return h, nil
}

// readV1 reads octet by octet up to the line's end: what follows belongs to the client.
func readV1(r io.Reader, start []byte) (Header, error) {
	line := append(make([]byte, 0, maxV1), start...)
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == maxV1 {
			return Header{}, fmt.Errorf("line has more than %d octets", maxV1)
		}
		line = line[:len(line)+1]
		if _, err := io.ReadFull(r, line[len(line)-1:]); err != nil {
			return Header{}, err
		}
	}
	return parseV1(string(line[:len(line)-2]))
}

func parseV1(line string) (Header, error) {
	f := strings.Split(line, " ")
	if len(f) >= 2 && f[1] == "UNKNOWN" {
		return Header{Version: 1}, nil // the rest of the line is to be ignored
	}
	if len(f) != 6 {
		return Header{}, fmt.Errorf("%q has %d fields, want 6", line, len(f))
	}
	if f[1] != "TCP4" && f[1] != "TCP6" {
		return Header{}, fmt.Errorf("protocol %q, want TCP4, TCP6 or UNKNOWN", f[1])
	}
	src, err := parseV1Addr(f[1], f[2], f[4])
	if err != nil {
		return Header{}, fmt.Errorf("source: %w", err)
	}
	dst, err := parseV1Addr(f[1], f[3], f[5])
	if err != nil {
		return Header{}, fmt.Errorf("destination: %w", err)
	}
	return Header{Source: src, Destination: dst, Version: 1}, nil
}

func parseV1Addr(proto, addr, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", addr)
	}
	if a.Is4() != (proto == "TCP4") {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address of %s", addr, proto)
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(p, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("%q is not a port", port)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}

// readV2 reads what follows the signature.
func readV2(r io.Reader) (Header, error) {
	head := make([]byte, 16)
	copy(head, signatureV2)
	if _, err := io.ReadFull(r, head[12:]); err != nil {
		return Header{}, err
	}
	verCmd, family, size := head[12], head[13], int(binary.BigEndian.Uint16(head[14:]))
	if verCmd>>4 != 2 {
		return Header{}, fmt.Errorf("version %d, want 2", verCmd>>4)
	}
	if size > maxV2 {
		return Header{}, fmt.Errorf("header of %d octets, want at most %d", size, maxV2)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return Header{}, err
	}
	switch verCmd & 0xf {
	case 0: // LOCAL: family and addresses are to be ignored
		return Header{Version: 2}, nil
	case 1:
	default:
		return Header{}, fmt.Errorf("command %d, want LOCAL or PROXY", verCmd&0xf)
	}
	h, rest, err := addressesV2(family, body)
	if err != nil {
		return Header{}, err
	}
	return h, checkTLVs(head, body, rest)
}

func addressesV2(family byte, body []byte) (h Header, tlvs []byte, err error) {
	h.Version = 2
	size := 0
	switch family {
	case 0x00: // UNSPEC
		return h, body, nil
	case 0x11: // TCP over IPv4
		size = 4
	case 0x21: // TCP over IPv6
		size = 16
	default:
		return h, nil, fmt.Errorf("address family and protocol %#02x, want TCP over IPv4 or IPv6", family)
	}
	if len(body) < 2*size+4 {
		return h, nil, fmt.Errorf("%d octets of addresses, want %d", len(body), 2*size+4)
	}
	src, _ := netip.AddrFromSlice(body[:size])
	dst, _ := netip.AddrFromSlice(body[size : 2*size])
	ports := body[2*size:]
	h.Source = netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(ports))
	h.Destination = netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(ports[2:]))
	return h, body[2*size+4:], nil
}

const tlvCRC32C = 0x03

// checkTLVs walks the extensions and verifies the checksum, when there is one.
// Their content is not used.
func checkTLVs(head, body, tlvs []byte) error {
	for at := len(body) - len(tlvs); at < len(body); {
		if len(body)-at < 3 {
			return errors.New("extension is cut off")
		}
		kind, size := body[at], int(binary.BigEndian.Uint16(body[at+1:]))
		at += 3
		if len(body)-at < size {
			return fmt.Errorf("extension %#02x of %d octets is cut off", kind, size)
		}
		if kind == tlvCRC32C {
			if size != 4 {
				return fmt.Errorf("checksum of %d octets, want 4", size)
			}
			want := binary.BigEndian.Uint32(body[at:])
			whole := append(bytes.Clone(head), body...)
			copy(whole[len(head)+at:], []byte{0, 0, 0, 0})
			if got := crc32.Checksum(whole, crc32.MakeTable(crc32.Castagnoli)); got != want {
				return fmt.Errorf("checksum %#08x, want %#08x", want, got)
			}
		}
		at += size
	}
	return nil
}
