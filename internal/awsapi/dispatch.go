package awsapi

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/route"
	"gatehouse/internal/awsapi/schema"
)

// pickService finds the service that a request is for: by the scope of its credentials,
// else by X-Amz-Target, else by the Action of a form, else by its host, else by its
// path; what remains is S3's, whose buckets may be open to callers without credentials.
func (x *exchange) pickService() {
	s := x.server
	x.scope = scopeService(x.r.Header.Get("Authorization"), x.request.Query)
	x.scoped = x.scope != ""
	if x.scoped {
		if found := s.named(x.scope); len(found) > 0 {
			x.service = found[0]
			x.pickByRoute()
		}
		return
	}
	if target := x.r.Header.Get("X-Amz-Target"); target != "" {
		x.service = s.targeted(target)
	} else if version := x.formVersion(); version != "" {
		x.service = s.versioned(version)
	} else if x.service = s.hosted(x.r.Host); x.service == nil {
		x.service = s.routed(x)
	}
	if x.service != nil {
		x.scope = x.service.Service.Name
		x.pickByRoute()
	}
}

// scopeService returns the service in the credential scope of a header or a presigned
// query: "Credential=KEY/20260101/us-east-1/apigateway/aws4_request".
func scopeService(authorization string, query url.Values) string {
	credential := query.Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(authorization, "Credential="); ok {
		credential, _, _ = strings.Cut(after, ",")
	}
	parts := strings.Split(strings.TrimSpace(credential), "/")
	if len(parts) < 5 {
		return ""
	}
	return parts[len(parts)-2] // an access key may hold slashes
}

// pickByRoute chooses among services that are signed for under one name (S3 and S3
// Control, the versions of API Gateway) the one that has the request's route.
func (x *exchange) pickByRoute() {
	found := x.server.named(x.scope)
	if len(found) < 2 {
		return
	}
	if found[0].Service.Protocol == schema.RESTJSON { // the two versions of API Gateway
		for _, svc := range found[1:] {
			if m, ok := x.find(svc); ok && m.Operation != nil {
				x.service = svc
			}
		}
		return
	}
	for _, svc := range found {
		if controlPath := strings.HasPrefix(x.path, s3ControlPrefix); controlPath == svc.Service.WrappedErrors {
			x.service = svc
			return
		}
	}
}

// formVersion is the Version of a call in the Query protocol, whose Action is in the
// query string or in the form; "" when the request is none. Unsigned forms are small:
// more than maxUnsignedForm bytes are not looked at.
func (x *exchange) formVersion() string {
	if x.request.Query.Has("Action") {
		return x.request.Query.Get("Version")
	}
	if !isForm(x.r) {
		return ""
	}
	body, err := x.peekBody(maxUnsignedForm)
	if err != nil {
		return ""
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("Action") {
		return ""
	}
	return form.Get("Version")
}

func isForm(r *http.Request) bool {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return r.Method == http.MethodPost && strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded")
}

// versioned returns the service of the Query protocol with an API version, or nil.
func (s *Server) versioned(version string) *service {
	for _, svc := range s.services {
		if svc.Service.Protocol == schema.Query && svc.Service.APIVersion == version {
			return svc
		}
	}
	return nil
}

// hosted returns the service whose name is the first label of the host, or nil.
func (s *Server) hosted(host string) *service {
	label, _, _ := strings.Cut(host, ".")
	if found := s.named(strings.ToLower(label)); len(found) > 0 {
		return found[0]
	}
	return nil
}

// routed returns the first service of REST-JSON that has the request's route, else S3.
func (s *Server) routed(x *exchange) *service {
	var s3 *service
	for _, svc := range s.services {
		switch svc.Service.Protocol {
		case schema.RESTJSON:
			if _, ok := x.find(svc); ok {
				return svc
			}
		case schema.RESTXML:
			if s3 == nil {
				s3 = svc
			}
		}
	}
	return s3
}

// s3ControlPrefix begins the paths of S3 Control, which shares S3's name and port. No
// bucket is called so.
const s3ControlPrefix = "/v20180820/"

// bucketPath puts the bucket of a virtual-hosted request in front of the path, and
// drops the slash behind a bucket's name. S3 Control names an account in its host, no
// bucket.
func (s *Server) bucketPath(host, path string) string {
	if strings.HasPrefix(path, s3ControlPrefix) {
		return path
	}
	if bucket := s.hostBucket(host); bucket != "" {
		path = "/" + bucket + path
	}
	if i := strings.IndexByte(path[1:], '/'); i > 0 && i == len(path)-2 {
		return path[:len(path)-1]
	}
	return path
}

// hostBucket returns the bucket that a host names, or "": "b.s3.localhost",
// "b.s3.us-east-1.localhost" and "b.localhost" name b; "localhost" and
// "s3.us-east-1.localhost" none.
func (s *Server) hostBucket(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(host)
	for _, domain := range s.config.S3Domains {
		name, ok := strings.CutSuffix(host, "."+domain)
		if !ok {
			continue
		}
		labels := strings.Split(name, ".")
		if i := len(labels) - 1; labels[i] == "s3" {
			return strings.Join(labels[:i], ".")
		}
		if i := len(labels) - 2; i >= 0 && labels[i] == "s3" {
			return strings.Join(labels[:i], ".")
		}
		return name
	}
	return ""
}

// findOperation finds the operation and returns the error that the caller will see when
// there is none, or none that is served.
func (x *exchange) findOperation() error {
	if x.service == nil {
		name := x.scope
		if name == "" {
			name = "that this request is for"
		}
		return awserr.UnknownService(name)
	}
	svc := x.service.Service
	switch svc.Protocol {
	case schema.JSON11:
		prefix, name, _ := strings.Cut(x.r.Header.Get("X-Amz-Target"), ".")
		if prefix != svc.TargetPrefix || x.r.Method != http.MethodPost {
			name = ""
		}
		return x.setOperation(name, awserr.New("UnknownOperationException", http.StatusBadRequest, ""))
	case schema.Query:
		return nil // the name is in the body, which is not read yet
	}
	m, ok := x.find(x.service)
	if !ok {
		return x.noRoute()
	}
	if m.Operation == nil {
		return awserr.NotImplemented(svc.Name, m.Name)
	}
	x.request.Labels = m.Labels
	x.request.Operation, x.call.Operation = m.Operation, m.Operation
	return nil
}

// find looks the request up in a service's routes. In REST-JSON a slash at the end of
// the path does not matter: the SDKs of some years end paths of Lambda with one.
func (x *exchange) find(svc *service) (route.Match, bool) {
	m, ok := svc.routes.Find(x.r.Method, x.path, x.request.Query, x.r.Header)
	if path, slash := strings.CutSuffix(x.path, "/"); !ok && slash && svc.Service.Protocol == schema.RESTJSON {
		return svc.routes.Find(x.r.Method, path, x.request.Query, x.r.Header)
	}
	return m, ok
}

// setOperation takes the operation called name; unknown is the error when the service
// has none of that name.
func (x *exchange) setOperation(name string, unknown error) error {
	svc := x.service.Service
	if op := svc.Operation(name); op != nil {
		x.request.Operation, x.call.Operation = op, op
		return nil
	}
	if slices.ContainsFunc(svc.Other, func(o schema.Other) bool { return o.Name == name }) {
		return awserr.NotImplemented(svc.Name, name)
	}
	return unknown
}

func (x *exchange) noRoute() error {
	if x.service.Service.Protocol == schema.RESTXML {
		return awserr.New("MethodNotAllowed", http.StatusMethodNotAllowed,
			"The specified method is not allowed against this resource.").With("Method", x.r.Method)
	}
	return awserr.Newf("UnknownOperationException", http.StatusNotFound, "%s has no operation %s %s.",
		x.service.Service.FullName, x.r.Method, x.path)
}
