package sigv4

import (
	"crypto/sha1" // a checksum that clients choose, not a signature
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"sync"
)

// ChecksumHash returns a new hash for the header or trailer "x-amz-checksum-…" called
// name (in lower case), or nil when there is no such checksum. The checksum is the
// hash's Sum, big-endian, in base64.
func ChecksumHash(name string) hash.Hash {
	switch name {
	case "x-amz-checksum-crc32":
		return crc32.NewIEEE()
	case "x-amz-checksum-crc32c":
		return crc32.New(castagnoli())
	case "x-amz-checksum-crc64nvme":
		return crc64.New(nvme())
	case "x-amz-checksum-sha1":
		return sha1.New()
	case "x-amz-checksum-sha256":
		return sha256.New()
	}
	return nil
}

var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// nvme is the CRC-64 of the NVM Express command set specification 1.0d, section 5.2.1.3.4;
// the polynomial is written in reverse, as package crc64 wants it.
var nvme = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(0x9a6c9329ac4bc9b5) })
