package clientcertificates

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// A year of a certificate with the tag "auto": its end comes near, the successor is published beside it, takes its place with its own key, and the predecessor stays published
// for a while.
func TestAutomaticRotation(t *testing.T) {
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	var log bytes.Buffer
	now := time.Now()
	k := &Keeper{Store: st, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }}
	ctx := awsapi.WithCall(t.Context(), &awsapi.Call{Account: "000000000000", Region: "us-east-1"})
	made, err := (&ClientCertificates{Store: st}).GenerateClientCertificate(ctx, &apigateway.GenerateClientCertificateInput{Tags: map[string]string{model.RotateTag: "auto"}})
	if err != nil {
		t.Fatal(err)
	}
	end := *made.ExpirationDate
	statuses := func(at time.Time) (next time.Time, got string) {
		t.Helper()
		now = at
		next, err := k.Pass(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, _ := k.Published(*made.ClientCertificateId)
		for _, key := range p.Keys {
			got += key.Status + " "
		}
		checkKey(t, ctx, st, *made.ClientCertificateId)
		return next, strings.TrimSpace(got)
	}
	const day = 24 * time.Hour
	var first, second Published
	for _, c := range []struct {
		at     time.Time
		want   string
		next   time.Time
		logged string
	}{
		{end.Add(-300 * day), "current", end.Add(-publishBefore), ""},
		{end.Add(-30 * day), "current next", end.Add(-7 * day), "a successor was made"},
		{end.Add(-20 * day), "current next", end.Add(-7 * day), ""},
		{end.Add(-7 * day), "current previous", end.Add(-7 * day).Add(afterSwitch), "taken its place"},
		{end.Add(-7 * day).Add(afterSwitch), "current", end.Add(-30 * day).Add(335 * day), "published no more"},
	} {
		log.Reset()
		next, got := statuses(c.at)
		if got != c.want || !strings.Contains(log.String(), c.logged) || c.logged == "" && log.Len() > 0 {
			t.Errorf("at %v before its end: published %q, logged %q; want %q and %q", end.Sub(c.at), got, log.String(), c.want, c.logged)
		}
		if d := next.Sub(c.next); d < -time.Second || d > time.Second {
			t.Errorf("at %v before its end: next look at %v, want %v", end.Sub(c.at), next, c.next)
		}
		p, _ := k.Published(*made.ClientCertificateId)
		if c.want == "current next" {
			first = p
		}
		if c.want == "current previous" {
			second = p
		}
	}
	if first.Keys[0].Thumb != second.Keys[1].Thumb || first.Keys[1].Thumb != second.Keys[0].Thumb {
		t.Error("the successor that was published is not what took the place")
	}
	text, err := second.JSON()
	if err != nil || !json.Valid(text) || strings.Contains(string(text), "PRIVATE") {
		t.Errorf("published as JSON: %s, %v", text, err)
	}
}

// checkKey holds a certificate against its sealed key.
func checkKey(t *testing.T, ctx context.Context, st *store.Store, id string) {
	t.Helper()
	err := st.View(ctx, func(tx *store.Tx) error {
		in := store.Scope{Account: "000000000000", Region: "us-east-1"}
		c, err := certificates.Get(tx, in, id)
		if err != nil {
			return err
		}
		key, err := tx.Secret(certificates.Key(in, id), model.SecretPrivateKey)
		if err != nil {
			return err
		}
		_, err = tls.X509KeyPair([]byte(c.PEM), key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
