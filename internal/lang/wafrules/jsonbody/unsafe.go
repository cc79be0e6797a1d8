package jsonbody

import "unsafe"

// bytesString views b as a string. The document's text is only appended to, within the
// capacity reserved by Parse, until it is reset together with all elements.
func bytesString(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}
