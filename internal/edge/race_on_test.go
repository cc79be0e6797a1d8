//go:build race

package edge

// The race detector multiplies the cost of a handshake; the number is not what it is for.
const idleConnections = 1000
