// Package wire holds what the server and the protocol packages hand each other: a
// request that is ready to be decoded, and what an answer needs beside its content.
package wire

import (
	"io"
	"net/http"
	"net/url"

	"gatehouse/internal/awsapi/schema"
)

// A Request is an HTTP request whose operation is known. It belongs to one goroutine.
type Request struct {
	Operation *schema.Operation
	Header    http.Header
	Query     url.Values        // of the URL, decoded
	Labels    map[string]string // of the path, decoded; by wire name
	Body      []byte            // the whole body, unless the operation streams
	Stream    io.ReadCloser     // of operations that take a streaming blob
	Form      url.Values        // of the Query protocol: URL and body together
}

// IDs identify a request in its answer.
type IDs struct {
	Request string
	Host    string // S3's x-amz-id-2
}
