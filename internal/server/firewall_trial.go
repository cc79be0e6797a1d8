package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/firewall"
	"gatehouse/internal/firewall/trial"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/ratecount"
	"gatehouse/internal/store"
)

// A WAFTrial is the body of POST waf/try, and the first value of that of POST waf/replay,
// which the log follows.
type WAFTrial struct {
	WebACL string `json:"webAcl"` // ARN
	// Definition stands in for the web ACL's own, in the JSON of GetWebACL or UpdateWebACL.
	Definition json.RawMessage `json:"definition,omitempty"`
	// Request, of waf/try, is a request as HTTP/1.1 has it; Client where it comes from, and
	// Plain says that it came over HTTP.
	Request []byte `json:"request,omitempty"`
	Client  string `json:"client,omitempty"`
	Plain   bool   `json:"plain,omitempty"`
}

// maxTrial bounds a trial without the log: the largest request and the largest definition.
const maxTrial = 32 << 20

// tryWebACL answers what a web ACL makes of a request.
func (s *Server) tryWebACL(w http.ResponseWriter, r *http.Request) {
	s.signed(w, r, "gatehouse:TryWebACL", func(ctx context.Context) error {
		var in WAFTrial
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTrial)).Decode(&in); err != nil {
			return badTrial(err)
		}
		from := trial.Client{Address: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Plain: in.Plain}
		if in.Client != "" {
			var err error
			if from.Address, err = netip.ParseAddr(in.Client); err != nil {
				return badTrial(err)
			}
		}
		judge, err := s.judge(ctx, &in)
		if err != nil {
			return err
		}
		opinion, err := judge.Try(in.Request, from, time.Now())
		if err != nil {
			return badTrial(err)
		}
		writeJSON(w, http.StatusOK, opinion)
		return nil
	})
}

// replayLog answers which requests of a log a web ACL would treat differently.
func (s *Server) replayLog(w http.ResponseWriter, r *http.Request) {
	s.signed(w, r, "gatehouse:TryWebACL", func(ctx context.Context) error {
		dec := json.NewDecoder(r.Body)
		var in WAFTrial
		if err := dec.Decode(&in); err != nil {
			return badTrial(err)
		}
		judge, err := s.judge(ctx, &in)
		if err != nil {
			return err
		}
		report, err := judge.Replay(io.MultiReader(dec.Buffered(), r.Body))
		if err != nil {
			return badTrial(err)
		}
		writeJSON(w, http.StatusOK, report)
		return nil
	})
}

// judge compiles the web ACL of a trial, which must be of the caller's account and region.
func (s *Server) judge(ctx context.Context, in *WAFTrial) (*trial.Judge, error) {
	arn, ok := firewall.ParseARN(in.WebACL)
	if !ok || arn.Scope != operation.Scope(ctx) {
		return nil, badTrial(fmt.Errorf("%q is not the ARN of a web ACL of this account and region", in.WebACL))
	}
	var acl *wafrules.ACL
	err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		acl, err = s.firewall.acls.Rehearse(tx, in.WebACL, in.Definition, ratecount.NewStore())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, awserr.Newf("NotFound", http.StatusNotFound, "there is no web ACL %s", in.WebACL)
	}
	if err != nil {
		return nil, badTrial(err)
	}
	return &trial.Judge{ACL: acl, Key: s.matchKey()}, nil
}

func badTrial(err error) error {
	return awserr.Newf("BadRequest", http.StatusBadRequest, "%v", err)
}
