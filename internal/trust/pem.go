package trust

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// A pemBlock is one block of a PEM text.
type pemBlock struct {
	kind   string // "CERTIFICATE"
	der    []byte
	number int // from 1
	line   int // of its BEGIN line, from 1
}

func (b pemBlock) place() string { return fmt.Sprintf("block %d, line %d", b.number, b.line) }

// ErrPrivateKey is matched by the error of a bundle that holds a private key.
var ErrPrivateKey = errors.New("private key found")

var (
	pemBegin  = []byte("-----BEGIN ")
	pemEnd    = []byte("-----END ")
	pemDashes = []byte("-----")
)

// splitPEM cuts a text into its blocks (RFC 7468, lax: text between blocks is
// explanatory). Unlike encoding/pem, which steps over what it cannot read, it refuses
// damaged blocks and says where they are.
func splitPEM(data []byte, limit int) ([]pemBlock, error) {
	var blocks []pemBlock
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	line := 0
	for len(data) > 0 {
		var text []byte
		text, data = cutLine(data)
		line++
		if bytes.HasPrefix(text, pemEnd) {
			return nil, fmt.Errorf("line %d: %q without a BEGIN line", line, clip(text))
		}
		if !bytes.HasPrefix(text, pemBegin) {
			continue
		}
		b := pemBlock{number: len(blocks) + 1, line: line}
		if len(blocks) == limit {
			return nil, fmt.Errorf("line %d: more than %d blocks", line, limit)
		}
		kind, ok := bytes.CutSuffix(text[len(pemBegin):], pemDashes)
		if !ok {
			return nil, fmt.Errorf("%s: BEGIN line does not end in dashes", b.place())
		}
		b.kind = string(kind)
		if strings.HasSuffix(b.kind, "PRIVATE KEY") {
			return nil, fmt.Errorf("%s: %w: %q; a trust store holds certificates only", b.place(), ErrPrivateKey, b.kind)
		}
		var err error
		var lines int
		if b.der, data, lines, err = readBlock(b.kind, data); err != nil {
			return nil, fmt.Errorf("%s: %w", b.place(), err)
		}
		line += lines
		blocks = append(blocks, b)
	}
	if len(blocks) == 0 {
		return nil, fmt.Errorf("%w: no PEM block in %d lines", ErrNoCertificate, line)
	}
	return blocks, nil
}

// readBlock reads the base64 lines after a BEGIN line and the END line.
func readBlock(kind string, data []byte) (der, rest []byte, lines int, err error) {
	var body []byte
	for len(data) > 0 {
		var text []byte
		text, data = cutLine(data)
		lines++
		if bytes.HasPrefix(text, pemEnd) {
			if want := "-----END " + kind + "-----"; string(text) != want {
				return nil, nil, lines, fmt.Errorf("ends in %q, want %q", clip(text), want)
			}
			der = make([]byte, base64.StdEncoding.DecodedLen(len(body)))
			n, err := base64.StdEncoding.Strict().Decode(der, body)
			if err != nil {
				return nil, nil, lines, fmt.Errorf("base64: %w", err)
			}
			return der[:n], data, lines, nil
		}
		if bytes.HasPrefix(text, pemDashes) {
			return nil, nil, lines, fmt.Errorf("found %q before its END line", clip(text))
		}
		if i := bytes.IndexByte(text, ':'); i >= 0 {
			return nil, nil, lines, fmt.Errorf("has a header %q, want none", clip(text))
		}
		body = append(body, text...)
	}
	return nil, nil, lines, errors.New("has no END line: the text is cut off")
}

// cutLine takes a line off data, without its end and surrounding white space.
func cutLine(data []byte) (line, rest []byte) {
	i := bytes.IndexAny(data, "\r\n")
	if i < 0 {
		return bytes.TrimSpace(data), nil
	}
	line, rest = data[:i], data[i+1:]
	if data[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return bytes.TrimSpace(line), rest
}

// clip bounds what an error repeats of foreign text.
func clip(b []byte) string {
	if len(b) > 64 {
		b = b[:64]
	}
	return string(b)
}
