package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/control/clientcertificates"
)

// clientCertificatesPrefix is followed by the id of a client certificate.
const clientCertificatesPrefix = "client-certificates/"

// Paths of operations on client certificates, below opsPrefix.
const rotateSuffix = "/rotate"

// publishCertificate tells anybody which certificates a backend is to admit: the current one
// of an id, its successor until the switch and a while longer its predecessor. format is json
// (the default, a JWK set), pem or spki. Backends ask again with the ETag.
func (s *Server) publishCertificate(w http.ResponseWriter, r *http.Request, id string) {
	p, ok := s.certificates.Published(id)
	if !ok {
		http.Error(w, "no client certificate has this id", http.StatusNotFound)
		return
	}
	var body []byte
	var err error
	contentType := "application/json"
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		body, err = p.JSON()
	case "pem":
		body, contentType = p.PEM(), "application/x-pem-file"
	case "spki":
		body, contentType = p.Pins(), "text/plain; charset=utf-8"
	default:
		http.Error(w, "format: want json, pem or spki", http.StatusBadRequest)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache") // may be kept, and is asked for again
	w.Header().Set("Content-Type", contentType)
	if matchesTag(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(body)
}

// matchesTag reports whether a list of entity tags names one (RFC 9110 section 13.1.2: weakly).
func matchesTag(list, tag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == "*" || t == tag {
			return true
		}
	}
	return false
}

// rotateCertificate gives a client certificate a successor; the query's "switch" is the time at
// which it takes its place (RFC 3339).
func (s *Server) rotateCertificate(w http.ResponseWriter, r *http.Request, id string) {
	s.signed(w, r, "gatehouse:RotateClientCertificate", func(ctx context.Context) error {
		at, err := time.Parse(time.RFC3339, r.URL.Query().Get("switch"))
		if err != nil {
			return awserr.New("BadRequestException", http.StatusBadRequest, "switch: found '"+r.URL.Query().Get("switch")+"', want the time of the switch such as 2027-01-31T06:00:00Z")
		}
		var p clientcertificates.Published
		if p, err = s.certificates.Rotate(ctx, id, at); err != nil {
			return err
		}
		body, err := p.JSON()
		if err != nil {
			return err
		}
		if revision, err := s.revision(ctx); err == nil {
			wait, cancel := context.WithTimeout(ctx, liveWithin)
			defer cancel()
			if s.compiler.Wait(wait, revision) != nil {
				s.log.Warn("a call is answered before its effect is served", "revision", revision)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
		return nil
	})
}
