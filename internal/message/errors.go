package message

import "errors"

// ErrBodyTooLarge is returned by Request.Body when the body is longer than the
// engine's limit.
var ErrBodyTooLarge = errors.New("request body is larger than the limit")

// ErrClientGone is returned by Writer methods and Request.Body when the client
// closed or reset its side.
var ErrClientGone = errors.New("client closed the connection")
