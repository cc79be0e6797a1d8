package server

import (
	"context"
	"fmt"
	"net/http"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/store"
)

// signed runs an operation for a caller who signed for the service "gatehouse" and may do
// action ("gatehouse:Backup").
func (s *Server) signed(w http.ResponseWriter, r *http.Request, action string, op func(ctx context.Context) error) {
	ctx := r.Context()
	auth, err := s.identities.Authenticate(r, "gatehouse")
	if err == nil {
		call := &awsapi.Call{Account: auth.Identity.Account, Region: auth.Region, Service: "gatehouse", Identity: auth.Identity}
		ctx = awsapi.WithCall(ctx, call)
		err = s.identities.Authorize(ctx, awsapi.Access{Call: call, Action: action, Resource: "*", Request: r})
	}
	if err == nil {
		err = op(ctx)
	}
	if err == nil {
		return
	}
	if e := awserr.As(err); e != nil {
		http.Error(w, e.Code+": "+e.Message, e.Status)
		return
	}
	s.log.Error("an operation failed", "action", action, "error", err)
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

// backup streams a backup. One that breaks off midway breaks the connection.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	s.signed(w, r, "gatehouse:Backup", func(ctx context.Context) error {
		w.Header().Set("Content-Type", "application/x-tar")
		if err := s.store.Backup(ctx, w, store.BackupOptions{SealingKeys: r.URL.Query().Get("sealing-keys") == "true"}); err != nil {
			s.log.Error("a backup broke off", "error", err)
			panic(http.ErrAbortHandler)
		}
		return nil
	})
}

// restore replaces everything by a backup, and answers when that is served.
func (s *Server) restore(w http.ResponseWriter, r *http.Request) {
	s.signed(w, r, "gatehouse:Restore", func(ctx context.Context) error {
		info, err := s.store.Restore(ctx, r.Body)
		if err == nil {
			err = s.identities.Reload(ctx)
		}
		if err != nil {
			return err
		}
		(&liveWriter{ResponseWriter: w, s: s, r: r}).wait()
		_, err = fmt.Fprintf(w, "restored %d rows of revision %d\n", info.Rows, info.Revision)
		return err
	})
}
