// Package restjson speaks the REST-JSON protocol: API Gateway and Lambda. The server
// of internal/awsapi calls it; it has no state.
package restjson

import (
	"io"
	"net/http"
	"reflect"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/binding"
	"gatehouse/internal/awsapi/jsonbody"
	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/wire"
)

// Codec is the protocol. The zero value is ready.
type Codec struct{}

// Decode fills in, a pointer to the operation's input.
func (Codec) Decode(req *wire.Request, in any) error {
	if err := binding.Decode(req, in); err != nil {
		return err
	}
	sh := req.Operation.In
	m, i := sh.PayloadMember()
	if m == nil {
		return jsonbody.Decode(req.Body, sh, in)
	}
	field := reflect.ValueOf(in).Elem().Field(i)
	switch {
	case m.IsStreaming():
		field.Set(reflect.ValueOf(req.Stream))
	case len(req.Body) == 0:
	case m.Shape.Kind == schema.Blob:
		field.SetBytes(req.Body)
	case m.Shape.Kind == schema.String:
		scalar.Make(field).SetString(string(req.Body))
	default:
		return jsonbody.Decode(req.Body, m.Shape, scalar.Make(field).Addr().Interface())
	}
	return nil
}

// Answer writes the operation's output. An error means that a streamed body broke off
// after the headers were sent.
func (Codec) Answer(w http.ResponseWriter, op *schema.Operation, out any, ids wire.IDs) error {
	h := w.Header()
	setIDs(h, ids)
	status := binding.Encode(h, op, out)
	m, i := op.Out.PayloadMember()
	if m == nil {
		if status == http.StatusNoContent || len(op.Out.Members) == 0 {
			w.WriteHeader(status)
			return nil
		}
		setType(h)
		w.WriteHeader(status)
		_, err := w.Write(jsonbody.Append(nil, op.Out, out))
		return err
	}
	setType(h)
	v := reflect.ValueOf(out)
	if v.IsNil() {
		w.WriteHeader(status)
		return nil
	}
	value, ok := scalar.Present(v.Elem().Field(i))
	w.WriteHeader(status)
	if !ok {
		return nil
	}
	return writePayload(w, m, value)
}

func writePayload(w http.ResponseWriter, m *schema.Member, v reflect.Value) error {
	var err error
	switch {
	case m.IsStreaming():
		body := v.Interface().(io.ReadCloser)
		to := io.Writer(w)
		if m.Shape.Events {
			to = prompt{w}
		}
		_, err = io.Copy(to, body)
		body.Close()
	case m.Shape.Kind == schema.Blob:
		_, err = w.Write(v.Bytes())
	case m.Shape.Kind == schema.String:
		_, err = io.WriteString(w, v.String())
	default:
		_, err = w.Write(jsonbody.Append(nil, m.Shape, v.Addr().Interface()))
	}
	return err
}

// prompt sends everything at once.
type prompt struct{ w http.ResponseWriter }

func (p prompt) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if err == nil {
		err = http.NewResponseController(p.w).Flush()
	}
	return n, err
}

// Refuse writes an error: its name in a header, its message in the body.
func (Codec) Refuse(w http.ResponseWriter, svc *schema.Service, e *awserr.Error, ids wire.IDs) {
	h := w.Header()
	setIDs(h, ids)
	h["x-amzn-ErrorType"] = []string{e.Code}
	binding.EncodeError(h, svc, e)
	h.Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	w.Write(jsonbody.AppendError(nil, svc, e, false))
}

func setIDs(h http.Header, ids wire.IDs) {
	h["x-amzn-RequestId"] = []string{ids.Request}
}

// setType leaves a type that a member of the output has set.
func setType(h http.Header) {
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
}
