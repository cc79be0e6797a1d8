// Package server assembles Gatehouse from its parts, starts them in order, and stops them
// in reverse. It is the only package that sees all others.
//
// Order of start: data folder and store, root key, local CA, control plane, compiler (the
// first plan), then the sockets. Order of stop: accept no more, drain, stop the compiler,
// close the store.
package server
