// Package query speaks the Query protocol, a form in and XML out: IAM and STS. The
// server of internal/awsapi calls it; it has no state.
package query

import (
	"net/http"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/binding"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/wire"
	"gatehouse/internal/awsapi/xmlbody"
)

// Codec is the protocol. The zero value is ready.
type Codec struct{}

// Decode fills in, a pointer to the operation's input, from the request's form.
func (Codec) Decode(req *wire.Request, in any) error {
	if err := DecodeForm(req.Form, req.Operation.In, in); err != nil {
		return awserr.New("MalformedInput", http.StatusBadRequest, err.Error())
	}
	return nil
}

// Answer writes the operation's output inside its wrappers. Operations without an
// output have no result element.
func (Codec) Answer(w http.ResponseWriter, op *schema.Operation, out any, ids wire.IDs) error {
	response := op.Name + "Response"
	b := xmlbody.Open(nil, response, op.Service.XMLNamespace)
	if op.OutputRoot != "" {
		b = xmlbody.Append(b, op.OutputRoot, "", op.Out, out)
	}
	b = xmlbody.Open(b, "ResponseMetadata", "")
	b = xmlbody.Element(b, "RequestId", ids.Request)
	b = xmlbody.Close(b, "ResponseMetadata")
	b = xmlbody.Close(b, response)
	setHeaders(w.Header(), ids)
	_, err := w.Write(b)
	return err
}

// Refuse writes an error. A service that is not known has no namespace.
func (Codec) Refuse(w http.ResponseWriter, svc *schema.Service, e *awserr.Error, ids wire.IDs) {
	kind := "Sender"
	if !e.Sender() {
		kind = "Receiver"
	}
	b := xmlbody.Open(nil, "ErrorResponse", svc.XMLNamespace)
	b = xmlbody.Open(b, "Error", "")
	b = xmlbody.Element(b, "Type", kind)
	b = xmlbody.Element(b, "Code", e.Code)
	b = xmlbody.Element(b, "Message", e.Message)
	b = xmlbody.Close(b, "Error")
	b = xmlbody.Element(b, "RequestId", ids.Request)
	b = xmlbody.Close(b, "ErrorResponse")
	setHeaders(w.Header(), ids)
	binding.EncodeError(w.Header(), svc, e)
	w.WriteHeader(e.Status)
	w.Write(b)
}

func setHeaders(h http.Header, ids wire.IDs) {
	h["x-amzn-RequestId"] = []string{ids.Request}
	h.Set("Content-Type", "text/xml")
}
