//go:build !race

package edge

const idleConnections = 10_000
