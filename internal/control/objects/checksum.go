package objects

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"reflect"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/control/opt"
)

// A checksum is one of the additional checksums of an object (S3 user guide, "Checking
// object integrity"): every object has one, since S3 computes CRC64NVME when the client
// gives none.
type checksum struct {
	Algorithm string `json:"algorithm"` // "CRC32", as in the model
	Value     string `json:"value"`     // base64; a composite one ends in "-" and the number of parts
	Type      string `json:"type"`      // FULL_OBJECT or COMPOSITE
}

const (
	fullObject = string(s3.ChecksumTypeFullObject)
	composite  = string(s3.ChecksumTypeComposite)
	crc64NVME  = string(s3.ChecksumAlgorithmCrc64nvme)
)

// newChecksumHash returns the hash of an algorithm, or nil when it is not served.
func newChecksumHash(algorithm string) hash.Hash {
	return sigv4.ChecksumHash("x-amz-checksum-" + strings.ToLower(algorithm))
}

// checksumFields are the members that carry checksums in the types of the wire, by
// algorithm: ChecksumCRC32 and so on.
var checksumFields = []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"}

// givenChecksum returns the checksum that a message carries, the zero checksum when
// none. in is a pointer to a struct of the wire with the members ChecksumCRC32 etc.
func givenChecksum(in any) (c checksum, err error) {
	v := reflect.ValueOf(in).Elem()
	for _, name := range checksumFields {
		value := v.FieldByName("Checksum" + name).Interface().(*string)
		if value == nil {
			continue
		}
		if c.Algorithm != "" {
			return c, s3.InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		c.Algorithm, c.Value = name, *value
	}
	if c.Algorithm != "" && newChecksumHash(c.Algorithm) == nil {
		return c, notServed("checksum algorithm " + c.Algorithm)
	}
	return c, nil
}

// show puts a checksum into an answer: out is a pointer to a struct like givenChecksum's.
func (c checksum) show(out any) {
	if c.Algorithm == "" {
		return
	}
	v := reflect.ValueOf(out).Elem()
	v.FieldByName("Checksum" + c.Algorithm).Set(reflect.ValueOf(&c.Value))
	if t := v.FieldByName("ChecksumType"); t.IsValid() {
		t.Set(reflect.ValueOf(opt.Convert[s3.ChecksumType](c.Type)))
	}
}

// algorithms is how lists show the checksum.
func (c checksum) algorithms() []s3.ChecksumAlgorithm {
	if c.Algorithm == "" {
		return nil
	}
	return []s3.ChecksumAlgorithm{s3.ChecksumAlgorithm(c.Algorithm)}
}

// A digester computes MD5 and one more checksum of a content.
type digester struct {
	algorithm string
	md5, sum  hash.Hash
}

// newDigester computes the algorithm of the model's name; "" means CRC64NVME.
func newDigester(algorithm string) (*digester, error) {
	if algorithm == "" {
		algorithm = crc64NVME
	}
	d := &digester{algorithm: algorithm, md5: md5.New(), sum: newChecksumHash(algorithm)}
	if d.sum == nil {
		return nil, notServed("checksum algorithm " + algorithm)
	}
	return d, nil
}

// Write implements io.Writer; it never fails.
func (d *digester) Write(p []byte) (int, error) {
	d.md5.Write(p)
	return d.sum.Write(p)
}

func (d *digester) checksum() checksum {
	return checksum{d.algorithm, base64.StdEncoding.EncodeToString(d.sum.Sum(nil)), fullObject}
}

// checkMD5 reads a Content-MD5 header; nil when there is none.
func checkMD5(header *string) ([]byte, error) {
	if opt.Value(header) == "" {
		return nil, nil
	}
	sum, err := base64.StdEncoding.DecodeString(*header)
	if err != nil || len(sum) != md5.Size {
		return nil, s3.InvalidDigest("The Content-MD5 you specified was invalid.").With("Content-MD5", *header)
	}
	return sum, nil
}

func badDigest(what string) *awserr.Error {
	return s3.BadDigest("The " + what + " you specified did not match the calculated checksum.")
}

// compose makes the checksum of an object from those of its parts, which all have the
// algorithm; sizes are the parts' in bytes.
func compose(algorithm, kind string, values []string, sizes []int64) (checksum, error) {
	c := checksum{Algorithm: algorithm, Type: kind}
	sums := make([][]byte, len(values))
	for i, v := range values {
		var err error
		if sums[i], err = base64.StdEncoding.DecodeString(v); err != nil {
			return c, fmt.Errorf("checksum of part %d: %w", i+1, err)
		}
	}
	if kind == composite {
		h := newChecksumHash(algorithm)
		for _, sum := range sums {
			h.Write(sum)
		}
		c.Value = fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(sums))
		return c, nil
	}
	poly, ok := polynomials[algorithm]
	if !ok {
		return c, s3.InvalidRequest("The FULL_OBJECT checksum type cannot be used with the " + strings.ToLower(algorithm) + " checksum algorithm.")
	}
	crc := uint64(0)
	for i, sum := range sums {
		crc = poly.combine(crc, uintOf(sum), sizes[i])
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], crc)
	c.Value = base64.StdEncoding.EncodeToString(b[8-poly.bits/8:])
	return c, nil
}

func uintOf(sum []byte) (v uint64) {
	for _, b := range sum {
		v = v<<8 | uint64(b)
	}
	return v
}

// A polynomial is that of a CRC, in reverse bit order.
type polynomial struct {
	reversed uint64
	bits     int
}

var polynomials = map[string]polynomial{
	"CRC32":     {0xedb88320, 32},
	"CRC32C":    {0x82f63b78, 32},
	"CRC64NVME": {0x9a6c9329ac4bc9b5, 64},
}

// combine returns the CRC of two contents one after another from the CRC of each and
// the length of the second. Appending a zero bit is linear over GF(2), so appending
// 8·n of them is the n-th power of a matrix, built by squaring. All three CRCs begin
// and end by inverting, which cancels out.
func (p polynomial) combine(first, second uint64, length int64) uint64 {
	var zero [64]uint64 // what one zero bit does to each bit of a CRC
	zero[0] = p.reversed
	for i := 1; i < p.bits; i++ {
		zero[i] = 1 << (i - 1)
	}
	step := zero
	for range 3 { // one byte
		step = p.square(step)
	}
	for n := length; n > 0; n >>= 1 {
		if n&1 == 1 {
			first = times(step, first)
		}
		step = p.square(step)
	}
	return first ^ second
}

func (p polynomial) square(m [64]uint64) (sq [64]uint64) {
	for i := range p.bits {
		sq[i] = times(m, m[i])
	}
	return sq
}

func times(m [64]uint64, v uint64) (product uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 == 1 {
			product ^= m[i]
		}
	}
	return product
}
