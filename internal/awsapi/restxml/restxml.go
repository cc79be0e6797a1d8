// Package restxml speaks the REST-XML protocol as S3 and S3 Control do. The server of
// internal/awsapi calls it; it has no state.
package restxml

import (
	"io"
	"net/http"
	"reflect"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/binding"
	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/wire"
	"gatehouse/internal/awsapi/xmlbody"
)

// Codec is the protocol. The zero value is ready.
type Codec struct{}

// Decode fills in, a pointer to the operation's input.
func (Codec) Decode(req *wire.Request, in any) error {
	if err := binding.Decode(req, in); err != nil {
		return awserr.New("InvalidArgument", http.StatusBadRequest, awserr.As(err).Message)
	}
	op := req.Operation
	m, i := op.In.PayloadMember()
	if m == nil {
		if op.InputRoot == "" {
			return nil
		}
		return decodeXML(req.Body, op.InputRoot, op.In, in)
	}
	field := reflect.ValueOf(in).Elem().Field(i)
	switch {
	case m.IsStreaming():
		field.Set(reflect.ValueOf(req.Stream))
	case len(req.Body) == 0:
		if m.Required {
			return awserr.New("MissingRequestBodyError", http.StatusBadRequest, "Request Body is empty")
		}
	case m.Shape.Kind == schema.String:
		scalar.Make(field).SetString(string(req.Body))
	case m.Shape.Kind == schema.Blob:
		field.SetBytes(req.Body)
	default:
		return decodeXML(req.Body, m.Wire, m.Shape, scalar.Make(field).Addr().Interface())
	}
	return nil
}

func decodeXML(body []byte, root string, sh *schema.Shape, into any) error {
	if err := xmlbody.Decode(body, root, sh, into); err != nil {
		return awserr.New("MalformedXML", http.StatusBadRequest,
			"The XML you provided was not well-formed or did not validate against our published schema").Because(err)
	}
	return nil
}

// Answer writes the operation's output. An error means that a streamed body broke off
// after the headers were sent.
func (Codec) Answer(w http.ResponseWriter, op *schema.Operation, out any, ids wire.IDs) error {
	h := w.Header()
	setIDs(h, ids)
	status := binding.Encode(h, op, out)
	if h.Get("Content-Range") != "" { // which no member of the model says (RFC 9110 section 15.3.7)
		status = http.StatusPartialContent
	}
	v := reflect.ValueOf(out)
	m, i := op.Out.PayloadMember()
	if m == nil {
		return answerMembers(w, status, op, out)
	}
	if v.IsNil() {
		w.WriteHeader(status)
		return nil
	}
	value, ok := scalar.Present(v.Elem().Field(i))
	if !ok {
		w.WriteHeader(status)
		return nil
	}
	switch {
	case m.IsStreaming():
		body := value.Interface().(io.ReadCloser)
		defer body.Close()
		w.WriteHeader(status)
		_, err := io.Copy(w, body)
		return err
	case m.Shape.Kind == schema.String:
		setType(h, "application/json") // a bucket policy
		w.WriteHeader(status)
		_, err := io.WriteString(w, value.String())
		return err
	}
	return writeXML(w, status, xmlbody.Append([]byte(xmlbody.Declaration), m.Wire, op.Service.XMLNamespace, m.Shape, value.Addr().Interface()))
}

// answerMembers writes an output whose body members, if it has any, are a document.
func answerMembers(w http.ResponseWriter, status int, op *schema.Operation, out any) error {
	root := op.OutputRoot
	if root == "" {
		root = op.Out.Name
	}
	if op.Unwrapped {
		return writeXML(w, status, unwrapped(root, op, out))
	}
	for i := range op.Out.Members {
		if op.Out.Members[i].Loc == schema.Body {
			return writeXML(w, status, xmlbody.Append([]byte(xmlbody.Declaration), root, op.Service.XMLNamespace, op.Out, out))
		}
	}
	w.WriteHeader(status)
	return nil
}

// unwrapped is a document whose root holds the text of the only member, which may be absent.
func unwrapped(root string, op *schema.Operation, out any) []byte {
	b := xmlbody.Open([]byte(xmlbody.Declaration), root, op.Service.XMLNamespace)
	if v := reflect.ValueOf(out); !v.IsNil() {
		if value, ok := scalar.Present(v.Elem().Field(0)); ok {
			b = xmlbody.AppendText(b, value.String())
		}
	}
	return xmlbody.Close(b, root)
}

func writeXML(w http.ResponseWriter, status int, doc []byte) error {
	setType(w.Header(), "application/xml")
	w.WriteHeader(status)
	_, err := w.Write(doc)
	return err
}

// Refuse writes an error. S3 Control wraps it once more than S3 does. The members of
// the error follow the message; Resource is one that the server adds.
func (Codec) Refuse(w http.ResponseWriter, svc *schema.Service, e *awserr.Error, ids wire.IDs) {
	b := []byte(xmlbody.Declaration)
	if svc.WrappedErrors {
		b = xmlbody.Open(b, "ErrorResponse", "")
	}
	b = xmlbody.Open(b, "Error", "")
	b = xmlbody.Element(b, "Code", e.Code)
	b = xmlbody.Element(b, "Message", e.Message)
	for _, d := range e.Details {
		if text, ok := d.Value.(string); ok {
			b = xmlbody.Element(b, svc.Error(e.Code).WireName(d.Name), text)
		}
	}
	b = xmlbody.Element(b, "RequestId", ids.Request)
	b = xmlbody.Element(b, "HostId", ids.Host)
	b = xmlbody.Close(b, "Error")
	if svc.WrappedErrors {
		b = xmlbody.Close(b, "ErrorResponse")
	}
	h := w.Header()
	setIDs(h, ids)
	binding.EncodeError(h, svc, e)
	if e.Status == http.StatusNotModified { // has no body (RFC 9110 section 15.4.5)
		w.WriteHeader(e.Status)
		return
	}
	h.Set("Content-Type", "application/xml")
	w.WriteHeader(e.Status)
	w.Write(b)
}

func setIDs(h http.Header, ids wire.IDs) {
	h["x-amz-request-id"] = []string{ids.Request}
	h["x-amz-id-2"] = []string{ids.Host}
}

func setType(h http.Header, mediaType string) {
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", mediaType)
	}
}
