package model

import "crypto/rand"

const idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// NewID returns n random characters of a to z and 0 to 9, the form of API Gateway's
// ids: 10 for APIs and authorizers, 6 for resources and deployments.
func NewID(n int) string {
	b := make([]byte, n)
	for i := 0; i < n; {
		var r [16]byte
		rand.Read(r[:]) // never fails (crypto/rand)
		for _, x := range r {
			// 252 is the largest multiple of 36 in a byte: higher values would favour some letters.
			if x < 252 && i < n {
				b[i] = idAlphabet[x%36]
				i++
			}
		}
	}
	return string(b)
}
