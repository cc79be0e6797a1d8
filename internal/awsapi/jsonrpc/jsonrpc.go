// Package jsonrpc speaks the JSON 1.1 protocol, POST / with X-Amz-Target: ACM, WAF and
// CloudWatch Logs. The server of internal/awsapi calls it; it has no state.
package jsonrpc

import (
	"net/http"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/binding"
	"gatehouse/internal/awsapi/jsonbody"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/wire"
)

// Codec is the protocol. The zero value is ready.
type Codec struct{}

// Decode fills in, a pointer to the operation's input.
func (Codec) Decode(req *wire.Request, in any) error {
	return jsonbody.Decode(req.Body, req.Operation.In, in)
}

// Answer writes the operation's output.
func (Codec) Answer(w http.ResponseWriter, op *schema.Operation, out any, ids wire.IDs) error {
	setHeaders(w.Header(), ids)
	_, err := w.Write(jsonbody.Append(nil, op.Out, out))
	return err
}

// Refuse writes an error: its name in __type beside the message.
func (Codec) Refuse(w http.ResponseWriter, svc *schema.Service, e *awserr.Error, ids wire.IDs) {
	setHeaders(w.Header(), ids)
	binding.EncodeError(w.Header(), svc, e)
	w.WriteHeader(e.Status)
	w.Write(jsonbody.AppendError(nil, svc, e, true))
}

func setHeaders(h http.Header, ids wire.IDs) {
	h["x-amzn-RequestId"] = []string{ids.Request}
	h.Set("Content-Type", "application/x-amz-json-1.1")
}
